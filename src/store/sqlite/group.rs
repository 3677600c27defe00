//! One commit group: callbacks, their records and their places in the queue, in one transaction.

use super::insert::Insert;
use super::lease;
use super::script::{Place, Script};
use super::writer::State;
use crate::clock::Entropy;
use crate::model::{CallbackSeq, Revision};
use crate::store::job::{CommitJob, SealedRecord};
use crate::store::keys::{self, FilingStep, KeyEntry, KeyKind, Known};
use crate::store::seal::Fingerprint;
use crate::store::{Committed, KeyRing, SendReport, rows};
use sqlx::{Row, SqliteConnection};
use std::collections::HashMap;
use std::time::Duration;

/// Buckets that one group files at most: what a run needs is spread over many groups.
const FILING_STEP: usize = 64;

/// The statements of a group, built once.
#[derive(Debug)]
pub(super) struct Statements {
    record: Insert,
    note: Insert,
    bucket: Insert,
}

impl Statements {
    pub(super) fn new() -> Statements {
        Statements {
            record: Insert::new(
                "record",
                &[
                    "seq",
                    "id",
                    "revision",
                    "callback",
                    "received_at",
                    "urgent",
                    "level",
                    "account",
                    "sealed",
                ],
            ),
            note: Insert::new(
                "note",
                &["callback", "item", "account", "received_at", "outcome", "repeats"],
            ),
            bucket: Insert::new("key_bucket", &["id", "entries"]),
        }
    }
}

/// A record row with its place in the order.
struct RecordRow {
    seq: i64,
    callback: i64,
    received_at: i64,
    account: String,
    record: SealedRecord,
}

struct NoteRow {
    callback: i64,
    item: i64,
    account: String,
    received_at: i64,
    outcome: &'static str,
    repeats: Option<i64>,
}

/// What a group comes to, before it is written.
struct Plan {
    records: Vec<RecordRow>,
    notes: Vec<NoteRow>,
    keys: Vec<KeyEntry>,
    committed: Vec<Committed>,
    received_at: i64,
}

/// Adds what stores the callbacks, and says what becomes of each once the script has run.
pub(super) fn add(
    script: &mut Script,
    statements: &Statements,
    state: &mut State,
    lanes: &[i64],
    jobs: &mut [CommitJob],
    (filed, ring, entropy): (&Filed, &KeyRing, &Entropy),
) -> Result<Vec<Committed>, sqlx::Error> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let first = CallbackSeq(state.next_callback);
    let plan = plan(state, filed, jobs);
    let page = rows::encode_page(jobs.iter().map(|job| &job.callback))
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    script.add(
        "INSERT INTO callback_page (first_seq, count, received_at, sealed) VALUES (?, ?, ?, ?)",
    );
    script
        .bind(first.0)
        .bind(i64::try_from(jobs.len()).unwrap_or(i64::MAX))
        .bind(plan.received_at)
        .bind(ring.seal(&rows::page_place(first), &page, entropy));
    script.add("INSERT INTO key_log (first_seq, entries) VALUES (?, ?)");
    script.bind(first.0).bind(keys::encode_log(&plan.keys));
    state.keys.add(first.0, plan.received_at, &plan.keys);
    add_records(script, statements, lanes, plan.records);
    statements.note.add(script, plan.notes, |script, note| {
        script
            .bind(note.callback)
            .bind(note.item)
            .bind(note.account)
            .bind(note.received_at)
            .bind(note.outcome)
            .bind(note.repeats);
    });
    Ok(plan.committed)
}

/// Decides for each event whether it is new, and gives everything its place in the order.
fn plan(state: &mut State, filed: &Filed, jobs: &mut [CommitJob]) -> Plan {
    let mut plan = Plan {
        records: Vec::with_capacity(jobs.len()),
        notes: Vec::new(),
        keys: Vec::with_capacity(jobs.len() * 2),
        committed: Vec::with_capacity(jobs.len()),
        received_at: 0,
    };
    let mut in_group: HashMap<Fingerprint, i64> = HashMap::with_capacity(jobs.len());
    for job in jobs {
        let callback = state.next_callback;
        state.next_callback += 1;
        let account = job.callback.account.as_str();
        let received_at = job.callback.received_at.as_millisecond();
        plan.received_at = plan.received_at.max(received_at);
        let mut fresh = Vec::with_capacity(job.items.len());
        for (item, number) in job.items.iter_mut().zip(0_i64..) {
            let earlier = in_group.get(&item.dedupe).or_else(|| filed.get(&item.dedupe)).copied();
            let repeats = earlier.or(match state.keys.look_up(item.dedupe) {
                Known::Seen(seq) => Some(seq),
                Known::New | Known::Perhaps(_) => None,
            });
            fresh.push(repeats.is_none());
            if repeats.is_none() {
                in_group.insert(item.dedupe, callback);
                plan.keys.push(KeyEntry {
                    kind: KeyKind::Dedupe,
                    print: item.dedupe,
                    seq: callback,
                });
            }
            if repeats.is_some() || item.records.is_empty() {
                plan.notes.push(NoteRow {
                    callback,
                    item: number,
                    account: account.to_owned(),
                    received_at,
                    outcome: item.outcome.name(),
                    repeats,
                });
                continue;
            }
            for record in std::mem::take(&mut item.records) {
                let seq = state.next_record;
                state.next_record += 1;
                if let Some(print) = record.caller {
                    plan.keys.push(KeyEntry { kind: KeyKind::Caller, print, seq });
                }
                plan.records.push(RecordRow {
                    seq,
                    callback,
                    received_at,
                    account: account.to_owned(),
                    record,
                });
            }
        }
        plan.garbled(job, callback, received_at);
        plan.committed.push(Committed { seq: CallbackSeq(callback), fresh });
    }
    plan
}

