//! Recordings: a queue of what is to be fetched, and the way to what was fetched.

mod audio;
pub(super) mod columns;

pub(super) use audio::Audio;
pub use audio::AudioError;

use super::callback::Opaque;
use super::job::{Job, RecordingJob};
use super::{ReadError, Store, StoreError, rows};
use crate::model::{AccountName, RecordingId};
use jiff::Timestamp;
use std::time::Duration;

/// A recording to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecording {
    /// Its id.
    pub id: RecordingId,
    /// The account whose carrier has it; each has a lane of its own.
    pub account: AccountName,
    /// What is to be fetched.
    pub bytes: Opaque,
}

/// A recording that is ours to fetch for a time.
#[derive(Debug, Clone)]
pub struct LeasedRecording {
    /// Its id.
    pub id: RecordingId,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// What is to be fetched; `None`: it was sealed under a key that is gone, or is damaged.
    pub bytes: Option<Opaque>,
}

/// What became of a leased recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordingSettled {
    /// Its bytes are kept.
    Kept {
        /// What [`Store::untold_recordings`] shows of it.
        became: Opaque,
    },
    /// To be tried again.
    Retry {
        /// Not before.
        due: Timestamp,
        /// Why, in short and without the address.
        reason: String,
    },
    /// Given up, until an operator has it tried again.
    Lost {
        /// Why, in short and without the address.
        reason: String,
        /// What [`Store::untold_recordings`] shows of it, if anything.
        became: Option<Opaque>,
    },
}

/// The place of what became of a recording, in the order in which that was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchedSeq {
    pub(super) ended_at: i64,
    pub(super) id: RecordingId,
}

/// What became of a recording and no conclusion has taken in yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntoldRecording {
    /// Its place.
    pub seq: FetchedSeq,
    /// The recording.
    pub id: RecordingId,
    /// What became of it, as its settlement said; `None`: it cannot be opened.
    pub bytes: Option<Opaque>,
}

/// A recording as operators see it.
#[derive(Debug, Clone)]
pub struct StoredRecording {
    /// Its id.
    pub id: RecordingId,
    /// The account whose carrier has it.
    pub account: String,
    /// Where it stands: `waiting`, `kept` or `lost`.
    pub state: &'static str,
    /// When it is tried next, if it waits.
    pub due: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When the citizen's words were heard of.
    pub queued_at: Timestamp,
    /// When it was kept or given up.
    pub ended_at: Option<Timestamp>,
    /// The last failure.
    pub reason: Option<String>,
    /// What is to be fetched; `None`: it cannot be opened.
    pub bytes: Option<Opaque>,
    /// What became of it.
    pub became: Option<Opaque>,
}

impl Store {
    /// Leases up to `max` due recordings of an account for a time: those that have been due for
    /// longest. Each lease counts as an attempt from this moment. Only one may lease for an account.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is leased.
    pub async fn lease_recordings(
        &self,
        account: &AccountName,
        max: u32,
        lasts: Duration,
    ) -> Result<Vec<LeasedRecording>, StoreError> {
        let (account, now) = (account.clone(), self.clock.now());
        let until = now.checked_add(lasts).unwrap_or(Timestamp::MAX);
        let lease =
            |answer| Job::Recording(RecordingJob::Lease { account, max, now, until, answer });
        let rows = self.ask(lease).await?;
        let open = |(id, attempt, queued_at, sealed): (RecordingId, u32, Timestamp, Vec<u8>)| {
            let bytes = self.shared.ring.open(&rows::recording_place(id), &sealed).ok().map(Opaque);
            LeasedRecording { id, attempt, queued_at, bytes }
        };
        Ok(rows.into_iter().map(open).collect())
    }

    /// Settles what became of a recording that waits. What was kept or lost wakes those who watch
    /// [`Store::arrivals`].
    ///
    /// # Errors
    /// [`StoreError`]; nothing is settled.
    pub async fn settle_recording(
        &self,
        id: RecordingId,
        settled: RecordingSettled,
    ) -> Result<(), StoreError> {
        let seal =
            |became: Opaque| Opaque(self.shared.sealer().seal(&rows::became_place(id), &became.0));
        let settled = match settled {
            RecordingSettled::Kept { became } => RecordingSettled::Kept { became: seal(became) },
            RecordingSettled::Lost { reason, became } => {
                RecordingSettled::Lost { reason, became: became.map(seal) }
            }
            retry @ RecordingSettled::Retry { .. } => retry,
        };
        let now = self.clock.now();
        self.ask(|answer| Job::Recording(RecordingJob::Settle { id, settled, now, answer })).await
    }

    /// When the next recording of an account is due, if there is any.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn next_recording_due(
        &self,
        account: &AccountName,
    ) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.reader.next_recording_due(account.as_str()).await?.map(rows::timestamp))
    }

    /// What became of recordings, oldest first. Each is shown until a conclusion takes it in.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn untold_recordings(
        &self,
        behind: Option<FetchedSeq>,
        limit: u32,
    ) -> Result<Vec<UntoldRecording>, ReadError> {
        self.reader.untold_recordings(behind, limit).await
    }

    /// Keeps the bytes of a recording, sealed, and returns once they are on disk. What was kept under
    /// this id before is replaced.
    ///
    /// # Errors
    /// [`AudioError`]; they are not kept.
    pub async fn keep_audio(&self, id: RecordingId, bytes: &[u8]) -> Result<(), AudioError> {
        self.audio.keep(id, bytes, self.shared.sealer()).await
    }

    /// Erases recordings that were kept or lost before a time, a few with each call. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`]; those that are left are found again.
    pub(super) async fn purge_recordings(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let failed = |error: String| StoreError::Database(error);
        let old = self.reader.ended_recordings(before.as_millisecond(), limit).await;
        let old = old.map_err(|error| failed(error.to_string()))?;
        if old.is_empty() {
            return Ok(0);
        }
        // The audio first: a row without it is found again, audio without a row never.
        self.audio.erase(&old).await.map_err(|error| failed(error.to_string()))?;
        let erased = u64::try_from(old.len()).unwrap_or(u64::MAX);
        self.ask(|answer| Job::Recording(RecordingJob::Erase { ids: old, answer })).await?;
        Ok(erased)
    }

    pub(super) fn seal_recording(&self, new: &NewRecording) -> NewRecording {
        let place = rows::recording_place(new.id);
        let bytes = Opaque(self.shared.sealer().seal(&place, &new.bytes.0));
        NewRecording { bytes, ..new.clone() }
    }
}
