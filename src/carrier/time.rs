//! Reads times as carriers write them.

use crate::config::dialect::TimeForm;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// The moment that the text names; forms without a zone are in `offset`.
pub(super) fn read(form: &TimeForm, text: &str, offset: Offset) -> Option<Timestamp> {
    match form {
        TimeForm::EpochSeconds | TimeForm::Epoch if text.len() < 13 => {
            Timestamp::from_second(text.parse().ok()?).ok()
        }
        TimeForm::EpochMillis | TimeForm::Epoch => {
            Timestamp::from_millisecond(text.parse().ok()?).ok()
        }
        TimeForm::Pattern(pattern) => {
            offset.to_timestamp(DateTime::strptime(pattern, text).ok()?).ok()
        }
        _ => text.parse().ok(),
    }
}
