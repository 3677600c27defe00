//! Putting dead letters back into the queue, on a connection of the operator's own.

use super::lease::happened;
use super::open::open_operator;
use super::order::{self, Query};
use super::script::Script;
use crate::store::dead::{DeadPlace, ReplayRun, Replayed};
use crate::store::{LeaseToken, OpenError, SendReport};
use jiff::Timestamp;
use sqlx::{Connection, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// Notes who begins a run, and by what the letters are chosen.
pub(in crate::store) async fn begin_replay(
    directory: &Path,
    (operator, filter): (&str, &str),
    now: Timestamp,
) -> Result<ReplayRun, OpenError> {
    let mut connection = open_operator(directory).await?;
    let done = sqlx::query(
        "INSERT INTO dead_replay (operator, filter, started_at, last_at, replayed, superseded)
         VALUES (?1, ?2, ?3, ?3, 0, 0)",
    )
    .bind(operator)
    .bind(filter)
    .bind(now.as_millisecond())
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(ReplayRun(done.last_insert_rowid()))
}

/// Puts dead letters back with their attempts forgotten, and counts them in the run's row.
pub(in crate::store) async fn replay(
    directory: &Path,
    run: ReplayRun,
    letters: &[DeadPlace],
    now: Timestamp,
) -> Result<Replayed, OpenError> {
    let mut lanes = BTreeMap::<i64, Vec<[i64; 2]>>::new();
    for DeadPlace { died_at, lane, seq } in letters {
        lanes.entry(*lane).or_default().push([*seq, *died_at]);
    }
    let mut connection = open_operator(directory).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut replayed = Replayed::default();
    for (id, letters) in lanes {
        let lane = Lane { id, run, now };
        let there = lane.still_there(&mut transaction, &letters).await?;
        let overtaken = lane.overtaken(&mut transaction, &there).await?;
        let queued: Vec<i64> = there.into_iter().filter(|seq| !overtaken.contains(seq)).collect();
        let mut script = Script::default();
        replayed.queued += queued.len() as u64;
        replayed.superseded += overtaken.len() as u64;
        let earlier = lane.earlier(&mut transaction, &queued).await?;
        lane.queue(&mut script, &queued, earlier);
        lane.end(&mut script, overtaken);
        script.run(&mut transaction).await?;
    }
    sqlx::query(
        "UPDATE dead_replay SET replayed = replayed + ?, superseded = superseded + ?, last_at = ?
         WHERE id = ?",
    )
    .bind(i64::try_from(replayed.queued).unwrap_or(i64::MAX))
    .bind(i64::try_from(replayed.superseded).unwrap_or(i64::MAX))
    .bind(now.as_millisecond())
    .bind(run.0)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(replayed)
}

/// One lane in a step of a run.
struct Lane {
    id: i64,
    run: ReplayRun,
    now: Timestamp,
}

impl Lane {
    /// Those that nobody has put back since they were looked at, though they may have died again.
    async fn still_there(
        &self,
        connection: &mut SqliteConnection,
        letters: &[[i64; 2]],
    ) -> Result<Vec<i64>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT d.seq FROM json_each(?) AS asked CROSS JOIN dead_letter AS d
                ON d.lane = ? AND d.seq = asked.value ->> 0 AND d.died_at = asked.value ->> 1",
        )
        .bind(super::json(letters)?)
        .bind(self.id)
        .fetch_all(connection)
        .await
    }

    /// Those of which the lane sends or has sent a later revision: the platform must not hear the
    /// older one after it.
    async fn overtaken(
        &self,
        connection: &mut SqliteConnection,
        seqs: &[i64],
    ) -> Result<BTreeSet<i64>, sqlx::Error> {
        let overtaken: Vec<i64> = sqlx::query_scalar(
            "SELECT r.seq FROM json_each(?1) AS asked CROSS JOIN record AS r ON r.seq = asked.value
             WHERE EXISTS (SELECT 1 FROM record AS later
                WHERE later.id = r.id AND later.revision > r.revision AND (
                    later.seq IN (SELECT value FROM json_each(?1))
                    OR EXISTS (SELECT 1 FROM outbox WHERE lane = ?2 AND seq = later.seq)
                    OR EXISTS (SELECT 1 FROM attempt
                               WHERE lane = ?2 AND seq = later.seq AND outcome = 1)))",
        )
        .bind(super::json_list(seqs.iter().copied()))
        .bind(self.id)
        .fetch_all(connection)
        .await?;
        Ok(overtaken.into_iter().collect())
    }

    /// As of now and not urgent, be it a complaint: a fresh complaint goes before all that is replayed. What was
    /// overtaken by a later record of its case that somebody is sending is in order no more.
    fn queue(&self, script: &mut Script, seqs: &[i64], earlier: Vec<i64>) {
        if seqs.is_empty() {
            return;
        }
        let seqs = super::json_list(seqs.iter().copied());
        let now = self.now.as_millisecond();
        self.note(script, &seqs, (5, "replayed by an operator"));
        script.add(
            "INSERT INTO outbox (lane, seq, urgent, due_at, token, attempts, queued_at, case_key)
             SELECT lane, seq, 0, ?, 0, 0, ?, CASE WHEN EXISTS (
                SELECT 1 FROM outbox AS n INDEXED BY outbox_case WHERE n.lane = d.lane
                    AND n.case_key = d.case_key AND n.seq > d.seq AND n.token <> 0)
                THEN NULL ELSE d.case_key END
             FROM dead_letter AS d WHERE lane = ? AND seq IN (SELECT value FROM json_each(?))",
        );
        script.bind(now).bind(now).bind(self.id).bind(seqs.clone());
        order::rejoin(script, self.id, &Query::listed(seqs.clone()));
        self.supersede(script, earlier);
        self.unbury(script, seqs);
    }

    /// The earlier revisions of these that wait in the queue, and nobody is sending.
    async fn earlier(
        &self,
        connection: &mut SqliteConnection,
        seqs: &[i64],
    ) -> Result<Vec<i64>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT o.seq FROM json_each(?) AS put CROSS JOIN record AS r ON r.seq = put.value
             CROSS JOIN record AS e ON e.id = r.id AND e.revision < r.revision
             CROSS JOIN outbox AS o ON o.lane = ? AND o.seq = e.seq AND o.token = 0",
        )
        .bind(super::json_list(seqs.iter().copied()))
        .bind(self.id)
        .fetch_all(connection)
        .await
    }

    /// Takes earlier revisions out of the queue, as a commit does.
    fn supersede(&self, script: &mut Script, earlier: Vec<i64>) {
        if earlier.is_empty() {
            return;
        }
        let earlier = super::json_list(earlier);
        let now = self.now.as_millisecond();
        let leaving = Query::listed(earlier.clone());
        order::release(script, (self.id, LeaseToken::NONE.0), now, &leaving);
        let report = SendReport {
            started_at: self.now,
            took: Duration::ZERO,
            status: None,
            answer: format!("superseded by a replayed revision (run {})", self.run.0),
        };
        happened(script, self.id, &report);
        script.add(
            "INSERT INTO attempt (lane, seq, send, attempt, outcome)
             SELECT lane, seq, last_insert_rowid(), attempts, 4 FROM outbox
             WHERE lane = ? AND seq IN (SELECT value FROM json_each(?))",
        );
        script.bind(self.id).bind(earlier.clone());
        script.add("DELETE FROM outbox WHERE lane = ? AND seq IN (SELECT value FROM json_each(?))");
        script.bind(self.id).bind(earlier);
    }

    fn end(&self, script: &mut Script, seqs: BTreeSet<i64>) {
        if seqs.is_empty() {
            return;
        }
        let seqs = super::json_list(seqs);
        self.note(script, &seqs, (4, "superseded by a later revision, when it was to be replayed"));
        self.unbury(script, seqs);
    }

    fn note(&self, script: &mut Script, seqs: &str, (outcome, said): (i64, &str)) {
        let report = SendReport {
            started_at: self.now,
            took: Duration::ZERO,
            status: None,
            answer: format!("{said} (run {})", self.run.0),
        };
        happened(script, self.id, &report);
        script.add(
            "INSERT INTO attempt (lane, seq, send, attempt, outcome)
             SELECT lane, seq, last_insert_rowid(), attempts, ? FROM dead_letter
             WHERE lane = ? AND seq IN (SELECT value FROM json_each(?))",
        );
        script.bind(outcome).bind(self.id).bind(seqs.to_owned());
    }

    fn unbury(&self, script: &mut Script, seqs: String) {
        script.add(
            "DELETE FROM dead_letter WHERE lane = ? AND seq IN (SELECT value FROM json_each(?))",
        );
        script.bind(self.id).bind(seqs);
    }
}
