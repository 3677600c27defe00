//! Reading: what operators look for, on connections that cannot write.

use crate::model::{CallbackSeq, Record, RecordId};
use crate::store::keys::{self};
use crate::store::look::{Counts, Filter, Found, LaneStatus, RevisionHistory};
use crate::store::rows::{self, StoredCallback};
use crate::store::seal::Fingerprinter;
use crate::store::{Due, KeyRing, ReadError};
use jiff::Timestamp;
use sqlx::postgres::PgPool;
use std::sync::Arc;

/// Reads a store, beside whoever writes to it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Reader {
    pub(in crate::store) pool: PgPool,
    pub(in crate::store) ring: Arc<KeyRing>,
    pub(in crate::store) prints: Fingerprinter,
}

impl Reader {
    /// Records that the filter lets through, newest first.
    pub(in crate::store) async fn find(&self, filter: &Filter) -> Result<Vec<Found>, ReadError> {
        todo!()
    }

    /// The newest ratings, newest first; those that cannot be opened are left out.
    pub(in crate::store) async fn newest_ratings(
        &self,
        limit: u32,
    ) -> Result<Vec<Record>, ReadError> {
        todo!()
    }

    /// All revisions of a record, oldest first, each with what became of it.
    pub(in crate::store) async fn history(
        &self,
        id: RecordId,
    ) -> Result<Vec<RevisionHistory>, ReadError> {
        todo!()
    }

    /// A raw callback, unless its time has come.
    pub(in crate::store) async fn callback(
        &self,
        seq: CallbackSeq,
    ) -> Result<Option<StoredCallback>, ReadError> {
        todo!()
    }

    /// What stands in each lane.
    pub(in crate::store) async fn lanes(&self) -> Result<Vec<LaneStatus>, ReadError> {
        todo!()
    }

    /// A full count: every record revision in exactly one of five places of each lane.
    pub(in crate::store) async fn counts(&self) -> Result<Counts, ReadError> {
        todo!()
    }

    /// When the next record of a lane is due.
    pub(in crate::store) async fn next_due(&self, lane: &str) -> Result<Option<i64>, ReadError> {
        todo!()
    }

    /// What is due of a lane, of which no more than so many are looked at.
    pub(in crate::store) async fn due(
        &self,
        lane: &str,
        now: Timestamp,
        most: usize,
    ) -> Result<Due, ReadError> {
        todo!()
    }
}
