//! The order within a lane: the ranks that what is due goes by, and the cases whose records go one after the other.
//!
//! Of a case only the first record is ever due. The others are parked: due at the end of time, where no look at
//! what is due comes by, until the one before has left the queue. So a case that is stuck costs nobody else anything.

use super::script::{Place, Script};
use crate::store::case::{NEAR, Ties};
use jiff::Timestamp;

/// When a parked record is due.
pub(super) const PARKED: i64 = i64::MAX;

const HOUR: i64 = 3_600_000;

/// Complaints that come near their deadline in one look.
const STEP: i64 = 500;

/// The ranks that there are in a lane, the highest first: however many rows, a look in the index for each. The rows of a
/// table that is joined to it with CROSS JOIN come in this order, as SQLite nests its loops so.
pub(super) const RANKS: &str = "WITH RECURSIVE rank(urgent) AS (
    SELECT max(urgent) FROM outbox INDEXED BY outbox_due WHERE lane = ?
    UNION ALL
    SELECT (SELECT max(urgent) FROM outbox INDEXED BY outbox_due
            WHERE lane = ? AND urgent < rank.urgent)
    FROM rank WHERE rank.urgent IS NOT NULL)";

/// A query within statements, and its arguments.
#[derive(Debug, Clone)]
pub(super) struct Query {
    sql: String,
    arguments: Vec<Argument>,
}

#[derive(Debug, Clone)]
enum Argument {
    Number(i64),
    Text(String),
}

impl Query {
    fn new(sql: impl Into<String>, arguments: Vec<Argument>) -> Query {
        Query { sql: sql.into(), arguments }
    }

    /// Places, as they stand in a list.
    pub(super) fn listed(seqs: String) -> Query {
        Query::new("SELECT value AS seq FROM json_each(?)", vec![Argument::Text(seqs)])
    }

    /// The same, or none if nothing in the lane has a case: most lanes need no look at each.
    pub(super) fn of_cases(lane: i64, seqs: String) -> Query {
        Query::new(
            "SELECT value AS seq FROM json_each(iif(EXISTS (SELECT 1 FROM outbox
                INDEXED BY outbox_case WHERE lane = ? AND case_key IS NOT NULL), ?, '[]'))",
            vec![Argument::Number(lane), Argument::Text(seqs)],
        )
    }

    /// Those of these under a lease of which the lane has a later revision to send: that one has their case.
    pub(super) fn overtaken(lane: i64, token: i64, seqs: String) -> Query {
        let Query { sql, mut arguments } = Query::of_cases(lane, seqs);
        arguments.extend([lane, token, lane].map(Argument::Number));
        let sql = format!(
            "SELECT d.seq AS seq FROM ({sql}) AS one
             CROSS JOIN outbox AS d
                ON d.lane = ? AND d.seq = one.seq AND d.token = ? AND d.case_key IS NOT NULL
             CROSS JOIN record AS r ON r.seq = d.seq
             CROSS JOIN record AS later ON later.id = r.id AND later.revision > r.revision
             CROSS JOIN outbox AS o ON o.lane = ? AND o.seq = later.seq"
        );
        Query::new(sql, arguments)
    }

    /// Each of these with the one behind it in its case: place, case and rank.
    fn with_next(&self, lane: i64) -> Query {
        let mut arguments = self.arguments.clone();
        arguments.push(Argument::Number(lane));
        let sql = format!(
            "SELECT n.seq AS seq, n.case_key AS case_key, n.urgent AS rank FROM ({}) AS put
             CROSS JOIN outbox AS p ON p.lane = ? AND p.seq = put.seq AND p.case_key IS NOT NULL
             CROSS JOIN outbox AS n INDEXED BY outbox_case ON n.lane = p.lane
                AND n.case_key = p.case_key AND n.seq >= p.seq AND n.seq <= coalesce((
                    SELECT x.seq FROM outbox AS x INDEXED BY outbox_case WHERE x.lane = p.lane
                        AND x.case_key = p.case_key AND x.seq > p.seq ORDER BY x.seq LIMIT 1), p.seq)",
            self.sql
        );
        Query::new(sql, arguments)
    }

    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// Adds its arguments.
    pub(super) fn bind(&self, script: &mut Script) {
        for argument in &self.arguments {
            match argument {
                Argument::Number(number) => script.bind(*number),
                Argument::Text(text) => script.bind(text.clone()),
            };
        }
    }
}

/// Records that are tied to others or to a day, as arguments of statements.
#[derive(Debug)]
pub(super) struct Tied {
    /// Of each its place, case and deadline.
    rows: Vec<(i64, Option<i64>, Option<i64>)>,
    /// Their places.
    seqs: String,
    /// Of each link the place and the linked record; empty if there is none.
    links: String,
}

