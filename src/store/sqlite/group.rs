//! One commit group: callbacks, their records and their places in the queue, in one transaction.

use super::lease;
use super::pack::Pack;
use super::script::{Place, Script};
use super::writer::State;
use crate::clock::Entropy;
use crate::model::{CallbackSeq, Outcome, Revision};
use crate::store::job::{CommitJob, SealedRecord};
use crate::store::keys::{self, FilingStep, KeyEntry, KeyKind, Known};
use crate::store::seal::Fingerprint;
use crate::store::{Committed, KeyRing, SendReport, rows};
use sqlx::{Row, SqliteConnection};
use std::collections::HashMap;
use std::time::Duration;

/// Buckets that one group files at most: what a run needs is spread over many groups.
const FILING_STEP: usize = 64;

/// A record row, but for its blobs: place and length of the sealed part, which its id precedes.
type RecordTuple = (usize, usize, u32, i64, i64, bool, Option<u8>, String);

/// A note row.
type NoteTuple = (i64, i64, String, i64, &'static str, Option<i64>);

/// What a group comes to, before it is written.
struct Plan {
    records: Pack<RecordTuple>,
    first_record: i64,
    revised: Vec<(uuid::Uuid, u32)>,
    notes: Pack<NoteTuple>,
    keys: Vec<KeyEntry>,
    committed: Vec<Committed>,
    received_at: i64,
}

/// Adds what stores the callbacks, and says what becomes of each once the script has run.
pub(super) fn add(
    script: &mut Script,
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
    if !plan.records.is_empty() {
        let span = (plan.first_record, state.next_record - 1);
        add_records(script, plan.records, span.0)?;
        for lane in lanes {
            add_to_outbox(script, *lane, span);
            for (id, revision) in &plan.revised {
                supersede(script, *lane, plan.received_at, *id, *revision);
            }
        }
    }
    if !plan.notes.is_empty() {
        let (rows, _) = plan.notes.finish()?;
        script.add(
            "INSERT INTO note (callback, item, account, received_at, outcome, repeats)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
             FROM json_each(?)",
        );
        script.bind(rows);
    }
    Ok(plan.committed)
}

/// Decides for each event whether it is new, and gives everything its place in the order.
fn plan(state: &mut State, filed: &Filed, jobs: &mut [CommitJob]) -> Plan {
    let mut plan = Plan {
        records: Pack::with_capacity(jobs.len(), jobs.len() * 256),
        first_record: state.next_record,
        revised: Vec::new(),
        notes: Pack::with_capacity(0, 0),
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
                let outcome = item.outcome.name();
                plan.notes.row((
                    callback,
                    number,
                    account.to_owned(),
                    received_at,
                    outcome,
                    repeats,
                ));
                continue;
            }
            for record in std::mem::take(&mut item.records) {
                let seq = state.next_record;
                state.next_record += 1;
                if let Some(print) = record.caller {
                    plan.keys.push(KeyEntry { kind: KeyKind::Caller, print, seq });
                }
                plan.record(&record, callback, received_at, account);
            }
        }
        plan.garbled(job, callback, received_at);
        plan.committed.push(Committed { seq: CallbackSeq(callback), fresh });
    }
    plan
}

impl Plan {
    fn record(&mut self, record: &SealedRecord, callback: i64, received_at: i64, account: &str) {
        let place = self.records.blob(record.id.0.as_bytes()) + record.id.0.as_bytes().len();
        self.records.blob(&record.sealed);
        let length = record.sealed.len();
        let (revision, urgent, level) = (record.revision.0, record.urgent, record.level);
        let account = account.to_owned();
        self.records.row((place, length, revision, callback, received_at, urgent, level, account));
        if record.revision > Revision::FIRST {
            self.revised.push((record.id.0, revision));
        }
    }

    /// What could not be read is noted after the events that could.
    fn garbled(&mut self, job: &CommitJob, callback: i64, received_at: i64) {
        let first = i64::try_from(job.items.len()).unwrap_or(i64::MAX);
        let outcome = Outcome::Garbled.name();
        for (_, item) in job.callback.garbled.iter().zip(first..) {
            let account = job.callback.account.to_string();
            self.notes.row((callback, item, account, received_at, outcome, None));
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
    records: Pack<RecordTuple>,
    first: i64,
) -> Result<(), sqlx::Error> {
    let (rows, bytes) = records.finish()?;
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

fn add_to_outbox(script: &mut Script, lane: i64, (first, last): (i64, i64)) {
    script.add(
        "INSERT INTO outbox (lane, seq, urgent, due_at, token, attempts, queued_at)
         SELECT ?, seq, urgent, received_at, 0, 0, received_at
         FROM record WHERE seq BETWEEN ? AND ?",
    );
    script.bind(lane).bind(first).bind(last);
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
