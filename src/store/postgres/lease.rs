//! The queue's side: settling what was sent within a turn, and leasing what is due outside of any.

use super::order;
use crate::model::{RecordId, RecordSeq, Revision};
use crate::store::gathered::Changed;
use crate::store::job::{LeaseJob, LeasedRow, RawLease, RecordRow};
use crate::store::rows::timestamp;
use crate::store::{DeadClass, LeaseToken, SendReport, Settled, Settlement};
use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

/// Settles one request's records. Whatever is not under the token any more stays as it is.
pub(super) async fn settle(
    connection: &mut PgConnection,
    lane: i64,
    now: i64,
    settlement: &Settlement,
) -> Result<Changed, sqlx::Error> {
    let (under, mut left) = deliver(connection, lane, settlement).await?;
    left.extend(under.bury(connection, now, settlement).await?);
    let back =
        seqs(settlement, |verdict| matches!(verdict, Settled::Released | Settled::Retry { .. }));
    let mut stayed = 0;
    if !back.is_empty() {
        // What a later revision waits behind is not tried again.
        let overtaken = under.overtaken(connection, &back).await?;
        left.extend(under.end(connection, &overtaken).await?);
        stayed += under.release(connection, now, settlement).await?;
        stayed += under.retry(connection, settlement).await?;
        order::park(connection, lane, &back).await?;
    }
    let asked = u64::try_from(settlement.items.len()).unwrap_or(u64::MAX);
    let gone = u64::try_from(left.len()).unwrap_or(u64::MAX);
    let cases: Vec<i64> = left.into_iter().flatten().collect();
    let released = order::release(connection, lane, now, &cases).await?;
    Ok(Changed { lost: asked.saturating_sub(gone + stayed), left: gone, released })
}

/// Writes down what happened to records of a lane, and takes those that were delivered out of the queue, in one trip. Tells
/// the case of each that was there.
async fn deliver(
    connection: &mut PgConnection,
    lane: i64,
    settlement: &Settlement,
) -> Result<(Under, Vec<Option<i64>>), sqlx::Error> {
    let SendReport { started_at, took, status, answer } = &settlement.report;
    let rows: Vec<(i64, Option<i64>, Option<i64>)> = sqlx::query_as(
        "WITH sent AS (
            INSERT INTO send (id, lane, started_at, took_ms, status, answer)
            VALUES (nextval('send_id'), $1, $2, $3, $4, $5) RETURNING id),
         gone AS (
            DELETE FROM outbox WHERE lane = $1 AND seq = ANY($6) AND token = $7
            RETURNING seq, received_at, attempts, case_key),
         noted AS (
            INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
            SELECT $1, seq, sent.id, received_at, attempts, 1 FROM gone CROSS JOIN sent)
         SELECT sent.id, gone.seq, gone.case_key FROM sent LEFT JOIN gone ON true",
    )
    .bind(lane)
    .bind(started_at.as_millisecond())
    .bind(i64::try_from(took.as_millis()).unwrap_or(i64::MAX))
    .bind(status.map(i32::from))
    .bind(answer)
    .bind(seqs(settlement, |verdict| matches!(verdict, Settled::Delivered)))
    .bind(settlement.token.0)
    .fetch_all(connection)
    .await?;
    let send = rows.first().map_or(0, |(send, ..)| *send);
    let gone = rows.into_iter().filter(|(_, seq, _)| seq.is_some()).map(|(.., case)| case);
    Ok((Under { lane, token: settlement.token.0, send }, gone.collect()))
}

fn seqs(settlement: &Settlement, wanted: impl Fn(&Settled) -> bool) -> Vec<i64> {
    let items = settlement.items.iter().filter(|(_, verdict)| wanted(verdict));
    items.map(|(seq, _)| seq.0).collect()
}

/// The lease under which records are settled, and what happened to them.
struct Under {
    lane: i64,
    token: i64,
    send: i64,
}

