//! Which hours a command is about: a day at +08:00, or all since a time.

use crate::clock::Clock;
use crate::store::{Day, Hour, Hours};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::offset;

/// The day of a date.
pub(super) fn day(of: Date) -> Day {
    let midnight = offset(8).to_timestamp(of.at(0, 0, 0, 0)).unwrap_or(Timestamp::UNIX_EPOCH);
    Day::of(Hour::of(midnight))
}

/// The date of a day.
pub(super) fn date_of(day: Day) -> Date {
    let epoch = date(1970, 1, 1);
    epoch.checked_add(jiff::Span::new().days(day.0.clamp(0, 1_000_000))).unwrap_or(epoch)
}

/// Today.
pub(super) fn today() -> Day {
    Day::of(Hour::of(Clock::system().now()))
}

/// All hours from the one of a time on.
pub(super) fn since(at: Option<Timestamp>) -> Hours {
    Hours { since: at.map_or(Hour(0), Hour::of), until: Hour(i64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_at_0800_and_back() {
        let of = date(2026, 11, 24);
        let hours = day(of).hours();
        assert_eq!(hours.since.start().to_string(), "2026-11-23T16:00:00Z");
        assert_eq!(date_of(day(of)), of);
        assert_eq!(date_of(Day::of(Hour(hours.until.0))), date(2026, 11, 25));
        let since = since(Some("2026-11-24T10:59:00+08:00".parse().expect("a time")));
        assert_eq!(since.since.start().to_string(), "2026-11-24T02:00:00Z");
    }
}
