//! Reads times as carriers write them.

use crate::config::dialect::TimeForm;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use std::borrow::Cow;

/// The moment in this text, which stands at `offset` where the form has no zone.
pub(super) fn read(
    text: &str,
    form: &TimeForm,
    offset: Offset,
) -> Result<Option<Timestamp>, Cow<'static, str>> {
    let moment = match form {
        TimeForm::EpochSeconds => text.parse().ok().and_then(|it| Timestamp::from_second(it).ok()),
        TimeForm::Epoch => text.parse().ok().and_then(|it| Timestamp::from_second(it).ok()),
        TimeForm::Pattern(pattern) => DateTime::strptime(pattern, text)
            .ok()
            .and_then(|moment| offset.to_timestamp(moment).ok()),
        _ => text.parse().ok(),
    };
    moment.map(Some).ok_or(Cow::Borrowed("expected a time"))
}