impl Under {
    /// Takes records out of the queue that are not tried again. Tells the case of each that was there.
    async fn end(
        &self,
        connection: &mut PgConnection,
        seqs: &[i64],
    ) -> Result<Vec<Option<i64>>, sqlx::Error> {
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        sqlx::query_scalar(
            "WITH gone AS (
                DELETE FROM outbox WHERE lane = $1 AND seq = ANY($2) AND token = $3
                RETURNING seq, received_at, attempts, case_key),
             noted AS (
                INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
                SELECT $1, seq, $4, received_at, attempts, 4 FROM gone)
             SELECT case_key FROM gone",
        )
        .bind(self.lane)
        .bind(seqs)
        .bind(self.token)
        .bind(self.send)
        .fetch_all(connection)
        .await
    }

    /// Has dead letters of those that are given up. Tells the case of each that was there.
    async fn bury(
        &self,
        connection: &mut PgConnection,
        now: i64,
        settlement: &Settlement,
    ) -> Result<Vec<Option<i64>>, sqlx::Error> {
        let dead = |(seq, verdict): &'_ (RecordSeq, Settled)| match verdict {
            Settled::Dead { class, reason } => Some((seq.0, *class, reason.clone())),
            _ => None,
        };
        let dead: Vec<(i64, DeadClass, String)> =
            settlement.items.iter().filter_map(dead).collect();
        if dead.is_empty() {
            return Ok(Vec::new());
        }
        sqlx::query_scalar(
            "WITH gone AS (
                DELETE FROM outbox AS o USING UNNEST($2::bigint[], $3::text[], $4::text[])
                    AS dead (seq, class, reason)
                WHERE o.lane = $1 AND o.seq = dead.seq AND o.token = $5
                RETURNING o.seq, o.received_at, o.attempts, o.queued_at, o.case_key, dead.class,
                    dead.reason),
             buried AS (
                INSERT INTO dead_letter (lane, seq, received_at, class, reason, died_at, attempts,
                    queued_at, case_key)
                SELECT $1, seq, received_at, class, reason, $6, attempts, queued_at, case_key FROM gone),
             noted AS (
                INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
                SELECT $1, seq, $7, received_at, attempts, 3 FROM gone)
             SELECT case_key FROM gone",
        )
        .bind(self.lane)
        .bind(dead.iter().map(|(seq, ..)| *seq).collect::<Vec<_>>())
        .bind(dead.iter().map(|(_, class, _)| class.name()).collect::<Vec<_>>())
        .bind(dead.iter().map(|(.., reason)| reason.as_str()).collect::<Vec<_>>())
        .bind(self.token)
        .bind(now)
        .bind(self.send)
        .fetch_all(connection)
        .await
    }

    /// Those of these of which the lane has a later revision to send: that one has their case.
    async fn overtaken(
        &self,
        connection: &mut PgConnection,
        seqs: &[i64],
    ) -> Result<Vec<i64>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT d.seq FROM outbox AS d
             JOIN record AS r ON r.seq = d.seq AND r.received_at = d.received_at
             WHERE d.lane = $1 AND d.seq = ANY($2) AND d.token = $3 AND d.case_key IS NOT NULL
                AND EXISTS (
                    SELECT 1 FROM record AS later JOIN outbox AS o ON o.lane = $1 AND o.seq = later.seq
                    WHERE later.id = r.id AND later.revision > r.revision)",
        )
        .bind(self.lane)
        .bind(seqs)
        .bind(self.token)
        .fetch_all(connection)
        .await
    }

    /// Gives back what was not sent at all: it is no attempt. Tells how many.
    async fn release(
        &self,
        connection: &mut PgConnection,
        now: i64,
        settlement: &Settlement,
    ) -> Result<u64, sqlx::Error> {
        let seqs = seqs(settlement, |verdict| matches!(verdict, Settled::Released));
        if seqs.is_empty() {
            return Ok(0);
        }
        let done = sqlx::query(
            "UPDATE outbox SET token = 0, due_at = least(queued_at, $4), attempts = attempts - 1
             WHERE lane = $1 AND seq = ANY($2) AND token = $3",
        )
        .bind(self.lane)
        .bind(seqs)
        .bind(self.token)
        .bind(now)
        .execute(connection)
        .await?;
        Ok(done.rows_affected())
    }

    /// Has records be tried again, each when it is due. Tells how many.
    async fn retry(
        &self,
        connection: &mut PgConnection,
        settlement: &Settlement,
    ) -> Result<u64, sqlx::Error> {
        let again = |(seq, verdict): &(RecordSeq, Settled)| match verdict {
            Settled::Retry { due, .. } => Some((seq.0, due.as_millisecond())),
            _ => None,
        };
        let (seqs, due): (Vec<i64>, Vec<i64>) = settlement.items.iter().filter_map(again).unzip();
        if seqs.is_empty() {
            return Ok(0);
        }
        let stayed: i64 = sqlx::query_scalar(
            "WITH again AS (
                UPDATE outbox AS o SET token = 0, due_at = again.due_at
                FROM UNNEST($2::bigint[], $3::bigint[]) AS again (seq, due_at)
                WHERE o.lane = $1 AND o.seq = again.seq AND o.token = $4
                RETURNING o.seq, o.received_at, o.attempts),
             noted AS (
                INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
                SELECT $1, seq, $5, received_at, attempts, 2 FROM again)
             SELECT count(*) FROM again",
        )
        .bind(self.lane)
        .bind(seqs)
        .bind(due)
        .bind(self.token)
        .bind(self.send)
        .fetch_one(connection)
        .await?;
        Ok(stayed.unsigned_abs())
    }
}

