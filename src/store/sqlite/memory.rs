//! Memory in the database: changing it with a group, and reading it by key or by time.

use super::pack::Pack;
use super::read::Reader;
use super::script::Script;
use crate::store::callback::Opaque;
use crate::store::job::SealedMemory;
use crate::store::memory::{self, WakeSeq, Woken};
use crate::store::seal::Fingerprint;
use crate::store::{ReadError, rows};
use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::HashMap;

/// Adds what changes memory; of two changes to one key the later counts.
pub(super) fn change(script: &mut Script, changes: Vec<SealedMemory>) -> Result<(), sqlx::Error> {
    let mut kept: Pack<(String, Option<i64>, usize, usize)> = Pack::with_capacity(changes.len(), 0);
    let mut forgotten = Vec::new();
    for change in memory::last_of_each(changes) {
        let digest = hex::encode(change.digest.0);
        match change.to {
            Some((wake_at, sealed)) => {
                let place = kept.blob(&sealed);
                kept.row((digest, wake_at, place, sealed.len()));
            }
            None => forgotten.push(digest),
        }
    }
    if !kept.is_empty() {
        let (rows, bytes) = kept.finish()?;
        script.add(
            "INSERT OR REPLACE INTO memory (digest, wake_at, sealed)
             SELECT unhex(value ->> 0), value ->> 1, substr(bytes, value ->> 2, value ->> 3)
             FROM json_each(?), (SELECT ? AS bytes)",
        );
        script.bind(rows).bind(bytes);
    }
    if !forgotten.is_empty() {
        script.add("DELETE FROM memory WHERE digest IN (SELECT unhex(value) FROM json_each(?))");
        script.bind(super::json(&forgotten)?);
    }
    Ok(())
}

impl Reader {
    /// What is remembered under these keys, in their order.
    pub(in crate::store) async fn recall(
        &self,
        keys: &[&str],
    ) -> Result<Vec<Option<Opaque>>, ReadError> {
        let digests: Vec<Fingerprint> = keys.iter().map(|key| self.prints.memory(key)).collect();
        let asked: Vec<String> = digests.iter().map(|digest| hex::encode(digest.0)).collect();
        let rows = sqlx::query(
            "SELECT digest, sealed FROM memory
             WHERE digest IN (SELECT unhex(value) FROM json_each(?))",
        )
        .bind(super::json(&asked)?)
        .fetch_all(&self.pool)
        .await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            let (digest, (_, value)) = self.open_memory(row)?;
            found.insert(digest, value);
        }
        Ok(digests.iter().map(|digest| found.get(digest).cloned()).collect())
    }

    /// Memories in the order of their digests, from behind one on, by key; with the digest of the last.
    /// Those that cannot be opened are left out.
    pub(in crate::store) async fn memories(
        &self,
        after: &[u8],
        limit: u32,
    ) -> Result<(Vec<(String, Opaque)>, Option<Vec<u8>>), ReadError> {
        let rows = sqlx::query(
            "SELECT digest, sealed FROM memory WHERE digest > ? ORDER BY digest LIMIT ?",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &SqliteRow| self.open_memory(row).ok().map(|(_, memory)| memory);
        let last = rows.last().map(|row| row.get(0));
        Ok((rows.iter().filter_map(read).collect(), last))
    }

    /// Memories behind a place whose time has come, longest due first.
    pub(in crate::store) async fn woken(
        &self,
        now: Timestamp,
        behind: Option<WakeSeq>,
        limit: u32,
    ) -> Result<Vec<Woken>, ReadError> {
        let from = behind.map_or(i64::MIN, |seq| seq.at);
        let digest = behind.map_or(Vec::new(), |seq| seq.digest.0.to_vec());
        let rows = sqlx::query(
            "SELECT digest, sealed, wake_at FROM memory
             WHERE wake_at <= ? AND (wake_at, digest) > (?, ?) ORDER BY wake_at, digest LIMIT ?",
        )
        .bind(now.as_millisecond())
        .bind(from)
        .bind(digest)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let woken = |row: &SqliteRow| {
            let seq = WakeSeq { at: row.get(2), digest: digest_of(row)? };
            let key = self.open_memory(row).ok().map(|(_, (key, _))| key);
            Ok(Woken { seq, key })
        };
        rows.iter().map(woken).collect()
    }

    /// When the next memory wakes.
    pub(in crate::store) async fn next_wake(&self) -> Result<Option<i64>, ReadError> {
        let next = sqlx::query_scalar("SELECT min(wake_at) FROM memory WHERE wake_at IS NOT NULL");
        Ok(next.fetch_one(&self.pool).await?)
    }

    fn open_memory(&self, row: &SqliteRow) -> Result<(Fingerprint, (String, Opaque)), ReadError> {
        let digest = digest_of(row)?;
        Ok((digest, memory::open(digest, row.get(1), &self.ring)?))
    }
}

/// Reads the first column.
fn digest_of(row: &SqliteRow) -> Result<Fingerprint, rows::UnknownLayout> {
    let digest: [u8; Fingerprint::LEN] =
        row.get::<&[u8], _>(0).try_into().map_err(|_| rows::UnknownLayout)?;
    Ok(Fingerprint(digest))
}
