//! The database that is copied to: guarded, marked, and filled in one transaction.

use super::CopyError;
use super::batch::Batch;
use super::filed::{self, SeenKey};
use super::source::Source;
use super::table::{FOLDED, TABLES, Table};
use crate::config::Server;
use crate::config::server::Timeouts;
use crate::store::engine::Reader;
use crate::store::postgres::{COPYING, Connector, check_schema, copied_from, make_months, nodes};
use crate::store::seal::LOOKUP_KEY;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Postgres, Transaction};
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// The table of recordings.
pub(super) const AUDIO: &str = "audio";
/// Our lock among the advisory ones of the database; that of migrations is another.
const LOCK: i64 = 8891;
/// How long one statement may take: counting a large table, or making its statistics.
const PATIENCE: Duration = Duration::from_mins(30);
/// Keys of one statement.
const KEYS: usize = 10_000;

/// A database that no node serves from.
#[derive(Debug)]
pub(super) struct Target {
    connector: Connector,
    connection: PgConnection,
    node: String,
}

/// A database that is being filled. Dropped, it is as it was.
pub(super) struct Filling<'a> {
    transaction: Transaction<'a, Postgres>,
    node: &'a str,
}

/// Waits for the server, and not for ever.
async fn patiently<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, CopyError> {
    let answer = timeout(PATIENCE, asked).await.map_err(|_| CopyError::Silent(PATIENCE))?;
    answer.map_err(CopyError::Write)
}

impl Target {
    /// Connects, and keeps other copies out.
    pub(super) async fn open(server: &Server) -> Result<Target, CopyError> {
        let timeouts = Timeouts {
            statement: PATIENCE,
            // We read between two statements for as long as that takes.
            idle_in_transaction: Duration::ZERO,
            ..server.timeouts.clone()
        };
        let server = Server { timeouts, ..server.clone() };
        let connector = Connector::new(&server).map_err(|error| CopyError::To(error.into()))?;
        let connection = connector.connect().await;
        let mut connection = connection.map_err(|error| CopyError::To(error.into()))?;
        check_schema(&mut connection).await.map_err(CopyError::To)?;
        let ours = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK);
        if !patiently(ours.fetch_one(&mut connection)).await? {
            return Err(CopyError::UnderWay);
        }
        Ok(Target { connector, connection, node: server.node })
    }

    /// Looks whether it may be copied to.
    pub(super) async fn look(&mut self, now: Timestamp) -> Result<(), CopyError> {
        look(&mut self.connection, now).await
    }

    /// Has nobody serve from it until the mark is gone. Places are held meanwhile, so that a node that is about to open it
    /// comes before, and is seen, or behind, and sees the mark.
    pub(super) async fn mark(&mut self, from: &str, now: Timestamp) -> Result<(), CopyError> {
        let mut transaction = patiently(self.connection.begin()).await?;
        let place = sqlx::query("SELECT FROM place FOR UPDATE");
        patiently(place.execute(&mut *transaction)).await?;
        look(&mut transaction, now).await?;
        patiently(set(&mut transaction, COPYING, from.as_bytes())).await?;
        patiently(transaction.commit()).await
    }

    /// Lets nodes serve from it.
    pub(super) async fn unmark(&mut self) -> Result<(), CopyError> {
        let unmark = sqlx::query("DELETE FROM meta WHERE key = $1").bind(COPYING);
        patiently(unmark.execute(&mut self.connection)).await.map(drop)
    }

    /// Begins with nothing but the key of all digests.
    pub(super) async fn begin(&mut self, source: &Source) -> Result<Filling<'_>, CopyError> {
        let mut transaction = patiently(self.connection.begin()).await?;
        let place = sqlx::query("SELECT FROM place FOR UPDATE");
        patiently(place.execute(&mut *transaction)).await?;
        let names: Vec<&str> = names().chain([FOLDED.name]).collect();
        let empty = format!("TRUNCATE {} RESTART IDENTITY", names.join(", "));
        patiently(sqlx::query(AssertSqlSafe(empty)).execute(&mut *transaction)).await?;
        patiently(set(&mut transaction, LOOKUP_KEY, &source.lookup_key)).await?;
        let mut filling = Filling { transaction, node: &self.node };
        filling.fill(source, &FOLDED, &mut 0, &mut |_| ()).await?;
        Ok(filling)
    }

    /// What reads it, once it is filled.
    pub(super) fn reader(&self, source: &Source) -> Reader {
        source.reader_of(&self.connector)
    }
}

