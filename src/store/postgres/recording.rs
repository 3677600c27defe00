//! Recordings in the database: queueing, leasing, settling, telling, listing, retrying and erasing them.

use super::Connector;
use super::read::Reader;
use crate::model::RecordingId;
use crate::store::recording::{FetchedSeq, StoredRecording, UntoldRecording};
use crate::store::rows::{self};
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;

/// Has lost recordings tried again with their attempts forgotten, on a connection of the operator's
/// own. Returns how many there were.
pub(in crate::store) async fn retry(
    connector: &Connector,
    ids: &[RecordingId],
    now: Timestamp,
) -> Result<u64, OpenError> {
    todo!()
}

impl Reader {
    /// When the next recording of an account is due.
    pub(in crate::store) async fn next_recording_due(
        &self,
        account: &str,
    ) -> Result<Option<i64>, ReadError> {
        todo!()
    }

    /// What became of recordings behind a place, oldest first.
    pub(in crate::store) async fn untold_recordings(
        &self,
        behind: Option<FetchedSeq>,
        limit: u32,
    ) -> Result<Vec<UntoldRecording>, ReadError> {
        todo!()
    }

    /// Recordings that were kept or lost before a time.
    pub(in crate::store) async fn ended_recordings(
        &self,
        before: i64,
        limit: u32,
    ) -> Result<Vec<RecordingId>, ReadError> {
        todo!()
    }

    /// All recordings, or the lost ones, newest first.
    pub(in crate::store) async fn recordings(
        &self,
        lost: bool,
        limit: u32,
    ) -> Result<Vec<StoredRecording>, ReadError> {
        todo!()
    }
}
