//! `--where KEY=VALUE`: what can be asked of a record, and what is said of a condition that is none.

use crate::model::{Channel, Level, Record};

/// A condition that is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadCondition {
    #[error("write KEY=VALUE, with a KEY of {0}")]
    Form(&'static str),
    #[error("there is no `{key}` to choose by; the keys are {keys}")]
    Key { key: String, keys: &'static str },
    #[error("`{value}` is no {key}; write {right}")]
    Value { key: String, value: String, right: String },
}

impl BadCondition {
    /// The value of this key should be another one.
    pub(super) fn value(key: &str, value: &str, right: &str) -> BadCondition {
        BadCondition::Value {
            key: key.to_owned(),
            value: value.to_owned(),
            right: right.to_owned(),
        }
    }
}

/// The key and the value of a condition. `keys` are those that there are.
pub(super) fn sides<'a>(
    text: &'a str,
    keys: &'static str,
) -> Result<(&'a str, &'a str), BadCondition> {
    text.split_once('=').ok_or(BadCondition::Form(keys))
}

/// What can be asked of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OfRecord {
    Account(String),
    Campaign(String),
    Channel(Channel),
    Kind(String),
    Level(Level),
}

impl OfRecord {
    /// Reads a condition whose key is none of the command's own. `keys` are all that the command
    /// has.
    pub(super) fn read(
        (key, value): (&str, &str),
        keys: &'static str,
    ) -> Result<OfRecord, BadCondition> {
        let bad = |right: &str| BadCondition::value(key, value, right);
        let level = || Level::from_number(value.parse().ok()?);
        Ok(match key {
            "account" => OfRecord::Account(value.to_owned()),
            "campaign" => OfRecord::Campaign(value.to_owned()),
            "channel" => OfRecord::Channel(match value {
                "sms" => Channel::Sms,
                "ivr" => Channel::Ivr,
                _ => return Err(bad("sms or ivr")),
            }),
            "kind" => match value {
                "rating" | "complaint" | "not_rated" => OfRecord::Kind(value.to_owned()),
                _ => return Err(bad("rating, complaint or not_rated")),
            },
            "level" => OfRecord::Level(level().ok_or_else(|| bad("1 to 5"))?),
            _ => return Err(BadCondition::Key { key: key.to_owned(), keys }),
        })
    }

    /// Whether it holds of something of this account, and of the record that was made of it.
    pub(super) fn holds(&self, account: &str, record: Option<&Record>) -> bool {
        match self {
            OfRecord::Account(name) => name == account,
            OfRecord::Campaign(name) => record.is_some_and(|it| it.campaign == *name),
            OfRecord::Channel(channel) => record.is_some_and(|it| it.channel == *channel),
            OfRecord::Kind(kind) => record.is_some_and(|it| it.meaning.name() == kind),
            OfRecord::Level(level) => record.is_some_and(|it| it.meaning.level() == Some(*level)),
        }
    }
}
