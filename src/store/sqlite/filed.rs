//! What the database knows of keys and memory does not: where they lead, and when that arrived.

use crate::store::job::{CommitJob, ConcludeJob, Item};
use crate::store::keys::{self, KeyIndex, Known};
use crate::store::seal::Fingerprint;
use sqlx::{Row, SqliteConnection};
use std::collections::HashMap;

/// What was looked up for a group.
#[derive(Debug, Default)]
pub(super) struct Filed {
    /// Keys that were found in filed runs, and the callbacks they lead to.
    seqs: HashMap<Fingerprint, i64>,
    /// When the callbacks arrived that business keys lead to, in milliseconds.
    arrivals: HashMap<i64, i64>,
}

impl Filed {
    pub(super) fn leads_to(&self, print: Fingerprint) -> Option<i64> {
        self.seqs.get(&print).copied()
    }

    pub(super) fn arrival(&self, callback: i64) -> Option<i64> {
        self.arrivals.get(&callback).copied()
    }

    /// Looks up the keys of a commit group.
    pub(super) async fn of_group(
        connection: &mut SqliteConnection,
        keys: &KeyIndex,
        jobs: &[CommitJob],
        conclusions: &[ConcludeJob],
    ) -> Result<Filed, sqlx::Error> {
        let mut filed = Filed::default();
        for nonce in jobs.iter().filter_map(|job| job.nonce) {
            filed.look_up(connection, keys, nonce.token).await?;
            filed.look_up(connection, keys, nonce.content).await?;
        }
        filed.look_up_items(connection, keys, jobs.iter().flat_map(|job| &job.items)).await?;
        let concluded = conclusions.iter().flat_map(|job| &job.items);
        for dedupe in concluded.filter_map(|item| item.dedupe) {
            filed.look_up(connection, keys, dedupe).await?;
        }
        Ok(filed)
    }

    /// Looks up the keys of events.
    pub(super) async fn of_items(
        connection: &mut SqliteConnection,
        keys: &KeyIndex,
        items: &[Item],
    ) -> Result<Filed, sqlx::Error> {
        let mut filed = Filed::default();
        filed.look_up_items(connection, keys, items.iter()).await?;
        Ok(filed)
    }

    async fn look_up_items<'a>(
        &mut self,
        connection: &mut SqliteConnection,
        keys: &KeyIndex,
        items: impl Iterator<Item = &'a Item>,
    ) -> Result<(), sqlx::Error> {
        for item in items {
            self.look_up(connection, keys, item.dedupe).await?;
            let Some(resend) = &item.resend else { continue };
            if let Some(callback) = self.look_up(connection, keys, resend.print).await?
                && let Some(arrival) = arrival(connection, callback).await?
            {
                self.arrivals.insert(callback, arrival);
            }
        }
        Ok(())
    }

    /// Where a key leads. That memory neither knows it nor proves it new is rare enough for a
    /// statement each.
    async fn look_up(
        &mut self,
        connection: &mut SqliteConnection,
        keys: &KeyIndex,
        print: Fingerprint,
    ) -> Result<Option<i64>, sqlx::Error> {
        let buckets = match keys.look_up(print) {
            Known::New => return Ok(None),
            Known::Seen(seq) => return Ok(Some(seq)),
            Known::Perhaps(buckets) => buckets,
        };
        // A business key may stand in several runs; the newest callback decides.
        let found = find_in_buckets(connection, &buckets, print).await?.into_iter().max();
        if let Some(seq) = found {
            self.seqs.insert(print, seq);
        }
        Ok(found)
    }
}

/// Where a key leads, according to these buckets.
pub(super) async fn find_in_buckets(
    connection: &mut SqliteConnection,
    buckets: &[i64],
    print: Fingerprint,
) -> Result<Vec<i64>, sqlx::Error> {
    let buckets = super::json_list(buckets.iter().copied());
    let rows = sqlx::query(
        "SELECT entries FROM key_bucket WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
    )
    .bind(buckets)
    .fetch_all(connection)
    .await?;
    let mut seqs = Vec::new();
    for row in &rows {
        seqs.extend(keys::find_in_bucket(row.get::<&[u8], _>(0), print));
    }
    Ok(seqs)
}

/// When the group of a callback arrived, unless it is erased. Its callbacks are milliseconds apart.
async fn arrival(
    connection: &mut SqliteConnection,
    callback: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let page: Option<(i64, i64)> = sqlx::query_as(
        "SELECT first_seq + count, received_at FROM callback_page
         WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1",
    )
    .bind(callback)
    .fetch_optional(connection)
    .await?;
    Ok(page.filter(|(end, _)| callback < *end).map(|(_, received_at)| received_at))
}
