//! Recordings in the database: queueing, leasing, settling, telling, listing, retrying and erasing them.

use super::Connector;
use super::read::Reader;
use super::text;
use super::turn::{CHANNEL, News};
use crate::model::{AccountName, RecordingId};
use crate::store::job::LeasedRecordingRow;
use crate::store::recording::columns::{self, LeasedRow, RecordingRow, UntoldRow};
use crate::store::recording::{
    FetchedSeq, NewRecording, RecordingSettled, StoredRecording, UntoldRecording,
};
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

/// Queues sealed recordings, if there are any.
pub(super) async fn queue(
    connection: &mut PgConnection,
    recordings: &[NewRecording],
    now: i64,
) -> Result<(), sqlx::Error> {
    if recordings.is_empty() {
        return Ok(());
    }
    let accounts: Vec<&str> = recordings.iter().map(|new| new.account.as_str()).collect();
    let sealed: Vec<&[u8]> = recordings.iter().map(|new| new.bytes.0.as_slice()).collect();
    sqlx::query(
        "INSERT INTO recording (id, account, state, due_at, leased, attempts, queued_at, sealed, told)
         SELECT id, account, 0, $1, 0, 0, $1, sealed, 0
         FROM UNNEST($2::uuid[], $3::text[], $4::bytea[]) AS new (id, account, sealed)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(now)
    .bind(uuids(recordings.iter().map(|new| new.id)))
    .bind(accounts)
    .bind(sealed)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that a conclusion took these in, if there are any.
pub(super) async fn note_told(
    connection: &mut PgConnection,
    ids: &[RecordingId],
) -> Result<(), sqlx::Error> {
    if !ids.is_empty() {
        sqlx::query("UPDATE recording SET told = 1 WHERE id = ANY($1)")
            .bind(uuids(ids.iter().copied()))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Keeps due times where they were, as seen from a clock that was set back.
pub(super) async fn step_back(
    connection: &mut PgConnection,
    millis: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE recording SET due_at = due_at - $1 WHERE state = 0 AND leased = 0")
        .bind(millis)
        .execute(connection)
        .await?;
    Ok(())
}

/// Leases up to `max` due recordings of an account, outside any turn; those that another node is leasing are passed over.
pub(super) async fn lease(
    connection: &mut PgConnection,
    account: &AccountName,
    max: u32,
    (now, until): (Timestamp, Timestamp),
) -> Result<Vec<LeasedRecordingRow>, sqlx::Error> {
    let rows: Vec<LeasedRow> = sqlx::query_as(
        "WITH due AS (
            SELECT id FROM recording WHERE state = 0 AND account = $1 AND due_at <= $2
            ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
         UPDATE recording AS r SET leased = 1, due_at = $4, attempts = r.attempts + 1
         FROM due WHERE r.id = due.id
         RETURNING r.id, r.attempts, r.queued_at, r.sealed",
    )
    .bind(account.as_str())
    .bind(now.as_millisecond())
    .bind(i64::from(max))
    .bind(until.as_millisecond())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(columns::leased).collect())
}

/// Settles a recording that waits, and tells all nodes what became of it. Returns whether there are news. Of two nodes that
/// fetched it, as the lease of one ran out, the first to settle decides: both kept the same audio.
pub(super) async fn settle(
    connection: &mut PgConnection,
    id: RecordingId,
    settled: RecordingSettled,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let (state, due, ended_at, reason, became) = settled.into_columns(now.as_millisecond());
    let news = News { arrived: true, ..News::default() };
    let told = sqlx::query(
        "WITH settled AS (
            UPDATE recording SET state = $1, due_at = $2, leased = 0, ended_at = $3, reason = $4,
                became = $5, told = 0
            WHERE id = $6 AND state = 0 RETURNING state)
         SELECT pg_notify($7, $8) FROM settled WHERE state <> 0",
    )
    .bind(state)
    .bind(due)
    .bind(ended_at)
    .bind(reason.as_deref().map(text))
    .bind(became)
    .bind(id.0)
    .bind(CHANNEL)
    .bind(news.payload())
    .fetch_optional(connection)
    .await?;
    Ok(told.is_some())
}

/// Erases the rows of recordings whose audio is gone.
pub(super) async fn erase(
    connection: &mut PgConnection,
    ids: &[RecordingId],
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM recording WHERE state <> 0 AND id = ANY($1)")
        .bind(uuids(ids.iter().copied()))
        .execute(connection)
        .await?;
    Ok(())
}

/// Has lost recordings tried again with their attempts forgotten, on a connection of the operator's
/// own. Returns how many there were.
pub(in crate::store) async fn retry(
    connector: &Connector,
    ids: &[RecordingId],
    now: Timestamp,
) -> Result<u64, OpenError> {
    let mut connection = connector.connect().await?;
    let done = sqlx::query(
        "UPDATE recording SET state = 0, due_at = $1, attempts = 0, queued_at = $1, ended_at = NULL,
            became = NULL, told = 0
         WHERE id = ANY($2) AND state = 2 AND (told = 1 OR became IS NULL)",
    )
    .bind(now.as_millisecond())
    .bind(uuids(ids.iter().copied()))
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(done.rows_affected())
}

impl Reader {
    /// When the next recording of an account is due.
    pub(in crate::store) async fn next_recording_due(
        &self,
        account: &str,
    ) -> Result<Option<i64>, ReadError> {
        let next = sqlx::query_scalar(
            "SELECT min(due_at) FROM recording WHERE state = 0 AND account = $1",
        );
        Ok(next.bind(account).fetch_one(&self.pool).await?)
    }

    /// What became of recordings behind a place, oldest first.
    pub(in crate::store) async fn untold_recordings(
        &self,
        behind: Option<FetchedSeq>,
        limit: u32,
    ) -> Result<Vec<UntoldRecording>, ReadError> {
        let rows: Vec<UntoldRow> = sqlx::query_as(
            "SELECT id, became, ended_at FROM recording
             WHERE became IS NOT NULL AND told = 0 AND (ended_at, id) > ($1, $2)
             ORDER BY ended_at, id LIMIT $3",
        )
        .bind(behind.map_or(i64::MIN, |seq| seq.ended_at))
        .bind(behind.map_or(Uuid::nil(), |seq| seq.id.0))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| UntoldRecording::of_row(row, &self.ring)).collect())
    }

    /// Recordings that were kept or lost before a time.
    pub(in crate::store) async fn ended_recordings(
        &self,
        before: i64,
        limit: u32,
    ) -> Result<Vec<RecordingId>, ReadError> {
        let ids = sqlx::query_scalar(
            "SELECT id FROM recording WHERE ended_at < $1 AND (told = 1 OR became IS NULL)
             ORDER BY ended_at LIMIT $2",
        )
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(RecordingId).collect())
    }

    /// All recordings, or the lost ones, newest first.
    pub(in crate::store) async fn recordings(
        &self,
        lost: bool,
        limit: u32,
    ) -> Result<Vec<StoredRecording>, ReadError> {
        let rows: Vec<RecordingRow> = sqlx::query_as(
            "SELECT id, account, state, due_at, attempts, queued_at, ended_at, reason, sealed, became
             FROM recording WHERE state = 2 OR NOT $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(lost)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| StoredRecording::of_row(row, &self.ring)).collect())
    }
}

fn uuids(ids: impl Iterator<Item = RecordingId>) -> Vec<Uuid> {
    ids.map(|id| id.0).collect()
}
