//! The order within a lane: the ranks that what is due goes by, and the cases whose records go one after the other.
//!
//! Of a case only the first record is ever due. The others are parked: due at the end of time, where no look at
//! what is due comes by, until the one before has left the queue. So a case that is stuck costs nobody else anything.

use super::script::Script;
use crate::store::case::Ties;
use jiff::Timestamp;

/// When a parked record is due.
pub(super) const PARKED: i64 = i64::MAX;

/// The highest of ranks; that of a complaint near its deadline is as much lower as the deadline is hours away from 1970.
const NEAR: i64 = 1 << 32;

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
        script.add(
            "UPDATE outbox SET urgent = 1 WHERE lane = ? AND urgent = 0 AND seq IN (
                SELECT e.seq FROM json_each(?) AS one
                CROSS JOIN outbox AS c ON c.lane = ? AND c.seq = one.value AND c.urgent > 0
                CROSS JOIN outbox AS e INDEXED BY outbox_case
                    ON e.lane = ? AND e.case_key = c.case_key AND e.seq < c.seq)",
        );
        script.bind(lane).bind(self.seqs.clone()).bind(lane).bind(lane);
        Ok(())
    }

    /// Adds what has linked records share a case: that of the one that waits already, if it has one.
    fn link(&self, script: &mut Script, lane: i64) {
        const LINKED: &str = "json_each(?) AS link
            CROSS JOIN record AS r ON r.id = unhex(link.value ->> 1)
            CROSS JOIN outbox AS e ON e.lane = ? AND e.seq = r.seq AND e.seq < link.value ->> 0";
        // Of several the first link decides.
        script.add(&format!(
            "UPDATE outbox SET case_key = coalesce((
                SELECT e.case_key FROM {LINKED} WHERE link.value ->> 0 = outbox.seq
                    AND e.case_key IS NOT NULL ORDER BY link.key LIMIT 1), case_key)
             WHERE lane = ? AND seq IN (SELECT value ->> 0 FROM json_each(?))"
        ));
        script.bind(self.links.clone()).bind(lane).bind(lane).bind(self.links.clone());
        script.add(&format!(
            "UPDATE outbox SET case_key = (
                SELECT o.case_key FROM {LINKED}
                CROSS JOIN outbox AS o ON o.lane = e.lane AND o.seq = link.value ->> 0
                WHERE e.seq = outbox.seq LIMIT 1)
             WHERE lane = ? AND case_key IS NULL AND seq IN (SELECT e.seq FROM {LINKED})"
        ));
        script.bind(self.links.clone()).bind(lane).bind(lane);
        script.bind(self.links.clone()).bind(lane);
        park(script, lane, &format!("SELECT e.seq FROM {LINKED}"));
        script.bind(self.links.clone()).bind(lane);
    }

    /// Adds what parks those of them that are not the first of their case, and has the first of each be due: the one
    /// before may have left for a later revision.
    pub(super) fn line_up(&self, script: &mut Script, lane: i64, now: i64) {
        park(script, lane, "SELECT value FROM json_each(?)");
        script.bind(self.seqs.clone());
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

/// Adds what parks those of these that nobody is sending and that are not the first of their case. The arguments of `seqs`
/// follow.
pub(super) fn park(script: &mut Script, lane: i64, seqs: &str) {
    let sql = format!(
        "UPDATE outbox SET due_at = ? WHERE lane = ? AND token = 0 AND case_key IS NOT NULL
            AND EXISTS (SELECT 1 FROM outbox AS e INDEXED BY outbox_case WHERE e.lane = outbox.lane
                AND e.case_key = outbox.case_key AND e.seq < outbox.seq) AND seq IN ({seqs})"
    );
    script.add(&sql);
    script.bind(PARKED).bind(lane);
}

/// Adds what gives records that are put back their place in their cases, and the rank of what they are before.
pub(super) fn rejoin(script: &mut Script, lane: i64, seqs: &str) {
    script.add(
        "UPDATE outbox SET urgent = (SELECT max(n.urgent) FROM outbox AS n INDEXED BY outbox_case
            WHERE n.lane = outbox.lane AND n.case_key = outbox.case_key AND n.seq >= outbox.seq)
         WHERE lane = ? AND case_key IS NOT NULL AND seq IN (SELECT value FROM json_each(?))",
    );
    script.bind(lane).bind(seqs.to_owned());
    park(
        script,
        lane,
        "SELECT n.seq FROM json_each(?) AS put
         CROSS JOIN outbox AS p ON p.lane = ? AND p.seq = put.value
         CROSS JOIN outbox AS n INDEXED BY outbox_case
            ON n.lane = p.lane AND n.case_key = p.case_key AND n.seq >= p.seq",
    );
    script.bind(seqs.to_owned()).bind(lane);
}

/// Adds what has the next of each case be due whose first is about to leave the queue, from under this
/// lease or none.
pub(super) fn release(script: &mut Script, (lane, token): (i64, i64), now: i64, leaving: String) {
    script.add(
        "UPDATE outbox SET due_at = min(queued_at, ?) WHERE lane = ? AND due_at = ? AND seq IN (
            SELECT (SELECT n.seq FROM outbox AS n INDEXED BY outbox_case
                    WHERE n.lane = d.lane AND n.case_key = d.case_key
                        AND n.seq NOT IN (SELECT value FROM json_each(?)) ORDER BY n.seq LIMIT 1)
            FROM json_each(?) AS left CROSS JOIN outbox AS d
                ON d.lane = ? AND d.seq = left.value AND d.token = ? AND d.case_key IS NOT NULL)",
    );
    script.bind(now).bind(lane).bind(PARKED).bind(leaving.clone()).bind(leaving);
    script.bind(lane).bind(token);
}

/// Adds what ranks complaints that are near their deadline above the others, by deadline, and with each what is before it
/// in its case.
pub(super) fn promote(script: &mut Script, lane: i64, near: Timestamp) {
    let near = near.as_millisecond();
    script.add(
        "UPDATE outbox SET urgent = max(urgent, coalesce((
            SELECT max(? - c.call_by / ?) FROM outbox AS c INDEXED BY outbox_case
            WHERE c.lane = outbox.lane AND c.case_key = outbox.case_key AND c.seq > outbox.seq
                AND c.call_by <= ?), 0))
         WHERE lane = ? AND seq IN (
            SELECT e.seq FROM (SELECT seq, case_key FROM outbox INDEXED BY outbox_call_by
                WHERE lane = ? AND call_by <= ? ORDER BY call_by, seq LIMIT ?) AS c
            CROSS JOIN outbox AS e INDEXED BY outbox_case
                ON e.lane = ? AND e.case_key = c.case_key AND e.seq < c.seq)",
    );
    script.bind(NEAR).bind(HOUR).bind(near);
    script.bind(lane).bind(lane).bind(near).bind(STEP).bind(lane);
    script.add(
        "UPDATE outbox SET urgent = max(urgent, ? - call_by / ?), call_by = NULL
         WHERE lane = ? AND seq IN (SELECT seq FROM outbox INDEXED BY outbox_call_by
            WHERE lane = ? AND call_by <= ? ORDER BY call_by, seq LIMIT ?)",
    );
    script.bind(NEAR).bind(HOUR).bind(lane).bind(lane).bind(near).bind(STEP);
}
