//! How stored things are shown to operators: masked, with times at +08:00.

use crate::model::{ComplaintKind, Meaning, Record};
use crate::store::RecordState;
use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use serde::Serialize;

/// A time as operators read it.
pub(super) fn time(at: Timestamp) -> String {
    let china = TimeZone::fixed(offset(8));
    china.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time at +08:00 in RFC 3339, with its fraction.
pub(super) fn beijing(at: Timestamp) -> String {
    at.display_with_offset(offset(8)).to_string()
}

/// A record without what only the platform may see: the caller is masked, and of the citizen's
/// words only the length is told.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    id: String,
    revision: u32,
    kind: &'static str,
    level: Option<u8>,
    account: String,
    channel: crate::model::Channel,
    campaign: String,
    caller: Option<String>,
    service_number: Option<String>,
    message_id: Option<String>,
    received_at: String,
    comment_characters: usize,
    rule: String,
    #[serde(flatten)]
    state: RecordState,
}

impl Shown {
    /// A record in a state.
    pub(super) fn new(record: &Record, state: RecordState) -> Shown {
        let (kind, level) = match &record.meaning {
            Meaning::Rating { level, .. } => ("rating", Some(level.number())),
            Meaning::Complaint { kind: ComplaintKind::BadRating, .. } => ("bad rating", None),
            Meaning::Complaint { kind: ComplaintKind::Grievance, .. } => ("grievance", None),
            Meaning::NotRated { .. } => ("not rated", None),
        };
        Shown {
            id: record.id.to_string(),
            revision: record.revision.0,
            kind,
            level,
            account: record.account.to_string(),
            channel: record.channel,
            campaign: record.campaign.clone(),
            caller: record.caller.as_ref().map(crate::model::Caller::masked),
            service_number: record.service.as_ref().map(ToString::to_string),
            message_id: record.message_id.as_ref().map(ToString::to_string),
            received_at: time(record.received_at),
            comment_characters: record.comment.0.chars().count(),
            rule: record.rule.to_string(),
            state,
        }
    }

    /// One line of a list.
    pub(super) fn line(&self) -> String {
        let level = self.level.map(|level| format!(" {level}")).unwrap_or_default();
        let state = match &self.state {
            RecordState::Pending { leased: true, .. } => "being sent".to_owned(),
            RecordState::Pending { due, .. } => format!("due {}", time(*due)),
            RecordState::Delivered => "delivered".to_owned(),
            RecordState::Dead { class } => format!("dead ({class})"),
            RecordState::Superseded => "superseded".to_owned(),
        };
        format!(
            "{}  {}  r{}  {}{level}  {}  {}  rule {}  {state}",
            self.received_at,
            self.id,
            self.revision,
            self.kind,
            self.account,
            self.caller.as_deref().unwrap_or("no caller"),
            self.rule,
        )
    }
}
