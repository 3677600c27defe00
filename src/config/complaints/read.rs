//! From the files as written to the days: `[complaints]`, and one file for each year's calendar.

use super::super::problem::{Fault, Problems};
use super::super::raw::{Context, Document, Findings, Node, Section};
use super::super::values::{self, wrong_kind};
use super::super::{Environment, Origin, Problem};
use super::Complaints;
use super::calendar::{Calendar, Year};
use jiff::civil::{Date, Weekday};
use std::path::{Path, PathBuf};
use toml::de::DeValue;

const EXAMPLE: &str = "[\"calendar/2027.toml\"]";
const EXAMPLE_DAYS: &str = "[2027-01-01, 2027-01-03]";

/// Reads `[complaints]`.
pub(in crate::config) fn complaints(section: &mut Section<'_>) -> Option<Complaints> {
    let call_back_days = section.count("call_back_days", 1..=365);
    let repair_days = section.count("repair_days", 1..=365);
    let mut calendar = Calendar::built_in();
    let files = section
        .list("calendars", EXAMPLE, |item| Ok(PathBuf::from(values::text(item, EXAMPLE)?)))
        .map(|files| files.value);
    for file in files.unwrap_or_default() {
        let path = section.environment().path(&file.value);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let added = calendar.add(&path.display().to_string(), &text);
                added.unwrap_or_else(|problems| section.adopt(&problems));
            }
            Err(fault) => {
                let wrong = format!("{} cannot be read ({fault})", path.display());
                section.reject(&file, Fault::new(wrong, "name a readable file of one year"));
            }
        }
    }
    let (call_back_days, repair_days) = (call_back_days?, repair_days?);
    if call_back_days.value > repair_days.value {
        let wrong = "nothing is put right before somebody has called back";
        let right = "make complaints.repair_days at least complaints.call_back_days";
        section.conflict(&call_back_days, &repair_days, Fault::new(wrong, right));
    }
    Some(Complaints {
        call_back_days: call_back_days.value,
        repair_days: repair_days.value,
        calendar,
    })
}

/// Reads the file of one year.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn year(file: &str, text: &str) -> Result<(i16, Year), Problems> {
    let documents = [Document::parse(file, text)?];
    let environment = Environment::given(Path::new(""), &[]);
    let context = Context::new(&environment);
    let year = Section::whole(&documents, &context, days);
    let Findings { problems, .. } = context.into_findings();
    match year {
        Some(year) if problems.is_empty() => Ok(year),
        None if problems.is_empty() => Err(Problems::new(vec![Problem {
            origin: Origin { file: file.to_owned(), line: 1 },
            key: String::new(),
            wrong: "this is no calendar".to_owned(),
            right: "write it like config/calendar/2026.toml".to_owned(),
        }])),
        _ => Err(problems),
    }
}

fn days(root: &mut Section<'_>) -> Option<(i16, Year)> {
    let number = root.count("year", 2000..=2199_i16);
    root.demand("year", "write year = 2027");
    root.text("source", "\"国务院办公厅关于2027年部分节假日安排的通知\"", |_| Ok(()));
    root.demand("source", "name the notice that it was taken from");
    let working = root.list("working", EXAMPLE_DAYS, date);
    root.demand("working", "write the weekends that are worked, working = [2027-01-02]");
    let holidays = root.node("holidays");
    root.demand("holidays", "write [holidays] and each with its first and last day");
    let number = number?.value;
    let mut year = Year::default();
    for day in working?.value {
        match (day.value.year() == number, day.value.weekday()) {
            (true, Weekday::Saturday | Weekday::Sunday) => drop(year.working.insert(day.value)),
            (true, _) => {
                let wrong = format!("{} is no day of a weekend", day.value);
                root.reject(&day, Fault::new(wrong, "write weekends that are worked only"));
            }
            (false, _) => root.reject(&day, elsewhen(day.value, number)),
        }
    }
    for (_, node) in holidays?.entries()? {
        match holiday(&node, number) {
            Ok(days) => year.holidays.extend(days),
            Err(fault) => node.reject(fault),
        }
    }
    if let Some(both) = year.working.intersection(&year.holidays).next() {
        let wrong = format!("{both} is a holiday and worked");
        root.reject(&root.here(), Fault::new(wrong, "take it out of one of the two"));
    }
    Some((number, year))
}

