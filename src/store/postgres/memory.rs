//! Memory in the database: changing it with a group, and reading it by key or by time.

use super::read::Reader;
use crate::store::ReadError;
use crate::store::callback::Opaque;
use crate::store::memory::{WakeSeq, Woken};
use jiff::Timestamp;

impl Reader {
    /// What is remembered under these keys, in their order.
    pub(in crate::store) async fn recall(
        &self,
        keys: &[&str],
    ) -> Result<Vec<Option<Opaque>>, ReadError> {
        todo!()
    }

    /// Memories in the order of their digests, from behind one on, by key; with the digest of the last.
    /// Those that cannot be opened are left out.
    pub(in crate::store) async fn memories(
        &self,
        after: &[u8],
        limit: u32,
    ) -> Result<(Vec<(String, Opaque)>, Option<Vec<u8>>), ReadError> {
        todo!()
    }

    /// Memories behind a place whose time has come, longest due first.
    pub(in crate::store) async fn woken(
        &self,
        now: Timestamp,
        behind: Option<WakeSeq>,
        limit: u32,
    ) -> Result<Vec<Woken>, ReadError> {
        todo!()
    }

    /// When the next memory wakes.
    pub(in crate::store) async fn next_wake(&self) -> Result<Option<i64>, ReadError> {
        todo!()
    }
}
