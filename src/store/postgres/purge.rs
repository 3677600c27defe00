//! Erasing what has been kept long enough, a little with each call: row by row in a turn, and, where a month is over, whole.

mod months;
#[cfg(test)]
mod trials;

use super::message;
use super::partition::{self, KEYS, NOTES, PAGES, SENDS, Table};
use super::turn::{News, Turn};
use crate::store::job::PurgeJob;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

/// Erases a little of what is old, and, where `months` are due, makes those ahead and drops those that are over. Returns how
/// much that was; 0 is the end.
pub(super) async fn run(
    connection: &mut PgConnection,
    job: &PurgeJob,
    months: bool,
) -> Result<u64, sqlx::Error> {
    let mut erased = 0;
    if months {
        partition::make_ahead(connection, job.now).await?;
        erased += months::drop_months(connection, job).await?;
    }
    message::drop_expired_calls(connection, job.now.as_millisecond()).await?;
    let records = job.records_before.as_millisecond();
    erased += message::purge(connection, records, job.limit).await?;
    let mut turn = Turn::begin(connection).await?;
    erased += purge(connection, &mut turn, job).await?;
    turn.end(connection, News::default()).await?;
    Ok(erased)
}

/// Erases at most `job.limit` rows of each kind, and returns how many old ones it looked at. What
/// is not delivered is never touched, and the newest rows stay whatever their age.
///
/// Rows stand in order of arrival, so only the oldest few are looked at: a search by time would
/// read the whole history to find that nothing is old.
async fn purge(
    connection: &mut PgConnection,
    turn: &mut Turn,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    let records = job.records_before.as_millisecond();
    let mut looked_at = purge_callbacks(connection, job).await?;
    let sends = erase(connection, (SENDS, "id"), (records, i64::MAX), job.limit).await?;
    looked_at += sends.len() as u64;
    looked_at += purge_records(connection, turn, job).await?;
    looked_at += purge_keys(connection, turn, job).await?;
    drop_rereads(connection, job).await?;
    Ok(looked_at)
}

/// Erases pages and notes.
async fn purge_callbacks(
    connection: &mut PgConnection,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    let (pages, notes): (i64, i64) = sqlx::query_as(
        "SELECT least(pages_to, (SELECT max(first_seq) - 1 FROM callback_page)), notes_to
         FROM ledger_fold",
    )
    .fetch_one(&mut *connection)
    .await?;
    let before = job.callbacks_before.as_millisecond();
    let mut erased = erase(connection, (PAGES, "first_seq"), (before, pages), job.limit).await?;
    erased.extend(erase(connection, (NOTES, "callback"), (before, notes), job.limit).await?);
    note_erased(connection, "callbacks_erased", &erased).await?;
    Ok(erased.len() as u64)
}

/// Erases the oldest rows of a table, of those from before a time and up to a number; those of the last number go together.
/// Returns their times.
async fn erase(
    connection: &mut PgConnection,
    (table, key): (Table, &str),
    (before, upto): (i64, i64),
    limit: u32,
) -> Result<Vec<i64>, sqlx::Error> {
    let Table { name, time } = table;
    let oldest = format!(
        "SELECT min({key}), max({key}), min({time})
         FROM (SELECT {key}, {time} FROM {name} ORDER BY {key} LIMIT {limit}) AS oldest
         WHERE {time} < $1 AND {key} <= $2"
    );
    let (first, last, since): (Option<i64>, Option<i64>, Option<i64>) =
        sqlx::query_as(AssertSqlSafe(oldest))
            .bind(before)
            .bind(upto)
            .fetch_one(&mut *connection)
            .await?;
    if first.is_none() {
        return Ok(Vec::new());
    }
    // The times are given so that only their months are looked into.
    let sql = format!(
        "DELETE FROM {name} WHERE {key} >= $1 AND {key} <= $2 AND {time} >= $3 AND {time} < $4
         RETURNING {time}"
    );
    let rows = sqlx::query_scalar(AssertSqlSafe(sql)).bind(first).bind(last).bind(since);
    rows.bind(before).fetch_all(connection).await
}

/// Drops wishes for another reading together with what it needs: the callback, its notes, and the
/// keys by which its readable neighbours would be recognised.
async fn drop_rereads(connection: &mut PgConnection, job: &PurgeJob) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM reread WHERE
            NOT coalesce(callback < (SELECT first_seq + count FROM callback_page AS p
                WHERE p.first_seq <= callback ORDER BY p.first_seq DESC LIMIT 1), false)
            OR coalesce((SELECT min(item) > 0 AND min(received_at) < $1 FROM note
                WHERE note.callback = reread.callback AND outcome = 'garbled'), true)",
    )
    .bind(job.keys_before.as_millisecond())
    .execute(connection)
    .await
    .map(drop)
}

