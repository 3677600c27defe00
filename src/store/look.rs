//! What operators are shown of the store.

use super::ReadError;
use super::job::RecordRow;
use super::rows::{self, StoredCallback, timestamp};
use super::seal::KeyRing;
use crate::model::{AccountName, CallbackSeq, Level, Record, RecordId, RecordSeq, Revision};
use jiff::Timestamp;
use serde::Serialize;

/// Which records to find.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this caller, E.164 or as the carrier gave it.
    pub caller: Option<String>,
    /// Of this account.
    pub account: Option<AccountName>,
    /// Of this level.
    pub level: Option<Level>,
    /// Complaints only, or ratings only.
    pub complaints: Option<bool>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// At most so many, newest first.
    pub limit: u32,
}

/// Where a record revision is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum RecordState {
    /// In the outbox.
    Pending {
        /// When it is due, or its lease ends.
        due: Timestamp,
        /// Whether somebody is sending it.
        leased: bool,
    },
    /// In the outbox, parked until those before it in its case have left.
    Behind {
        /// The first of the case, by which all of it goes.
        first: RecordId,
        /// Which revision of that.
        first_revision: Revision,
    },
    /// The platform has it.
    Delivered,
    /// Given up.
    Dead {
        /// Why, by class.
        class: String,
    },
    /// A later revision went out instead.
    Superseded,
    /// No lane wants it.
    NotForLane,
}

/// What the tables have of a record revision in one lane.
#[derive(Debug, Default)]
pub(super) struct InLane {
    /// When it is due, as long as it is in the outbox, and whether somebody is sending it.
    pub(super) queued: Option<(i64, bool)>,
    /// The first of its case, where it is parked.
    pub(super) behind: Option<(RecordId, Revision)>,
    /// Its class as a dead letter.
    pub(super) dead: Option<String>,
    /// The outcome of its last attempt.
    pub(super) last: Option<i64>,
}

impl RecordState {
    /// Where a record revision is in a lane: in exactly one place.
    pub(super) fn of(lane: InLane) -> RecordState {
        match (lane.queued, lane.behind, lane.dead, lane.last) {
            (Some(_), Some((first, first_revision)), ..) => {
                RecordState::Behind { first, first_revision }
            }
            (Some((due, leased)), None, ..) => RecordState::Pending { due: timestamp(due), leased },
            (None, _, Some(class), _) => RecordState::Dead { class },
            (None, _, None, Some(1)) => RecordState::Delivered,
            (None, _, None, Some(4)) => RecordState::Superseded,
            (None, _, None, _) => RecordState::NotForLane,
        }
    }

    /// Of several lanes, where most is left to be done.
    pub(super) fn of_all(lanes: impl IntoIterator<Item = InLane>) -> RecordState {
        let left = |state: &RecordState| match state {
            RecordState::Pending { .. } | RecordState::Behind { .. } => 0,
            RecordState::Dead { .. } => 1,
            RecordState::Delivered => 2,
            RecordState::Superseded => 3,
            RecordState::NotForLane => 4,
        };
        let states = lanes.into_iter().map(RecordState::of);
        states.min_by_key(left).unwrap_or(RecordState::NotForLane)
    }
}

/// What is left of a record that cannot be opened: it is damaged, or its data key is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    /// Which record.
    pub id: RecordId,
    /// Which revision of it.
    pub revision: Revision,
    /// The account whose callback caused it.
    pub account: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// What is wrong with it.
    pub why: String,
}

/// A found record.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its place in the order of arrival.
    pub seq: RecordSeq,
    /// The record, if it can be opened.
    pub record: Result<Record, Unreadable>,
    /// Where it is.
    pub state: RecordState,
}

