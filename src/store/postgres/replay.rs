//! Putting dead letters back into the queue, in turns of the operator's own.

use super::Connector;
use super::order;
use super::turn::{News, Turn};
use crate::store::OpenError;
use crate::store::dead::{DeadPlace, ReplayRun, Replayed};
use jiff::Timestamp;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;

/// Notes who begins a run, and by what the letters are chosen.
pub(in crate::store) async fn begin_replay(
    connector: &Connector,
    (operator, filter): (&str, &str),
    now: Timestamp,
) -> Result<ReplayRun, OpenError> {
    let mut connection = connector.connect().await?;
    let run = sqlx::query_scalar(
        "INSERT INTO dead_replay (operator, filter, started_at, last_at, replayed, superseded)
         VALUES ($1, $2, $3, $3, 0, 0) RETURNING id",
    )
    .bind(operator)
    .bind(filter)
    .bind(now.as_millisecond())
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    Ok(ReplayRun(run))
}

/// Puts dead letters back with their attempts forgotten, and counts them in the run's row.
pub(in crate::store) async fn replay(
    connector: &Connector,
    run: ReplayRun,
    letters: &[DeadPlace],
    now: Timestamp,
) -> Result<Replayed, OpenError> {
    let mut lanes = BTreeMap::<i64, Letters>::new();
    for DeadPlace { died_at, lane, seq } in letters {
        let letters = lanes.entry(*lane).or_default();
        letters.seqs.push(*seq);
        letters.died_at.push(*died_at);
    }
    let mut connection = connector.connect().await?;
    // Whoever fails drops the connection, and the server ends the turn.
    let turn = Turn::begin(&mut connection).await?;
    let mut replayed = Replayed::default();
    for (id, letters) in lanes {
        let lane = Lane { id, run, now: now.as_millisecond() };
        let there = lane.still_there(&mut connection, &letters).await?;
        let overtaken = lane.overtaken(&mut connection, &there).await?;
        let queued: Vec<i64> = there.into_iter().filter(|seq| !overtaken.contains(seq)).collect();
        replayed.queued += queued.len() as u64;
        replayed.superseded += overtaken.len() as u64;
        lane.queue(&mut connection, &queued).await?;
        lane.end(&mut connection, &overtaken).await?;
    }
    sqlx::query(
        "UPDATE dead_replay
         SET replayed = replayed + $2, superseded = superseded + $3, last_at = $4 WHERE id = $1",
    )
    .bind(run.0)
    .bind(i64::try_from(replayed.queued).unwrap_or(i64::MAX))
    .bind(i64::try_from(replayed.superseded).unwrap_or(i64::MAX))
    .bind(now.as_millisecond())
    .execute(&mut connection)
    .await?;
    let news = News { records: replayed.queued > 0, ..News::default() };
    turn.end(&mut connection, news).await?;
    connection.close().await?;
    Ok(replayed)
}

/// Dead letters of one lane: their places and when they died.
#[derive(Debug, Default)]
struct Letters {
    seqs: Vec<i64>,
    died_at: Vec<i64>,
}

/// One lane in a step of a run.
struct Lane {
    id: i64,
    run: ReplayRun,
    now: i64,
}