impl Filling<'_> {
    /// Copies a table. `told` is how many rows it has; what of them could not be opened is counted.
    pub(super) async fn fill(
        &mut self,
        source: &Source,
        table: &'static Table,
        unopened: &mut u64,
        told: &mut impl FnMut(u64),
    ) -> Result<u64, CopyError> {
        let mut connection = source.connection().await?;
        let mut rows = sqlx::query(AssertSqlSafe(table.select())).fetch(&mut *connection);
        let (mut batch, mut read, mut written) = (Batch::new(table), 0, 0);
        while let Some(row) = rows.try_next().await.map_err(CopyError::Read)? {
            let whole = batch.add(&row, source, self.node).map_err(CopyError::Read)?;
            *unopened += u64::from(!whole);
            read += 1;
            if batch.is_full() {
                let full = std::mem::replace(&mut batch, Batch::new(table));
                written += patiently(full.write(&mut self.transaction)).await?;
                told(written);
            }
        }
        written += patiently(batch.write(&mut self.transaction)).await?;
        told(written);
        Ok(read)
    }

    /// Copies the dedupe keys, run by run.
    pub(super) async fn fill_keys(
        &mut self,
        source: &Source,
        told: &mut impl FnMut(u64),
    ) -> Result<u64, CopyError> {
        let mut keys = 0;
        for run in source.runs().await? {
            keys += self.add_keys(&source.filed(run).await?).await?;
            told(keys);
        }
        keys += self.add_keys(&source.unfiled().await?).await?;
        told(keys);
        Ok(keys)
    }

    async fn add_keys(&mut self, keys: &[SeenKey]) -> Result<u64, CopyError> {
        for keys in keys.chunks(KEYS) {
            let received_at: Vec<i64> = keys.iter().map(|(.., received_at)| *received_at).collect();
            let transaction = &mut *self.transaction;
            patiently(make_months(transaction, filed::NAME, |_| received_at.clone())).await?;
            let add = sqlx::query(
                "INSERT INTO dedupe_key (print, callback, received_at)
                 SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[])",
            )
            .bind(keys.iter().map(|(print, ..)| Uuid::from_bytes(print.0)).collect::<Vec<_>>())
            .bind(keys.iter().map(|(_, callback, _)| *callback).collect::<Vec<_>>())
            .bind(received_at);
            patiently(add.execute(&mut *self.transaction)).await?;
        }
        Ok(u64::try_from(keys.len()).unwrap_or(u64::MAX))
    }

    /// Copies the files of recordings, one by one, as they may be large. What has none is counted.
    pub(super) async fn fill_audio(
        &mut self,
        source: &Source,
        missing: &mut u64,
        told: &mut impl FnMut(u64),
    ) -> Result<u64, CopyError> {
        let mut added = 0;
        for id in source.kept().await? {
            let Some(sealed) = source.audio.sealed(id).await? else {
                *missing += 1;
                continue;
            };
            let add = sqlx::query("INSERT INTO audio (id, sealed) VALUES ($1, $2)");
            patiently(add.bind(id.0).bind(sealed).execute(&mut *self.transaction)).await?;
            added += 1;
            told(added);
        }
        Ok(added)
    }

    /// Looks whether a table has what was copied to it.
    pub(super) async fn confirm(
        &mut self,
        table: &'static str,
        from: u64,
    ) -> Result<(), CopyError> {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count = sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *self.transaction);
        let to = patiently(count).await?.unsigned_abs();
        if to == from { Ok(()) } else { Err(CopyError::Lost { table, from, to }) }
    }

    /// Goes on where the directory stands, gives back what it had leased, and commits.
    pub(super) async fn end(mut self, source: &Source, now: Timestamp) -> Result<(), CopyError> {
        let place = "UPDATE place SET callback = $1, record = $2, keys_from = 0, purged_to = 0";
        let place = sqlx::query(place).bind(source.places.callback).bind(source.places.record);
        patiently(place.execute(&mut *self.transaction)).await?;
        patiently(sqlx::raw_sql(COUNT_ON).execute(&mut *self.transaction)).await?;
        for give_back in GIVE_BACK {
            let give_back = sqlx::query(give_back).bind(now.as_millisecond());
            patiently(give_back.execute(&mut *self.transaction)).await?;
        }
        patiently(sqlx::query("ANALYZE").execute(&mut *self.transaction)).await?;
        patiently(self.transaction.commit()).await
    }
}

/// Numbers that the database gives go on behind the largest.
const COUNT_ON: &str = "
    SELECT setval(pg_get_serial_sequence('lane', 'id'), max(id)) FROM lane HAVING count(*) > 0;
    SELECT setval(pg_get_serial_sequence('message', 'seq'), max(seq)) FROM message HAVING count(*) > 0;
    SELECT setval(pg_get_serial_sequence('lane_order', 'id'), max(id)) FROM lane_order HAVING count(*) > 0;
    SELECT setval(pg_get_serial_sequence('dead_replay', 'id'), max(id)) FROM dead_replay HAVING count(*) > 0;
    SELECT setval('send_id', greatest(1, (SELECT max(id) FROM send), (SELECT max(send) FROM attempt)));";

/// Whoever leased something is gone. What was being sent beside an earlier record of its case goes behind that one.
const GIVE_BACK: [&str; 3] = [
    "UPDATE outbox AS o SET token = 0,
        due_at = CASE WHEN case_key IS NOT NULL AND EXISTS (
            SELECT FROM outbox AS e
            WHERE e.lane = o.lane AND e.case_key = o.case_key AND e.seq < o.seq)
        THEN 9223372036854775807 ELSE least(queued_at, $1) END
     WHERE token <> 0",
    "UPDATE message SET token = 0, due_at = $1, in_doubt = 1 WHERE state = 0 AND token <> 0",
    "UPDATE recording SET leased = 0, due_at = $1 WHERE state = 0 AND leased = 1",
];

/// The tables that are copied to.
fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name).chain([filed::NAME, AUDIO])
}

/// Whether no node lives, and nothing is stored but what a copy left that broke off. Lanes may be there: a node that has
/// started once has made them.
async fn look(connection: &mut PgConnection, now: Timestamp) -> Result<(), CopyError> {
    let living = patiently(nodes(connection, now)).await?.into_iter().filter(|it| it.lives(now));
    let living: Vec<String> = living.map(|node| node.name).collect();
    if !living.is_empty() {
        return Err(CopyError::Served(living.join(", ")));
    }
    if patiently(copied_from(connection)).await?.is_some() {
        return Ok(());
    }
    for name in names().filter(|name| *name != "lane") {
        let sql = AssertSqlSafe(format!("SELECT EXISTS (SELECT FROM {name})"));
        if patiently(sqlx::query_scalar(sql).fetch_one(&mut *connection)).await? {
            return Err(CopyError::NotEmpty(name));
        }
    }
    Ok(())
}

async fn set(connection: &mut PgConnection, key: &str, value: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(key)
    .bind(value)
    .execute(connection)
    .await
    .map(drop)
}