/// One revision and what became of it.
#[derive(Debug, Clone)]
pub struct RevisionHistory {
    /// Its place in the order of arrival.
    pub seq: RecordSeq,
    /// The record, if it can be opened.
    pub record: Result<Record, Unreadable>,
    /// Where it is.
    pub state: RecordState,
    /// What was tried, oldest first.
    pub attempts: Vec<AttemptLine>,
    /// The callback that caused it.
    pub callback_seq: CallbackSeq,
    /// That callback as it came, unless it is erased.
    pub callback: Option<StoredCallback>,
    /// The callbacks that repeated that one, oldest first.
    pub repeats: Vec<Repeat>,
}

/// A callback that repeated another, and changed nothing by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// Its place in the order of arrival.
    pub callback: CallbackSeq,
    /// When it arrived.
    pub received_at: Timestamp,
    /// By what it was recognised.
    pub matched: Matched,
}

/// By what a repeat was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// By the carrier's id, or whatever else it repeats unchanged.
    Id,
    /// By the business key: it came under a new id.
    Resend,
}

impl Matched {
    /// The name, as the database has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Matched::Id => "id",
            Matched::Resend => "resend",
        }
    }

    pub(super) fn from_name(name: &str) -> Matched {
        if name == "resend" { Matched::Resend } else { Matched::Id }
    }
}

/// One line of a record's history.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptLine {
    /// The lane.
    pub lane: String,
    /// Which attempt.
    pub attempt: u32,
    /// What came of it.
    pub outcome: AttemptOutcome,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub took_ms: Option<i64>,
    /// The platform's status.
    pub status: Option<u16>,
    /// The answer in short.
    pub answer: String,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The platform has it.
    Delivered,
    /// To be tried again.
    Retried,
    /// Given up.
    Dead,
    /// A later revision took its place.
    Superseded,
    /// Put back by an operator.
    Replayed,
    /// Not for this lane.
    Passed,
    /// Written by a newer version of the gateway.
    Unknown,
}

impl AttemptOutcome {
    pub(super) fn from_number(number: i64) -> AttemptOutcome {
        match number {
            1 => AttemptOutcome::Delivered,
            2 => AttemptOutcome::Retried,
            3 => AttemptOutcome::Dead,
            4 => AttemptOutcome::Superseded,
            5 => AttemptOutcome::Replayed,
            6 => AttemptOutcome::Passed,
            _ => AttemptOutcome::Unknown,
        }
    }
}

/// A callback that could not be read, or not all of it.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// Its place in the order of arrival.
    pub seq: CallbackSeq,
    /// Whose it is.
    pub account: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What of it could not be read when it was read last: places and shapes, no content.
    pub problems: Vec<String>,
    /// Whether another part of it was readable, then or at first.
    pub neighbours: bool,
    /// The request, unless it is erased.
    pub callback: Option<StoredCallback>,
}

impl Quarantined {
    /// The problems of the first reading lie in the page, those of later ones were noted.
    pub(super) fn new(
        (seq, account, received_at): (CallbackSeq, String, i64),
        noted: Vec<String>,
        neighbours: bool,
        callback: Option<StoredCallback>,
    ) -> Quarantined {
        let first = || callback.as_ref().map(|callback| callback.garbled.clone());
        let problems = if noted.is_empty() { first().unwrap_or_default() } else { noted };
        let received_at = timestamp(received_at);
        Quarantined { seq, account, received_at, problems, neighbours, callback }
    }
}

/// Which quarantined callbacks to read again.
#[derive(Debug, Clone, Default)]
pub struct QuarantineFilter {
    /// Of this account.
    pub account: Option<AccountName>,
    /// This one.
    pub callback: Option<CallbackSeq>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// At most so many, oldest first.
    pub limit: u32,
}

/// What an operator's wish for another reading came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestedRereads {
    /// These will be read again, oldest first.
    pub callbacks: Vec<CallbackSeq>,
    /// Left out: older than the dedupe window, with readable neighbours that might be counted
    /// twice.
    pub too_old: u64,
    /// Left out: their bytes are erased, as their time was over.
    pub erased: u64,
}

