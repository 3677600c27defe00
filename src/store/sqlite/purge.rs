//! Erasing what has been kept long enough, a little with each call.

use super::first_row_of_run;
use super::writer::State;
use crate::store::job::PurgeJob;
use crate::store::keys::{self, KeyKind, RUNS_PER_FILTER};
use sqlx::SqliteConnection;

/// Erases at most `job.limit` rows of each kind. What is not delivered is never touched, and the
/// newest rows stay whatever their age, since the next places are counted from them.
pub(super) async fn purge(
    connection: &mut SqliteConnection,
    state: &mut State,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    let mut purged = 0;
    let callbacks = job.callbacks_before.as_millisecond();
    purged += sqlx::query(
        "DELETE FROM callback_page WHERE first_seq IN (
            SELECT first_seq FROM callback_page
            WHERE received_at < ? AND first_seq < (SELECT max(first_seq) FROM callback_page)
            ORDER BY first_seq LIMIT ?)",
    )
    .bind(callbacks)
    .bind(job.limit)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    purged += sqlx::query(
        "DELETE FROM note WHERE (callback, item) IN (
            SELECT callback, item FROM note WHERE received_at < ? ORDER BY callback LIMIT ?)",
    )
    .bind(callbacks)
    .bind(job.limit)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    purged += purge_records(connection, job).await?;
    purged += purge_keys(connection, state, job).await?;
    Ok(purged)
}

async fn purge_records(
    connection: &mut SqliteConnection,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    // Scanned from the oldest; the first that is still needed ends the scan's batch, not the purge.
    let old: Vec<i64> = sqlx::query_scalar(
        "SELECT seq FROM record AS r
         WHERE received_at < ? AND seq < (SELECT max(seq) FROM record)
           AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.seq = r.seq)
           AND NOT EXISTS (SELECT 1 FROM dead_letter AS d WHERE d.seq = r.seq)
         ORDER BY seq LIMIT ?",
    )
    .bind(job.records_before.as_millisecond())
    .bind(job.limit)
    .fetch_all(&mut *connection)
    .await?;
    if old.is_empty() {
        return Ok(0);
    }
    let old = super::json_list(old);
    let result = sqlx::query(
        "DELETE FROM attempt WHERE lane IN (SELECT id FROM lane)
            AND seq IN (SELECT value FROM json_each(?));
         DELETE FROM record WHERE seq IN (SELECT value FROM json_each(?));
         DELETE FROM send WHERE id IN (
            SELECT id FROM send WHERE started_at < ? ORDER BY id LIMIT ?)",
    )
    .bind(old.clone())
    .bind(old)
    .bind(job.records_before.as_millisecond())
    .bind(job.limit)
    .execute(connection)
    .await?;
    Ok(result.rows_affected())
}

/// Dedupe keys leave with their window, callers' keys with the records they lead to.
async fn purge_keys(
    connection: &mut SqliteConnection,
    state: &mut State,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    let before = job.keys_before.as_millisecond();
    let stale: Vec<i64> = sqlx::query_scalar(
        "SELECT run FROM key_run WHERE deduping = 1 AND received_at < ? ORDER BY run",
    )
    .bind(before)
    .fetch_all(&mut *connection)
    .await?;
    let mut purged = purge_callers_keys(connection, job).await?;
    let Some(last) = stale.last() else { return Ok(purged) };
    state.keys.forget_before(last + 1);
    for run in &stale {
        let first = first_row_of_run(*run);
        let callers = keys::first_bucket(*run, KeyKind::Caller);
        purged += sqlx::query(
            "UPDATE key_run SET deduping = 0 WHERE run = ?;
             DELETE FROM key_bucket WHERE id >= ? AND id < ?",
        )
        .bind(run)
        .bind(first)
        .bind(callers)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    sqlx::query("DELETE FROM key_filter WHERE first_run <= ?")
        .bind(last + 1 - RUNS_PER_FILTER)
        .execute(connection)
        .await?;
    Ok(purged)
}

async fn purge_callers_keys(
    connection: &mut SqliteConnection,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    let stale: Option<i64> = sqlx::query_scalar(
        "SELECT max(run) FROM key_run WHERE deduping = 0 AND received_at < ?
            AND run < (SELECT max(run) FROM key_run)",
    )
    .bind(job.records_before.as_millisecond())
    .fetch_one(&mut *connection)
    .await?;
    let Some(last) = stale else { return Ok(0) };
    let result =
        sqlx::query("DELETE FROM key_bucket WHERE id < ?; DELETE FROM key_run WHERE run <= ?")
            .bind(first_row_of_run(last + 1))
            .bind(last)
            .execute(connection)
            .await?;
    Ok(result.rows_affected())
}
