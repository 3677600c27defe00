//! The queue's side of a group: settling what was sent, leasing what is due, replaying the dead.

use super::order::{self, PARKED, Query, RANKS};
use super::script::{Done, Place, Script};
use crate::model::{RecordId, RecordSeq, Revision};
use crate::store::gathered::Changed;
use crate::store::job::{LeaseJob, LeasedRow, RecordRow};
use crate::store::rows::timestamp;
use crate::store::{DeadClass, LeaseToken, SendReport, Settled, Settlement};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// The statements of a settlement whose counts tell what it changed.
pub(super) struct Settling {
    asked: usize,
    leaving: Vec<Place>,
    staying: Vec<Place>,
    releasing: Vec<Place>,
}

impl Settling {
    /// What the settlement changed.
    pub(super) fn changed(&self, done: &Done) -> Changed {
        let count = |places: &[Place]| places.iter().map(|place| done.changes(*place)).sum::<u64>();
        let (left, stayed) = (count(&self.leaving), count(&self.staying));
        let asked = u64::try_from(self.asked).unwrap_or(u64::MAX);
        let released = count(&self.releasing);
        Changed { lost: asked.saturating_sub(left + stayed), left, released }
    }
}

/// Adds what settles one request's records. Whatever is not under the token any more stays as it
/// is.
pub(super) fn settle(
    script: &mut Script,
    lane: i64,
    now: i64,
    settlement: &Settlement,
) -> Result<Settling, sqlx::Error> {
    happened(script, lane, &settlement.report);
    let under = Under { lane, token: settlement.token.0 };
    let (mut leaving, mut staying, mut releasing) = (Vec::new(), Vec::new(), Vec::new());
    let leaves = |verdict: &Settled| matches!(verdict, Settled::Delivered | Settled::Dead { .. });
    if let Some(seqs) = seqs(settlement, leaves) {
        releasing.push(under.release(script, now, &Query::of_cases(lane, seqs)));
    }
    if let Some(seqs) = seqs(settlement, |verdict| matches!(verdict, Settled::Delivered)) {
        leaving.push(under.end(script, &Query::listed(seqs), 1));
    }
    for (seq, verdict) in &settlement.items {
        if let Settled::Dead { class, reason } = verdict {
            leaving.push(under.bury(script, now, seq.0, (*class, reason)));
        }
    }
    let back = seqs(settlement, |verdict| !leaves(verdict));
    if let Some(seqs) = &back {
        // What a later revision waits behind is not tried again.
        let overtaken = Query::overtaken(lane, under.token, seqs.clone());
        releasing.push(under.release(script, now, &overtaken));
        leaving.push(under.end(script, &overtaken, 4));
    }
    if let Some(seqs) = seqs(settlement, |verdict| matches!(verdict, Settled::Released)) {
        staying.push(script.add(
            "UPDATE outbox SET token = 0, due_at = min(queued_at, ?), attempts = attempts - 1
             WHERE lane = ? AND token = ? AND seq IN (SELECT value FROM json_each(?))",
        ));
        script.bind(now).bind(under.lane).bind(under.token).bind(seqs);
    }
    if let Some(seqs) = seqs(settlement, |verdict| matches!(verdict, Settled::Retry { .. })) {
        staying.push(under.retry(script, seqs, settlement)?);
    }
    if let Some(seqs) = back {
        order::park(script, lane, &Query::of_cases(lane, seqs));
    }
    Ok(Settling { asked: settlement.items.len(), leaving, staying, releasing })
}

/// Adds the record of what happened; the attempts that follow in the script refer to it.
pub(super) fn happened(script: &mut Script, lane: i64, report: &SendReport) {
    script
        .add("INSERT INTO send (lane, started_at, took_ms, status, answer) VALUES (?, ?, ?, ?, ?)");
    script
        .bind(lane)
        .bind(report.started_at.as_millisecond())
        .bind(i64::try_from(report.took.as_millis()).unwrap_or(i64::MAX))
        .bind(report.status)
        .bind(report.answer.clone());
}

/// The lease under which records are settled.
struct Under {
    lane: i64,
    token: i64,
}

impl Under {
    fn release(&self, script: &mut Script, now: i64, leaving: &Query) -> Place {
        order::release(script, (self.lane, self.token), now, leaving)
    }

    /// Adds a last line to the history of records, and takes them out of the queue.
    fn end(&self, script: &mut Script, seqs: &Query, outcome: i64) -> Place {
        self.note(script, seqs, outcome);
        let place = script.add(&format!(
            "DELETE FROM outbox WHERE lane = ? AND seq IN ({}) AND token = ?",
            seqs.sql()
        ));
        script.bind(self.lane);
        seqs.bind(script);
        script.bind(self.token);
        place
    }