/// Leases up to `max` due records: by rank, then by due time. What another node is taking is passed over. What a lease ran
/// out on may have come to a case while it was under way, and then waits for those before it. `None`, and nothing is leased, if
/// complaints of the lane are due by `near` and have no rank for it yet.
pub(super) async fn lease(
    connection: &mut PgConnection,
    lane: i64,
    job: &LeaseJob,
    near: Option<Timestamp>,
) -> Result<Option<RawLease>, sqlx::Error> {
    let until = job.until.as_millisecond();
    let rows = sqlx::query(
        "WITH RECURSIVE near AS MATERIALIZED (
            SELECT EXISTS (SELECT 1 FROM outbox WHERE lane = $1 AND call_by <= $5) AS are),
         rank (urgent) AS (
            (SELECT urgent FROM outbox WHERE lane = $1 AND NOT (SELECT are FROM near)
             ORDER BY urgent DESC LIMIT 1)
            UNION ALL
            SELECT (SELECT urgent FROM outbox WHERE lane = $1 AND urgent < rank.urgent
                    ORDER BY urgent DESC LIMIT 1)
            FROM rank WHERE rank.urgent IS NOT NULL),
         due AS MATERIALIZED (
            SELECT o.seq FROM rank CROSS JOIN LATERAL (
                SELECT seq FROM outbox AS o
                WHERE lane = $1 AND urgent = rank.urgent AND due_at <= $2
                    AND (token = 0 OR case_key IS NULL OR NOT EXISTS (
                        SELECT 1 FROM outbox AS e
                        WHERE e.lane = $1 AND e.case_key = o.case_key AND e.seq < o.seq))
                ORDER BY due_at, seq LIMIT $3 FOR UPDATE SKIP LOCKED) AS o
            LIMIT $3),
         token AS MATERIALIZED (SELECT nextval('lease_token') AS token),
         leased AS (
            UPDATE outbox AS o SET token = token.token, due_at = $4, attempts = attempts + 1
            FROM due CROSS JOIN token WHERE o.lane = $1 AND o.seq = due.seq
            RETURNING o.seq, o.received_at, o.attempts, o.queued_at, o.urgent, o.token)
         SELECT near.are, l.* FROM near LEFT JOIN (
            SELECT l.token, l.seq, l.attempts, l.queued_at, r.id, r.revision, r.account, r.received_at,
                r.sealed, l.urgent
            FROM leased AS l JOIN record AS r ON r.seq = l.seq AND r.received_at = l.received_at)
            AS l ON true
         ORDER BY l.urgent DESC, l.seq",
    )
    .bind(lane)
    .bind(job.now.as_millisecond())
    .bind(i64::try_from(job.max).unwrap_or(i64::MAX))
    .bind(until)
    .bind(near.map(Timestamp::as_millisecond))
    .fetch_all(connection)
    .await?;
    if rows.first().map_or(Ok(false), |row| row.try_get(0))? {
        return Ok(None);
    }
    let mut lease = RawLease { token: LeaseToken::NONE, until: job.until, rows: Vec::new() };
    for row in &rows {
        // There is always one row, if only to say that nothing is near.
        let Some(token) = row.try_get(1)? else { continue };
        lease.token = LeaseToken(token);
        lease.rows.push(leased_row(row)?);
    }
    Ok(Some(lease))
}

/// Keeps due times where they were, as seen from a clock that was set back: otherwise nothing would be sent until it has
/// caught up. What is leased stays so, since another node may be sending it.
pub(super) async fn step_back(
    connection: &mut PgConnection,
    millis: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE outbox SET due_at = due_at - $1 WHERE due_at < $2 AND token = 0")
        .bind(millis)
        .bind(order::PARKED)
        .execute(connection)
        .await
        .map(drop)
}

fn leased_row(row: &PgRow) -> Result<LeasedRow, sqlx::Error> {
    Ok(LeasedRow {
        seq: RecordSeq(row.try_get(2)?),
        attempt: row.try_get::<i32, _>(3)?.unsigned_abs(),
        queued_at: timestamp(row.try_get(4)?),
        row: record_row(row, 5),
    })
}

/// Reads the columns id, revision, account, received_at, sealed from place `first` on.
pub(super) fn record_row(row: &PgRow, first: usize) -> RecordRow {
    RecordRow {
        id: RecordId(row.get(first)),
        revision: Revision(row.get::<i32, _>(first + 1).unsigned_abs()),
        account: row.get(first + 2),
        received_at: row.get(first + 3),
        sealed: row.get(first + 4),
    }
}
