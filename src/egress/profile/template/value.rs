//! What a record has in its fields. What is empty is not there.

use crate::config::profile::RecordField as F;
use crate::model::{Caller, Deadlines, Matter, Meaning, Record, TargetType};
use jiff::Timestamp;
use jiff::civil::Date;
use std::borrow::Cow;

/// China's calling code, which numbers are written without in the country.
const CHINA: &str = "86";

/// What stands in a field.
pub(super) enum Value<'r> {
    /// A text or number.
    Text(Cow<'r, str>),
    /// A moment.
    Time(Timestamp),
    /// A day.
    Day(Date),
}

/// What the record has in a field; `None`: nothing. `now` is when it is sent.
pub(super) fn value(field: F, record: &Record, now: Timestamp) -> Option<Value<'_>> {
    match field {
        F::ReceivedAt => Some(Value::Time(record.received_at)),
        F::OccurredAt => record.occurred_at.map(Value::Time),
        F::SentAt => Some(Value::Time(now)),
        F::CallBackBy => deadlines(record).map(|it| Value::Day(it.call_back_by)),
        F::RepairBy => deadlines(record).map(|it| Value::Day(it.repair_by)),
        field => text(field, record).filter(|text| !text.is_empty()).map(Value::Text),
    }
}

fn text(field: F, record: &Record) -> Option<Cow<'_, str>> {
    let context = &record.context;
    let number = |number: u64| Some(Cow::Owned(number.to_string()));
    let matter = || context.matter.as_ref();
    Some(Cow::Borrowed(match field {
        F::Key => return Some(record.idempotency_key().into()),
        F::Id => return Some(record.id.to_string().into()),
        F::Revision => return Some(record.revision.to_string().into()),
        F::Kind => record.meaning.name(),
        F::Channel => record.channel.name(),
        F::ChannelCode => return number(record.channel_code?.into()),
        F::Campaign => &record.campaign,
        F::Brand => record.brand.name(),
        F::Account => record.account.as_str(),
        F::Rule => &record.rule.0,
        F::Comment => &record.comment.0,
        F::Caller | F::CallerDigits | F::CallerNational => return caller(field, record),
        F::CallerMasked => return Some(record.caller.as_ref()?.masked().into()),
        F::Service => &record.service.as_ref()?.0,
        F::MessageId => &record.message_id.as_ref()?.0,
        F::Area => record.area.as_ref()?.as_str(),
        F::Area12 => return Some(twelve(record.area.as_ref()?.as_str())),
        F::Invitation => &context.invitation.as_ref()?.0,
        F::AssessNumber if context.assess_number == 0 => return None,
        F::AssessNumber => return number(context.assess_number.into()),
        F::Follows => return Some(context.follows?.to_string().into()),
        F::OptionCode => return Some(record.chosen()?.to_string().into()),
        F::ServiceStep => return number(matter()?.service_step?.into()),
        F::MatterArea12 => return Some(twelve(matter()?.area_code.as_deref()?)),
        F::ProjectNo
        | F::TaskCode
        | F::TaskName
        | F::MatterArea
        | F::Department
        | F::Handler
        | F::CallId => of_matter(field, matter()?)?,
        F::ReceivedAt | F::OccurredAt | F::SentAt | F::CallBackBy | F::RepairBy => return None,
        field => return of_meaning(field, &record.meaning),
    }))
}

fn of_matter(field: F, matter: &Matter) -> Option<&str> {
    match field {
        F::ProjectNo => matter.project_no.as_deref(),
        F::TaskCode => matter.task_code.as_deref(),
        F::TaskName => matter.task_name.as_deref(),
        // Six digits, where it says no more than six.
        F::MatterArea => {
            matter.area_code.as_deref().map(|it| it.strip_suffix("000000").unwrap_or(it))
        }
        F::Department => matter.department.as_deref(),
        F::Handler => matter.handler.as_deref(),
        F::CallId => matter.call_id.as_deref(),
        _ => None,
    }
}

fn of_meaning(field: F, meaning: &Meaning) -> Option<Cow<'_, str>> {
    let owned = |number: u8| Some(Cow::Owned(number.to_string()));
    match (field, meaning) {
        (F::Level, Meaning::Rating { level, .. }) => owned(level.number()),
        (F::LevelTitle, Meaning::Rating { level, .. }) => Some(level.title().into()),
        (F::Score, Meaning::Rating { level, .. }) => owned(level.score()),
        (F::TargetType, Meaning::Rating { target, .. } | Meaning::NotRated { target, .. }) => {
            Some(target_type(target.target_type).into())
        }
        (F::Target, Meaning::Rating { target, .. } | Meaning::NotRated { target, .. }) => {
            target.reference.as_deref().map(Cow::Borrowed)
        }
        (F::ComplaintKind, Meaning::Complaint { kind, .. }) => Some(kind.name().into()),
        (F::RatingId, Meaning::Complaint { rating, .. }) => rating.map(|id| id.to_string().into()),
        (F::Tags, Meaning::Complaint { tags, .. }) => {
            let tags: Vec<&str> = tags.iter().map(|tag| &*tag.0).collect();
            Some(tags.join(",").into())
        }
        (F::Why, Meaning::NotRated { why, .. }) => Some(why.name().into()),
        _ => None,
    }
}

fn target_type(target: TargetType) -> &'static str {
    match target {
        TargetType::Call => "call",
        TargetType::Case => "case",
    }
}

fn deadlines(record: &Record) -> Option<Deadlines> {
    match record.meaning {
        Meaning::Complaint { deadlines, .. } => deadlines,
        Meaning::Rating { .. } | Meaning::NotRated { .. } => None,
    }
}

/// The caller's number; what is none is not there.
fn caller(field: F, record: &Record) -> Option<Cow<'_, str>> {
    let Some(Caller::Number(number)) = &record.caller else { return None };
    let e164 = number.reveal();
    let digits = e164.strip_prefix('+').unwrap_or(e164);
    Some(Cow::Borrowed(match field {
        F::Caller => e164,
        F::CallerNational => digits.strip_prefix(CHINA).unwrap_or(digits),
        _ => digits,
    }))
}

/// An area of six digits as interfaces pad it.
fn twelve(area: &str) -> Cow<'_, str> {
    if area.len() == 6 { Cow::Owned(format!("{area}000000")) } else { Cow::Borrowed(area) }
}
