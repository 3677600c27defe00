//! `--where`: which answers are read again, by what they are or would be.

use crate::dialogue::Side;
use crate::model::{Channel, Level, Outcome, Record};
use std::str::FromStr;

/// The keys that there are.
const KEYS: &str = "account, campaign, channel, kind, level, outcome";

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Account(String),
    Campaign(String),
    Channel(Channel),
    Kind(String),
    Level(Level),
    Outcome(Outcome),
}

/// A condition that is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadCondition {
    #[error("write KEY=VALUE, with a KEY of {KEYS}")]
    Form,
    #[error("there is no `{0}` to choose by; the keys are {KEYS}")]
    Key(String),
    #[error("`{value}` is no {key}; write {right}")]
    Value { key: String, value: String, right: String },
}

impl FromStr for Condition {
    type Err = BadCondition;

    fn from_str(text: &str) -> Result<Condition, BadCondition> {
        let (key, value) = text.split_once('=').ok_or(BadCondition::Form)?;
        let bad = |right: &str| BadCondition::Value {
            key: key.to_owned(),
            value: value.to_owned(),
            right: right.to_owned(),
        };
        let level = || Level::from_number(value.parse().ok()?);
        let outcomes = || Outcome::ALL.map(Outcome::name).join(", ");
        Ok(match key {
            "account" => Condition::Account(value.to_owned()),
            "campaign" => Condition::Campaign(value.to_owned()),
            "channel" => Condition::Channel(match value {
                "sms" => Channel::Sms,
                "ivr" => Channel::Ivr,
                _ => return Err(bad("sms or ivr")),
            }),
            "kind" => match value {
                "rating" | "complaint" => Condition::Kind(value.to_owned()),
                _ => return Err(bad("rating or complaint")),
            },
            "level" => Condition::Level(level().ok_or_else(|| bad("1 to 5"))?),
            "outcome" => {
                let outcome = Outcome::from_name(value);
                Condition::Outcome(outcome.ok_or_else(|| bad(&format!("one of {}", outcomes())))?)
            }
            _ => return Err(BadCondition::Key(key.to_owned())),
        })
    }
}

impl Condition {
    fn holds(&self, account: &str, outcome: Option<Outcome>, record: Option<&Record>) -> bool {
        match self {
            Condition::Account(name) => name == account,
            Condition::Outcome(wanted) => outcome == Some(*wanted),
            Condition::Campaign(name) => record.is_some_and(|it| it.campaign == *name),
            Condition::Channel(channel) => record.is_some_and(|it| it.channel == *channel),
            Condition::Kind(kind) => record.is_some_and(|it| it.meaning.name() == kind),
            Condition::Level(level) => record.is_some_and(|it| it.meaning.level() == Some(*level)),
        }
    }
}

/// Whether all conditions hold of an answer of this account, or of one of the records that it made.
pub(super) fn fits(conditions: &[Condition], account: &str, side: &Side) -> bool {
    let all = |record| conditions.iter().all(|it| it.holds(account, side.outcome, record));
    match side.records.is_empty() {
        true => all(None),
        false => side.records.iter().any(|record| all(Some(record))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_says_what_is_wrong_with_it() {
        for (text, said) in [
            ("account", "write KEY=VALUE, with a KEY of account, campaign, channel, kind"),
            ("colour=red", "there is no `colour` to choose by; the keys are account, campaign"),
            ("level=6", "`6` is no level; write 1 to 5"),
            ("channel=fax", "`fax` is no channel; write sms or ivr"),
            ("kind=bad", "`bad` is no kind; write rating or complaint"),
            ("outcome=good", "`good` is no outcome; write one of rated, complaint, unrecognised"),
        ] {
            let error = text.parse::<Condition>().expect_err("it is wrong").to_string();
            assert!(error.starts_with(said), "{error}");
        }
        assert_eq!("campaign=a=b".parse().ok(), Some(Condition::Campaign("a=b".to_owned())));
    }

    #[test]
    fn what_made_no_record_is_chosen_by_account_and_outcome() {
        let side = Side { outcome: Some(Outcome::Unmatched), records: Vec::new() };
        let chosen = |text: &str| {
            let conditions: Vec<Condition> =
                text.split(',').map(|one| one.parse().expect("a condition")).collect();
            fits(&conditions, "city", &side)
        };
        assert!(chosen("outcome=unmatched") && chosen("account=city,outcome=unmatched"));
        assert!(!chosen("account=town,outcome=unmatched") && !chosen("outcome=rated"));
        assert!(!chosen("outcome=unmatched,level=2") && !chosen("kind=rating"));
    }
}
