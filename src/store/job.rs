//! What callers ask of the writer, each with the way back for its own answer.

use super::case::Ties;
use super::lanes::Passed;
use super::ledger::Fold;
use super::seal::Fingerprint;
use super::{
    Callback, Committed, Concluded, InboxSeq, LeaseToken, MessageLane, MessageSettled,
    NewRecording, Opaque, OwnerToken, RecordingSettled, Settlement, StoreError,
};
use crate::model::{
    AccountName, CallbackSeq, LaneName, MessageKey, Outcome, RecordId, RecordSeq, RecordingId,
    Revision,
};
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
    Conclude(Box<ConcludeJob>),
    Lease(LeaseJob),
    Settle(Settlement, Answer<usize>),
    LeaseMessages(MessageLeaseJob),
    SettleMessages(MessageSettleJob),
    Recording(RecordingJob),
    Purge(PurgeJob, Answer<u64>),
    /// Adds to the ledger what was found new.
    Ledger(Box<Fold>, Answer<()>),
    /// Adds callbacks to it of which nothing is stored: hour, account, reason, callbacks.
    Refused(Vec<(i64, String, &'static str, i64)>, Answer<()>),
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
    pub(super) share: SealedShare,
}

/// What became of an event. What is held is sealed once its place is known.
#[derive(Debug)]
pub(super) enum SealedShare {
    Decided { outcome: Outcome, records: Vec<SealedRecord> },
    Held(Opaque),
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
    pub(super) ties: Ties,
    pub(super) passed: Passed,
    pub(super) level: Option<u8>,
    pub(super) caller: Option<Fingerprint>,
    pub(super) sealed: Vec<u8>,
}

/// A conclusion with everything that needs no order computed.
#[derive(Debug)]
pub(super) struct ConcludeJob {
    /// In whose name; not looked at where one process has the store to itself.
    pub(super) owner: Option<OwnerToken>,
    pub(super) held: Vec<InboxSeq>,
    pub(super) items: Vec<ConcludedItem>,
    pub(super) memory: Vec<SealedMemory>,
    pub(super) messages: Vec<SealedMessage>,
    pub(super) told: Vec<MessageKey>,
    pub(super) revised: Option<CallbackSeq>,
    pub(super) recordings: Vec<NewRecording>,
    pub(super) fetched: Vec<RecordingId>,
    pub(super) answer: Answer<Concluded>,
}

/// One thing that a conclusion came to.
#[derive(Debug)]
pub(super) struct ConcludedItem {
    pub(super) account: AccountName,
    pub(super) callback: CallbackSeq,
    pub(super) received_at: Timestamp,
    pub(super) dedupe: Option<Fingerprint>,
    pub(super) outcome: Outcome,
    pub(super) records: Vec<SealedRecord>,
}

/// What is to be remembered, or forgotten.
#[derive(Debug)]
pub(super) struct SealedMemory {
    pub(super) digest: Fingerprint,
    /// When it wakes, in milliseconds, and its bytes.
    pub(super) to: Option<(Option<i64>, Vec<u8>)>,
}

/// A message ready to be a row.
#[derive(Debug)]
pub(super) struct SealedMessage {
    pub(super) id: MessageKey,
    pub(super) lane: MessageLane,
    pub(super) not_before: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) sealed: Vec<u8>,
}

/// A wish for due messages.
#[derive(Debug)]
pub(super) struct MessageLeaseJob {
    pub(super) lane: AccountName,
    pub(super) max: usize,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
    pub(super) answer: Answer<RawMessageLease>,
}

/// Leased messages, still sealed.
#[derive(Debug)]
pub(super) struct RawMessageLease {
    pub(super) token: LeaseToken,
    pub(super) rows: Vec<LeasedMessageRow>,
}

/// One leased message.
#[derive(Debug)]
pub(super) struct LeasedMessageRow {
    pub(super) id: MessageKey,
    pub(super) attempt: u32,
    pub(super) in_doubt: bool,
    pub(super) queued_at: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) sealed: Vec<u8>,
}

/// What became of leased messages.
#[derive(Debug)]
pub(super) struct MessageSettleJob {
    pub(super) token: LeaseToken,
    pub(super) items: Vec<SealedVerdict>,
    pub(super) answer: Answer<usize>,
}

/// What became of one, ready to be columns.
#[derive(Debug)]
pub(super) struct SealedVerdict {
    pub(super) id: MessageKey,
    pub(super) became: MessageSettled,
    pub(super) news: Option<Vec<u8>>,
}

/// What is asked about recordings, each in a transaction of its own: they are few.
#[derive(Debug)]
pub(super) enum RecordingJob {
    Lease {
        account: AccountName,
        max: u32,
        now: Timestamp,
        until: Timestamp,
        answer: Answer<Vec<LeasedRecordingRow>>,
    },
    Settle {
        id: RecordingId,
        settled: RecordingSettled,
        now: Timestamp,
        answer: Answer<()>,
    },
    Erase {
        ids: Vec<RecordingId>,
        answer: Answer<()>,
    },
}

impl RecordingJob {
    /// Tells the caller that it was not done.
    pub(super) fn refuse(self, error: StoreError) {
        match self {
            RecordingJob::Lease { answer, .. } => drop(answer.send(Err(error))),
            RecordingJob::Settle { answer, .. } | RecordingJob::Erase { answer, .. } => {
                drop(answer.send(Err(error)));
            }
        }
    }
}

/// A leased recording: its id, which attempt, since when it waits, and what is sealed.
pub(super) type LeasedRecordingRow = (RecordingId, u32, Timestamp, Vec<u8>);

/// A wish for due records.
#[derive(Debug)]
pub(super) struct LeaseJob {
    pub(super) lane: LaneName,
    pub(super) max: usize,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
    /// A complaint is near its deadline if that is not behind this time.
    pub(super) near: Timestamp,
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
    pub(super) now: Timestamp,
    pub(super) callbacks_before: Timestamp,
    pub(super) records_before: Timestamp,
    pub(super) keys_before: Timestamp,
    pub(super) limit: u32,
}
