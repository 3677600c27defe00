//! Recordings in the database: queueing, leasing, settling, telling, listing, retrying and erasing them.

use super::open::open_operator;
use super::pack::Pack;
use super::read::Reader;
use super::script::Script;
use crate::model::{AccountName, RecordingId};
use crate::store::job::{Answer, LeasedRecordingRow, RecordingJob};
use crate::store::recording::columns::{self, LeasedRow, RecordingRow, UntoldRow};
use crate::store::recording::{
    FetchedSeq, NewRecording, RecordingSettled, StoredRecording, UntoldRecording,
};
use crate::store::{OpenError, ReadError, StoreError};
use jiff::Timestamp;
use sqlx::{Connection, SqliteConnection};
use std::path::Path;

/// Adds what queues sealed recordings, if there are any.
pub(super) fn queue(
    script: &mut Script,
    recordings: &[NewRecording],
    now: i64,
) -> Result<(), sqlx::Error> {
    let mut queued: Pack<(String, String, usize, usize)> = Pack::with_capacity(0, 0);
    for new in recordings {
        let place = queued.blob(&new.bytes.0);
        queued.row((hex_id(new.id), new.account.to_string(), place, new.bytes.0.len()));
    }
    if queued.is_empty() {
        return Ok(());
    }
    let (rows, bytes) = queued.finish()?;
    script.add(
        "INSERT INTO recording (id, account, state, due_at, leased, attempts, queued_at, sealed, told)
         SELECT unhex(value ->> 0), value ->> 1, 0, ?, 0, 0, ?, substr(bytes, value ->> 2, value ->> 3), 0
         FROM json_each(?), (SELECT ? AS bytes) WHERE true ON CONFLICT (id) DO NOTHING",
    );
    script.bind(now).bind(now).bind(rows).bind(bytes);
    Ok(())
}

/// Adds what notes that a conclusion took these in, if there are any.
pub(super) fn note_told(script: &mut Script, ids: &[RecordingId]) -> Result<(), sqlx::Error> {
    if !ids.is_empty() {
        script.add(
            "UPDATE recording SET told = 1 WHERE id IN (SELECT unhex(value) FROM json_each(?))",
        );
        script.bind(json_ids(ids)?);
    }
    Ok(())
}

/// Adds what keeps due times where they were, as seen from a clock that was set back.
pub(super) fn step_back(script: &mut Script, millis: i64) {
    script.add("UPDATE recording SET due_at = due_at - ? WHERE state = 0");
    script.bind(millis);
}

/// Does what is asked, and tells the caller. Returns whether there are news.
///
/// # Errors
/// What the database said.
pub(super) async fn serve(
    connection: &mut SqliteConnection,
    job: RecordingJob,
) -> Result<bool, String> {
    match job {
        RecordingJob::Lease { account, max, now, until, answer } => {
            tell(lease(connection, &account, max, (now, until)).await, answer)?;
            Ok(false)
        }
        RecordingJob::Settle { id, settled, now, answer } => {
            let news = !matches!(settled, RecordingSettled::Retry { .. });
            tell(settle(connection, id, settled, now).await, answer)?;
            Ok(news)
        }
        RecordingJob::Erase { ids, answer } => {
            tell(erase(connection, &ids).await, answer)?;
            Ok(false)
        }
    }
}

fn tell<T>(done: Result<T, sqlx::Error>, answer: Answer<T>) -> Result<(), String> {
    let done = done.map_err(|error| error.to_string());
    let failed = done.as_ref().err().cloned();
    // Whoever stopped listening is not missed.
    drop(answer.send(done.map_err(StoreError::Database)));
    failed.map_or(Ok(()), Err)
}

/// Leases up to `max` due recordings of an account.
async fn lease(
    connection: &mut SqliteConnection,
    account: &AccountName,
    max: u32,
    (now, until): (Timestamp, Timestamp),
) -> Result<Vec<LeasedRecordingRow>, sqlx::Error> {
    let rows: Vec<LeasedRow> = sqlx::query_as(
        "UPDATE recording SET leased = 1, due_at = ?, attempts = attempts + 1
         WHERE id IN (SELECT id FROM recording INDEXED BY recording_due
                      WHERE state = 0 AND account = ? AND due_at <= ? ORDER BY due_at LIMIT ?)
         RETURNING id, attempts, queued_at, sealed",
    )
    .bind(until.as_millisecond())
    .bind(account.to_string())
    .bind(now.as_millisecond())
    .bind(max)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(columns::leased).collect())
}

