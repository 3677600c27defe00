//! The queue's words: lease, settlement, dead letter.

use crate::model::{LaneName, Record, RecordSeq};
use jiff::Timestamp;
use std::time::Duration;

/// Proof of a lease; a settlement without it changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken(pub i64);

/// Records that are ours to send until a time.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The proof.
    pub token: LeaseToken,
    /// Until when.
    pub until: Timestamp,
    /// The records, in the order to send them; empty when nothing is due.
    pub items: Vec<Leased>,
}

/// One leased record.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Its place in the queue.
    pub seq: RecordSeq,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Since when it waits; its age counts from here.
    pub queued_at: Timestamp,
    /// The record.
    pub record: Record,
}

/// What became of the records of one request.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The lane.
    pub lane: LaneName,
    /// The lease under which they were sent.
    pub token: LeaseToken,
    /// The request itself.
    pub report: SendReport,
    /// The verdict for each record.
    pub items: Vec<(RecordSeq, Settled)>,
}

/// One request to the platform, or another thing that happened to records, for the history.
#[derive(Debug, Clone)]
pub struct SendReport {
    /// When it started.
    pub started_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The status, when there was an answer.
    pub status: Option<u16>,
    /// The answer or the failure in short, without personal data; empty when all went well.
    pub answer: String,
}

/// The verdict for one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The platform has it.
    Delivered,
    /// To be sent again.
    Retry {
        /// Not before.
        due: Timestamp,
        /// Why, in short.
        reason: String,
    },
    /// Not sent, or known to be without effect; due at once and the attempt is not counted.
    Released,
    /// Given up, until an operator replays it.
    Dead {
        /// Which kind.
        class: DeadClass,
        /// The last answer, trimmed and without personal data.
        reason: String,
    },
}

/// Why a record is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadClass {
    /// The platform refused it for good.
    Rejected,
    /// It ran out of attempts.
    Attempts,
    /// It ran out of time.
    Age,
    /// It may have been taken or not, and must not be taken twice.
    Unknown,
}

impl DeadClass {
    /// The name, as lists and metrics show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DeadClass::Rejected => "rejected",
            DeadClass::Attempts => "attempts",
            DeadClass::Age => "age",
            DeadClass::Unknown => "unknown",
        }
    }
}