impl Tied {
    /// As arguments; `None` if there are none.
    pub(super) fn new(tied: &[(i64, Ties)]) -> Result<Option<Tied>, sqlx::Error> {
        if tied.is_empty() {
            return Ok(None);
        }
        let row = |(seq, one): &(i64, Ties)| (*seq, one.case, one.call_by);
        let rows = tied.iter().map(row).collect();
        let seqs = super::json_list(tied.iter().map(|(seq, _)| *seq));
        let links = tied
            .iter()
            .flat_map(|(seq, one)| one.links.iter().map(|id| (*seq, hex::encode(id.0.as_bytes()))));
        let links: Vec<_> = links.collect();
        let links = if links.is_empty() { String::new() } else { super::json(&links)? };
        Ok(Some(Tied { rows, seqs, links }))
    }

    /// Adds what gives records that were just queued their case, and those before them in it their rank.
    pub(super) fn join(&self, script: &mut Script, lane: i64) -> Result<(), sqlx::Error> {
        // With the lane in each row the plan begins here, and not with all that waits in the lane.
        let rows: Vec<_> = self.rows.iter().map(|row| (lane, row.0, row.1, row.2)).collect();
        script.add(
            "UPDATE outbox SET case_key = one.value ->> 2, call_by = one.value ->> 3
             FROM json_each(?) AS one
             WHERE outbox.lane = one.value ->> 0 AND outbox.seq = one.value ->> 1",
        );
        script.bind(super::json(&rows)?);
        if !self.links.is_empty() {
            self.link(script, lane);
        }
        // A complaint is not held up behind a backlog by the rating that opened it.
        let complaints = Query::new(
            "SELECT o.seq AS seq, o.case_key AS case_key, o.urgent AS rank FROM json_each(?) AS one
             CROSS JOIN outbox AS o ON o.lane = ? AND o.seq = one.value AND o.urgent > 0",
            vec![Argument::Text(self.seqs.clone()), Argument::Number(lane)],
        );
        lend(script, lane, &complaints);
        Ok(())
    }

    /// Adds what has linked records share a case: that of the one that waits already, or else is dead, if it has one.
    fn link(&self, script: &mut Script, lane: i64) {
        const LINKED: &str = "json_each(?) AS link
            CROSS JOIN record AS r ON r.id = unhex(link.value ->> 1)";
        const WAITS: &str = "CROSS JOIN outbox AS e
            ON e.lane = ? AND e.seq = r.seq AND e.seq < link.value ->> 0";
        const DEAD: &str = "CROSS JOIN dead_letter AS e
            ON e.lane = ? AND e.seq = r.seq AND e.seq < link.value ->> 0";
        // Of several the first link decides.
        let known = |of: &str| {
            format!(
                "(SELECT e.case_key FROM {LINKED} {of} WHERE link.value ->> 0 = outbox.seq
                    AND e.case_key IS NOT NULL ORDER BY link.key, e.seq LIMIT 1)"
            )
        };
        script.add(&format!(
            "UPDATE outbox SET case_key = coalesce({}, {}, case_key)
             WHERE lane = ? AND seq IN (SELECT value ->> 0 FROM json_each(?))",
            known(WAITS),
            known(DEAD)
        ));
        script.bind(self.links.clone()).bind(lane).bind(self.links.clone()).bind(lane);
        script.bind(lane).bind(self.links.clone());
        for (table, of) in [("outbox", WAITS), ("dead_letter", DEAD)] {
            script.add(&format!(
                "UPDATE {table} SET case_key = (
                    SELECT o.case_key FROM {LINKED}
                    CROSS JOIN outbox AS o ON o.lane = ? AND o.seq = link.value ->> 0
                    WHERE r.seq = {table}.seq LIMIT 1)
                 WHERE lane = ? AND case_key IS NULL AND seq IN (SELECT e.seq FROM {LINKED} {of})"
            ));
            script.bind(self.links.clone()).bind(lane).bind(lane);
            script.bind(self.links.clone()).bind(lane);
        }
        let waits = format!("SELECT e.seq AS seq FROM {LINKED} {WAITS}");
        let arguments = vec![Argument::Text(self.links.clone()), Argument::Number(lane)];
        rejoin(script, lane, &Query::new(waits, arguments));
    }

    /// Adds what parks those of them that are not the first of their case, and has the first of each be due: the one
    /// before may have left for a later revision.
    pub(super) fn line_up(&self, script: &mut Script, lane: i64, now: i64) {
        park(script, lane, &Query::listed(self.seqs.clone()));
        script.add(
            "UPDATE outbox SET due_at = min(queued_at, ?) WHERE lane = ? AND due_at = ? AND seq IN (
                SELECT (SELECT n.seq FROM outbox AS n INDEXED BY outbox_case
                        WHERE n.lane = o.lane AND n.case_key = o.case_key ORDER BY n.seq LIMIT 1)
                FROM json_each(?) AS one
                CROSS JOIN outbox AS o ON o.lane = ? AND o.seq = one.value)",
        );
        script.bind(now).bind(lane).bind(PARKED).bind(self.seqs.clone()).bind(lane);
    }
}

