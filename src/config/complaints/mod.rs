//! How complaints are treated: the days that may pass, and the calendar that counts them.

mod calendar;
mod read;

pub use calendar::Calendar;
pub(super) use read::complaints;

use super::{Origin, Problem, Problems};
use crate::model::Deadlines;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};

/// From this month on the State Council may have published the next year's holidays.
const NEXT_YEAR_FROM: i8 = 10;

/// The days that may pass before a complaint is dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaints {
    /// Working days until the citizen is called back.
    pub call_back_days: u16,
    /// Working days until the matter is put right.
    pub repair_days: u16,
    /// Which days are working days.
    pub calendar: Calendar,
}

impl Complaints {
    /// Until when a complaint that came at `received_at` must be dealt with. The day of its
    /// arrival does not count; one that comes on a free day counts as come on the next working
    /// day.
    #[must_use]
    pub fn deadlines(&self, received_at: Timestamp) -> Deadlines {
        let arrival = self.calendar.working_from(china(received_at));
        Deadlines {
            call_back_by: self.calendar.after(arrival, self.call_back_days),
            repair_by: self.calendar.after(arrival, self.repair_days),
        }
    }

    /// Whether the calendar knows the years that deadlines were counted in. In one that it does
    /// not know, they are counted by weekends alone.
    #[must_use]
    pub fn is_sure_of(&self, deadlines: &Deadlines) -> bool {
        let days = [deadlines.call_back_by, deadlines.repair_by];
        days.into_iter().all(|day| self.calendar.knows(day.year()))
    }

    /// Warnings that a year is missing which counts now or soon.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Problems {
        let today = china(now);
        let next = (today.month() >= NEXT_YEAR_FROM).then(|| today.year() + 1);
        let years = [Some(today.year()), next].into_iter().flatten();
        let missing = years.filter(|year| !self.calendar.knows(*year)).map(|year| Problem {
            origin: Origin { file: super::raw::BUILT_IN.to_owned(), line: 1 },
            key: "complaints.calendars".to_owned(),
            wrong: format!("no calendar says which days of {year} are worked; deadlines count every Monday to Friday"),
            right: format!("once the State Council has published them, write them like config/calendar/2026.toml and name the file, calendars = [\"calendar/{year}.toml\"]"),
        });
        Problems::new(missing.collect())
    }
}

/// The day at +08:00.
fn china(at: Timestamp) -> Date {
    TimeZone::fixed(offset(8)).to_datetime(at).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints() -> Complaints {
        Complaints { call_back_days: 1, repair_days: 15, calendar: Calendar::built_in() }
    }

    fn due(received_at: &str) -> (String, String) {
        let at: Timestamp = received_at.parse().expect("a time");
        let Deadlines { call_back_by, repair_by } = complaints().deadlines(at);
        (call_back_by.to_string(), repair_by.to_string())
    }

    #[test]
    fn days_are_counted_from_the_arrival_in_china() {
        for (received_at, call_back_by, repair_by) in [
            // A Thursday; the weekend in between, and the Qingming holiday.
            ("2026-03-05T10:20:30+08:00", "2026-03-06", "2026-03-26"),
            ("2026-03-30T10:20:30+08:00", "2026-03-31", "2026-04-21"),
            // Late at night in China, which is still the day before in UTC.
            ("2026-03-05T16:00:00Z", "2026-03-09", "2026-03-27"),
            ("2026-03-05T15:59:59Z", "2026-03-06", "2026-03-26"),
            // A Friday before a Saturday that is worked, and that Saturday.
            ("2026-02-13T09:00:00+08:00", "2026-02-14", "2026-03-12"),
            ("2026-02-14T09:00:00+08:00", "2026-02-24", "2026-03-13"),
            // Within the Spring Festival: counts as come on 24 February.
            ("2026-02-18T09:00:00+08:00", "2026-02-25", "2026-03-16"),
            // A Sunday.
            ("2026-03-08T09:00:00+08:00", "2026-03-10", "2026-03-30"),
            // Into a year without a calendar: only its weekends are free.
            ("2026-12-24T09:00:00+08:00", "2026-12-25", "2027-01-14"),
        ] {
            let sure = !received_at.starts_with("2026-12");
            let at = received_at.parse().expect("a time");
            assert_eq!(complaints().is_sure_of(&complaints().deadlines(at)), sure);
            let expected = (call_back_by.to_owned(), repair_by.to_owned());
            assert_eq!(due(received_at), expected, "{received_at}");
        }
    }

    #[test]
    fn a_missing_year_is_warned_of_when_it_counts() {
        let complaints = complaints();
        for (now, missing) in [
            ("2026-09-30T23:59:59+08:00", &[][..]),
            ("2026-10-01T00:00:00+08:00", &["2027"]),
            ("2027-01-01T00:00:00+08:00", &["2027"]),
            ("2027-11-01T00:00:00+08:00", &["2027", "2028"]),
        ] {
            let warnings = complaints.warnings(now.parse().expect("a time"));
            assert_eq!(warnings.len(), missing.len(), "{warnings}");
            for (warning, year) in warnings.iter().zip(missing) {
                assert!(warning.wrong.contains(year), "{warning}");
            }
        }
    }
}
