//! The values of an item: where one comes from, and what it means.

use super::{Decoding, Source, Template};
use jiff::tz::Offset;
use std::collections::BTreeMap;

/// A value of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it stands; of several the first that is there and not empty counts.
    pub from: Origin,
    /// From its bytes to its text.
    pub decoding: Decoding,
    /// Values that mean others.
    pub map: BTreeMap<String, String>,
    /// Taken off the front where it stands there, the first that fits.
    pub strip: Vec<String>,
    /// It ends before the first of these that stands in it.
    pub until: Vec<String>,
    /// Without it the item is quarantined; a text that must be there may still be empty.
    pub required: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Places, of which the first that is there and not empty counts.
    Places(Vec<Source>),
    /// Several values in one; it is there if any of them is.
    Template(Template),
    /// Always this.
    Constant(String),
}

/// The citizen's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerField {
    /// The number.
    pub number: Field,
    /// The field with its calling code; the account's country where there is none.
    pub country: Option<Source>,
}

/// A point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeField {
    /// The text of it.
    pub field: Field,
    /// How it is written.
    pub form: TimeForm,
    /// The zone of forms without one; `None`: the account's.
    pub zone: Option<Offset>,
}

/// How a time is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeForm {
    /// Without a zone: `2026-03-05 10:20:30`, with `T` or `/` or a fraction, or 14 digits.
    Local,
    /// Seconds since 1970, a fraction is allowed.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// Microseconds since 1970.
    EpochMicros,
    /// Seconds, milliseconds or microseconds since 1970 by the number of digits: 10, 13, 16.
    Epoch,
    /// ISO 8601 with a zone: `Z`, `+08:00` or `+0800`.
    Iso,
    /// RFC 2822, as in mail headers.
    Rfc2822,
    /// A strptime pattern; what it writes as a literal, a `Z` too, says nothing about the zone.
    Pattern(String),
}

impl TimeForm {
    /// The forms that have names; anything with `%` is a pattern.
    pub const NAMES: [(&'static str, TimeForm); 7] = [
        ("local", TimeForm::Local),
        ("epoch_s", TimeForm::EpochSeconds),
        ("epoch_ms", TimeForm::EpochMillis),
        ("epoch_us", TimeForm::EpochMicros),
        ("epoch", TimeForm::Epoch),
        ("iso", TimeForm::Iso),
        ("rfc2822", TimeForm::Rfc2822),
    ];
}
