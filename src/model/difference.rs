//! What two revisions of a record say differently, as operators may see it: numbers are masked, and of a
//! citizen's words only the length is told.

use super::{Caller, Direction, Meaning, Record, Scheme, Target, TargetType};
use jiff::tz::offset;

/// A field whose value is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name, as the platform's interface has it.
    pub field: &'static str,
    /// What it was; `None`: nothing.
    pub old: Option<String>,
    /// What it is; `None`: nothing.
    pub new: Option<String>,
}

/// What a record says differently, field by field; all that it says, if there was none. Not compared are
/// the number of the revision, the time of arrival and the context, which no reading changes.
#[must_use]
pub fn differences(old: Option<&Record>, new: &Record) -> Vec<Difference> {
    let old = old.map(fields);
    let field = |(place, new): (usize, Field)| {
        let old = old.as_ref().map(|old| &old[place].value);
        let is_same = old.map_or(new.value == Value::Nothing, |old| *old == new.value);
        let old = old.and_then(Value::shown);
        (!is_same).then(|| Difference { field: new.name, old, new: new.value.shown() })
    };
    fields(new).into_iter().enumerate().filter_map(field).collect()
}

struct Field {
    name: &'static str,
    value: Value,
}

/// A value, and how much of it is shown.
#[derive(PartialEq, Eq)]
enum Value {
    Nothing,
    Open(String),
    Caller(Caller),
    Words(String),
}

impl Value {
    fn open(value: Option<impl ToString>) -> Value {
        value.map_or(Value::Nothing, |value| Value::Open(value.to_string()))
    }

    fn shown(&self) -> Option<String> {
        match self {
            Value::Nothing => None,
            Value::Open(value) => Some(value.clone()),
            Value::Caller(caller) => Some(caller.masked()),
            Value::Words(words) => Some(format!("{} characters", words.chars().count())),
        }
    }
}

/// The fields of any record, always the same ones in the same order.
fn fields(record: &Record) -> Vec<Field> {
    let words = &record.comment.0;
    let caller = record.caller.clone().map_or(Value::Nothing, Value::Caller);
    let own = [
        ("campaign", Value::Open(record.campaign.clone())),
        ("brand", Value::open(Some(record.brand.name()))),
        ("channel", Value::open(Some(record.channel.name()))),
        ("channel_code", Value::open(record.channel_code)),
        ("area", Value::open(record.area.as_ref())),
        ("caller", caller),
        ("service_number", Value::open(record.service.as_ref())),
        ("message_id", Value::open(record.message_id.as_ref())),
        (
            "occurred_at",
            Value::open(record.occurred_at.map(|at| at.display_with_offset(offset(8)))),
        ),
        ("comment", if words.is_empty() { Value::Nothing } else { Value::Words(words.clone()) }),
        ("rule", Value::open(Some(&record.rule))),
    ];
    let all = meaning(&record.meaning).into_iter().chain(own);
    all.map(|(name, value)| Field { name, value }).collect()
}

