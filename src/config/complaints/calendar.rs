//! Working days: Monday to Friday without holidays, and the weekends that are worked instead.

use super::super::Problems;
use super::read;
use jiff::civil::{Date, Weekday};
use std::collections::{BTreeMap, BTreeSet};

/// The built-in years: their files' names and texts.
const BUILT_IN: &[(&str, &str)] = &[
    ("config/calendar/2025.toml", include_str!("../../../config/calendar/2025.toml")),
    ("config/calendar/2026.toml", include_str!("../../../config/calendar/2026.toml")),
];

/// Which days are worked, by years. A year that it does not know has only its weekends free.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    years: BTreeMap<i16, Year>,
}

/// The days of one year that are not what their weekday says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Year {
    pub(super) holidays: BTreeSet<Date>,
    /// Days of weekends that are worked.
    pub(super) working: BTreeSet<Date>,
}

impl Calendar {
    /// The years that are compiled in.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test reads every file, and all are compiled in")]
    pub fn built_in() -> Calendar {
        let mut calendar = Calendar::default();
        for (file, text) in BUILT_IN {
            calendar.add(file, text).expect("it is right");
        }
        calendar
    }

    /// Adds the year of a file, in place of what was known of it.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub(super) fn add(&mut self, file: &str, text: &str) -> Result<(), Problems> {
        let (number, year) = read::year(file, text)?;
        self.years.insert(number, year);
        Ok(())
    }

    /// Whether it knows the holidays of a year.
    #[must_use]
    pub fn knows(&self, year: i16) -> bool {
        self.years.contains_key(&year)
    }

    /// Whether a day is worked.
    #[must_use]
    pub fn is_working(&self, day: Date) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        match self.years.get(&day.year()) {
            Some(year) if weekend => year.working.contains(&day),
            Some(year) => !year.holidays.contains(&day),
            None => !weekend,
        }
    }

    /// This day if it is worked, else the next that is.
    pub(super) fn working_from(&self, mut day: Date) -> Date {
        while !self.is_working(day) {
            let Ok(next) = day.tomorrow() else { return day };
            day = next;
        }
        day
    }

    /// The day so many working days after this one.
    pub(super) fn after(&self, day: Date, days: u16) -> Date {
        (0..days).fold(day, |day, _| day.tomorrow().map_or(day, |next| self.working_from(next)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn built_in_years_have_the_published_number_of_working_days() {
        let calendar = Calendar::built_in();
        for (year, expected) in [(2025, 248), (2026, 248)] {
            assert!(calendar.knows(year));
            let days = date(year, 1, 1).series(jiff::Span::new().days(1));
            let worked = days
                .take_while(|day| day.year() == year)
                .filter(|day| calendar.is_working(*day))
                .count();
            assert_eq!(worked, expected, "{year}");
        }
    }

    #[test]
    fn holidays_are_free_and_make_up_days_are_worked() {
        let calendar = Calendar::built_in();
        for (day, working) in [
            (date(2026, 1, 1), false),
            (date(2026, 1, 4), true),
            (date(2026, 2, 14), true),
            (date(2026, 2, 16), false),
            (date(2026, 2, 23), false),
            (date(2026, 2, 24), true),
            (date(2026, 10, 7), false),
            (date(2026, 10, 8), true),
            (date(2026, 10, 10), true),
            (date(2026, 10, 11), false),
            (date(2027, 1, 1), true),
            (date(2027, 1, 2), false),
        ] {
            assert_eq!(calendar.is_working(day), working, "{day}");
        }
    }
}
