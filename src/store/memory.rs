//! Memory: what the gateway knows of callers, calls and messages, by key.

use super::callback::Opaque;
use super::job::SealedMemory;
use super::seal::Fingerprint;
use super::{KeyRing, ReadError, Store, StoreError, rows};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// The largest value that is remembered, in bytes.
pub const MAX_MEMORY: usize = 64 * 1024;

/// A change to what is remembered under a key.
#[derive(Clone, PartialEq, Eq)]
pub struct MemoryChange {
    /// The key; digested for the index, and sealed with the value.
    pub key: String,
    /// What is remembered from now on; `None` forgets.
    pub to: Option<Remembered>,
}

impl fmt::Debug for MemoryChange {
    // The key may hold a number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryChange").field("to", &self.to).finish_non_exhaustive()
    }
}

/// What is remembered under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The value, of at most [`MAX_MEMORY`] bytes.
    pub bytes: Opaque,
    /// When [`Store::woken`] shows it. A time of the wall clock: it stays when the clock is set back.
    pub wake_at: Option<Timestamp>,
}

/// The place of a memory among those whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WakeSeq {
    pub(super) at: i64,
    pub(super) digest: Fingerprint,
}

/// A memory whose time has come.
#[derive(Clone, PartialEq, Eq)]
pub struct Woken {
    /// Its place.
    pub seq: WakeSeq,
    /// Its key; `None`: it was sealed under a key that is gone, or is damaged.
    pub key: Option<String>,
}

impl fmt::Debug for Woken {
    // The key may hold a number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Woken").field("seq", &self.seq).finish_non_exhaustive()
    }
}

/// Of changes to one key the last, in the order of their digests.
pub(super) fn last_of_each(
    changes: Vec<SealedMemory>,
) -> impl Iterator<Item = SealedMemory> + use<> {
    let last: BTreeMap<Fingerprint, SealedMemory> =
        changes.into_iter().map(|change| (change.digest, change)).collect();
    last.into_values()
}

/// Opens what is remembered: its key and value.
pub(super) fn open(
    digest: Fingerprint,
    sealed: &[u8],
    ring: &KeyRing,
) -> Result<(String, Opaque), ReadError> {
    let plain = ring.open(&rows::memory_place(digest), sealed)?;
    Ok(rows::decode_memory(&plain)?)
}

impl Store {
    /// What is remembered under these keys, in their order, as of the last conclusion.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn recall(&self, keys: &[&str]) -> Result<Vec<Option<Opaque>>, ReadError> {
        self.reader.recall(keys).await
    }

    /// Memories behind a place that were to wake at `now` or before, longest due first. Each is shown
    /// until a conclusion changes it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn woken(
        &self,
        now: Timestamp,
        behind: Option<WakeSeq>,
        limit: u32,
    ) -> Result<Vec<Woken>, ReadError> {
        self.reader.woken(now, behind, limit).await
    }

    /// When the next memory wakes, if any does.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn next_wake(&self) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.reader.next_wake().await?.map(rows::timestamp))
    }

    pub(super) fn seal_memory(&self, change: &MemoryChange) -> Result<SealedMemory, StoreError> {
        let digest = self.prints.memory(&change.key);
        let Some(remembered) = &change.to else { return Ok(SealedMemory { digest, to: None }) };
        let value = &remembered.bytes.0;
        if value.len() > MAX_MEMORY {
            return Err(StoreError::TooLarge(value.len()));
        }
        let plain = rows::encode_memory(&change.key, value)
            .map_err(|error| StoreError::Database(error.to_string()))?;
        let sealed = self.shared.sealer().seal(&rows::memory_place(digest), &plain);
        let wake_at = remembered.wake_at.map(Timestamp::as_millisecond);
        Ok(SealedMemory { digest, to: Some((wake_at, sealed)) })
    }
}
