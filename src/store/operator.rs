//! The operators' way in, beside a serving gateway or without one.

use super::callback::Opaque;
use super::engine::{Desk, Reader};
use super::look::{
    Counts, Filter, Found, LaneStatus, QuarantineFilter, Quarantined, RequestedRereads,
    RevisionHistory,
};
use super::message::{DeadMessage, MessageLaneStatus, StoredMessage};
use super::recording::{Audio, AudioError, StoredRecording};
use super::{KeyRing, OpenError, Place, ReadError, StoredCallback, engine};
use crate::model::{CallbackSeq, MessageKey, Record, RecordId, RecordingId};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A store as operators see it: everything may be read, dead letters put
/// back, and lanes paused.
#[derive(Debug)]
pub struct Operator {
    pub(super) desk: Desk,
    pub(super) reader: Reader,
    audio: Audio,
}

impl Operator {
    /// Opens the store in a place.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(place: &Place, ring: KeyRing) -> Result<Operator, OpenError> {
        let (desk, reader, audio) = engine::open_for_operators(place, Arc::new(ring)).await?;
        Ok(Operator { desk, reader, audio })
    }

    /// Records that the filter lets through, newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn find(&self, filter: &Filter) -> Result<Vec<Found>, ReadError> {
        self.reader.find(filter).await
    }

    /// The newest ratings, newest first; those that cannot be opened are left out.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn newest_ratings(&self, limit: u32) -> Result<Vec<Record>, ReadError> {
        self.reader.newest_ratings(limit).await
    }

    /// All revisions of a record, oldest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn history(&self, id: RecordId) -> Result<Vec<RevisionHistory>, ReadError> {
        self.reader.history(id).await
    }

    /// A raw callback, unless it is erased.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn callback(&self, seq: CallbackSeq) -> Result<Option<StoredCallback>, ReadError> {
        self.reader.callback(seq).await
    }

    /// Callbacks that could not be read, newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn quarantined(&self, limit: u32) -> Result<Vec<Quarantined>, ReadError> {
        self.reader.quarantined(limit).await
    }

    /// What stands in each lane.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn lanes(&self) -> Result<Vec<LaneStatus>, ReadError> {
        self.reader.lanes().await
    }

    /// A full count.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn counts(&self) -> Result<Counts, ReadError> {
        self.reader.counts().await
    }

    /// What stands in each lane of messages.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn message_lanes(&self) -> Result<Vec<MessageLaneStatus>, ReadError> {
        self.reader.message_lanes().await
    }

    /// What is remembered under a key.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn recall(&self, key: &str) -> Result<Option<Opaque>, ReadError> {
        Ok(self.reader.recall(&[key]).await?.pop().flatten())
    }

    /// All that is remembered and can be opened, by key, a page at a time: that behind a place, and the place of the last. It
    /// reads the whole memory.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn memories(
        &self,
        after: &[u8],
        limit: u32,
    ) -> Result<(Vec<(String, Opaque)>, Option<Vec<u8>>), ReadError> {
        self.reader.memories(after, limit).await
    }

    /// These messages, as far as they are there.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn messages(&self, ids: &[MessageKey]) -> Result<Vec<StoredMessage>, ReadError> {
        self.reader.messages(ids).await
    }

    /// Messages that were given up, newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn dead_messages(&self, limit: u32) -> Result<Vec<DeadMessage>, ReadError> {
        self.reader.dead_messages(limit).await
    }

    /// Puts dead messages back into their lanes; a serving gateway finds them when it looks next.
    /// Returns how many.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is put back.
    pub async fn replay_messages(
        &self,
        ids: &[MessageKey],
        now: Timestamp,
    ) -> Result<u64, OpenError> {
        self.desk.replay_messages(ids, now).await
    }

    /// All recordings, or only those that were given up, newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn recordings(
        &self,
        lost: bool,
        limit: u32,
    ) -> Result<Vec<StoredRecording>, ReadError> {
        self.reader.recordings(lost, limit).await
    }

    /// The bytes of a recording, if they are kept.
    ///
    /// # Errors
    /// [`AudioError`].
    pub async fn audio(&self, id: RecordingId) -> Result<Option<Vec<u8>>, AudioError> {
        self.audio.read(id, self.reader.ring()).await
    }

    /// Has recordings that were given up tried again; a serving gateway finds them when it looks next.
    /// Returns how many.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is tried again.
    pub async fn retry_recordings(
        &self,
        ids: &[RecordingId],
        now: Timestamp,
    ) -> Result<u64, OpenError> {
        self.desk.retry_recordings(ids, now).await
    }

    /// Asks for another reading of quarantined callbacks, by whoever serves or opens the store. What
    /// is older than `window` (`store.dedupe_window`) and had readable neighbours is left out:
    /// their keys may be gone, and they would be counted twice.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is asked for.
    pub async fn request_reread(
        &self,
        filter: &QuarantineFilter,
        window: Duration,
        now: Timestamp,
    ) -> Result<RequestedRereads, OpenError> {
        let keys_since = now.checked_sub(window).unwrap_or(Timestamp::MIN);
        self.desk.request_reread(filter, keys_since, now).await
    }

    /// How many of these callbacks lie in quarantine.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn still_quarantined(&self, callbacks: &[CallbackSeq]) -> Result<u64, ReadError> {
        self.reader.still_quarantined(callbacks).await
    }

    /// How many callbacks are still to be read again.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn rereads_left(&self) -> Result<u64, ReadError> {
        self.reader.rereads_left().await
    }

    /// Takes back what is still to be read again. Returns how many there were.
    ///
    /// # Errors
    /// [`OpenError`]; they are still to be read.
    pub async fn withdraw_rereads(&self) -> Result<u64, OpenError> {
        self.desk.withdraw_rereads().await
    }
}
