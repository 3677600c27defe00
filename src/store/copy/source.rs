//! The directory that is copied: locked, opened under its key, and only read.

use super::CopyError;
use super::table::Table;
use crate::model::{RecordId, RecordingId, Revision};
use crate::store::engine::Reader;
use crate::store::job::RecordRow;
use crate::store::look::opened;
use crate::store::plan::Places;
use crate::store::recording::Audio;
use crate::store::seal::{Fingerprinter, LOOKUP_KEY};
use crate::store::{KeyRing, OpenError, ReadError, postgres, sqlite};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, Sqlite};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// A directory of which nobody serves while this lives.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) reader: sqlite::Reader,
    pub(super) audio: Audio,
    /// As it is sealed.
    pub(super) lookup_key: Vec<u8>,
    /// The next ones.
    pub(super) places: Places,
    _lock: File,
}

impl Source {
    /// Takes a directory, and opens its database under these keys.
    pub(super) async fn open(directory: &Path, ring: KeyRing) -> Result<Source, CopyError> {
        let (lock, pool) = sqlite::open_alone(directory).await.map_err(|error| match error {
            OpenError::Locked(directory) => CopyError::Running(directory),
            other => CopyError::From(other),
        })?;
        let name = directory.display().to_string();
        let mut connection = pool.acquire().await.map_err(CopyError::Read)?;
        sqlite::check_migrated(&mut connection).await.map_err(CopyError::From)?;
        let sealed = sqlite::stored_lookup_key(&mut connection).await.map_err(CopyError::Read)?;
        let sealed = sealed.ok_or_else(|| CopyError::From(OpenError::Missing(name.clone())))?;
        let key = ring.open(LOOKUP_KEY.as_bytes(), &sealed);
        let key = key.map_err(|error| CopyError::From(OpenError::Key(error)))?;
        let places = sqlite::next_places(&mut connection).await.map_err(CopyError::Read)?;
        drop(connection);
        let (ring, prints) = (Arc::new(ring), Fingerprinter::new(&key));
        Ok(Source {
            name,
            reader: sqlite::Reader { pool, ring, prints },
            audio: Audio::files(directory),
            lookup_key: sealed,
            places,
            _lock: lock,
        })
    }

    /// A connection, for reading.
    pub(super) async fn connection(&self) -> Result<PoolConnection<Sqlite>, CopyError> {
        self.reader.pool.acquire().await.map_err(CopyError::Read)
    }

    /// What reads the directory.
    pub(super) fn reader(&self) -> Reader {
        Reader::Sqlite(self.reader.clone())
    }

    /// What reads the same from another store.
    pub(super) fn reader_of(&self, connector: &postgres::Connector) -> Reader {
        let sqlite::Reader { ring, prints, .. } = &self.reader;
        Reader::Postgres(postgres::Reader::new(connector, Arc::clone(ring), prints.clone()))
    }

    /// How many rows a table has.
    pub(super) async fn count(&self, table: &Table) -> Result<u64, CopyError> {
        self.count_by(&format!("SELECT count(*) FROM {}", table.name)).await
    }

    /// How many recordings are kept.
    pub(super) async fn count_audio(&self) -> Result<u64, CopyError> {
        self.count_by("SELECT count(*) FROM recording WHERE state = 1").await
    }

    async fn count_by(&self, sql: &str) -> Result<u64, CopyError> {
        let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql.to_owned()));
        let count = count.fetch_one(&self.reader.pool).await.map_err(CopyError::Read)?;
        Ok(count.unsigned_abs())
    }

    /// The recordings that are kept.
    pub(super) async fn kept(&self) -> Result<Vec<RecordingId>, CopyError> {
        let kept = sqlx::query_scalar("SELECT id FROM recording WHERE state = 1 ORDER BY id");
        let kept: Vec<Uuid> = kept.fetch_all(&self.reader.pool).await.map_err(CopyError::Read)?;
        Ok(kept.into_iter().map(RecordingId).collect())
    }

    /// The digest of a record's caller, if it has one; within, why it cannot be told.
    pub(super) fn caller(
        &self,
        row: &SqliteRow,
    ) -> Result<Result<Option<Uuid>, ReadError>, sqlx::Error> {
        let revision = u32::try_from(row.try_get::<i64, _>("revision")?);
        let row = RecordRow {
            id: RecordId(row.try_get("id")?),
            revision: Revision(revision.map_err(|error| sqlx::Error::Decode(error.into()))?),
            account: row.try_get("account")?,
            received_at: row.try_get("received_at")?,
            sealed: row.try_get("sealed")?,
        };
        let sqlite::Reader { ring, prints, .. } = &self.reader;
        let caller = opened(ring, &row).map(|record| record.caller);
        let digest =
            |caller: crate::model::Caller| Uuid::from_bytes(prints.caller(caller.reveal()).0);
        Ok(caller.map(|caller| caller.map(digest)))
    }
}
