//! The native profile's words: how records are written and how the answer is read
//! (`docs/platform-api.yaml`). Pure.

use crate::model::{
    AreaCode, Caller, Context, Deadlines, Mark, Matter, Meaning, Record, RecordId, Recording,
    RecordingId, RecordingState, Revision, Tag, TargetType,
};
use crate::store::Leased;
use jiff::{Timestamp, tz::Offset};
use serde::ser::{Serialize, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize as Derive};
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// The path under the destination's URL.
pub const PATH: &str = "/v1/records";

/// Times leave at +08:00, the province's clock.
const CHINA: Offset = Offset::constant(8);

/// Writes a batch: `{"records":[…]}`.
#[must_use]
#[expect(clippy::expect_used, reason = "strings and numbers always fit into memory as JSON")]
pub fn write(batch: &[Leased]) -> Vec<u8> {
    let mut body = Vec::with_capacity(32 + batch.len() * 768);
    serde_json::to_writer(&mut body, &Batch { records: Records(batch) }).expect("plain data");
    body
}

/// Writes one record as it stands in a batch.
#[must_use]
#[expect(clippy::expect_used, reason = "strings and numbers always fit into memory as JSON")]
pub fn write_one(record: &Record) -> String {
    serde_json::to_string(&WireRecord::of(record)).expect("plain data")
}

/// What the platform said of one record.
#[derive(Debug, Deserialize)]
pub struct ItemResult<'a> {
    /// The record's key as we sent it.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// What became of it.
    pub status: ItemStatus,
    /// Why, in the platform's words; may repeat personal data.
    #[serde(default, borrow)]
    pub reason: Option<Cow<'a, str>>,
    /// Seconds before it should be sent again.
    #[serde(default)]
    pub retry_after: Option<u32>,
}

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemStatus {
    /// The platform has it now.
    Accepted,
    /// The platform had it before.
    Duplicate,
    /// The platform could not take it now.
    Retry,
    /// The platform will never take it.
    Rejected,
    /// A word that this profile does not know.
    #[serde(other)]
    Unknown,
}

/// Reads the answer to a batch: `{"results":[…]}`.
///
/// # Errors
/// When the body is not such an answer; nothing is then known of any record.
pub fn read(body: &[u8]) -> Result<Vec<ItemResult<'_>>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Results<'a> {
        #[serde(borrow)]
        results: Vec<ItemResult<'a>>,
    }
    serde_json::from_slice(body).map(|Results { results }| results)
}

/// Reads the `reason` of an answer that refuses a request as a whole, if it gives one.
#[must_use]
pub fn read_refusal(body: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Refusal<'a> {
        #[serde(borrow)]
        reason: Cow<'a, str>,
    }
    serde_json::from_slice(body).ok().map(|Refusal { reason }| reason)
}

/// A record's idempotency key, `id:revision`, without the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The record.
    pub id: RecordId,
    /// Its revision.
    pub revision: Revision,
}

impl Key {
    /// The key of a record.
    #[must_use]
    pub fn of(record: &Record) -> Key {
        Key { id: record.id, revision: record.revision }
    }

    /// Reads a key as the platform repeats it.
    #[must_use]
    pub fn read(text: &str) -> Option<Key> {
        let (id, revision) = text.split_once(':')?;
        let id = RecordId(Uuid::try_parse(id).ok()?);
        Some(Key { id, revision: Revision(revision.parse().ok()?) })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.revision)
    }
}

#[derive(Derive)]
struct Batch<'a> {
    records: Records<'a>,
}

struct Records<'a>(&'a [Leased]);

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut records = serializer.serialize_seq(Some(self.0.len()))?;
        for leased in self.0 {
            records.serialize_element(&WireRecord::of(&leased.record))?;
        }
        records.end()
    }
}

/// One record as it travels. What does not apply is left out.
#[derive(Derive)]
#[serde(rename_all = "snake_case")]
struct WireRecord<'a> {
    #[serde(serialize_with = "as_text")]
    key: Key,
    id: RecordId,
    revision: Revision,
    kind: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    rating: Option<WireRating<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complaint: Option<WireComplaint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_rated: Option<WireUnrated<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matter: Option<WireMatter<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assess_number: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    follows: Option<RecordId>,
    #[serde(skip_serializing_if = "<[Mark]>::is_empty")]
    marks: Vec<Mark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<[String; 1]>,
    comment: &'a str,
    channel: crate::model::Channel,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_code: Option<u8>,
    campaign: &'a str,
    brand: crate::model::Brand,
    #[serde(skip_serializing_if = "Option::is_none")]
    area: Option<&'a str>,
    account: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_readable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<ChinaTime>,
    received_at: ChinaTime,
    rule: &'a str,
}

#[derive(Derive)]
struct WireRating<'a> {
    level: u8,
    level_title: &'static str,
    score: u8,
    target: WireTarget<'a>,
    scheme: crate::model::Direction,
    scheme_levels: u8,
}

