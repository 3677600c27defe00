//! The file of a spool: one table, in WAL mode with synchronous FULL.

use super::open::lock;
use crate::store::OpenError;
use crate::store::spool::{Depth, Row};
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Row as _, Sqlite, SqliteConnection};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FILE: &str = "spool.db";

/// The version of its schema, in `user_version`; 0 is a new file.
const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE waiting (
        seq INTEGER PRIMARY KEY,
        received_at INTEGER NOT NULL,
        aside INTEGER NOT NULL DEFAULT 0,
        sealed BLOB NOT NULL
    ) STRICT;
    CREATE INDEX waiting_in_order ON waiting (aside, seq);
    PRAGMA user_version = 1";

/// The file, and what is known of it without looking.
#[derive(Debug)]
pub(in crate::store) struct Spool {
    connection: SqliteConnection,
    depth: Depth,
    next_seq: i64,
    /// Held for as long as it lives.
    _lock: File,
}

impl Spool {
    /// Opens, and if need be makes, the spool in a directory.
    pub(in crate::store) async fn open(directory: &Path) -> Result<(Spool, Depth), OpenError> {
        let lock = lock(directory)?;
        let mut connection = options(directory).create_if_missing(true).connect().await?;
        match version(&mut connection).await? {
            0 => make(&mut connection).await?,
            VERSION => {}
            newer => return Err(OpenError::NewerSchema(newer)),
        }
        let depth = depth(&mut connection).await?;
        let next_seq = sqlx::query_scalar("SELECT coalesce(max(seq), 0) + 1 FROM waiting")
            .fetch_one(&mut connection)
            .await?;
        Ok((Spool { connection, depth, next_seq, _lock: lock }, depth))
    }

    /// The place of the next callback.
    pub(in crate::store) fn next_seq(&self) -> i64 {
        self.next_seq
    }

    /// Adds callbacks, whose places follow from [`Spool::next_seq`]. They are on disk then.
    pub(in crate::store) async fn put(&mut self, rows: &[Row]) -> Result<Depth, sqlx::Error> {
        let mut insert: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO waiting (seq, received_at, sealed) ");
        insert.push_values(rows, |mut values, row| {
            values.push_bind(row.seq).push_bind(row.received_at).push_bind(row.sealed.as_slice());
        });
        insert.build().persistent(false).execute(&mut self.connection).await?;
        self.next_seq += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        self.depth.callbacks += rows.len() as u64;
        self.depth.bytes += rows.iter().map(|row| row.sealed.len() as u64).sum::<u64>();
        self.depth.oldest = self.depth.oldest.or(rows.first().map(|row| row.received_at));
        Ok(self.depth)
    }

    /// The first callbacks in their order: those that were not put aside, or else the one that was least often.
    pub(in crate::store) async fn first(&mut self, limit: u32) -> Result<Vec<Row>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT seq, received_at, sealed FROM waiting
             WHERE aside = 0 ORDER BY aside, seq LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        let rows = match rows.is_empty() {
            false => rows,
            true => {
                sqlx::query(
                    "SELECT seq, received_at, sealed FROM waiting ORDER BY aside, seq LIMIT 1",
                )
                .fetch_all(&mut self.connection)
                .await?
            }
        };
        rows.iter()
            .map(|row| {
                let (seq, received_at) = (row.try_get(0)?, row.try_get(1)?);
                Ok(Row { seq, received_at, sealed: row.try_get(2)? })
            })
            .collect()
    }

    /// Takes callbacks out.
    pub(in crate::store) async fn remove(&mut self, seqs: &[i64]) -> Result<Depth, sqlx::Error> {
        let removed: Vec<(i64, i64)> = sqlx::query_as(
            "DELETE FROM waiting WHERE seq IN (SELECT value FROM json_each(?))
             RETURNING length(sealed), aside > 0",
        )
        .bind(super::json_list(seqs.iter().copied()))
        .fetch_all(&mut self.connection)
        .await?;
        for (bytes, aside) in removed {
            self.depth.callbacks = self.depth.callbacks.saturating_sub(1);
            self.depth.bytes = self.depth.bytes.saturating_sub(bytes.unsigned_abs());
            self.depth.aside = self.depth.aside.saturating_sub(aside.unsigned_abs());
        }
        self.depth.oldest = oldest(&mut self.connection).await?;
        Ok(self.depth)
    }

    /// Puts callbacks behind all that were put aside less often.
    pub(in crate::store) async fn put_aside(&mut self, seqs: &[i64]) -> Result<Depth, sqlx::Error> {
        let before: Vec<i64> = sqlx::query_scalar(
            "UPDATE waiting SET aside = aside + 1 WHERE seq IN (SELECT value FROM json_each(?))
             RETURNING aside",
        )
        .bind(super::json_list(seqs.iter().copied()))
        .fetch_all(&mut self.connection)
        .await?;
        self.depth.aside += before.iter().filter(|aside| **aside == 1).count() as u64;
        Ok(self.depth)
    }

    /// Tries whether the file can be written.
    pub(in crate::store) async fn probe(&mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("PRAGMA user_version = 1").execute(&mut self.connection).await.map(drop)
    }

    /// Gives the volume back what an emptied file takes.
    pub(in crate::store) async fn shrink(&mut self) -> Result<(), sqlx::Error> {
        let shrink = "PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)";
        sqlx::raw_sql(shrink).execute(&mut self.connection).await.map(drop)
    }

    /// Ends.
    pub(in crate::store) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "the spool's file did not close cleanly");
        }
    }
}

/// What lies in the spool of a directory, beside whoever has it; `None`: there never was one.
pub(in crate::store) async fn spooled_in(directory: &Path) -> Result<Option<Depth>, OpenError> {
    if !file(directory).exists() {
        return Ok(None);
    }
    let mut connection = options(directory).pragma("query_only", "on").connect().await?;
    let found = match version(&mut connection).await? {
        0 => None,
        VERSION => Some(depth(&mut connection).await?),
        newer => return Err(OpenError::NewerSchema(newer)),
    };
    drop(connection.close().await);
    Ok(found)
}

fn file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

fn options(directory: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file(directory))
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

async fn make(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    transaction.commit().await
}

async fn version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("PRAGMA user_version").fetch_one(connection).await
}

async fn depth(connection: &mut SqliteConnection) -> Result<Depth, sqlx::Error> {
    let (callbacks, aside, bytes): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(sum(aside > 0), 0), coalesce(sum(length(sealed)), 0) FROM waiting",
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok(Depth {
        callbacks: callbacks.unsigned_abs(),
        aside: aside.unsigned_abs(),
        bytes: bytes.unsigned_abs(),
        oldest: oldest(connection).await?,
    })
}

async fn oldest(connection: &mut SqliteConnection) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT received_at FROM waiting ORDER BY seq LIMIT 1")
        .fetch_optional(connection)
        .await
}