    fn note(&self, script: &mut Script, seqs: &Query, outcome: i64) {
        script.add(&format!(
            "INSERT INTO attempt (lane, seq, send, attempt, outcome)
             SELECT lane, seq, last_insert_rowid(), attempts, ? FROM outbox
             WHERE lane = ? AND seq IN ({}) AND token = ?",
            seqs.sql()
        ));
        script.bind(outcome).bind(self.lane);
        seqs.bind(script);
        script.bind(self.token);
    }

    fn retry(
        &self,
        script: &mut Script,
        seqs: String,
        settlement: &Settlement,
    ) -> Result<Place, sqlx::Error> {
        self.note(script, &Query::listed(seqs), 2);
        // With the lane in each row the plan begins here, and not with all that waits in the lane.
        let due = |(seq, verdict): &(RecordSeq, Settled)| match verdict {
            Settled::Retry { due, .. } => Some([self.lane, seq.0, due.as_millisecond()]),
            _ => None,
        };
        let again: Vec<[i64; 3]> = settlement.items.iter().filter_map(due).collect();
        let place = script.add(
            "UPDATE outbox SET token = 0, due_at = again.value ->> 2 FROM json_each(?) AS again
             WHERE outbox.lane = again.value ->> 0 AND outbox.seq = again.value ->> 1
                AND outbox.token = ?",
        );
        script.bind(super::json(&again)?).bind(self.token);
        Ok(place)
    }

    fn bury(
        &self,
        script: &mut Script,
        now: i64,
        seq: i64,
        (class, reason): (DeadClass, &str),
    ) -> Place {
        script.add(
            "INSERT INTO dead_letter
                (lane, seq, class, reason, died_at, attempts, queued_at, case_key)
             SELECT lane, seq, ?, ?, ?, attempts, queued_at, case_key FROM outbox
             WHERE lane = ? AND seq = ? AND token = ?",
        );
        script
            .bind(class.name())
            .bind(reason.to_owned())
            .bind(now)
            .bind(self.lane)
            .bind(seq)
            .bind(self.token);
        self.end(script, &Query::listed(super::json_list([seq])), 3)
    }
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

/// Adds what leases up to `max` due records: by rank, then by due time. The place is that of the leased rows.
pub(super) fn lease(script: &mut Script, lane: i64, token: LeaseToken, job: &LeaseJob) -> Place {
    let (now, until) = (job.now.as_millisecond(), job.until.as_millisecond());
    let max = i64::try_from(job.max).unwrap_or(i64::MAX);
    order::promote(script, lane, job.near);
    script.add(&format!(
        "{RANKS} UPDATE outbox SET token = ?, due_at = ?, attempts = attempts + 1
         WHERE lane = ? AND seq IN ({DUE})"
    ));
    script.bind(lane).bind(lane).bind(token.0).bind(until).bind(lane);
    script.bind(lane).bind(now).bind(max);
    let place = script.add(&format!(
        "{RANKS}
         SELECT o.seq, o.attempts, o.queued_at, r.id, r.revision, r.account, r.received_at, r.sealed
         FROM rank CROSS JOIN outbox AS o INDEXED BY outbox_due
            ON o.lane = ? AND o.urgent = rank.urgent AND o.due_at = ? AND o.token = ?
         CROSS JOIN record AS r ON r.seq = o.seq ORDER BY o.urgent DESC, o.seq"
    ));
    script.bind(lane).bind(lane).bind(lane).bind(until).bind(token.0);
    place
}

/// What is due of a lane, by rank and then by time. What a lease ran out on may have come to a case while it was under way, and
/// then waits for those before it.
const DUE: &str = "SELECT o.seq FROM rank CROSS JOIN outbox AS o INDEXED BY outbox_due
    ON o.lane = ? AND o.urgent = rank.urgent AND o.due_at <= ?
    WHERE o.token = 0 OR o.case_key IS NULL OR NOT EXISTS (
        SELECT 1 FROM outbox AS e INDEXED BY outbox_case
        WHERE e.lane = o.lane AND e.case_key = o.case_key AND e.seq < o.seq)
    LIMIT ?";

/// Adds what keeps due times where they were, as seen from a clock that was set back: otherwise
/// nothing would be sent until it has caught up.
pub(super) fn step_back(script: &mut Script, millis: i64) {
    script.add("UPDATE outbox SET due_at = due_at - ? WHERE due_at < ?");
    script.bind(millis).bind(PARKED);
}

/// Reads a leased row.
pub(super) fn leased_row(row: &SqliteRow) -> LeasedRow {
    LeasedRow {
        seq: RecordSeq(row.get(0)),
        attempt: row.get(1),
        queued_at: timestamp(row.get(2)),
        row: record_row(row, 3),
    }
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

#[cfg(test)]
mod tests;
