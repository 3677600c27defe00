//! What callers ask of the writer, each with the way back for its own answer.

use super::seal::Fingerprint;
use super::{Callback, Committed, LeaseToken, Settlement, StoreError};
use crate::model::{AccountName, CallbackSeq, LaneName, Outcome, RecordId, RecordSeq, Revision};
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::oneshot;

/// The way back to whoever asked.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// One request to the writer.
#[derive(Debug)]
pub(super) enum Job {
    Commit(Box<CommitJob>),
    Reread(Box<RereadJob>),
    Lease(LeaseJob),
    Settle(Settlement, Answer<usize>),
    Purge(PurgeJob, Answer<u64>),
    /// Writes the last frames of the log back, so that it can start over.
    FinishCheckpoint(Answer<()>),
}

/// A callback with everything that needs no order computed: digests taken, records sealed.
#[derive(Debug)]
pub(super) struct CommitJob {
    pub(super) callback: Callback,
    pub(super) nonce: Option<NoncePrints>,
    pub(super) items: Vec<Item>,
    pub(super) answer: Answer<Committed>,
}

/// A one-time token, by itself and with what was said under it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoncePrints {
    pub(super) token: Fingerprint,
    pub(super) content: Fingerprint,
}

/// A quarantined callback, read again.
#[derive(Debug)]
pub(super) struct RereadJob {
    pub(super) seq: CallbackSeq,
    pub(super) account: AccountName,
    pub(super) received_at: Timestamp,
    pub(super) items: Vec<Item>,
    pub(super) garbled: Vec<String>,
    pub(super) answer: Answer<Committed>,
}

/// One event of a callback.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) dedupe: Fingerprint,
    pub(super) resend: Option<ResendPrint>,
    pub(super) outcome: Outcome,
    pub(super) records: Vec<SealedRecord>,
}

/// A business key, and for how long it stands for one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResendPrint {
    pub(super) print: Fingerprint,
    pub(super) window: Duration,
}

/// A record ready to be a row.
#[derive(Debug)]
pub(super) struct SealedRecord {
    pub(super) id: RecordId,
    pub(super) revision: Revision,
    pub(super) urgent: bool,
    pub(super) level: Option<u8>,
    pub(super) caller: Option<Fingerprint>,
    pub(super) sealed: Vec<u8>,
}

/// A wish for due records.
#[derive(Debug)]
pub(super) struct LeaseJob {
    pub(super) lane: LaneName,
    pub(super) max: usize,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
    pub(super) answer: Answer<RawLease>,
}

/// Leased rows, still sealed: they are opened outside the writer.
#[derive(Debug)]
pub(super) struct RawLease {
    pub(super) token: LeaseToken,
    pub(super) until: Timestamp,
    pub(super) rows: Vec<LeasedRow>,
}

/// One leased row.
#[derive(Debug)]
pub(super) struct LeasedRow {
    pub(super) seq: RecordSeq,
    pub(super) attempt: u32,
    pub(super) queued_at: Timestamp,
    pub(super) row: RecordRow,
}

/// A record's row as it stands in the table.
#[derive(Debug)]
pub(super) struct RecordRow {
    pub(super) id: RecordId,
    pub(super) revision: Revision,
    pub(super) account: String,
    pub(super) received_at: i64,
    pub(super) sealed: Vec<u8>,
}

/// How far back a purge may reach, and how much it may do at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct PurgeJob {
    pub(super) callbacks_before: Timestamp,
    pub(super) records_before: Timestamp,
    pub(super) keys_before: Timestamp,
    pub(super) limit: u32,
}
