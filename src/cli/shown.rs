//! How stored things are shown to operators: masked, with times at +08:00.

use crate::model::{AreaCode, Brand, ComplaintKind, Deadlines, Meaning, Record, Recording};
use crate::store::{RecordState, Unreadable};
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
    #[serde(flatten)]
    deadlines: Option<Deadlines>,
    tags: Vec<String>,
    level: Option<u8>,
    account: String,
    channel: crate::model::Channel,
    campaign: String,
    brand: Brand,
    area: Option<AreaCode>,
    caller: Option<String>,
    service_number: Option<String>,
    message_id: Option<String>,
    received_at: String,
    comment_characters: usize,
    recordings: Vec<Said>,
    rule: String,
    #[serde(flatten)]
    state: RecordState,
}

/// A recording of a complaint, without its address.
#[derive(Debug, Serialize)]
struct Said {
    recording: String,
    state: &'static str,
}

impl Said {
    fn new(recording: &Recording) -> Said {
        Said { recording: recording.id.to_string(), state: recording.state.name() }
    }
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
        let (deadlines, tags, recordings) = match &record.meaning {
            Meaning::Rating { .. } | Meaning::NotRated { .. } => (None, &[][..], &[][..]),
            Meaning::Complaint { deadlines, tags, recordings, .. } => {
                (*deadlines, &tags[..], &recordings[..])
            }
        };
        Shown {
            id: record.id.to_string(),
            revision: record.revision.0,
            kind,
            deadlines,
            tags: tags.iter().map(ToString::to_string).collect(),
            level,
            account: record.account.to_string(),
            channel: record.channel,
            campaign: record.campaign.clone(),
            brand: record.brand,
            area: record.area.clone(),
            caller: record.caller.as_ref().map(crate::model::Caller::masked),
            service_number: record.service.as_ref().map(ToString::to_string),
            message_id: record.message_id.as_ref().map(ToString::to_string),
            received_at: time(record.received_at),
            comment_characters: record.comment.0.chars().count(),
            recordings: recordings.iter().map(Said::new).collect(),
            rule: record.rule.to_string(),
            state,
        }
    }

    /// One line of a list.
    pub(super) fn line(&self) -> String {
        let level = self.level.map(|level| format!(" {level}")).unwrap_or_default();
        let state = name(&self.state);
        let due = self.deadlines.map(|deadlines| {
            let Deadlines { call_back_by, repair_by } = deadlines;
            format!("  call back by {call_back_by}, repair by {repair_by}")
        });
        let tags = match self.tags.is_empty() {
            true => String::new(),
            false => format!("  [{}]", self.tags.join(" ")),
        };
        format!(
            "{}  {}  r{}  {}{level}  {}  {}  rule {}  {state}{}{tags}",
            self.received_at,
            self.id,
            self.revision,
            self.kind,
            self.account,
            self.caller.as_deref().unwrap_or("no caller"),
            self.rule,
            due.unwrap_or_default(),
        )
    }
}

/// A record of a list, whether it can be opened or not.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Listed {
    Whole(Box<Shown>),
    Unreadable {
        id: String,
        revision: u32,
        kind: &'static str,
        account: String,
        received_at: String,
        problem: String,
        #[serde(flatten)]
        state: RecordState,
    },
}

impl Listed {
    /// A record in a state.
    pub(super) fn new(record: &Result<Record, Unreadable>, state: RecordState) -> Listed {
        match record {
            Ok(record) => Listed::Whole(Box::new(Shown::new(record, state))),
            Err(Unreadable { id, revision, account, received_at, why }) => Listed::Unreadable {
                id: id.to_string(),
                revision: revision.0,
                kind: "unreadable",
                account: account.clone(),
                received_at: time(*received_at),
                problem: why.clone(),
                state,
            },
        }
    }

    /// One line of a list.
    pub(super) fn line(&self) -> String {
        match self {
            Listed::Whole(shown) => shown.line(),
            Listed::Unreadable { id, revision, kind, account, received_at, problem, state } => {
                format!(
                    "{received_at}  {id}  r{revision}  {kind}  {account}  {}: {problem}",
                    name(state)
                )
            }
        }
    }
}

/// A state as a list has it.
fn name(state: &RecordState) -> String {
    match state {
        RecordState::Pending { leased: true, .. } => "being sent".to_owned(),
        RecordState::Pending { due, .. } => format!("due {}", time(*due)),
        RecordState::Behind { first, first_revision } => {
            format!("behind {first} r{first_revision}, the first of its case")
        }
        RecordState::Delivered => "delivered".to_owned(),
        RecordState::Dead { class } => format!("dead ({class})"),
        RecordState::Superseded => "superseded".to_owned(),
        RecordState::NotForLane => "not forwarded".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountName, Channel, Comment, Context, RecordId, Revision, Rule, Tag};
    use jiff::civil::date;

    #[test]
    fn a_complaint_is_shown_with_its_deadlines_and_tags() {
        let deadlines = Deadlines { call_back_by: date(2026, 3, 6), repair_by: date(2026, 3, 26) };
        let mut record = Record {
            id: RecordId(uuid::Uuid::nil()),
            revision: Revision::FIRST,
            meaning: Meaning::Complaint {
                kind: ComplaintKind::Grievance,
                rating: None,
                deadlines: Some(deadlines),
                tags: vec![Tag("推诿".into()), Tag("拖延".into())],
                recordings: Vec::new(),
            },
            account: AccountName::new("a").expect("a name"),
            channel: Channel::Sms,
            campaign: "c".to_owned(),
            brand: Brand::Hotline8890,
            channel_code: None,
            area: AreaCode::new("210100").ok(),
            caller: None,
            service: None,
            message_id: None,
            occurred_at: None,
            received_at: "2026-03-05T02:20:30Z".parse().expect("a time"),
            comment: Comment("互相推诿".to_owned()),
            rule: Rule("F1".into()),
            context: Context::default(),
        };
        let shown = Shown::new(&record, RecordState::Delivered);
        let line = shown.line();
        let expected =
            "rule F1  delivered  call back by 2026-03-06, repair by 2026-03-26  [推诿 拖延]";
        assert!(line.ends_with(expected), "{line}");
        let json = serde_json::to_value(&shown).expect("JSON");
        assert_eq!(
            (&json["call_back_by"], &json["repair_by"]),
            (&"2026-03-06".into(), &"2026-03-26".into())
        );
        assert_eq!(
            (&json["tags"][1], &json["area"], &json["brand"]),
            (&"拖延".into(), &"210100".into(), &"8890".into())
        );

        // One that was stored before there were deadlines.
        record.meaning = Meaning::Complaint {
            kind: ComplaintKind::Grievance,
            rating: None,
            deadlines: None,
            tags: Vec::new(),
            recordings: Vec::new(),
        };
        let line = Shown::new(&record, RecordState::Delivered).line();
        assert!(line.ends_with("rule F1  delivered"), "{line}");
    }
}
