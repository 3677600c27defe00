//! The fields of a record, by the names that templates have for them (`docs/profiles.md`).

use crate::model::RecordKind;
use RecordField as F;

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "docs/profiles.md has them all, by name")]
pub enum RecordField {
    Key,
    Id,
    Revision,
    Kind,
    Channel,
    ChannelCode,
    Campaign,
    Brand,
    Account,
    Rule,
    Comment,
    Caller,
    CallerDigits,
    CallerNational,
    CallerMasked,
    Service,
    MessageId,
    Area,
    Area12,
    ReceivedAt,
    OccurredAt,
    SentAt,
    Invitation,
    AssessNumber,
    Follows,
    ProjectNo,
    TaskCode,
    TaskName,
    MatterArea,
    MatterArea12,
    ServiceStep,
    Department,
    Handler,
    CallId,
    TargetType,
    Target,
    Level,
    LevelTitle,
    Score,
    OptionCode,
    ComplaintKind,
    RatingId,
    CallBackBy,
    RepairBy,
    Tags,
    Why,
}

/// Whether the records of a kind have a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Each of them.
    Always,
    /// Some of them.
    Maybe,
    /// None of them.
    Never,
}

impl RecordField {
    /// All of them, with their names in templates.
    pub const NAMES: [(&'static str, RecordField); 46] = [
        ("key", F::Key),
        ("id", F::Id),
        ("revision", F::Revision),
        ("kind", F::Kind),
        ("channel", F::Channel),
        ("channel_code", F::ChannelCode),
        ("campaign", F::Campaign),
        ("brand", F::Brand),
        ("account", F::Account),
        ("rule", F::Rule),
        ("comment", F::Comment),
        ("caller", F::Caller),
        ("caller_digits", F::CallerDigits),
        ("caller_national", F::CallerNational),
        ("caller_masked", F::CallerMasked),
        ("service_number", F::Service),
        ("message_id", F::MessageId),
        ("area", F::Area),
        ("area_12", F::Area12),
        ("received_at", F::ReceivedAt),
        ("occurred_at", F::OccurredAt),
        ("sent_at", F::SentAt),
        ("invitation", F::Invitation),
        ("assess_number", F::AssessNumber),
        ("follows", F::Follows),
        ("project_no", F::ProjectNo),
        ("task_code", F::TaskCode),
        ("task_name", F::TaskName),
        ("matter_area", F::MatterArea),
        ("matter_area_12", F::MatterArea12),
        ("service_step", F::ServiceStep),
        ("department", F::Department),
        ("handler", F::Handler),
        ("call_id", F::CallId),
        ("target_type", F::TargetType),
        ("target", F::Target),
        ("level", F::Level),
        ("level_title", F::LevelTitle),
        ("score", F::Score),
        ("option", F::OptionCode),
        ("complaint_kind", F::ComplaintKind),
        ("rating_id", F::RatingId),
        ("call_back_by", F::CallBackBy),
        ("repair_by", F::RepairBy),
        ("tags", F::Tags),
        ("why", F::Why),
    ];

    /// The name in templates.
    #[must_use]
    pub fn name(self) -> &'static str {
        F::NAMES.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }

    /// Whether records of a kind have it.
    #[must_use]
    pub fn presence(self, kind: RecordKind) -> Presence {
        let among = |kinds: &[RecordKind], presence| match kinds.contains(&kind) {
            true => presence,
            false => Presence::Never,
        };
        match self {
            F::Key
            | F::Id
            | F::Revision
            | F::Kind
            | F::Channel
            | F::Campaign
            | F::Brand
            | F::Account
            | F::Rule
            | F::ReceivedAt
            | F::SentAt => Presence::Always,
            F::Level | F::LevelTitle | F::Score => among(&[RecordKind::Rating], Presence::Always),
            F::OptionCode | F::AssessNumber => among(&[RecordKind::Rating], Presence::Maybe),
            F::TargetType => among(&[RecordKind::Rating, RecordKind::NotRated], Presence::Always),
            F::Target => among(&[RecordKind::Rating, RecordKind::NotRated], Presence::Maybe),
            F::ComplaintKind => among(&[RecordKind::Complaint], Presence::Always),
            F::RatingId | F::CallBackBy | F::RepairBy | F::Tags => {
                among(&[RecordKind::Complaint], Presence::Maybe)
            }
            F::Why => among(&[RecordKind::NotRated], Presence::Always),
            _ => Presence::Maybe,
        }
    }

    /// Whether it is a moment, for which templates say how it is written.
    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(self, F::ReceivedAt | F::OccurredAt | F::SentAt)
    }

    /// Whether it is a day.
    #[must_use]
    pub fn is_date(self) -> bool {
        matches!(self, F::CallBackBy | F::RepairBy)
    }

    /// Whether it is a number, which may stand in JSON without quotes.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(
            self,
            F::Revision
                | F::ChannelCode
                | F::AssessNumber
                | F::ServiceStep
                | F::Level
                | F::Score
                | F::OptionCode
        )
    }

    /// All that it can be, where that is a short list: a table of codes must have them all.
    #[must_use]
    pub fn range(self) -> &'static [&'static str] {
        match self {
            F::Kind => &["rating", "complaint", "not_rated"],
            F::Channel => &["sms", "ivr"],
            F::Level => &["1", "2", "3", "4", "5"],
            F::TargetType => &["call", "case"],
            F::ComplaintKind => &["bad_rating", "grievance"],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_field_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = F::NAMES.iter().map(|(_, field)| field.name()).collect();
        assert_eq!(names.len(), F::NAMES.len());
    }

    #[test]
    fn every_field_is_documented() {
        let docs = include_str!("../../../docs/profiles.md");
        for (name, _) in F::NAMES {
            assert!(docs.contains(&format!("| `{name}` |")), "{name} is not in docs/profiles.md");
        }
    }
}
