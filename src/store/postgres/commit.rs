//! Adding what a plan holds: callbacks, keys, records and their places in the queue, held events and notes.

use super::order::Tied;
use super::turn::Lanes;
use super::{ledger, print};
use crate::store::keys::{KeyEntry, KeyKind};
use crate::store::plan::{Found, HeldRow, NoteTuple, Plan, PlannedRecord};
use crate::store::rows;
use crate::store::seal::{Fingerprint, Sealer};
use sqlx::Row;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

/// What was added of a plan.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Added {
    /// Record revisions.
    pub(super) records: u64,
    /// By how many rows the queue grew, or shrank.
    pub(super) queued: i64,
    /// Whether events are held.
    pub(super) held: bool,
}

/// Where keys lead that were seen since `keys_from`, and when that arrived.
pub(super) async fn look_up(
    connection: &mut PgConnection,
    keys_from: i64,
    prints: &[Fingerprint],
) -> Result<Found, sqlx::Error> {
    let mut found = Found::default();
    if prints.is_empty() {
        return Ok(found);
    }
    // Of a business key that leads to several, the newest callback decides.
    let rows = sqlx::query(
        "SELECT DISTINCT ON (print) print, callback, received_at FROM dedupe_key
         WHERE print = ANY($1) AND received_at >= $2 ORDER BY print, callback DESC",
    )
    .bind(prints.iter().map(|digest| print(*digest)).collect::<Vec<_>>())
    .bind(keys_from)
    .fetch_all(connection)
    .await?;
    for row in &rows {
        let callback = row.try_get(1)?;
        found.seqs.insert(super::fingerprint(row.try_get(0)?), callback);
        found.arrivals.insert(callback, row.try_get(2)?);
    }
    Ok(found)
}

/// Keys as columns. Those of callers are columns of their records.
fn columns(keys: &[KeyEntry]) -> (Vec<Uuid>, Vec<i64>) {
    let keys = keys.iter().filter(|key| key.kind == KeyKind::Dedupe);
    keys.map(|key| (print(key.print), key.seq)).unzip()
}

/// Adds keys that were seen at a time.
pub(super) async fn add_keys(
    connection: &mut PgConnection,
    keys: &[KeyEntry],
    received_at: i64,
) -> Result<(), sqlx::Error> {
    let (prints, callbacks) = columns(keys);
    if prints.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO dedupe_key (print, callback, received_at)
         SELECT print, callback, $3 FROM UNNEST($1::uuid[], $2::bigint[]) AS new (print, callback)",
    )
    .bind(prints)
    .bind(callbacks)
    .bind(received_at)
    .execute(connection)
    .await
    .map(drop)
}

/// Adds the callbacks of a group as one page, and the keys that they were seen by, in one trip.
pub(super) async fn add_page(
    connection: &mut PgConnection,
    (first, count): (i64, i64),
    keys: &[KeyEntry],
    received_at: i64,
    sealed: Vec<u8>,
) -> Result<(), sqlx::Error> {
    let (prints, callbacks) = columns(keys);
    sqlx::query(
        "WITH page AS (
            INSERT INTO callback_page (first_seq, count, received_at, sealed) VALUES ($1, $2, $3, $4))
         INSERT INTO dedupe_key (print, callback, received_at)
         SELECT print, callback, $3 FROM UNNEST($5::uuid[], $6::bigint[]) AS new (print, callback)",
    )
    .bind(first)
    .bind(count)
    .bind(received_at)
    .bind(sealed)
    .bind(prints)
    .bind(callbacks)
    .execute(connection)
    .await
    .map(drop)
}

