//! Names and numbers that identify things, each a type of its own.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// A configured account: the name in the callback URL, `[a-z0-9]` and inner `-`, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AccountName(Arc<str>);

/// A forwarding destination's name, by the same rule as [`AccountName`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LaneName(Arc<str>);

/// A name that is not `[a-z0-9]` with inner `-`, 1 to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name: use 1 to 64 of a-z, 0-9 and inner `-`, for example `aliyun-sms`")]
pub struct BadName(pub String);

fn checked_name(name: &str) -> Result<Arc<str>, BadName> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| plain(byte) || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if fits { Ok(name.into()) } else { Err(BadName(name.to_owned())) }
}

macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            /// The name, checked.
            ///
            /// # Errors
            /// [`BadName`] when it is empty, too long or holds other characters.
            pub fn new(name: &str) -> Result<Self, BadName> {
                checked_name(name).map(Self)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(name: String) -> Result<Self, BadName> {
                Self::new(&name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.to_string()
            }
        }
    };
}

name_type!(AccountName);
name_type!(LaneName);

/// A carrier's id of a message or call: opaque text, never trimmed, parsed or re-cased.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub String);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number the citizen replied to or called, extension included, exactly as delivered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceNumber(pub String);

impl fmt::Display for ServiceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A district of GB/T 2260, six digits: 210100 is 沈阳市.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AreaCode(String);

/// Text that is no area code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an area code: write the six digits of GB/T 2260, for example 210100")]
pub struct BadArea(pub String);

impl AreaCode {
    /// The code, checked in form: which codes there are is the platform's to say.
    ///
    /// # Errors
    /// [`BadArea`] when it is not six digits.
    pub fn new(code: &str) -> Result<AreaCode, BadArea> {
        let fits = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(AreaCode(code.to_owned())) } else { Err(BadArea(code.to_owned())) }
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AreaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AreaCode {
    type Error = BadArea;

    fn try_from(code: String) -> Result<AreaCode, BadArea> {
        AreaCode::new(&code)
    }
}

impl From<AreaCode> for String {
    fn from(code: AreaCode) -> String {
        code.0
    }
}

/// A record's id, the same through all its revisions: a UUID of version 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub Uuid);

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The key of a message to a citizen, the same through all its attempts: a UUID of version 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageKey(pub Uuid);

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which revision of a record: 1 is the first; the platform keeps the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u32);

impl Revision {
    /// The revision every record starts with.
    pub const FIRST: Revision = Revision(1);
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A callback's place in the order of arrival, given by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallbackSeq(pub i64);

impl CallbackSeq {
    /// The place of what no callback caused, such as the end of an invitation.
    pub const NONE: CallbackSeq = CallbackSeq(0);
}

/// A record revision's place in the order of arrival, given by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordSeq(pub i64);

impl fmt::Display for CallbackSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RecordSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_has_six_digits() {
        assert_eq!(AreaCode::new("210100").map(String::from), Ok("210100".to_owned()));
        for bad in ["", "21010", "210100000000", "21010a", "２１０１００"] {
            assert_eq!(AreaCode::new(bad), Err(BadArea(bad.to_owned())));
        }
    }

    #[test]
    fn names_are_what_a_url_and_a_metric_label_can_carry() {
        for good in ["a", "aliyun-sms", "0", &"x".repeat(64)] {
            assert_eq!(AccountName::new(good).map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a/b", "a b", "甲", &"x".repeat(65)] {
            assert_eq!(AccountName::new(bad), Err(BadName(bad.to_owned())));
        }
    }
}
