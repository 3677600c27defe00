//! Erasing what has been kept long enough, a little with each call.

use super::writer::State;
use super::{first_row_of_run, message};
use crate::store::job::PurgeJob;
use crate::store::keys::{self, KeyKind, RUNS_PER_FILTER};
use sqlx::{AssertSqlSafe, SqliteConnection};

/// Erases at most `job.limit` rows of each kind, and returns how many old ones it looked at. What
/// is not delivered is never touched, and the newest rows stay whatever their age, since the next
/// places are counted from them.
///
/// Rows stand in order of arrival, so only the oldest few are looked at: a search by time would
/// read the whole history to find that nothing is old.
pub(super) async fn purge(
    connection: &mut SqliteConnection,
    state: &mut State,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    let records = job.records_before.as_millisecond();
    let mut looked_at = purge_callbacks(connection, job).await?;
    looked_at += sqlx::query(
        "DELETE FROM send WHERE id IN (
            SELECT id FROM (SELECT id, started_at FROM send ORDER BY id LIMIT ?)
            WHERE started_at < ?)",
    )
    .bind(job.limit)
    .bind(records)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    message::drop_expired_calls(connection, job.now.as_millisecond()).await?;
    looked_at += message::purge(connection, records, job.limit).await?;
    looked_at += purge_records(connection, state, job).await?;
    looked_at += purge_keys(connection, state, job).await?;
    drop_rereads(connection, job).await?;
    Ok(looked_at)
}

/// Erases pages and notes.
async fn purge_callbacks(
    connection: &mut SqliteConnection,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    let mut erased: Vec<i64> = Vec::new();
    for sql in [
        "DELETE FROM callback_page WHERE first_seq IN (
                SELECT first_seq FROM
                    (SELECT first_seq, received_at FROM callback_page ORDER BY first_seq LIMIT ?)
                WHERE received_at < ?)
             AND first_seq < (SELECT max(first_seq) FROM callback_page)
             AND first_seq <= (SELECT pages_to FROM ledger_fold)
             RETURNING received_at",
        "DELETE FROM note WHERE (callback, item) IN (
                SELECT callback, item FROM
                    (SELECT callback, item, received_at FROM note ORDER BY callback, item LIMIT ?)
                WHERE received_at < ? AND callback <= (SELECT notes_to FROM ledger_fold))
             RETURNING received_at",
    ] {
        let rows = sqlx::query_scalar::<_, i64>(sql).bind(job.limit);
        let rows = rows.bind(job.callbacks_before.as_millisecond()).fetch_all(&mut *connection);
        erased.extend(rows.await?);
    }
    note_erased(connection, "callbacks_erased", &erased).await?;
    Ok(erased.len() as u64)
}

/// Drops wishes for another reading together with what it needs: the callback, its notes, and the
/// keys by which its readable neighbours would be recognised.
async fn drop_rereads(
    connection: &mut SqliteConnection,
    job: &PurgeJob,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM reread WHERE NOT coalesce(
            callback < (SELECT first_seq + count FROM callback_page AS p
                        WHERE p.first_seq <= callback ORDER BY p.first_seq DESC LIMIT 1), 0);
         DELETE FROM reread WHERE coalesce(
            (SELECT min(item) > 0 AND min(received_at) < ? FROM note
             WHERE note.callback = reread.callback AND outcome = 'garbled'), 1)",
    )
    .bind(job.keys_before.as_millisecond())
    .execute(connection)
    .await?;
    Ok(())
}

/// Has the ledger know from before when it alone remembers: the newest of what was erased tells, since the time before which
/// all is erased may be that of a clock that ran ahead.
async fn note_erased(
    connection: &mut SqliteConnection,
    what: &str,
    received_at: &[i64],
) -> Result<(), sqlx::Error> {
    let Some(before) = received_at.iter().max().map(|newest| newest + 1) else { return Ok(()) };
    let sql = format!("UPDATE ledger_fold SET {what} = max({what}, ?)");
    sqlx::query(AssertSqlSafe(sql)).bind(before).execute(connection).await.map(drop)
}

/// Goes on behind the records that the last step looked at, so that dead letters at the old end
/// do not hold up those behind them; after the last old one it begins anew.
async fn purge_records(
    connection: &mut SqliteConnection,
    state: &mut State,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    let oldest: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT seq, received_at FROM record
         WHERE seq > ? AND seq < (SELECT max(seq) FROM record) ORDER BY seq LIMIT ?",
    )
    .bind(state.purged_to)
    .bind(job.limit)
    .fetch_all(&mut *connection)
    .await?;
    let before = job.records_before.as_millisecond();
    let old: Vec<i64> = oldest
        .iter()
        .take_while(|(_, received_at)| *received_at < before)
        .map(|(seq, _)| *seq)
        .collect();
    let full = u32::try_from(old.len()) == Ok(job.limit);
    state.purged_to = old.last().copied().filter(|_| full).unwrap_or(0);
    if old.is_empty() {
        return Ok(0);
    }
    let looked_at = u64::try_from(old.len()).unwrap_or(u64::MAX);
    let ended: Vec<i64> = sqlx::query_scalar(
        "SELECT value FROM json_each(?) AS old
         WHERE NOT EXISTS (SELECT 1 FROM outbox
                           WHERE lane IN (SELECT id FROM lane) AND seq = old.value)
           AND NOT EXISTS (SELECT 1 FROM dead_letter
                           WHERE lane IN (SELECT id FROM lane) AND seq = old.value)
           AND NOT EXISTS (SELECT 1 FROM ledger_open
                           WHERE lane IN (SELECT id FROM lane) AND seq = old.value)
           AND value <= (SELECT records_to FROM ledger_fold)
           AND NOT EXISTS (SELECT 1 FROM lane WHERE value > ledger_seq
                           AND value >= first_seq AND value <= coalesce(last_seq, value))",
    )
    .bind(super::json_list(old))
    .fetch_all(&mut *connection)
    .await?;
    let ended = super::json_list(ended);
    sqlx::query(
        "DELETE FROM attempt WHERE lane IN (SELECT id FROM lane)
            AND seq IN (SELECT value FROM json_each(?))",
    )
    .bind(ended.clone())
    .execute(&mut *connection)
    .await?;
    let erased: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM record WHERE seq IN (SELECT value FROM json_each(?)) RETURNING received_at",
    )
    .bind(ended)
    .fetch_all(&mut *connection)
    .await?;
    note_erased(connection, "records_erased", &erased).await?;
    // Only a full step has another one behind it.
    Ok(if full { looked_at } else { 0 })
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
