//! Memory in the database: changing it with a group, and reading it by key or by time.

use super::read::Reader;
use super::{fingerprint, print};
use crate::store::ReadError;
use crate::store::callback::Opaque;
use crate::store::job::SealedMemory;
use crate::store::memory::{self, WakeSeq, Woken};
use crate::store::seal::Fingerprint;
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// Changes memory; of two changes to one key the later counts.
pub(super) async fn change(
    connection: &mut PgConnection,
    changes: Vec<SealedMemory>,
) -> Result<(), sqlx::Error> {
    let (mut digests, mut wakes, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let mut forgotten = Vec::new();
    for change in memory::last_of_each(changes) {
        match change.to {
            Some((wake_at, sealed)) => {
                digests.push(print(change.digest));
                wakes.push(wake_at);
                values.push(sealed);
            }
            None => forgotten.push(print(change.digest)),
        }
    }
    if !digests.is_empty() {
        sqlx::query(
            "INSERT INTO memory (digest, wake_at, sealed)
             SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::bytea[])
             ON CONFLICT (digest) DO UPDATE SET wake_at = excluded.wake_at, sealed = excluded.sealed",
        )
        .bind(digests)
        .bind(wakes)
        .bind(values)
        .execute(&mut *connection)
        .await?;
    }
    if !forgotten.is_empty() {
        sqlx::query("DELETE FROM memory WHERE digest = ANY($1)")
            .bind(forgotten)
            .execute(connection)
            .await?;
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
        let asked: Vec<Uuid> = digests.iter().copied().map(print).collect();
        let rows: Vec<(Uuid, Vec<u8>)> =
            sqlx::query_as("SELECT digest, sealed FROM memory WHERE digest = ANY($1)")
                .bind(asked)
                .fetch_all(&self.pool)
                .await?;
        let mut found = HashMap::with_capacity(rows.len());
        for (digest, sealed) in rows {
            let digest = fingerprint(digest);
            let (_, value) = memory::open(digest, &sealed, &self.ring)?;
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
        let rows: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(
            "SELECT digest, sealed FROM memory WHERE digest > $1 ORDER BY digest LIMIT $2",
        )
        // From the beginning on, it is behind what no digest is.
        .bind(Uuid::from_slice(after).unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let open = |(digest, sealed): &(Uuid, Vec<u8>)| {
            memory::open(fingerprint(*digest), sealed, &self.ring).ok()
        };
        let last = rows.last().map(|(digest, _)| digest.as_bytes().to_vec());
        Ok((rows.iter().filter_map(open).collect(), last))
    }

    /// Memories behind a place whose time has come, longest due first.
    pub(in crate::store) async fn woken(
        &self,
        now: Timestamp,
        behind: Option<WakeSeq>,
        limit: u32,
    ) -> Result<Vec<Woken>, ReadError> {
        let rows: Vec<(Uuid, Vec<u8>, i64)> = sqlx::query_as(
            "SELECT digest, sealed, wake_at FROM memory
             WHERE wake_at <= $1 AND (wake_at, digest) > ($2, $3) ORDER BY wake_at, digest LIMIT $4",
        )
        .bind(now.as_millisecond())
        .bind(behind.map_or(i64::MIN, |seq| seq.at))
        .bind(behind.map_or(Uuid::nil(), |seq| print(seq.digest)))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let woken = |(digest, sealed, at): (Uuid, Vec<u8>, i64)| {
            let digest = fingerprint(digest);
            let opened = memory::open(digest, &sealed, &self.ring);
            Woken { seq: WakeSeq { at, digest }, key: opened.ok().map(|(key, _)| key) }
        };
        Ok(rows.into_iter().map(woken).collect())
    }

    /// When the next memory wakes.
    pub(in crate::store) async fn next_wake(&self) -> Result<Option<i64>, ReadError> {
        let next = sqlx::query_scalar("SELECT min(wake_at) FROM memory WHERE wake_at IS NOT NULL");
        Ok(next.fetch_one(&self.pool).await?)
    }
}