fn holiday(node: &Node<'_>, year: i16) -> Result<Vec<Date>, Fault> {
    let right = || format!("write the first and the last day, {EXAMPLE_DAYS}");
    let days = node.items().into_iter().flatten().map(|item| date(item.value));
    let [first, last] = days.collect::<Result<Vec<_>, _>>()?[..] else {
        return Err(Fault::new("is not two days", right()));
    };
    if let Some(wrong) = [first, last].into_iter().find(|day| day.year() != year) {
        return Err(elsewhen(wrong, year));
    }
    let days: Vec<Date> =
        first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last).collect();
    if days.is_empty() {
        return Err(Fault::new("ends before it begins", right()));
    }
    Ok(days)
}

fn elsewhen(day: Date, year: i16) -> Fault {
    Fault::new(format!("{day} is not in {year}"), "write it into the file of its own year")
}

fn date(value: &DeValue<'_>) -> Result<Date, Fault> {
    let DeValue::Datetime(written) = value else {
        return Err(wrong_kind(value, "a date", "2027-01-01"));
    };
    let day = written.date.filter(|_| written.time.is_none()).and_then(|day| {
        let (year, month, day) = (day.year.try_into(), day.month.try_into(), day.day.try_into());
        Date::new(year.ok()?, month.ok()?, day.ok()?).ok()
    });
    day.ok_or_else(|| Fault::new("is not a day", "write the day alone, 2027-01-01"))
}

#[cfg(test)]
mod tests {
    use super::super::super::parse;
    use super::*;

    #[test]
    fn files_of_further_years_stand_beside_the_configuration() {
        let directory = tempfile::tempdir().expect("a directory");
        let environment = Environment::given(directory.path(), &[]);
        let keys = "[complaints]\nrepair_days = 10\ncalendars = [\"2027.toml\"]";
        let missing = parse(keys, "f", &environment).expect_err("no such file").to_string();
        assert!(missing.contains("f:3: complaints.calendars: "), "{missing}");
        let write = |text: &str| std::fs::write(directory.path().join("2027.toml"), text);
        write("year = 2027\nsource = 1").expect("written");
        let wrong = parse(keys, "f", &environment).expect_err("it is wrong").to_string();
        assert!(wrong.contains("2027.toml:2: source: is a number"), "{wrong}");
        write(
            "year = 2027\nsource = \"x\"\nworking = []\n[holidays]\na = [2027-01-01, 2027-01-01]",
        )
        .expect("written");
        let complaints = parse(keys, "f", &environment).expect("it is right").complaints;
        assert_eq!((complaints.call_back_days, complaints.repair_days), (1, 10));
        assert!(complaints.calendar.knows(2026) && complaints.calendar.knows(2027));
        assert!(!complaints.calendar.is_working(jiff::civil::date(2027, 1, 1)));
    }

    #[test]
    fn nobody_repairs_before_the_call_back() {
        let environment = Environment::given(Path::new(""), &[]);
        let keys = "[complaints]\ncall_back_days = 20";
        let problems = parse(keys, "f", &environment).expect_err("too late").to_string();
        assert!(
            problems.contains("f:2: complaints.call_back_days: nothing is put right"),
            "{problems}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_year_is_said_at_its_line() {
        let head = "year = 2027\nsource = \"x\"\nworking = []\n";
        for (text, expected) in [
            ("", "`year` is missing"),
            ("year = 27", "out of bounds"),
            (
                "year = 2027\nsource = \"x\"\nworking = [2027-01-01]\n[holidays]",
                "f:3: working: 2027-01-01 is no day of a weekend",
            ),
            (
                "year = 2027\nsource = \"x\"\nworking = [2026-01-03]\n[holidays]",
                "2026-01-03 is not in 2027",
            ),
            (
                &format!("{head}[holidays]\n\"元旦\" = [2027-01-03, 2027-01-01]"),
                "f:5: holidays.\"元旦\": ends before it begins",
            ),
            (&format!("{head}[holidays]\n\"元旦\" = [2027-01-03]"), "is not two days"),
            (&format!("{head}[holidays]\n\"元旦\" = [\"2027-01-03\", 1]"), "is a text, not a date"),
            (
                &format!("{head}[holidays]\n\"元旦\" = [2026-12-31, 2027-01-02]"),
                "2026-12-31 is not in 2027",
            ),
            (
                "year = 2027\nsource = \"x\"\nworking = [2027-01-02]\n[holidays]\na = [2027-01-01, 2027-01-03]",
                "2027-01-02 is a holiday and worked",
            ),
        ] {
            let problems = year("f", text).expect_err(text).to_string();
            assert!(problems.contains(expected), "{text}\n{problems}");
        }
    }
}
