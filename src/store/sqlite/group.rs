//! One commit group: callbacks, their records and their places in the queue, in one transaction.

use super::lease;
use super::ledger;
use super::order::Tied;
use super::pack::Pack;
use super::script::{Done, Place, Script};
use super::writer::State;
use crate::model::CallbackSeq;
use crate::store::job::CommitJob;
use crate::store::keys::{self, FilingStep};
use crate::store::plan::{self, Found, HeldRow, KnownKeys, Plan, PlannedRecord};
use crate::store::seal::Sealer;
use crate::store::{Committed, SendReport, StoreError, rows};
use std::time::Duration;

/// Buckets that one group files at most: what a run needs is spread over many groups.
const FILING_STEP: usize = 64;

/// A record row, but for its blobs: place and length of the sealed part, which its id precedes.
type RecordTuple<'a> = (usize, usize, u32, i64, i64, bool, Option<u8>, &'a str);

/// What was added of a plan.
#[derive(Default)]
pub(super) struct Added {
    /// Record revisions.
    pub(super) records: i64,
    /// Whether events are held.
    pub(super) held: bool,
    /// The statements that keep records out of lanes, or take superseded revisions out of the queue.
    lessening: Vec<Place>,
}

impl Added {
    /// By how many rows the queue grew, or shrank.
    pub(super) fn queued(&self, lanes: usize, done: &Done) -> i64 {
        let less = self.lessening.iter().map(|place| done.changes(*place)).sum::<u64>();
        self.records * i64::try_from(lanes).unwrap_or(0) - i64::try_from(less).unwrap_or(0)
    }
}

