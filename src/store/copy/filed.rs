//! The dedupe keys of a directory, read back out of the log and the runs they are filed in (docs/adr/0003-keys-in-runs.md).

use super::CopyError;
use super::source::Source;
use crate::store::keys::{KeyKind, decode_bucket, decode_log, first_bucket};
use crate::store::seal::Fingerprint;
use sqlx::SqliteConnection;

/// The table that they go to.
pub(super) const NAME: &str = "dedupe_key";

/// A key, the callback that it leads to, and when that was received.
pub(super) type SeenKey = (Fingerprint, i64, i64);

/// A run that may hold keys within the window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    run: i64,
    received_at: i64,
}

impl Run {
    /// Its rows of dedupe keys.
    fn buckets(self) -> (i64, i64) {
        (first_bucket(self.run, KeyKind::Dedupe), first_bucket(self.run, KeyKind::Caller))
    }
}

/// The pages around some callbacks.
struct Pages(Vec<(i64, i64, i64)>);

impl Pages {
    /// Those from the first of these callbacks to the last.
    async fn of(
        connection: &mut SqliteConnection,
        keys: &[(Fingerprint, i64)],
    ) -> Result<Pages, sqlx::Error> {
        let callbacks = keys.iter().map(|(_, callback)| *callback);
        let Some((first, last)) = callbacks.clone().min().zip(callbacks.max()) else {
            return Ok(Pages(Vec::new()));
        };
        let pages = sqlx::query_as(
            "SELECT first_seq, first_seq + count, received_at FROM callback_page
             WHERE first_seq <= ?2 AND first_seq >= coalesce(
                (SELECT max(first_seq) FROM callback_page WHERE first_seq <= ?1), 0)
             ORDER BY first_seq",
        );
        Ok(Pages(pages.bind(first).bind(last).fetch_all(connection).await?))
    }

    /// When a callback was received, unless it is erased.
    fn received_at(&self, callback: i64) -> Option<i64> {
        let behind = self.0.partition_point(|(first, ..)| *first <= callback);
        let (_, end, received_at) = self.0.get(behind.checked_sub(1)?)?;
        (callback < *end).then_some(*received_at)
    }
}

impl Source {
    /// The runs whose keys are still known, oldest first.
    pub(super) async fn runs(&self) -> Result<Vec<Run>, CopyError> {
        let runs =
            sqlx::query_as("SELECT run, received_at FROM key_run WHERE deduping = 1 ORDER BY run");
        let runs: Vec<(i64, i64)> =
            runs.fetch_all(&self.reader.pool).await.map_err(CopyError::Read)?;
        Ok(runs.into_iter().map(|(run, received_at)| Run { run, received_at }).collect())
    }

    /// How many keys there are.
    pub(super) async fn count_keys(&self) -> Result<u64, CopyError> {
        let mut keys = u64::try_from(self.unfiled().await?.len()).unwrap_or(u64::MAX);
        for run in self.runs().await? {
            let (first, behind) = run.buckets();
            let length =
                "SELECT coalesce(sum(length(entries)), 0) FROM key_bucket WHERE id >= ? AND id < ?";
            let length: i64 = sqlx::query_scalar(length)
                .bind(first)
                .bind(behind)
                .fetch_one(&self.reader.pool)
                .await
                .map_err(CopyError::Read)?;
            keys += length.unsigned_abs() / crate::store::keys::ENTRY_LEN as u64;
        }
        Ok(keys)
    }

    /// The keys of a run. Those whose callback is erased are kept as long as the run would have been.
    pub(super) async fn filed(&self, run: Run) -> Result<Vec<SeenKey>, CopyError> {
        let read = async {
            let mut connection = self.reader.pool.acquire().await?;
            let (first, behind) = run.buckets();
            let rows: Vec<Vec<u8>> = sqlx::query_scalar(
                "SELECT entries FROM key_bucket WHERE id >= ? AND id < ? ORDER BY id",
            )
            .bind(first)
            .bind(behind)
            .fetch_all(&mut *connection)
            .await?;
            let keys: Vec<_> = rows.iter().flat_map(|entries| decode_bucket(entries)).collect();
            let pages = Pages::of(&mut connection, &keys).await?;
            let seen = |(print, callback)| {
                let received_at = pages.received_at(callback);
                (print, callback, received_at.unwrap_or(run.received_at))
            };
            Ok(keys.into_iter().map(seen).collect())
        };
        read.await.map_err(CopyError::Read)
    }

    /// The keys that no run has, as many as one or two would hold. They were seen with the callbacks of their commit, or, when
    /// a callback was read again, with those before.
    pub(super) async fn unfiled(&self) -> Result<Vec<SeenKey>, CopyError> {
        let rows: Vec<(Vec<u8>, Option<i64>)> = sqlx::query_as(
            "SELECT entries,
                (SELECT received_at FROM callback_page AS p WHERE p.first_seq <= l.first_seq
                 ORDER BY p.first_seq DESC LIMIT 1)
             FROM key_log AS l
             WHERE first_seq > (SELECT coalesce(max(last_log), 0) FROM key_run) ORDER BY first_seq",
        )
        .fetch_all(&self.reader.pool)
        .await
        .map_err(CopyError::Read)?;
        let keys = rows.iter().flat_map(|(entries, received_at)| {
            let dedupe = decode_log(entries).into_iter().filter(|it| it.kind == KeyKind::Dedupe);
            dedupe.map(|entry| (entry.print, entry.seq, received_at.unwrap_or_default()))
        });
        Ok(keys.collect())
    }
}