/// A quarantined callback that an operator's filter lets through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rereadable {
    pub(super) seq: CallbackSeq,
    /// Whether another part of it was readable, then or at first.
    pub(super) neighbours: bool,
    /// Whether its bytes are still there.
    pub(super) kept: bool,
    /// Whether its dedupe keys may be forgotten.
    pub(super) is_old: bool,
}

impl RequestedRereads {
    /// Takes one up, or counts why not.
    pub(super) fn consider(&mut self, one: Rereadable, limit: u32) {
        if !one.kept {
            self.erased += 1;
        } else if one.neighbours && one.is_old {
            self.too_old += 1;
        } else if u32::try_from(self.callbacks.len()).is_ok_and(|count| count < limit) {
            self.callbacks.push(one.seq);
        }
    }
}

/// What stands in a lane.
#[derive(Debug, Clone, Serialize)]
pub struct LaneStatus {
    /// Its name.
    pub name: String,
    /// Records to send.
    pub pending: i64,
    /// Complaints among them and what must go before one, without complaints that were replayed.
    pub complaints: i64,
    /// Under way.
    pub leased: i64,
    /// Tried in vain and waiting.
    pub waiting_to_retry: i64,
    /// Of them waiting for an earlier record of their case.
    pub behind: i64,
    /// Since when the oldest waits.
    pub oldest: Option<Timestamp>,
    /// When the next is due.
    pub next_due: Option<Timestamp>,
    /// Dead letters.
    pub dead: i64,
    /// Of them in the bin of theirs: the platform refused them.
    pub dead_theirs: i64,
}

/// What became of records in a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneCounts {
    /// Its name.
    pub name: String,
    /// Record revisions stored since there is this lane.
    pub records: i64,
    /// Of them in the outbox.
    pub pending: i64,
    /// Of them given up.
    pub dead: i64,
    /// Of them with the platform.
    pub delivered: i64,
    /// Of them overtaken by a later revision.
    pub superseded: i64,
    /// Of them not wanted there.
    pub not_for_it: i64,
}

impl LaneCounts {
    /// Whether every record revision is in exactly one place.
    #[must_use]
    pub fn add_up(&self) -> bool {
        self.records
            == self.pending + self.dead + self.delivered + self.superseded + self.not_for_it
    }
}

/// A full count of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Raw callbacks kept.
    pub callbacks: i64,
    /// Record revisions.
    pub records: i64,
    /// Of them in outboxes.
    pub pending: i64,
    /// Of them given up.
    pub dead: i64,
    /// Of them with the platform.
    pub delivered: i64,
    /// Of them overtaken by a later revision.
    pub superseded: i64,
    /// The same for each lane: of several, each has its own share of the four.
    pub by_lane: Vec<LaneCounts>,
    /// Events that repeated an earlier one.
    pub repeats: i64,
    /// Events that made no record, and conclusions that made none.
    pub notes: i64,
    /// Events that wait for their conclusion.
    pub held: i64,
}

impl Counts {
    /// Whether every record revision is in exactly one place of each lane.
    #[must_use]
    pub fn add_up(&self) -> bool {
        self.by_lane.iter().all(LaneCounts::add_up)
    }
}

/// Opens a record, or tells what is left of it.
pub(super) fn open_record(ring: &KeyRing, row: &RecordRow) -> Result<Record, Unreadable> {
    opened(ring, row).map_err(|error| Unreadable {
        id: row.id,
        revision: row.revision,
        account: row.account.clone(),
        received_at: timestamp(row.received_at),
        why: error.to_string(),
    })
}

/// Opens a record's sealed part and puts it together with its columns.
pub(super) fn opened(ring: &KeyRing, row: &RecordRow) -> Result<Record, ReadError> {
    let place = rows::record_place(row.id, row.revision);
    let plain = ring.open(&place, &row.sealed)?;
    let columns = rows::RecordColumns {
        id: row.id,
        revision: row.revision,
        account: &row.account,
        received_at: row.received_at,
    };
    Ok(rows::decode_record(columns, &plain)?)
}
