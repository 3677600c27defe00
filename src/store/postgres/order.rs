//! The order within a lane: the ranks that what is due goes by, and the cases whose records go one after the other.
//!
//! Of a case only the first record is ever due. The others are parked: due at the end of time, where no look at
//! what is due comes by, until the one before has left the queue. So a case that is stuck costs nobody else anything.

use crate::store::case::{NEAR, Ties};
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// When a parked record is due.
pub(super) const PARKED: i64 = i64::MAX;

const HOUR: i64 = 3_600_000;

/// Complaints that come near their deadline in one look.
const STEP: i64 = 500;

/// A record whose rank those before it in its case take on: its place, case and rank.
type Lender = (i64, i64, i64);

/// Records that are tied to others or to a day.
#[derive(Debug)]
pub(super) struct Tied {
    seqs: Vec<i64>,
    cases: Vec<Option<i64>>,
    call_by: Vec<Option<i64>>,
    /// Of each link the place and the linked record.
    linked: (Vec<i64>, Vec<Uuid>),
}

impl Tied {
    /// As arguments; `None` if there are none.
    pub(super) fn new(tied: &[(i64, Ties)]) -> Option<Tied> {
        if tied.is_empty() {
            return None;
        }
        let links = tied.iter().flat_map(|(seq, ties)| ties.links.iter().map(|id| (*seq, id.0)));
        Some(Tied {
            seqs: tied.iter().map(|(seq, _)| *seq).collect(),
            cases: tied.iter().map(|(_, ties)| ties.case).collect(),
            call_by: tied.iter().map(|(_, ties)| ties.call_by).collect(),
            linked: links.unzip(),
        })
    }

    /// Gives records that were just queued their case, and those before them in it their rank.
    pub(super) async fn join(
        &self,
        connection: &mut PgConnection,
        lane: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE outbox SET case_key = tied.case_key, call_by = tied.call_by
             FROM UNNEST($2::bigint[], $3::bigint[], $4::bigint[]) AS tied (seq, case_key, call_by)
             WHERE outbox.lane = $1 AND outbox.seq = tied.seq",
        )
        .bind(lane)
        .bind(&self.seqs)
        .bind(&self.cases)
        .bind(&self.call_by)
        .execute(&mut *connection)
        .await?;
        if !self.linked.0.is_empty() {
            self.link(connection, lane).await?;
        }
        // A complaint is not held up behind a backlog by the rating that opened it.
        let complaints: Vec<Lender> = sqlx::query_as(
            "SELECT seq, case_key, urgent FROM outbox
             WHERE lane = $1 AND seq = ANY($2) AND urgent > 0 AND case_key IS NOT NULL",
        )
        .bind(lane)
        .bind(&self.seqs)
        .fetch_all(&mut *connection)
        .await?;
        lend(connection, lane, &complaints).await
    }

    /// Has linked records share a case: that of the one that waits already, or else is dead, if it has one.
    async fn link(&self, connection: &mut PgConnection, lane: i64) -> Result<(), sqlx::Error> {
        let links: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT link.seq, r.seq FROM UNNEST($1::bigint[], $2::uuid[]) WITH ORDINALITY
                AS link (seq, id, place)
             JOIN record AS r ON r.id = link.id AND r.seq < link.seq ORDER BY link.place, r.seq",
        )
        .bind(&self.linked.0)
        .bind(&self.linked.1)
        .fetch_all(&mut *connection)
        .await?;
        if links.is_empty() {
            return Ok(());
        }
        let (seqs, before): (Vec<i64>, Vec<i64>) = links.into_iter().unzip();
        // Of several the first link decides.
        const LINKS: &str = "WITH link AS (
            SELECT * FROM UNNEST($2::bigint[], $3::bigint[]) WITH ORDINALITY AS link (seq, before, place))";
        let known = |table: &str| {
            format!(
                "(SELECT e.case_key FROM link JOIN {table} AS e ON e.lane = $1 AND e.seq = link.before
                  WHERE link.seq = outbox.seq AND e.case_key IS NOT NULL ORDER BY link.place LIMIT 1)"
            )
        };
        let takes = format!(
            "{LINKS} UPDATE outbox SET case_key = coalesce({}, {}, case_key)
             WHERE lane = $1 AND seq = ANY($2)",
            known("outbox"),
            known("dead_letter")
        );
        let gives = ["outbox", "dead_letter"].map(|table| {
            format!(
                "{LINKS} UPDATE {table} AS e SET case_key = (
                    SELECT o.case_key FROM link JOIN outbox AS o ON o.lane = $1 AND o.seq = link.seq
                    WHERE link.before = e.seq LIMIT 1)
                 WHERE e.lane = $1 AND e.case_key IS NULL AND e.seq = ANY($3)"
            )
        });
        for sql in std::iter::once(takes).chain(gives) {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(lane).bind(&seqs).bind(&before);
            query.execute(&mut *connection).await?;
        }
        rejoin(connection, lane, &before).await
    }

    /// Parks those of them that are not the first of their case, and has the first of each be due: the one
    /// before may have left for a later revision.
    pub(super) async fn line_up(
        &self,
        connection: &mut PgConnection,
        lane: i64,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        park(connection, lane, &self.seqs).await?;
        let cases: Vec<i64> = sqlx::query_scalar(
            "SELECT DISTINCT case_key FROM outbox
             WHERE lane = $1 AND seq = ANY($2) AND case_key IS NOT NULL",
        )
        .bind(lane)
        .bind(&self.seqs)
        .fetch_all(&mut *connection)
        .await?;
        release(connection, lane, now, &cases).await.map(drop)
    }
}