/// Adds a plan's records, their places in the queue, what it holds, and its notes; not its keys. Records wait since they
/// arrived, or since `queued_at`.
pub(super) async fn add_planned(
    connection: &mut PgConnection,
    lanes: &Lanes,
    sealer: Sealer<'_>,
    plan: Plan,
    queued_at: Option<i64>,
) -> Result<Added, sqlx::Error> {
    let mut added = Added { held: !plan.held.is_empty(), ..Added::default() };
    if !plan.records.is_empty() {
        let passed = Passing::new(lanes, &plan);
        added.records = u64::try_from(plan.records.len()).unwrap_or(u64::MAX);
        let queued =
            add_records(connection, lanes, &plan.records, (plan.first_record, queued_at), &passed);
        added.queued = rows_of(queued.await?);
        if !passed.seqs.is_empty() {
            added.queued += rows_of(pass(connection, &passed, queued_at).await?);
        }
        let tied = Tied::new(&plan.tied);
        for lane in lanes.all() {
            if let Some(tied) = &tied {
                tied.join(connection, lane).await?;
            }
            for revised in &plan.revised {
                added.queued -=
                    rows_of(supersede(connection, lane, plan.received_at, *revised).await?);
            }
            if let Some(tied) = &tied {
                tied.line_up(connection, lane, plan.received_at).await?;
            }
        }
    }
    if added.held {
        add_held(connection, sealer, &plan.held).await?;
    }
    if !plan.notes.is_empty() {
        add_notes(connection, &plan.notes).await?;
        if queued_at.is_some() {
            ledger::add_late_notes(connection, &plan.notes).await?;
        }
    }
    Ok(added)
}

fn rows_of(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Which records some lanes do not want.
#[derive(Default)]
struct Passing {
    lanes: Vec<i64>,
    seqs: Vec<i64>,
    received_at: Vec<i64>,
}

impl Passing {
    fn new(lanes: &Lanes, plan: &Plan) -> Passing {
        let mut passing = Passing::default();
        let of = |seq: i64| usize::try_from(seq - plan.first_record).unwrap_or(usize::MAX);
        for (seq, passed) in &plan.passed {
            let Some(record) = plan.records.get(of(*seq)) else { continue };
            for (place, lane) in lanes.ours.iter().enumerate() {
                if passed.by_lane(place) {
                    passing.lanes.push(*lane);
                    passing.seqs.push(*seq);
                    passing.received_at.push(record.received_at);
                }
            }
        }
        passing
    }
}

/// Adds records, and queues each for each lane but those that pass it over. Tells how many rows were queued.
async fn add_records(
    connection: &mut PgConnection,
    lanes: &Lanes,
    records: &[PlannedRecord],
    (first, queued_at): (i64, Option<i64>),
    passed: &Passing,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "WITH new AS (
            INSERT INTO record
                (seq, id, revision, callback, received_at, urgent, level, account, caller, sealed)
            SELECT $1 + place - 1, id, revision, callback, received_at, urgent, level, account, caller,
                sealed
            FROM UNNEST($2::uuid[], $3::integer[], $4::bigint[], $5::bigint[], $6::smallint[],
                $7::smallint[], $8::text[], $9::uuid[], $10::bytea[]) WITH ORDINALITY
                AS new (id, revision, callback, received_at, urgent, level, account, caller, sealed, place)
            RETURNING seq, received_at, urgent)
         INSERT INTO outbox (lane, seq, received_at, due_at, token, urgent, queued_at, attempts)
         SELECT lane, seq, received_at, coalesce($12, received_at), 0, urgent,
            coalesce($12, received_at), 0
         FROM new CROSS JOIN UNNEST($11::bigint[]) AS wanting (lane)
         WHERE NOT EXISTS (SELECT 1 FROM UNNEST($13::bigint[], $14::bigint[]) AS passed (lane, seq)
                           WHERE passed.lane = wanting.lane AND passed.seq = new.seq)",
    )
    .bind(first)
    .bind(records.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.revision.cast_signed()).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.callback).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.received_at).collect::<Vec<_>>())
    .bind(records.iter().map(|row| i16::from(row.urgent)).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.level.map(i16::from)).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.account.as_str()).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.caller.map(print)).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.sealed.as_slice()).collect::<Vec<_>>())
    .bind(lanes.all().collect::<Vec<_>>())
    .bind(queued_at)
    .bind(&passed.lanes)
    .bind(&passed.seqs)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Has lanes pass records over, unless the lane was sent an earlier revision: what it knows of, it is told the end of.