impl Plan {
    /// What could not be read is noted after the events that could.
    fn garbled(&mut self, job: &CommitJob, callback: i64, received_at: i64) {
        let first = i64::try_from(job.items.len()).unwrap_or(i64::MAX);
        for (_, item) in job.callback.garbled.iter().zip(first..) {
            self.notes.push(NoteRow {
                callback,
                item,
                account: job.callback.account.to_string(),
                received_at,
                outcome: crate::model::Outcome::Garbled.name(),
                repeats: None,
            });
        }
    }
}

/// Keys of a group that were found in filed runs, and where they lead.
pub(super) type Filed = HashMap<Fingerprint, i64>;

/// Looks up the keys of a group that memory neither knows nor proves new. That is rare enough
/// for a statement each.
pub(super) async fn look_up_filed(
    connection: &mut SqliteConnection,
    state: &State,
    jobs: &[CommitJob],
) -> Result<Filed, sqlx::Error> {
    let perhaps: Vec<(Fingerprint, Vec<i64>)> = jobs
        .iter()
        .flat_map(|job| &job.items)
        .filter_map(|item| match state.keys.look_up(item.dedupe) {
            Known::Perhaps(buckets) => Some((item.dedupe, buckets)),
            Known::New | Known::Seen(_) => None,
        })
        .collect();
    let mut filed = Filed::new();
    for (print, buckets) in perhaps {
        if let Some(seq) = find_in_buckets(connection, &buckets, print).await?.first() {
            filed.insert(print, *seq);
        }
    }
    Ok(filed)
}

/// Where a key leads, according to these buckets.
pub(super) async fn find_in_buckets(
    connection: &mut SqliteConnection,
    buckets: &[i64],
    print: Fingerprint,
) -> Result<Vec<i64>, sqlx::Error> {
    let buckets = super::json_list(buckets.iter().copied());
    let rows = sqlx::query(
        "SELECT entries FROM key_bucket WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
    )
    .bind(buckets)
    .fetch_all(connection)
    .await?;
    let mut seqs = Vec::new();
    for row in &rows {
        seqs.extend(keys::find_in_bucket(row.get::<&[u8], _>(0), print));
    }
    Ok(seqs)
}

fn add_records(
    script: &mut Script,
    statements: &Statements,
    lanes: &[i64],
    records: Vec<RecordRow>,
) {
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
    let (first, last, now) = (first.seq, last.seq, last.received_at);
    let revised: Vec<(uuid::Uuid, u32)> = records
        .iter()
        .filter(|row| row.record.revision > Revision::FIRST)
        .map(|row| (row.record.id.0, row.record.revision.0))
        .collect();
    statements.record.add(script, records, |script, row| {
        script
            .bind(row.seq)
            .bind(row.record.id.0.into_bytes().to_vec())
            .bind(row.record.revision.0)
            .bind(row.callback)
            .bind(row.received_at)
            .bind(row.record.urgent)
            .bind(row.record.level)
            .bind(row.account)
            .bind(row.record.sealed);
    });
    for lane in lanes {
        script.add(
            "INSERT INTO outbox (lane, seq, urgent, due_at, token, attempts, queued_at)
             SELECT ?, seq, urgent, received_at, 0, 0, received_at
             FROM record WHERE seq BETWEEN ? AND ?",
        );
        script.bind(*lane).bind(first).bind(last);
        for (id, revision) in &revised {
            supersede(script, *lane, now, *id, *revision);
        }
    }
}

/// Takes earlier revisions that nobody is sending out of the queue.
fn supersede(script: &mut Script, lane: i64, now: i64, id: uuid::Uuid, revision: u32) {
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
    script.add(
        "DELETE FROM outbox WHERE lane = ? AND token = 0
            AND seq IN (SELECT seq FROM record WHERE id = ? AND revision < ?)",
    );
    script.bind(lane).bind(id).bind(revision);
}

/// Adds what files the next few buckets, and closes the run when they are its last.
pub(super) fn file_keys(script: &mut Script, statements: &Statements, state: &mut State) {
    let Some(FilingStep { rows, completes }) = state.keys.file(FILING_STEP) else { return };
    statements.bucket.add(script, rows, |script, row| {
        script.bind(row.id).bind(row.entries);
    });
    let Some(run) = completes else { return };
    script.add("INSERT INTO key_run (run, last_log, received_at, deduping) VALUES (?, ?, ?, 1)");
    script.bind(run.run).bind(run.span.last_log).bind(run.span.received_at);
    if let Some((first_run, bits)) = run.filter {
        script.add("INSERT OR REPLACE INTO key_filter (first_run, bits) VALUES (?, ?)");
        script.bind(first_run).bind(bits);
    }
    state.filed_log = run.span.last_log;
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