/// What belongs to one kind of records alone is nothing in the others.
fn meaning(meaning: &Meaning) -> [(&'static str, Value); 10] {
    let (mut level, mut asked, mut target, mut why) = (None, None, None, None);
    let (mut complaint, mut rating, mut until, mut named) = (None, None, None, "");
    let joined;
    match meaning {
        Meaning::Rating { level: stated, target: rated, scheme } => {
            (level, target, asked) = (Some(stated.number()), Some(rated), Some(written(scheme)));
        }
        Meaning::Complaint { kind, rating: of, deadlines, tags, recordings: _ } => {
            (complaint, rating, until) = (Some(kind.name()), of.as_ref(), deadlines.as_ref());
            joined = tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            named = &joined;
        }
        Meaning::NotRated { why: reason, target: asked } => {
            (why, target) = (Some(reason.name()), Some(asked));
        }
    }
    [
        ("kind", Value::open(Some(meaning.name()))),
        ("level", Value::open(level)),
        ("scheme", Value::open(asked)),
        ("target", Value::open(target.map(aim))),
        ("not_rated", Value::open(why)),
        ("complaint", Value::open(complaint)),
        ("rating_id", Value::open(rating)),
        ("call_back_by", Value::open(until.map(|it| it.call_back_by))),
        ("repair_by", Value::open(until.map(|it| it.repair_by))),
        ("tags", Value::open(Some(named).filter(|tags| !tags.is_empty()))),
    ]
}

/// A scheme as an operator reads it: `asc 5 4 3 2 1`.
fn written(scheme: &Scheme) -> String {
    let direction = match scheme.direction() {
        Direction::Asc => "asc",
        Direction::Desc => "desc",
    };
    let levels = scheme.levels().map(|level| format!(" {}", level.number())).collect::<String>();
    let zero = if scheme.zero_declines() { ", 0 declines" } else { "" };
    format!("{direction}{levels}{zero}")
}

fn aim(target: &Target) -> String {
    let target_type = match target.target_type {
        TargetType::Call => "call",
        TargetType::Case => "case",
    };
    match &target.reference {
        Some(reference) => format!("{target_type} {reference}"),
        None => target_type.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AccountName, Brand, Channel, Comment, ComplaintKind, Context, Deadlines, Level, RecordId,
        Revision, Rule, Tag,
    };
    use jiff::Timestamp;
    use jiff::civil::date;

    fn rating(level: Level, scheme: Scheme) -> Record {
        let target = Target { target_type: TargetType::Case, reference: Some("P-1".to_owned()) };
        Record {
            id: RecordId(uuid::Uuid::nil()),
            revision: Revision::FIRST,
            meaning: Meaning::Rating { level, target, scheme },
            account: AccountName::new("city").expect("a name"),
            channel: Channel::Sms,
            campaign: "hotline".to_owned(),
            brand: Brand::Hotline8890,
            channel_code: Some(6),
            area: None,
            caller: Some(Caller::read("13940000001", "86")),
            service: None,
            message_id: None,
            occurred_at: None,
            received_at: Timestamp::UNIX_EPOCH,
            comment: Comment("等了三天".to_owned()),
            rule: Rule("C1".into()),
            context: Context::default(),
        }
    }

    fn shown(old: Option<&Record>, new: &Record) -> Vec<String> {
        let side = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let line = |it: Difference| format!("{}: {} > {}", it.field, side(it.old), side(it.new));
        differences(old, new).into_iter().map(line).collect()
    }

    #[test]
    fn the_same_says_nothing_whatever_its_revision() {
        let old = rating(Level::Fair, Scheme::ASC);
        let received_at = Timestamp::MAX;
        let new = Record { revision: Revision(7), received_at, ..old.clone() };
        assert!(differences(Some(&old), &new).is_empty());
    }

    #[test]
    fn a_level_and_its_scheme_are_told_field_by_field() {
        let old = rating(Level::VeryDissatisfied, Scheme::DESC);
        let new = rating(Level::VerySatisfied, Scheme::ASC.with_zero_declining(true));
        let expected = ["level: 1 > 5", "scheme: desc 1 2 3 4 5 > asc 5 4 3 2 1, 0 declines"];
        assert_eq!(shown(Some(&old), &new), expected);
    }

    #[test]
    fn numbers_are_masked_and_words_are_counted() {
        let old = rating(Level::Fair, Scheme::ASC);
        let mut new = old.clone();
        new.caller = Some(Caller::read("13940000002", "86"));
        new.comment = Comment("等了五天".to_owned());
        let expected =
            ["caller: 139****0001 > 139****0002", "comment: 4 characters > 4 characters"];
        assert_eq!(shown(Some(&old), &new), expected);
    }

    #[test]
    fn another_kind_has_other_fields_and_a_new_record_says_all_it_has() {
        let old = rating(Level::Fair, Scheme::ASC);
        let mut new = old.clone();
        new.meaning = Meaning::Complaint {
            kind: ComplaintKind::Grievance,
            rating: None,
            deadlines: Some(Deadlines {
                call_back_by: date(2026, 3, 6),
                repair_by: date(2026, 3, 26),
            }),
            tags: vec![Tag("推诿".into()), Tag("拖延".into())],
            recordings: Vec::new(),
        };
        let meaning = [
            "kind: rating > complaint",
            "level: 3 > -",
            "scheme: asc 5 4 3 2 1 > -",
            "target: case P-1 > -",
            "complaint: - > grievance",
            "call_back_by: - > 2026-03-06",
            "repair_by: - > 2026-03-26",
            "tags: - > 推诿 拖延",
        ];
        assert_eq!(shown(Some(&old), &new), meaning);
        let all = shown(None, &old);
        assert!(all.contains(&"caller: - > 139****0001".to_owned()), "{all:?}");
        assert!(!all.iter().any(|line| line.starts_with("tags")), "{all:?}");
    }
}