impl Lane {
    /// Those that nobody has put back since they were looked at, though they may have died again.
    async fn still_there(
        &self,
        connection: &mut PgConnection,
        letters: &Letters,
    ) -> Result<Vec<i64>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT d.seq FROM UNNEST($2::bigint[], $3::bigint[]) AS asked (seq, died_at)
             JOIN dead_letter AS d ON d.lane = $1 AND d.seq = asked.seq AND d.died_at = asked.died_at",
        )
        .bind(self.id)
        .bind(&letters.seqs)
        .bind(&letters.died_at)
        .fetch_all(connection)
        .await
    }

    /// Those of which the lane sends or has sent a later revision: the platform must not hear the
    /// older one after it.
    async fn overtaken(
        &self,
        connection: &mut PgConnection,
        seqs: &[i64],
    ) -> Result<Vec<i64>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT DISTINCT d.seq FROM UNNEST($2::bigint[]) AS asked (seq)
             JOIN dead_letter AS d ON d.lane = $1 AND d.seq = asked.seq
             JOIN record AS r ON r.seq = d.seq AND r.received_at = d.received_at
             JOIN record AS later ON later.id = r.id AND later.revision > r.revision
             LEFT JOIN outbox AS o ON o.lane = $1 AND o.seq = later.seq
             WHERE later.seq = ANY($2) OR o.seq IS NOT NULL OR EXISTS (
                SELECT 1 FROM attempt AS a WHERE a.lane = $1 AND a.seq = later.seq
                    AND a.received_at = later.received_at AND a.outcome = 1)",
        )
        .bind(self.id)
        .bind(seqs)
        .fetch_all(connection)
        .await
    }

    /// As of now and not urgent, be it a complaint: a fresh complaint goes before all that is replayed. What was
    /// overtaken by a later record of its case that somebody is sending is in order no more.
    async fn queue(&self, connection: &mut PgConnection, seqs: &[i64]) -> Result<(), sqlx::Error> {
        if seqs.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "WITH risen AS MATERIALIZED (
                DELETE FROM dead_letter WHERE lane = $1 AND seq = ANY($2)
                RETURNING lane, seq, received_at, attempts, case_key),
             said AS MATERIALIZED (
                INSERT INTO send (id, lane, started_at, took_ms, answer)
                VALUES (nextval('send_id'), $1, $3, 0, $4) RETURNING id),
             noted AS (
                INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
                SELECT lane, seq, said.id, received_at, attempts, 5 FROM risen CROSS JOIN said)
             INSERT INTO outbox
                (lane, seq, received_at, urgent, due_at, token, attempts, queued_at, case_key)
             SELECT lane, seq, received_at, 0, $3, 0, 0, $3, CASE WHEN NOT EXISTS (
                SELECT 1 FROM outbox AS n WHERE n.lane = risen.lane
                    AND n.case_key = risen.case_key AND n.seq > risen.seq AND n.token <> 0)
                THEN risen.case_key END
             FROM risen",
        )
        .bind(self.id)
        .bind(seqs)
        .bind(self.now)
        .bind(format!("replayed by an operator (run {})", self.run.0))
        .execute(&mut *connection)
        .await?;
        order::rejoin(connection, self.id, seqs).await?;
        self.supersede(connection, seqs).await
    }

    /// Takes the earlier revisions of these out of the queue that nobody is sending, as a commit does.
    async fn supersede(
        &self,
        connection: &mut PgConnection,
        seqs: &[i64],
    ) -> Result<(), sqlx::Error> {
        let cases: Vec<Option<i64>> = sqlx::query_scalar(
            "WITH earlier AS MATERIALIZED (
                DELETE FROM outbox AS o
                USING outbox AS put
                JOIN record AS r ON r.seq = put.seq AND r.received_at = put.received_at
                JOIN record AS e ON e.id = r.id AND e.revision < r.revision
                WHERE put.lane = $1 AND put.seq = ANY($2)
                    AND o.lane = $1 AND o.seq = e.seq AND o.token = 0
                RETURNING o.seq, o.received_at, o.attempts, o.case_key),
             said AS MATERIALIZED (
                INSERT INTO send (id, lane, started_at, took_ms, answer)
                SELECT nextval('send_id'), $1, $3, 0, $4 WHERE EXISTS (SELECT 1 FROM earlier)
                RETURNING id),
             noted AS (
                INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
                SELECT $1, seq, said.id, received_at, attempts, 4 FROM earlier CROSS JOIN said)
             SELECT DISTINCT case_key FROM earlier WHERE case_key IS NOT NULL",
        )
        .bind(self.id)
        .bind(seqs)
        .bind(self.now)
        .bind(format!("superseded by a replayed revision (run {})", self.run.0))
        .fetch_all(&mut *connection)
        .await?;
        let cases: Vec<i64> = cases.into_iter().flatten().collect();
        order::release(connection, self.id, self.now, &cases).await.map(drop)
    }

    /// Ends those that were overtaken.
    async fn end(&self, connection: &mut PgConnection, seqs: &[i64]) -> Result<(), sqlx::Error> {
        if seqs.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "WITH risen AS MATERIALIZED (
                DELETE FROM dead_letter WHERE lane = $1 AND seq = ANY($2)
                RETURNING seq, received_at, attempts),
             said AS MATERIALIZED (
                INSERT INTO send (id, lane, started_at, took_ms, answer)
                VALUES (nextval('send_id'), $1, $3, 0, $4) RETURNING id)
             INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
             SELECT $1, seq, said.id, received_at, attempts, 4 FROM risen CROSS JOIN said",
        )
        .bind(self.id)
        .bind(seqs)
        .bind(self.now)
        .bind(format!(
            "superseded by a later revision, when it was to be replayed (run {})",
            self.run.0
        ))
        .execute(connection)
        .await
        .map(drop)
    }
}
