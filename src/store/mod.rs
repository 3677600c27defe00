//! The store: callbacks, records and the queue to the platform, in one database.
//!
//! The queue is a table and nothing else: whatever is committed is either still in `outbox` or has
//! a final line in `attempt` or `dead_letter`. Callers see verbs, each one transaction or part of one; no other
//! module names the database.

mod queue;

pub use queue::{DeadClass, Lease, LeaseToken, Leased, SendReport, Settled, Settlement};

use crate::model::{AccountName, CallbackSeq, LaneName, Outcome, Record};
use bytes::Bytes;
use jiff::Timestamp;
use std::time::Duration;

/// The store, shared by cloning.
#[derive(Debug, Clone)]
pub struct Store {}

/// One callback on its way into the store: the request as it came, and what was made of it.
#[derive(Debug, Clone)]
pub struct Callback {
    /// Whose it is.
    pub account: AccountName,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Method, path, query, headers and body, as they came.
    pub raw: RawRequest,
    /// What its events came to, in order. Empty for a body that could not be read at all.
    pub entries: Vec<Entry>,
    /// Why (part of) it could not be read; empty when all of it could.
    pub garbled: Vec<String>,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The headers that a carrier's file may need to read it again.
    pub headers: Vec<(String, Bytes)>,
    /// The body.
    pub body: Bytes,
}

/// One event's share of a callback.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The carrier's dedupe fields, joined; digested with the account's name before it is stored.
    pub dedupe: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What was made of it: none, a rating, a complaint, or both.
    pub records: Vec<Record>,
}

/// What a commit did with a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The callback's place in the order of arrival.
    pub seq: CallbackSeq,
    /// For each entry, in order, whether it was new; `false` is a repeat that changed nothing.
    pub fresh: Vec<bool>,
}

/// Why a verb failed. Nothing of a failed verb is in the store, except after `Unknown`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The writer's queue is full; come back after a moment.
    #[error("the writer is behind; retry in a moment, and look at the disk if it lasts")]
    Full,
    /// The gateway is shutting down.
    #[error("the store is closed; the gateway is shutting down")]
    Closed,
    /// The database refused.
    #[error("the database failed ({0}); look at the disk's space and health")]
    Database(String),
}

impl Store {
    /// Whether new callbacks may be accepted now: no I/O, no waiting.
    ///
    /// # Errors
    /// What stands against it.
    pub fn admits(&self) -> Result<(), Unwell> {
        todo!()
    }

    /// Stores a callback with all that was made of it, and returns once it is on disk. The
    /// commit happens even if the caller stops waiting.
    ///
    /// # Errors
    /// [`StoreError`]; the callback is then not stored.
    pub async fn commit(&self, callback: Callback) -> Result<Committed, StoreError> {
        let _ = callback;
        todo!()
    }

    /// Leases up to `max` due records of a lane until `until`: complaints first, then oldest.
    /// Each lease counts as an attempt from this moment, whatever becomes of the sender.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is leased.
    pub async fn lease(
        &self,
        lane: &LaneName,
        max: usize,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        let _ = (lane, max, until);
        todo!()
    }

    /// Settles what became of leased records. Returns how many were no longer under this lease
    /// and so were left alone.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is settled, and the leases run on.
    pub async fn settle(&self, settlement: Settlement) -> Result<usize, StoreError> {
        let _ = settlement;
        todo!()
    }

    /// Completes when records were committed since the last call; register before looking.
    pub async fn committed(&self) {
        todo!()
    }

    /// The earliest time at which a record of the lane becomes due, if there is any.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_due(&self, lane: &LaneName) -> Result<Option<Timestamp>, StoreError> {
        let _ = lane;
        todo!()
    }
}

/// Why nothing new is accepted at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unwell {
    /// The last commit failed; the store tries by itself until one succeeds.
    #[error("the last commit failed; the store is trying again by itself")]
    Failing,
    /// Too many callbacks wait for the writer.
    #[error("the writer's queue is full")]
    Behind,
    /// The volume has less room than the configured floor.
    #[error("the disk has less room than store.disk_floor")]
    DiskFloor,
}

impl Unwell {
    /// How long a carrier should stay away.
    #[must_use]
    pub fn retry_after(self) -> Duration {
        match self {
            Unwell::Behind => Duration::from_secs(1),
            Unwell::Failing => Duration::from_secs(5),
            Unwell::DiskFloor => Duration::from_secs(30),
        }
    }
}
