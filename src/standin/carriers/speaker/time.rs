//! Times in the carriers' forms.

use crate::config::dialect::TimeForm;
use jiff::Timestamp;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::{Offset, TimeZone};

/// The moment in this form, at `offset` where the form has no zone; `None` for a pattern that
/// cannot be written.
pub(super) fn write(at: Timestamp, form: &TimeForm, offset: Offset) -> Option<String> {
    let zoned = at.to_zoned_datetime(TimeZone::fixed(offset));
    match form {
        TimeForm::Local => strtime::format("%Y-%m-%d %H:%M:%S", &zoned).ok(),
        TimeForm::EpochSeconds => Some(at.as_second().to_string()),
        TimeForm::EpochMillis | TimeForm::Epoch => Some(at.as_millisecond().to_string()),
        TimeForm::EpochMicros => Some(at.as_microsecond().to_string()),
        TimeForm::Iso => strtime::format("%Y-%m-%dT%H:%M:%S%.3f%:z", &zoned).ok(),
        TimeForm::Rfc2822 => rfc2822::to_string(&zoned).ok(),
        TimeForm::Pattern(pattern) => strtime::format(pattern, &zoned).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_written_as_carriers_do() {
        let at = Timestamp::from_millisecond(1_772_677_230_574).expect("a time");
        for (form, expected) in [
            (TimeForm::Local, "2026-03-05 10:20:30"),
            (TimeForm::EpochSeconds, "1772677230"),
            (TimeForm::EpochMillis, "1772677230574"),
            (TimeForm::EpochMicros, "1772677230574000"),
            (TimeForm::Epoch, "1772677230574"),
            (TimeForm::Iso, "2026-03-05T10:20:30.574+08:00"),
            (TimeForm::Rfc2822, "Thu, 5 Mar 2026 10:20:30 +0800"),
            (TimeForm::Pattern("%y%m%d%H%M".to_owned()), "2603051020"),
        ] {
            let written = write(at, &form, Offset::constant(8));
            assert_eq!(written.as_deref(), Some(expected), "{form:?}");
        }
    }
}