/// Has the ledger know from before when it alone remembers: the newest of what was erased tells, since the time before which
/// all is erased may be that of a clock that ran ahead.
async fn note_erased(
    connection: &mut PgConnection,
    what: &str,
    received_at: &[i64],
) -> Result<(), sqlx::Error> {
    let Some(before) = received_at.iter().max().map(|newest| newest + 1) else { return Ok(()) };
    let sql = format!("UPDATE ledger_fold SET {what} = greatest({what}, $1)");
    sqlx::query(AssertSqlSafe(sql)).bind(before).execute(connection).await.map(drop)
}

/// Goes on behind the records that the last step looked at, so that dead letters at the old end
/// do not hold up those behind them; after the last old one it begins anew.
async fn purge_records(
    connection: &mut PgConnection,
    turn: &mut Turn,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    let sql = format!(
        "SELECT seq, received_at FROM record
         WHERE seq > $1 AND seq < (SELECT max(seq) FROM record) ORDER BY seq LIMIT {}",
        job.limit
    );
    let oldest: Vec<(i64, i64)> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(turn.purged_to).fetch_all(&mut *connection).await?;
    let before = job.records_before.as_millisecond();
    let old: Vec<(i64, i64)> =
        oldest.into_iter().take_while(|(_, received_at)| *received_at < before).collect();
    let full = u32::try_from(old.len()) == Ok(job.limit);
    turn.purged_to = old.last().map(|(seq, _)| *seq).filter(|_| full).unwrap_or(0);
    let looked_at = u64::try_from(old.len()).unwrap_or(u64::MAX);
    erase_records(connection, old).await?;
    // Only a full step has another one behind it.
    Ok(if full { looked_at } else { 0 })
}

/// Erases those of some records that have ended and are in the ledger, with their attempts.
async fn erase_records(
    connection: &mut PgConnection,
    old: Vec<(i64, i64)>,
) -> Result<(), sqlx::Error> {
    let times = old.iter().map(|(_, received_at)| *received_at);
    let Some((since, until)) = times.clone().min().zip(times.max()) else { return Ok(()) };
    let old: Vec<i64> = old.into_iter().map(|(seq, _)| seq).collect();
    let ended: Vec<i64> = sqlx::query_scalar(
        "SELECT old FROM UNNEST($1::bigint[]) AS old
         WHERE old <= (SELECT records_to FROM ledger_fold)
           AND NOT EXISTS (SELECT FROM lane WHERE old > ledger_seq
                           AND old >= first_seq AND old <= coalesce(last_seq, old))
         EXCEPT (SELECT seq FROM outbox
                 WHERE lane = ANY(ARRAY(SELECT id FROM lane)) AND seq = ANY($1)
                 UNION ALL SELECT seq FROM dead_letter
                 WHERE lane = ANY(ARRAY(SELECT id FROM lane)) AND seq = ANY($1)
                 UNION ALL SELECT seq FROM ledger_open
                 WHERE lane = ANY(ARRAY(SELECT id FROM lane)) AND seq = ANY($1))",
    )
    .bind(old)
    .fetch_all(&mut *connection)
    .await?;
    let erased: Vec<i64> = sqlx::query_scalar(
        "WITH attempts AS (
            DELETE FROM attempt WHERE lane = ANY(ARRAY(SELECT id FROM lane)) AND seq = ANY($1)
               AND received_at >= $2 AND received_at <= $3)
         DELETE FROM record WHERE seq = ANY($1) AND received_at >= $2 AND received_at <= $3
         RETURNING received_at",
    )
    .bind(ended)
    .bind(since)
    .bind(until)
    .fetch_all(&mut *connection)
    .await?;
    note_erased(connection, "records_erased", &erased).await
}

/// Forgets keys that are too old, by today's clock: one that ran ahead and was set back shall not have forgotten what comes
/// now. Their months are dropped; only what no month was made for goes row by row.
async fn purge_keys(
    connection: &mut PgConnection,
    turn: &mut Turn,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    turn.keys_from = job.keys_before.as_millisecond();
    let rest = format!("{}_rest", KEYS.name);
    let sql = format!(
        "DELETE FROM {rest} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM {rest} WHERE received_at < $1 LIMIT {}))",
        job.limit
    );
    let purged = sqlx::query(AssertSqlSafe(sql)).bind(turn.keys_from).execute(connection).await?;
    Ok(purged.rows_affected())
}
