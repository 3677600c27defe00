//! One commit group: callbacks, their records and their places in the queue, in one transaction.

use super::insert::{self, Insert};
use super::lease;
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

/// Writes the callbacks inside the open transaction, and says what became of each.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    statements: &Statements,
    state: &mut State,
    lanes: &[i64],
    jobs: &mut [CommitJob],
    seal: (&KeyRing, &Entropy),
) -> Result<Vec<Committed>, sqlx::Error> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let filed = look_up_filed(connection, state, jobs).await?;
    let first = CallbackSeq(state.next_callback);
    let plan = plan(state, &filed, jobs);

    write_page(connection, first, jobs, plan.received_at, seal).await?;
    sqlx::query("INSERT INTO key_log (first_seq, entries) VALUES (?, ?)")
        .bind(first.0)
        .bind(keys::encode_log(&plan.keys))
        .execute(&mut *connection)
        .await?;
    state.keys.add(first.0, plan.received_at, &plan.keys);

    write_records(connection, statements, lanes, plan.records).await?;
    let notes = statements.note.bound(plan.notes, |query, note| {
        query
            .bind(note.callback)
            .bind(note.item)
            .bind(note.account)
            .bind(note.received_at)
            .bind(note.outcome)
            .bind(note.repeats)
    });
    insert::run(connection, notes).await?;
    Ok(plan.committed)
}

/// Decides for each event whether it is new, and gives everything its place in the order.
fn plan(state: &mut State, filed: &HashMap<Fingerprint, i64>, jobs: &mut [CommitJob]) -> Plan {
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

/// The keys of this group that stand in filed runs.
async fn look_up_filed(
    connection: &mut SqliteConnection,
    state: &State,
    jobs: &[CommitJob],
) -> Result<HashMap<Fingerprint, i64>, sqlx::Error> {
    let perhaps: Vec<(Fingerprint, Vec<i64>)> = jobs
        .iter()
        .flat_map(|job| &job.items)
        .filter_map(|item| match state.keys.look_up(item.dedupe) {
            Known::Perhaps(buckets) => Some((item.dedupe, buckets)),
            Known::New | Known::Seen(_) => None,
        })
        .collect();
    let mut found = HashMap::new();
    for (print, buckets) in perhaps {
        if let Some(seq) = find_in_buckets(connection, &buckets, print).await?.first() {
            found.insert(print, *seq);
        }
    }
    Ok(found)
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

async fn write_page(
    connection: &mut SqliteConnection,
    first: CallbackSeq,
    jobs: &[CommitJob],
    received_at: i64,
    (ring, entropy): (&KeyRing, &Entropy),
) -> Result<(), sqlx::Error> {
    let page = rows::encode_page(jobs.iter().map(|job| &job.callback))
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "INSERT INTO callback_page (first_seq, count, received_at, sealed) VALUES (?, ?, ?, ?)",
    )
    .bind(first.0)
    .bind(i64::try_from(jobs.len()).unwrap_or(i64::MAX))
    .bind(received_at)
    .bind(ring.seal(&rows::page_place(first), &page, entropy))
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_records(
    connection: &mut SqliteConnection,
    statements: &Statements,
    lanes: &[i64],
    records: Vec<RecordRow>,
) -> Result<(), sqlx::Error> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
    let (first, last, now) = (first.seq, last.seq, last.received_at);
    let revised: Vec<(uuid::Uuid, u32)> = records
        .iter()
        .filter(|row| row.record.revision > Revision::FIRST)
        .map(|row| (row.record.id.0, row.record.revision.0))
        .collect();
    let records = statements.record.bound(records, |query, row| {
        query
            .bind(row.seq)
            .bind(row.record.id.0.into_bytes().to_vec())
            .bind(row.record.revision.0)
            .bind(row.callback)
            .bind(row.received_at)
            .bind(row.record.urgent)
            .bind(row.record.level)
            .bind(row.account)
            .bind(row.record.sealed)
    });
    insert::run(connection, records).await?;
    for lane in lanes {
        sqlx::query(
            "INSERT INTO outbox (lane, seq, urgent, due_at, token, attempts, queued_at)
             SELECT ?, seq, urgent, received_at, 0, 0, received_at FROM record WHERE seq BETWEEN ? AND ?",
        )
        .bind(lane)
        .bind(first)
        .bind(last)
        .execute(&mut *connection)
        .await?;
    }
    for lane in lanes {
        for one in &revised {
            supersede(connection, *lane, now, one).await?;
        }
    }
    Ok(())
}

/// Takes earlier revisions that nobody is sending out of the queue.
async fn supersede(
    connection: &mut SqliteConnection,
    lane: i64,
    now: i64,
    (id, revision): &(uuid::Uuid, u32),
) -> Result<(), sqlx::Error> {
    let report = SendReport {
        started_at: rows::timestamp(now),
        took: Duration::ZERO,
        status: None,
        answer: format!("superseded by revision {revision}"),
    };
    let send = lease::happened(connection, lane, &report).await?;
    let id = id.into_bytes().to_vec();
    sqlx::query(
        "INSERT INTO attempt (lane, seq, send, attempt, outcome)
         SELECT lane, seq, ?, attempts, 4 FROM outbox WHERE lane = ? AND token = 0
            AND seq IN (SELECT seq FROM record WHERE id = ? AND revision < ?);
         DELETE FROM outbox WHERE lane = ? AND token = 0
            AND seq IN (SELECT seq FROM record WHERE id = ? AND revision < ?)",
    )
    .bind(send)
    .bind(lane)
    .bind(id.clone())
    .bind(revision)
    .bind(lane)
    .bind(id)
    .bind(revision)
    .execute(connection)
    .await?;
    Ok(())
}

/// Files the next few buckets, and closes the run when they were its last.
pub(super) async fn file_keys(
    connection: &mut SqliteConnection,
    statements: &Statements,
    state: &mut State,
) -> Result<(), sqlx::Error> {
    let Some(FilingStep { rows, completes }) = state.keys.file(FILING_STEP) else { return Ok(()) };
    let rows = statements.bucket.bound(rows, |query, row| query.bind(row.id).bind(row.entries));
    insert::run(connection, rows).await?;
    let Some(run) = completes else { return Ok(()) };
    sqlx::query("INSERT INTO key_run (run, last_log, received_at, deduping) VALUES (?, ?, ?, 1)")
        .bind(run.run)
        .bind(run.span.last_log)
        .bind(run.span.received_at)
        .execute(&mut *connection)
        .await?;
    if let Some((first_run, bits)) = run.filter {
        sqlx::query("INSERT OR REPLACE INTO key_filter (first_run, bits) VALUES (?, ?)")
            .bind(first_run)
            .bind(bits)
            .execute(&mut *connection)
            .await?;
    }
    state.filed_log = run.span.last_log;
    Ok(())
}

/// Drops a few log rows whose keys are filed.
pub(super) async fn trim_log(
    connection: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), sqlx::Error> {
    if state.trimmed_log >= state.filed_log {
        return Ok(());
    }
    let trimmed = sqlx::query(
        "DELETE FROM key_log WHERE first_seq IN
            (SELECT first_seq FROM key_log WHERE first_seq <= ? ORDER BY first_seq LIMIT 32)",
    )
    .bind(state.filed_log)
    .execute(connection)
    .await?;
    if trimmed.rows_affected() == 0 {
        state.trimmed_log = state.filed_log;
    }
    Ok(())
}
