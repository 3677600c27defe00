//! The queue's side of a group: settling what was sent, leasing what is due, replaying the dead.

use crate::model::{RecordId, RecordSeq, Revision};
use crate::store::job::{LeasedRow, RecordRow};
use crate::store::rows::timestamp;
use crate::store::{LeaseToken, SendReport, Settled, Settlement};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

/// What a settlement changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changed {
    /// Records that were no longer under the lease.
    pub(super) lost: u64,
    /// Records that left the queue.
    pub(super) left: u64,
}

/// Settles one request's records. Whatever is not under the token any more stays as it is.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    lane: i64,
    now: i64,
    settlement: &Settlement,
) -> Result<Changed, sqlx::Error> {
    let send = happened(connection, lane, &settlement.report).await?;
    let token = settlement.token.0;
    let mut touched = 0;
    let mut changed = Changed::default();
    let delivered = seqs(settlement, |verdict| matches!(verdict, Settled::Delivered));
    if let Some(delivered) = delivered {
        changed.left += end(connection, lane, token, delivered, 1, send).await?;
    }
    let released = seqs(settlement, |verdict| matches!(verdict, Settled::Released));
    if let Some(released) = released {
        touched += sqlx::query(
            "UPDATE outbox SET token = 0, due_at = ?, attempts = attempts - 1
             WHERE lane = ? AND token = ? AND seq IN (SELECT value FROM json_each(?))",
        )
        .bind(now)
        .bind(lane)
        .bind(token)
        .bind(released)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    touched += retry(connection, lane, send, settlement).await?;
    for (seq, verdict) in &settlement.items {
        let Settled::Dead { class, reason } = verdict else { continue };
        sqlx::query(
            "INSERT INTO dead_letter (lane, seq, class, reason, died_at, attempts, queued_at)
             SELECT lane, seq, ?, ?, ?, attempts, queued_at FROM outbox WHERE lane = ? AND seq = ? AND token = ?",
        )
        .bind(class.name())
        .bind(reason.clone())
        .bind(now)
        .bind(lane)
        .bind(seq.0)
        .bind(token)
        .execute(&mut *connection)
        .await?;
        let seqs = super::json_list([seq.0]);
        changed.left += end(connection, lane, token, seqs, 3, send).await?;
    }
    let asked = u64::try_from(settlement.items.len()).unwrap_or(u64::MAX);
    changed.lost = asked.saturating_sub(touched + changed.left);
    Ok(changed)
}

/// Records what happened, for the attempts to refer to.
pub(super) async fn happened(
    connection: &mut SqliteConnection,
    lane: i64,
    report: &SendReport,
) -> Result<i64, sqlx::Error> {
    let result = sqlx::query(
        "INSERT INTO send (lane, started_at, took_ms, status, answer) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(lane)
    .bind(report.started_at.as_millisecond())
    .bind(i64::try_from(report.took.as_millis()).unwrap_or(i64::MAX))
    .bind(report.status)
    .bind(report.answer.clone())
    .execute(connection)
    .await?;
    Ok(result.last_insert_rowid())
}

/// Takes records out of the queue with a last line in their history.
async fn end(
    connection: &mut SqliteConnection,
    lane: i64,
    token: i64,
    seqs: String,
    outcome: i64,
    send: i64,
) -> Result<u64, sqlx::Error> {
    // One round trip; the count is that of both statements together.
    let result = sqlx::query(
        "INSERT INTO attempt (lane, seq, send, attempt, outcome)
         SELECT lane, seq, ?, attempts, ? FROM outbox
         WHERE lane = ? AND seq IN (SELECT value FROM json_each(?)) AND token = ?;
         DELETE FROM outbox WHERE lane = ? AND seq IN (SELECT value FROM json_each(?)) AND token = ?",
    )
    .bind(send)
    .bind(outcome)
    .bind(lane)
    .bind(seqs.clone())
    .bind(token)
    .bind(lane)
    .bind(seqs)
    .bind(token)
    .execute(connection)
    .await?;
    Ok(result.rows_affected() / 2)
}

async fn retry(
    connection: &mut SqliteConnection,
    lane: i64,
    send: i64,
    settlement: &Settlement,
) -> Result<u64, sqlx::Error> {
    let again: Vec<[i64; 2]> = settlement
        .items
        .iter()
        .filter_map(|(seq, verdict)| match verdict {
            Settled::Retry { due, .. } => Some([seq.0, due.as_millisecond()]),
            _ => None,
        })
        .collect();
    if again.is_empty() {
        return Ok(0);
    }
    let seqs = super::json_list(again.iter().map(|[seq, _]| *seq));
    sqlx::query(
        "INSERT INTO attempt (lane, seq, send, attempt, outcome)
         SELECT lane, seq, ?, attempts, 2 FROM outbox
         WHERE lane = ? AND seq IN (SELECT value FROM json_each(?)) AND token = ?",
    )
    .bind(send)
    .bind(lane)
    .bind(seqs)
    .bind(settlement.token.0)
    .execute(&mut *connection)
    .await?;
    let pairs = serde_json::to_string(&again).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let result = sqlx::query(
        "UPDATE outbox SET token = 0, due_at = again.due
         FROM (SELECT value ->> 0 AS seq, value ->> 1 AS due FROM json_each(?)) AS again
         WHERE outbox.lane = ? AND outbox.seq = again.seq AND outbox.token = ?",
    )
    .bind(pairs)
    .bind(lane)
    .bind(settlement.token.0)
    .execute(connection)
    .await?;
    Ok(result.rows_affected())
}

fn seqs(settlement: &Settlement, wanted: impl Fn(&Settled) -> bool) -> Option<String> {
    let mut seqs = settlement
        .items
        .iter()
        .filter(|(_, verdict)| wanted(verdict))
        .map(|(seq, _)| seq.0)
        .peekable();
    seqs.peek()?;
    Some(super::json_list(seqs))
}

/// Leases up to `max` due records: complaints first, then by due time.
pub(super) async fn lease(
    connection: &mut SqliteConnection,
    lane: i64,
    token: LeaseToken,
    max: usize,
    now: i64,
    until: i64,
) -> Result<Vec<LeasedRow>, sqlx::Error> {
    let mut leased = Vec::new();
    for urgent in [1, 0] {
        let room = i64::try_from(max - leased.len()).unwrap_or(i64::MAX);
        if room == 0 {
            break;
        }
        let rows = sqlx::query(
            "SELECT o.seq, o.attempts + 1, o.queued_at, r.id, r.revision, r.account, r.received_at, r.sealed
             FROM (SELECT seq, attempts, queued_at FROM outbox INDEXED BY outbox_due
                   WHERE lane = ? AND urgent = ? AND due_at <= ? ORDER BY due_at LIMIT ?) AS o
             CROSS JOIN record AS r ON r.seq = o.seq",
        )
        .bind(lane)
        .bind(urgent)
        .bind(now)
        .bind(room)
        .fetch_all(&mut *connection)
        .await?;
        for row in &rows {
            leased.push(LeasedRow {
                seq: RecordSeq(row.get(0)),
                attempt: row.get(1),
                queued_at: timestamp(row.get(2)),
                row: record_row(row, 3),
            });
        }
    }
    let seqs = super::json_list(leased.iter().map(|row| row.seq.0));
    if !leased.is_empty() {
        sqlx::query(
            "UPDATE outbox SET token = ?, due_at = ?, attempts = attempts + 1
             WHERE lane = ? AND seq IN (SELECT value FROM json_each(?))",
        )
        .bind(token.0)
        .bind(until)
        .bind(lane)
        .bind(seqs)
        .execute(connection)
        .await?;
    }
    Ok(leased)
}

/// Reads the columns id, revision, account, received_at, sealed from place `first` on.
pub(super) fn record_row(row: &SqliteRow, first: usize) -> RecordRow {
    let id: Vec<u8> = row.get(first);
    RecordRow {
        id: RecordId(uuid::Uuid::from_slice(&id).unwrap_or_default()),
        revision: Revision(row.get(first + 1)),
        account: row.get(first + 2),
        received_at: row.get(first + 3),
        sealed: row.get(first + 4),
    }
}