/// Adds what stores the callbacks, and says what becomes of each once the script has run.
pub(super) fn add(
    script: &mut Script,
    state: &mut State,
    lanes: &[i64],
    jobs: &mut [CommitJob],
    (found, sealer): (&Found, Sealer<'_>),
) -> Result<(Vec<Result<Committed, StoreError>>, Added), sqlx::Error> {
    let first = CallbackSeq(state.places.callback);
    let known = KnownKeys { recent: Some(&state.keys), found };
    let mut plan = plan::commits(&mut state.places, known, jobs);
    let committed = std::mem::take(&mut plan.committed);
    let count = state.places.callback - first.0;
    if count == 0 {
        return Ok((committed, Added::default()));
    }
    let stored = jobs.iter().zip(&committed).filter(|(_, committed)| committed.is_ok());
    let page = rows::encode_page(stored.map(|(job, _)| &job.callback))
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    script.add(
        "INSERT INTO callback_page (first_seq, count, received_at, sealed) VALUES (?, ?, ?, ?)",
    );
    let page = sealer.seal(&rows::page_place(first), &page);
    script.bind(first.0).bind(count).bind(plan.received_at).bind(page);
    log_keys(script, state, first.0, &plan);
    Ok((committed, add_planned(script, lanes, sealer, &plan, None)?))
}

/// Adds the log row of keys that come without callbacks, if there are any.
pub(super) fn log_keys_apart(script: &mut Script, state: &mut State, plan: &Plan) {
    if !plan.keys.is_empty() {
        // The log goes by places in the order, so new keys take one of their own.
        let log = state.places.callback;
        state.places.callback += 1;
        log_keys(script, state, log, plan);
    }
}

/// Adds the log row of a plan's keys, and has memory know them.
fn log_keys(script: &mut Script, state: &mut State, log: i64, plan: &Plan) {
    script.add("INSERT INTO key_log (first_seq, entries) VALUES (?, ?)");
    script.bind(log).bind(keys::encode_log(&plan.keys));
    state.keys.add(log, plan.received_at, &plan.keys);
}

/// Adds a plan's records, their places in the queue, what it holds, and its notes. Records wait since they
/// arrived, or since `queued_at`.
pub(super) fn add_planned(
    script: &mut Script,
    lanes: &[i64],
    sealer: Sealer<'_>,
    plan: &Plan,
    queued_at: Option<i64>,
) -> Result<Added, sqlx::Error> {
    let mut lessening = Vec::new();
    let (records, held) = (plan.next_record - plan.first_record, !plan.held.is_empty());
    if !plan.records.is_empty() {
        let span = (plan.first_record, plan.next_record - 1);
        let tied = Tied::new(&plan.tied)?;
        add_records(script, &plan.records, span.0)?;
        for (place, lane) in lanes.iter().enumerate() {
            let passed = plan.passed.iter().filter(|(_, passed)| passed.by_lane(place));
            let passed: Vec<i64> = passed.map(|(seq, _)| *seq).collect();
            match passed.is_empty() {
                true => add_to_outbox(script, *lane, span, queued_at),
                false => lessening.push(add_some(script, *lane, span, queued_at, passed)),
            }
            if let Some(tied) = &tied {
                tied.join(script, *lane)?;
            }
            for (id, revision) in &plan.revised {
                lessening.push(supersede(script, *lane, plan.received_at, (*id, *revision)));
            }
            if let Some(tied) = &tied {
                tied.line_up(script, *lane, plan.received_at);
            }
        }
    }
    if held {
        add_held(script, sealer, &plan.held)?;
    }
    if !plan.notes.is_empty() {
        let rows = super::json(&plan.notes)?;
        script.add(
            "INSERT INTO note
                (callback, item, account, received_at, outcome, repeats, matched, problem)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                value ->> 6, value ->> 7
             FROM json_each(?)",
        );
        script.bind(rows.clone());
        if queued_at.is_some() {
            ledger::add_late_notes(script, rows);
        }
    }
    Ok(Added { records, held, lessening })
}

fn add_held(script: &mut Script, sealer: Sealer<'_>, held: &[HeldRow]) -> Result<(), sqlx::Error> {
    let mut events: Pack<(i64, i64, &str, i64, usize, usize)> =
        Pack::with_capacity(held.len(), held.len() * 256);
    for event in held {
        let place = rows::held_place(event.callback, event.item);
        let sealed = sealer.seal(&place, &event.bytes.0);
        let (callback, item, received_at) = (event.callback, event.item, event.received_at);
        let place = events.blob(&sealed);
        events.row((callback, item, &event.account, received_at, place, sealed.len()));
    }
    let (rows, bytes) = events.finish()?;
    script.add(
        "INSERT INTO inbox (callback, item, account, received_at, sealed)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3,
            substr(bytes, value ->> 4, value ->> 5)
         FROM json_each(?), (SELECT ? AS bytes)",
    );
    script.bind(rows).bind(bytes);
    Ok(())
}

fn add_records(
    script: &mut Script,
    records: &[PlannedRecord],
    first: i64,
) -> Result<(), sqlx::Error> {
    let mut pack: Pack<RecordTuple<'_>> = Pack::with_capacity(records.len(), records.len() * 256);
    for row in records {
        let place = pack.blob(row.id.as_bytes()) + row.id.as_bytes().len();
        pack.blob(&row.sealed);
        let length = row.sealed.len();
        let (revision, callback, received_at) = (row.revision, row.callback, row.received_at);
        let (urgent, level, account) = (row.urgent, row.level, row.account.as_str());
        pack.row((place, length, revision, callback, received_at, urgent, level, account));
    }
    let (rows, bytes) = pack.finish()?;
    script.add(
        "INSERT INTO record
            (seq, id, revision, callback, received_at, urgent, level, account, sealed)
         SELECT ? + key, substr(bytes, (value ->> 0) - 16, 16), value ->> 2, value ->> 3,
            value ->> 4, value ->> 5, value ->> 6, value ->> 7,
            substr(bytes, value ->> 0, value ->> 1)
         FROM json_each(?), (SELECT ? AS bytes)",
    );
    script.bind(first).bind(rows).bind(bytes);
    Ok(())
}

fn add_to_outbox(
    script: &mut Script,
    lane: i64,
    (first, last): (i64, i64),
    queued_at: Option<i64>,
) {
    script.add(
        "INSERT INTO outbox (lane, seq, urgent, due_at, token, attempts, queued_at)
         SELECT ?, seq, urgent, coalesce(?, received_at), 0, 0, coalesce(?, received_at)
         FROM record WHERE seq BETWEEN ? AND ?",
    );
    script.bind(lane).bind(queued_at).bind(queued_at).bind(first).bind(last);
}

/// Queues all but those that the lane does not want, unless it was sent an earlier revision: what it
/// knows of, it is told the end of. The place tells how many were left out.
fn add_some(
    script: &mut Script,
    lane: i64,
    (first, last): (i64, i64),
    queued_at: Option<i64>,
    passed: Vec<i64>,
) -> Place {
    let passed = super::json_list(passed);
    script.add(
        "INSERT INTO outbox (lane, seq, urgent, due_at, token, attempts, queued_at)
         SELECT ?, seq, urgent, coalesce(?, received_at), 0, 0, coalesce(?, received_at)
         FROM record WHERE seq BETWEEN ? AND ? AND seq NOT IN (SELECT value FROM json_each(?))",
    );
    script.bind(lane).bind(queued_at).bind(queued_at).bind(first).bind(last).bind(passed.clone());
    let place = script.add(
        "INSERT INTO attempt (lane, seq, send, attempt, outcome)
         SELECT ?, r.seq, 0, 0, 6 FROM record AS r
         WHERE r.seq IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
            SELECT 1 FROM record AS e WHERE e.id = r.id AND e.revision < r.revision AND (
                EXISTS (SELECT 1 FROM outbox WHERE lane = ? AND seq = e.seq)
                OR EXISTS (SELECT 1 FROM attempt WHERE lane = ? AND seq = e.seq AND outcome <> 6)))",
    );
    script.bind(lane).bind(passed.clone()).bind(lane).bind(lane);
    script.add(
        "INSERT INTO outbox (lane, seq, urgent, due_at, token, attempts, queued_at)
         SELECT ?, seq, urgent, coalesce(?, received_at), 0, 0, coalesce(?, received_at)
         FROM record WHERE seq IN (SELECT value FROM json_each(?))
            AND NOT EXISTS (SELECT 1 FROM attempt WHERE lane = ? AND attempt.seq = record.seq)",
    );
    script.bind(lane).bind(queued_at).bind(queued_at).bind(passed).bind(lane);
    place
}

