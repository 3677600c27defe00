//! Which dead letters: `--where`, `--since` and `--until`, and going through what they choose.

use crate::cli::condition::{BadCondition, OfRecord, sides};
use crate::model::LaneName;
use crate::store::{
    Bin, DeadClass, DeadCondition, DeadLetter, DeadOrder, DeadPage, DeadPlace, Operator, ReadError,
};
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;

/// The keys that there are.
const KEYS: &str = "account, bin, campaign, channel, class, kind, lane, level, reason";

/// What `--help` says of them.
pub(super) const KEYS_EXPLAINED: &str = "\
Keys of --where, all of which must hold:
  lane       the destination that gave it up
  bin        ours: the gateway, its configuration or the way to the platform must be mended;
             theirs: the platform refused the record
  class      rejected or refused_in_200 (theirs); unwritable, too_large, attempts, age, unknown or
             unreadable (ours)
  reason     what the last answer contains
  account    the account whose callback it was
  campaign   the campaign by which it was read
  channel    sms or ivr
  kind       rating, complaint or not_rated
  level      1 to 5";

/// Letters looked at in one go.
const PAGE: u32 = 500;

/// Which dead letters.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Filter {
    /// Only those of which all of this holds; for the keys see below.
    #[arg(long = "where", value_name = "KEY=VALUE", value_delimiter = ',')]
    pub(super) conditions: Vec<Condition>,
    /// Given up at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<Timestamp>,
    /// Given up before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<Timestamp>,
}

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    text: String,
    asked: Asked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    OfLetter(DeadCondition),
    OfRecord(OfRecord),
}

impl FromStr for Condition {
    type Err = BadCondition;

    fn from_str(text: &str) -> Result<Condition, BadCondition> {
        let (key, value) = sides(text, KEYS)?;
        let bad = |right: String| BadCondition::value(key, value, &right);
        let asked = match key {
            "lane" => DeadCondition::Lane(
                LaneName::new(value).map_err(|_| bad("the name of a destination".to_owned()))?,
            ),
            "bin" => {
                let bin = Bin::ALL.into_iter().find(|bin| bin.name() == value);
                DeadCondition::Bin(bin.ok_or_else(|| bad(Bin::ALL.map(Bin::name).join(" or ")))?)
            }
            "class" => {
                let names = || format!("one of {}", DeadClass::ALL.map(DeadClass::name).join(", "));
                let class = DeadClass::ALL.into_iter().find(|class| class.name() == value);
                DeadCondition::Class(class.ok_or_else(|| bad(names()))?)
            }
            "reason" if value.is_empty() => return Err(bad("a part of the answer".to_owned())),
            "reason" => DeadCondition::Reason(value.to_owned()),
            _ => {
                let asked = Asked::OfRecord(OfRecord::read((key, value), KEYS)?);
                return Ok(Condition { text: text.to_owned(), asked });
            }
        };
        Ok(Condition { text: text.to_owned(), asked: Asked::OfLetter(asked) })
    }
}

impl Filter {
    /// Whether it lets everything through.
    pub(super) fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.since.is_none() && self.until.is_none()
    }

    /// What of it the store can tell.
    fn of_letters(&self) -> Vec<DeadCondition> {
        let told = self.conditions.iter().filter_map(|condition| match &condition.asked {
            Asked::OfLetter(asked) => Some(asked.clone()),
            Asked::OfRecord(_) => None,
        });
        let since = self.since.map(DeadCondition::Since);
        told.chain(since).chain(self.until.map(DeadCondition::Until)).collect()
    }

    /// Whether the rest of it holds.
    fn holds(&self, letter: &DeadLetter) -> bool {
        let (account, record) = match &letter.record {
            Ok(record) => (record.account.as_str(), Some(record)),
            Err(unreadable) => (unreadable.account.as_str(), None),
        };
        self.conditions.iter().all(|condition| match &condition.asked {
            Asked::OfLetter(_) => true,
            Asked::OfRecord(asked) => asked.holds(account, record),
        })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all: Vec<String> = self.conditions.iter().map(|it| it.text.clone()).collect();
        all.extend(self.since.map(|since| format!("since={since}")));
        all.extend(self.until.map(|until| format!("until={until}")));
        f.write_str(&all.join(","))
    }
}

/// Goes through the dead letters that a filter lets through, a page at a time.
pub(super) struct Letters<'a> {
    operator: &'a Operator,
    filter: &'a Filter,
    conditions: Vec<DeadCondition>,
    order: DeadOrder,
    behind: Option<DeadPlace>,
    is_over: bool,
}

impl<'a> Letters<'a> {
    /// All that the filter lets through, or those of them with these numbers.
    pub(super) fn new(
        operator: &'a Operator,
        filter: &'a Filter,
        numbers: &[i64],
        order: DeadOrder,
    ) -> Letters<'a> {
        let mut conditions = filter.of_letters();
        if !numbers.is_empty() {
            let seqs = numbers.iter().copied().map(crate::model::RecordSeq).collect();
            conditions.push(DeadCondition::Numbered(seqs));
        }
        Letters { operator, filter, conditions, order, behind: None, is_over: false }
    }

    /// The next few, perhaps none; `None`: there are no more.
    pub(super) async fn next_page(&mut self) -> Result<Option<Vec<DeadLetter>>, ReadError> {
        if self.is_over {
            return Ok(None);
        }
        let page = DeadPage { order: self.order, behind: self.behind, limit: PAGE };
        let mut letters = self.operator.dead_letters(&self.conditions, page).await?;
        self.is_over = u32::try_from(letters.len()).is_ok_and(|count| count < PAGE);
        self.behind = letters.last().map(|letter| letter.place);
        letters.retain(|letter| self.filter.holds(letter));
        Ok(Some(letters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_condition_says_what_is_wrong_with_it() {
        for (text, said) in [
            ("lane", "write KEY=VALUE, with a KEY of account, bin, campaign, channel, class, kind"),
            ("outcome=rated", "there is no `outcome` to choose by; the keys are account, bin"),
            ("bin=mine", "`mine` is no bin; write ours or theirs"),
            ("class=bad", "`bad` is no class; write one of rejected, refused_in_200, unwritable"),
            ("lane=A B", "`A B` is no lane; write the name of a destination"),
            ("reason=", "`` is no reason; write a part of the answer"),
            ("level=6", "`6` is no level; write 1 to 5"),
        ] {
            let error = text.parse::<Condition>().expect_err("it is wrong").to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn a_filter_is_noted_as_it_was_asked_for() {
        let conditions =
            ["bin=theirs", "reason=a=b"].map(|text| text.parse().expect("a condition"));
        let since = "2026-03-05T02:20:30Z".parse().ok();
        let filter = Filter { conditions: conditions.to_vec(), since, until: None };
        assert_eq!(filter.to_string(), "bin=theirs,reason=a=b,since=2026-03-05T02:20:30Z");
        let asked = filter.of_letters();
        assert_eq!(
            asked[..2],
            [DeadCondition::Bin(Bin::Theirs), DeadCondition::Reason("a=b".to_owned())]
        );
        assert!(!filter.is_empty() && Filter::default().is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_a_condition_that_keeps_its_words_or_is_refused(text in ".{0,40}") {
            if let Ok(condition) = text.parse::<Condition>() {
                prop_assert_eq!(condition.text, text);
            }
        }
    }
}