/// Tells how many were queued after all.
async fn pass(
    connection: &mut PgConnection,
    passed: &Passing,
    queued_at: Option<i64>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "WITH passed AS (
            SELECT p.lane, r.seq, r.received_at, r.urgent, EXISTS (
                SELECT 1 FROM record AS e WHERE e.id = r.id AND e.revision < r.revision AND (
                    EXISTS (SELECT 1 FROM outbox AS o WHERE o.lane = p.lane AND o.seq = e.seq)
                    OR EXISTS (SELECT 1 FROM attempt AS a WHERE a.lane = p.lane AND a.seq = e.seq
                               AND a.received_at = e.received_at AND a.outcome <> 6))) AS told
            FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) AS p (lane, seq, received_at)
            JOIN record AS r ON r.seq = p.seq AND r.received_at = p.received_at),
         over AS (
            INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
            SELECT lane, seq, 0, received_at, 0, 6 FROM passed WHERE NOT told)
         INSERT INTO outbox (lane, seq, received_at, due_at, token, urgent, queued_at, attempts)
         SELECT lane, seq, received_at, coalesce($4, received_at), 0, urgent,
            coalesce($4, received_at), 0
         FROM passed WHERE told",
    )
    .bind(&passed.lanes)
    .bind(&passed.seqs)
    .bind(&passed.received_at)
    .bind(queued_at)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Takes earlier revisions that nobody is sending out of the queue. Tells how many.
async fn supersede(
    connection: &mut PgConnection,
    lane: i64,
    now: i64,
    (id, revision): (Uuid, u32),
) -> Result<u64, sqlx::Error> {
    let superseded: i64 = sqlx::query_scalar(
        "WITH earlier AS (
            DELETE FROM outbox AS o USING record AS r
            WHERE r.id = $2 AND r.revision < $3 AND o.lane = $1 AND o.seq = r.seq AND o.token = 0
            RETURNING o.seq, o.received_at, o.attempts),
         said AS (
            INSERT INTO send (id, lane, started_at, took_ms, answer)
            SELECT nextval('send_id'), $1, $4, 0, $5 WHERE EXISTS (SELECT 1 FROM earlier) RETURNING id),
         noted AS (
            INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
            SELECT $1, seq, said.id, received_at, attempts, 4 FROM earlier CROSS JOIN said)
         SELECT count(*) FROM earlier",
    )
    .bind(lane)
    .bind(id)
    .bind(revision.cast_signed())
    .bind(now)
    .bind(format!("superseded by revision {revision}"))
    .fetch_one(connection)
    .await?;
    Ok(superseded.unsigned_abs())
}

async fn add_held(
    connection: &mut PgConnection,
    sealer: Sealer<'_>,
    held: &[HeldRow],
) -> Result<(), sqlx::Error> {
    let sealed = |event: &HeldRow| {
        sealer.seal(&rows::held_place(event.callback, event.item), &event.bytes.0)
    };
    sqlx::query(
        "INSERT INTO inbox (callback, item, account, received_at, sealed)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[])",
    )
    .bind(held.iter().map(|event| event.callback).collect::<Vec<_>>())
    .bind(held.iter().map(|event| event.item).collect::<Vec<_>>())
    .bind(held.iter().map(|event| event.account.as_str()).collect::<Vec<_>>())
    .bind(held.iter().map(|event| event.received_at).collect::<Vec<_>>())
    .bind(held.iter().map(sealed).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

async fn add_notes(connection: &mut PgConnection, notes: &[NoteTuple]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO note (callback, item, account, received_at, outcome, repeats, matched, problem)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[],
            $6::bigint[], $7::text[], $8::text[])",
    )
    .bind(notes.iter().map(|note| note.0).collect::<Vec<_>>())
    .bind(notes.iter().map(|note| note.1).collect::<Vec<_>>())
    .bind(notes.iter().map(|note| note.2.as_str()).collect::<Vec<_>>())
    .bind(notes.iter().map(|note| note.3).collect::<Vec<_>>())
    .bind(notes.iter().map(|note| note.4).collect::<Vec<_>>())
    .bind(notes.iter().map(|note| note.5).collect::<Vec<_>>())
    .bind(notes.iter().map(|note| note.6).collect::<Vec<_>>())
    .bind(notes.iter().map(|note| note.7.as_deref()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}