/// Takes earlier revisions that nobody is sending out of the queue.
fn supersede(script: &mut Script, lane: i64, now: i64, (id, revision): (uuid::Uuid, u32)) -> Place {
    let report = SendReport {
        started_at: rows::timestamp(now),
        took: Duration::ZERO,
        status: None,
        answer: format!("superseded by revision {revision}"),
    };
    lease::happened(script, lane, &report);
    let id = id.into_bytes().to_vec();
    script.add(
        "INSERT INTO attempt (lane, seq, send, attempt, outcome)
         SELECT lane, seq, last_insert_rowid(), attempts, 4 FROM outbox
         WHERE lane = ? AND token = 0
            AND seq IN (SELECT seq FROM record WHERE id = ? AND revision < ?)",
    );
    script.bind(lane).bind(id.clone()).bind(revision);
    let place = script.add(
        "DELETE FROM outbox WHERE lane = ? AND token = 0
            AND seq IN (SELECT seq FROM record WHERE id = ? AND revision < ?)",
    );
    script.bind(lane).bind(id).bind(revision);
    place
}

/// Adds what files the next few buckets, and closes the run when they are its last.
pub(super) fn file_keys(script: &mut Script, state: &mut State) -> Result<(), sqlx::Error> {
    let Some(FilingStep { rows, completes }) = state.keys.file(FILING_STEP) else {
        return Ok(());
    };
    let mut buckets: Pack<(i64, usize, usize)> = Pack::with_capacity(rows.len(), 64 * 1024);
    for bucket in rows {
        let place = buckets.blob(&bucket.entries);
        buckets.row((bucket.id, place, bucket.entries.len()));
    }
    let (rows, bytes) = buckets.finish()?;
    script.add(
        "INSERT INTO key_bucket (id, entries)
         SELECT value ->> 0, substr(bytes, value ->> 1, value ->> 2)
         FROM json_each(?), (SELECT ? AS bytes)",
    );
    script.bind(rows).bind(bytes);
    let Some(run) = completes else { return Ok(()) };
    script.add("INSERT INTO key_run (run, last_log, received_at, deduping) VALUES (?, ?, ?, 1)");
    script.bind(run.run).bind(run.span.last_log).bind(run.span.received_at);
    if let Some((first_run, bits)) = run.filter {
        script.add("INSERT OR REPLACE INTO key_filter (first_run, bits) VALUES (?, ?)");
        script.bind(first_run).bind(bits);
    }
    state.filed_log = run.span.last_log;
    Ok(())
}

/// Adds what drops a few log rows whose keys are filed.
pub(super) fn trim_log(script: &mut Script, state: &State) -> Option<Place> {
    (state.trimmed_log < state.filed_log).then(|| {
        let place = script.add(
            "DELETE FROM key_log WHERE first_seq IN
                (SELECT first_seq FROM key_log WHERE first_seq <= ? ORDER BY first_seq LIMIT 32)",
        );
        script.bind(state.filed_log);
        place
    })
}