/// Settles a recording that waits.
async fn settle(
    connection: &mut SqliteConnection,
    id: RecordingId,
    settled: RecordingSettled,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let (state, due, ended_at, reason, became) = settled.into_columns(now.as_millisecond());
    sqlx::query(
        "UPDATE recording SET state = ?, due_at = ?, leased = 0, ended_at = ?, reason = ?,
            became = ?, told = 0
         WHERE id = ? AND state = 0",
    )
    .bind(state)
    .bind(due)
    .bind(ended_at)
    .bind(reason)
    .bind(became)
    .bind(id.0.as_bytes().to_vec())
    .execute(connection)
    .await?;
    Ok(())
}

/// Erases the rows of recordings whose files are gone.
async fn erase(connection: &mut SqliteConnection, ids: &[RecordingId]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM recording
         WHERE state <> 0 AND id IN (SELECT unhex(value) FROM json_each(?))",
    )
    .bind(json_ids(ids)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes due what a former process had leased, or queued in what is now the future.
pub(super) async fn release(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE recording SET leased = 0, due_at = ?1
         WHERE state = 0 AND (leased = 1 OR queued_at > ?1)",
    )
    .bind(now.as_millisecond())
    .execute(connection)
    .await?;
    Ok(())
}

/// Has lost recordings tried again with their attempts forgotten, on a connection of the operator's
/// own. Returns how many there were.
pub(in crate::store) async fn retry(
    directory: &Path,
    ids: &[RecordingId],
    now: Timestamp,
) -> Result<u64, OpenError> {
    let mut connection = open_operator(directory).await?;
    let done = sqlx::query(
        "UPDATE recording SET state = 0, due_at = ?1, attempts = 0, queued_at = ?1, ended_at = NULL,
            became = NULL, told = 0
         WHERE id IN (SELECT unhex(value) FROM json_each(?2)) AND state = 2 AND (told = 1 OR became IS NULL)",
    )
    .bind(now.as_millisecond())
    .bind(json_ids(ids)?)
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
        let next =
            sqlx::query_scalar("SELECT min(due_at) FROM recording WHERE state = 0 AND account = ?");
        Ok(next.bind(account).fetch_one(&self.pool).await?)
    }

    /// What became of recordings behind a place, oldest first.
    pub(in crate::store) async fn untold_recordings(
        &self,
        behind: Option<FetchedSeq>,
        limit: u32,
    ) -> Result<Vec<UntoldRecording>, ReadError> {
        let from = behind.map_or(i64::MIN, |seq| seq.ended_at);
        let last = behind.map_or(Vec::new(), |seq| seq.id.0.as_bytes().to_vec());
        let rows: Vec<UntoldRow> = sqlx::query_as(
            "SELECT id, became, ended_at FROM recording INDEXED BY recording_untold
             WHERE became IS NOT NULL AND told = 0 AND (ended_at, id) > (?, ?)
             ORDER BY ended_at, id LIMIT ?",
        )
        .bind(from)
        .bind(last)
        .bind(limit)
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
            "SELECT id FROM recording WHERE ended_at < ? AND (told = 1 OR became IS NULL)
             ORDER BY ended_at LIMIT ?",
        )
        .bind(before)
        .bind(limit)
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
             FROM recording WHERE state = 2 OR NOT ? ORDER BY id DESC LIMIT ?",
        )
        .bind(lost)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| StoredRecording::of_row(row, &self.ring)).collect())
    }
}

fn hex_id(id: RecordingId) -> String {
    hex::encode(id.0.as_bytes())
}

fn json_ids(ids: &[RecordingId]) -> Result<String, sqlx::Error> {
    super::json(&ids.iter().copied().map(hex_id).collect::<Vec<_>>())
}