/// Adds what parks those of these that nobody is sending and that are not the first of their case.
pub(super) fn park(script: &mut Script, lane: i64, seqs: &Query) {
    script.add(&format!(
        "UPDATE outbox SET due_at = ? WHERE lane = ? AND token = 0 AND {BEHIND}
            AND seq IN (SELECT seq FROM ({}))",
        seqs.sql
    ));
    script.bind(PARKED).bind(lane);
    seqs.bind(script);
}

/// That a row of the outbox is not the first of its case.
pub(super) const BEHIND: &str = "case_key IS NOT NULL AND EXISTS (
    SELECT 1 FROM outbox AS e INDEXED BY outbox_case
    WHERE e.lane = outbox.lane AND e.case_key = outbox.case_key AND e.seq < outbox.seq)";

/// Adds what has those before records in their cases be as urgent as they are: of each its place, case and rank. As
/// nothing in a case is less urgent than what is behind it, this goes back to the first that is urgent enough.
fn lend(script: &mut Script, lane: i64, lenders: &Query) {
    script.add(&format!(
        "UPDATE outbox SET urgent = lent.rank FROM (
            SELECT e.lane AS lane, e.seq AS seq, max(c.rank) AS rank FROM ({}) AS c
            CROSS JOIN outbox AS e INDEXED BY outbox_case
                ON e.lane = ? AND e.case_key = c.case_key AND e.seq < c.seq AND e.seq > coalesce((
                    SELECT b.seq FROM outbox AS b INDEXED BY outbox_case
                    WHERE b.lane = ? AND b.case_key = c.case_key AND b.seq < c.seq
                        AND b.urgent >= c.rank ORDER BY b.seq DESC LIMIT 1), 0)
            GROUP BY e.lane, e.seq) AS lent
         WHERE outbox.lane = lent.lane AND outbox.seq = lent.seq",
        lenders.sql
    ));
    lenders.bind(script);
    script.bind(lane).bind(lane);
}

/// Adds what gives records that came to their cases late their place there, and the rank of what they are before.
/// Whatever else is in those cases waits for its turn already, but for the one behind each.
pub(super) fn rejoin(script: &mut Script, lane: i64, seqs: &Query) {
    let around = seqs.with_next(lane);
    lend(script, lane, &around);
    park(script, lane, &around);
}

/// Adds what has the next of each case be due whose first is about to leave the queue, from under this
/// lease or none. The place tells how many.
pub(super) fn release(
    script: &mut Script,
    (lane, token): (i64, i64),
    now: i64,
    leaving: &Query,
) -> Place {
    let sql = &leaving.sql;
    let place = script.add(&format!(
        "UPDATE outbox SET due_at = min(queued_at, ?) WHERE lane = ? AND due_at = ? AND seq IN (
            SELECT (SELECT n.seq FROM outbox AS n INDEXED BY outbox_case
                    WHERE n.lane = d.lane AND n.case_key = d.case_key
                        AND NOT (n.token = ? AND n.seq IN ({sql})) ORDER BY n.seq LIMIT 1)
            FROM ({sql}) AS leaving CROSS JOIN outbox AS d
                ON d.lane = ? AND d.seq = leaving.seq AND d.token = ? AND d.case_key IS NOT NULL)"
    ));
    script.bind(now).bind(lane).bind(PARKED).bind(token);
    leaving.bind(script);
    leaving.bind(script);
    script.bind(lane).bind(token);
    place
}

/// Adds what ranks complaints that are near their deadline above the others, by deadline, and with each what is before it
/// in its case.
pub(super) fn promote(script: &mut Script, lane: i64, near: Timestamp) {
    const NEAREST: &str = "FROM outbox INDEXED BY outbox_call_by
        WHERE lane = ? AND call_by <= ? ORDER BY call_by, seq LIMIT ?";
    let near = near.as_millisecond();
    // Deadlines are days: however many of a case are near, there are few ranks.
    let nearest = Query::new(
        format!(
            "SELECT max(seq) AS seq, case_key, rank FROM (
                SELECT seq, case_key, ? - call_by / ? AS rank {NEAREST}) GROUP BY case_key, rank"
        ),
        [NEAR, HOUR, lane, near, STEP].map(Argument::Number).into(),
    );
    lend(script, lane, &nearest);
    script.add(&format!(
        "UPDATE outbox SET urgent = max(urgent, ? - call_by / ?), call_by = NULL
         WHERE lane = ? AND seq IN (SELECT seq {NEAREST})"
    ));
    script.bind(NEAR).bind(HOUR).bind(lane).bind(lane).bind(near).bind(STEP);
}