#[derive(Derive)]
struct WireTarget<'a> {
    #[serde(rename = "type")]
    target_type: TargetType,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
}

/// The matter in the field names of the national interface.
#[derive(Derive)]
#[serde(rename_all = "camelCase")]
struct WireMatter<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    project_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    area_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<&'a str>,
}

impl<'a> WireMatter<'a> {
    fn of(matter: &'a Matter) -> WireMatter<'a> {
        WireMatter {
            project_no: matter.project_no.as_deref(),
            task_code: matter.task_code.as_deref(),
            task_name: matter.task_name.as_deref(),
            area_code: matter.area_code.as_deref(),
            service_number: matter.service_step,
            department: matter.department.as_deref(),
            handler: matter.handler.as_deref(),
            call_id: matter.call_id.as_deref(),
        }
    }
}

#[derive(Derive)]
struct WireUnrated<'a> {
    why: &'static str,
    target: WireTarget<'a>,
}

#[derive(Derive)]
struct WireComplaint<'a> {
    kind: crate::model::ComplaintKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    rating_id: Option<RecordId>,
    #[serde(flatten)]
    deadlines: Option<Deadlines>,
    #[serde(skip_serializing_if = "<[Tag]>::is_empty")]
    tags: &'a [Tag],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recordings: Vec<WireRecording<'a>>,
}

#[derive(Derive)]
struct WireRecording<'a> {
    id: RecordingId,
    address: &'a str,
    state: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    audio: Option<WireAudio>,
}

#[derive(Derive)]
struct WireAudio {
    media_type: &'static str,
    length: u64,
    sha256: String,
}

impl<'a> WireRecording<'a> {
    fn of(recording: &'a Recording) -> WireRecording<'a> {
        let audio = match &recording.state {
            RecordingState::Kept(audio) => Some(WireAudio {
                media_type: audio.format.media_type(),
                length: audio.length,
                sha256: hex::encode(audio.sha256),
            }),
            RecordingState::Unlisted | RecordingState::Waiting | RecordingState::Lost => None,
        };
        let Recording { id, address, state } = recording;
        WireRecording { id: *id, address: &address.0, state: state.name(), audio }
    }
}

impl<'a> WireRecord<'a> {
    fn of(record: &'a Record) -> WireRecord<'a> {
        let (kind, rating, complaint, not_rated) = match &record.meaning {
            Meaning::Rating { level, target, scheme } => {
                let reference = target.reference.as_deref();
                let rating = WireRating {
                    level: level.number(),
                    level_title: level.title(),
                    score: level.score(),
                    target: WireTarget { target_type: target.target_type, reference },
                    scheme: scheme.direction(),
                    scheme_levels: scheme.highest(),
                };
                ("rating", Some(rating), None, None)
            }
            Meaning::Complaint { kind, rating, deadlines, tags, recordings } => {
                let (kind, deadlines) = (*kind, *deadlines);
                let recordings = recordings.iter().map(WireRecording::of).collect();
                let complaint =
                    WireComplaint { kind, rating_id: *rating, deadlines, tags, recordings };
                ("complaint", None, Some(complaint), None)
            }
            Meaning::NotRated { why, target } => {
                let reference = target.reference.as_deref();
                let target = WireTarget { target_type: target.target_type, reference };
                ("not_rated", None, None, Some(WireUnrated { why: why.name(), target }))
            }
        };
        let readable = |caller: &Caller| matches!(caller, Caller::Number(_));
        WireRecord {
            key: Key::of(record),
            id: record.id,
            revision: record.revision,
            kind,
            rating,
            complaint,
            not_rated,
            invitation: record.context.invitation.as_ref().map(|id| id.0.as_str()),
            matter: record.context.matter.as_ref().map(WireMatter::of),
            assess_number: Some(record.context.assess_number).filter(|times| *times > 0),
            follows: record.context.follows,
            marks: doubts(&record.context),
            options: record.chosen().map(|code| [code.to_string()]),
            comment: &record.comment.0,
            channel: record.channel,
            channel_code: record.channel_code,
            campaign: &record.campaign,
            brand: record.brand,
            area: record.area.as_ref().map(AreaCode::as_str),
            account: record.account.as_str(),
            service_number: record.service.as_ref().map(|number| number.0.as_str()),
            caller: record.caller.as_ref().map(Caller::reveal),
            caller_readable: record.caller.as_ref().map(readable),
            message_id: record.message_id.as_ref().map(|id| id.0.as_str()),
            occurred_at: record.occurred_at.map(ChinaTime),
            received_at: ChinaTime(record.received_at),
            rule: &record.rule.0,
        }
    }
}

/// The marks that a human should know; what the citizen chose is told by itself.
fn doubts(context: &Context) -> Vec<Mark> {
    let doubts = context.marks.iter().filter(|mark| !matches!(mark, Mark::Chose(_)));
    doubts.copied().collect()
}

struct ChinaTime(Timestamp);

impl Serialize for ChinaTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display_with_offset(CHINA))
    }
}

fn as_text<S: Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

#[cfg(test)]
mod tests;
