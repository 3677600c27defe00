//! `--where`: which answers are read again, by what they are or would be.

use crate::cli::condition::{BadCondition, OfRecord, sides};
use crate::dialogue::Side;
use crate::model::{Outcome, Record};
use std::str::FromStr;

/// The keys that there are.
const KEYS: &str = "account, campaign, channel, kind, level, outcome";

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Record(OfRecord),
    Outcome(Outcome),
}

impl FromStr for Condition {
    type Err = BadCondition;

    fn from_str(text: &str) -> Result<Condition, BadCondition> {
        let (key, value) = sides(text, KEYS)?;
        if key != "outcome" {
            return OfRecord::read((key, value), KEYS).map(Condition::Record);
        }
        let right = || format!("one of {}", Outcome::ALL.map(Outcome::name).join(", "));
        let outcome = Outcome::from_name(value);
        let bad = || BadCondition::value(key, value, &right());
        Ok(Condition::Outcome(outcome.ok_or_else(bad)?))
    }
}

impl Condition {
    fn holds(&self, account: &str, outcome: Option<Outcome>, record: Option<&Record>) -> bool {
        match self {
            Condition::Record(asked) => asked.holds(account, record),
            Condition::Outcome(wanted) => outcome == Some(*wanted),
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
            ("kind=bad", "`bad` is no kind; write rating, complaint or not_rated"),
            ("outcome=good", "`good` is no outcome; write one of rated, complaint, unrecognised"),
        ] {
            let error = text.parse::<Condition>().expect_err("it is wrong").to_string();
            assert!(error.starts_with(said), "{error}");
        }
        let campaign = Condition::Record(OfRecord::Campaign("a=b".to_owned()));
        assert_eq!("campaign=a=b".parse().ok(), Some(campaign));
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