/// Parks those of these that nobody is sending and that are not the first of their case.
pub(super) async fn park(
    connection: &mut PgConnection,
    lane: i64,
    seqs: &[i64],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE outbox AS o SET due_at = $3
         WHERE lane = $1 AND seq = ANY($2) AND token = 0 AND case_key IS NOT NULL AND EXISTS (
            SELECT 1 FROM outbox AS e
            WHERE e.lane = o.lane AND e.case_key = o.case_key AND e.seq < o.seq)",
    )
    .bind(lane)
    .bind(seqs)
    .bind(PARKED)
    .execute(connection)
    .await
    .map(drop)
}

/// Has the first of each of these cases be due, if it is parked: what was before it has left the queue. Tells how many.
pub(super) async fn release(
    connection: &mut PgConnection,
    lane: i64,
    now: i64,
    cases: &[i64],
) -> Result<u64, sqlx::Error> {
    if cases.is_empty() {
        return Ok(0);
    }
    let done = sqlx::query(
        "UPDATE outbox SET due_at = least(queued_at, $2)
         WHERE lane = $1 AND due_at = $4 AND seq IN (
            SELECT (SELECT n.seq FROM outbox AS n
                    WHERE n.lane = $1 AND n.case_key = one ORDER BY n.seq LIMIT 1)
            FROM UNNEST($3::bigint[]) AS one)",
    )
    .bind(lane)
    .bind(now)
    .bind(cases)
    .bind(PARKED)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Gives records that came to their cases late their place there, and the rank of what they are before.
/// Whatever else is in those cases waits for its turn already, but for the one behind each.
pub(super) async fn rejoin(
    connection: &mut PgConnection,
    lane: i64,
    seqs: &[i64],
) -> Result<(), sqlx::Error> {
    // Each with the one behind it.
    let around: Vec<Lender> = sqlx::query_as(
        "SELECT n.seq, n.case_key, n.urgent FROM outbox AS p CROSS JOIN LATERAL (
            SELECT seq, case_key, urgent FROM outbox AS n
            WHERE n.lane = p.lane AND n.case_key = p.case_key AND n.seq >= p.seq
            ORDER BY n.seq LIMIT 2) AS n
         WHERE p.lane = $1 AND p.seq = ANY($2) AND p.case_key IS NOT NULL",
    )
    .bind(lane)
    .bind(seqs)
    .fetch_all(&mut *connection)
    .await?;
    if around.is_empty() {
        return Ok(());
    }
    lend(connection, lane, &around).await?;
    let seqs: Vec<i64> = around.iter().map(|(seq, ..)| *seq).collect();
    park(connection, lane, &seqs).await
}

/// Has those before records in their cases be as urgent as they are. As nothing in a case is less urgent than what is behind
/// it, this goes back to the first that is urgent enough.
async fn lend(
    connection: &mut PgConnection,
    lane: i64,
    lenders: &[Lender],
) -> Result<(), sqlx::Error> {
    if lenders.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE outbox SET urgent = lent.rank FROM (
            SELECT e.seq, max(c.rank) AS rank
            FROM UNNEST($2::bigint[], $3::bigint[], $4::bigint[]) AS c (seq, case_key, rank)
            CROSS JOIN LATERAL (SELECT coalesce((
                SELECT b.seq FROM outbox AS b
                WHERE b.lane = $1 AND b.case_key = c.case_key AND b.seq < c.seq AND b.urgent >= c.rank
                ORDER BY b.seq DESC LIMIT 1), 0) AS floor) AS urgent_enough
            JOIN outbox AS e ON e.lane = $1 AND e.case_key = c.case_key
                AND e.seq < c.seq AND e.seq > urgent_enough.floor
            GROUP BY e.seq) AS lent
         WHERE outbox.lane = $1 AND outbox.seq = lent.seq",
    )
    .bind(lane)
    .bind(lenders.iter().map(|(seq, ..)| *seq).collect::<Vec<_>>())
    .bind(lenders.iter().map(|(_, case, _)| *case).collect::<Vec<_>>())
    .bind(lenders.iter().map(|(.., rank)| *rank).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

/// Ranks complaints that are near their deadline above the others, by deadline, and with each what is before it
/// in its case.
pub(super) async fn promote(
    connection: &mut PgConnection,
    lane: i64,
    near: Timestamp,
) -> Result<(), sqlx::Error> {
    let nearest: Vec<(i64, Option<i64>, i64)> = sqlx::query_as(
        "SELECT seq, case_key, $3 - call_by / $4 FROM outbox
         WHERE lane = $1 AND call_by <= $2 ORDER BY call_by, seq LIMIT $5",
    )
    .bind(lane)
    .bind(near.as_millisecond())
    .bind(NEAR)
    .bind(HOUR)
    .bind(STEP)
    .fetch_all(&mut *connection)
    .await?;
    // Deadlines are days: however many of a case are near, there are few ranks.
    let mut last = BTreeMap::new();
    for (seq, case, rank) in &nearest {
        if let Some(case) = case {
            let last = last.entry((*case, *rank)).or_insert(*seq);
            *last = (*last).max(*seq);
        }
    }
    let lenders: Vec<Lender> =
        last.into_iter().map(|((case, rank), seq)| (seq, case, rank)).collect();
    lend(connection, lane, &lenders).await?;
    sqlx::query(
        "UPDATE outbox SET urgent = greatest(urgent, near.rank), call_by = NULL
         FROM UNNEST($2::bigint[], $3::bigint[]) AS near (seq, rank)
         WHERE outbox.lane = $1 AND outbox.seq = near.seq",
    )
    .bind(lane)
    .bind(nearest.iter().map(|(seq, ..)| *seq).collect::<Vec<_>>())
    .bind(nearest.iter().map(|(.., rank)| *rank).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}
