//! Reading: what operators look for, and what is due, beside whoever writes.

use super::connect::{Connector, Patience};
use super::lease::record_row;
use super::order::PARKED;
use crate::model::{CallbackSeq, Record, RecordId, RecordSeq, Revision};
use crate::store::dead::theirs;
use crate::store::job::RecordRow;
use crate::store::look::{
    AttemptLine, AttemptOutcome, Counts, Filter, Found, InLane, LaneCounts, LaneStatus, Matched,
    RecordState, Repeat, RevisionHistory, open_record, opened,
};
use crate::store::rows::{self, StoredCallback, timestamp};
use crate::store::seal::Fingerprinter;
use crate::store::{Due, KeyRing, ReadError};
use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder, Row, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const COLUMNS: &str = "r.id, r.revision, r.account, r.received_at, r.sealed";

/// The ranks that there are in a lane by its name, the highest first: however many rows, a look in the index for each.
const RANKS: &str = "WITH RECURSIVE lane_of (id) AS MATERIALIZED (SELECT id FROM lane WHERE name = $1),
    rank (urgent) AS (
        (SELECT urgent FROM outbox WHERE lane = (SELECT id FROM lane_of) ORDER BY urgent DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT urgent FROM outbox
                WHERE lane = (SELECT id FROM lane_of) AND urgent < rank.urgent
                ORDER BY urgent DESC LIMIT 1)
        FROM rank WHERE rank.urgent IS NOT NULL)";

/// Reads a store, beside whoever writes to it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Reader {
    pub(in crate::store) pool: PgPool,
    pub(in crate::store) patience: Patience,
    pub(in crate::store) ring: Arc<KeyRing>,
    pub(in crate::store) prints: Fingerprinter,
    /// The name of this node.
    pub(super) node: Arc<str>,
}

/// Record revisions by their places and the times at which they were received: where they lie.
#[derive(Debug, Default)]
struct Asked {
    seqs: Vec<i64>,
    received_at: Vec<i64>,
}

impl Asked {
    fn add(&mut self, seq: RecordSeq, received_at: i64) {
        self.seqs.push(seq.0);
        self.received_at.push(received_at);
    }
}

impl Reader {
    /// A reader that goes where this connector does.
    pub(in crate::store) fn new(
        connector: &Connector,
        ring: Arc<KeyRing>,
        prints: Fingerprinter,
    ) -> Reader {
        Reader {
            pool: connector.readers(),
            patience: connector.patience(),
            ring,
            prints,
            node: connector.node().into(),
        }
    }

    /// One moment for several statements: what is written meanwhile is seen whole or not at all.
    pub(super) async fn moment(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// Records that the filter lets through, newest first.
    pub(in crate::store) async fn find(&self, filter: &Filter) -> Result<Vec<Found>, ReadError> {
        let mut query = QueryBuilder::<Postgres>::new("SELECT ");
        query.push(COLUMNS).push(", r.seq FROM record AS r WHERE true");
        if let Some(caller) = &filter.caller {
            query.push(" AND r.caller = ").push_bind(super::print(self.prints.caller(caller)));
        }
        filter.narrow(&mut query);
        query.push(" ORDER BY r.seq DESC LIMIT ").push_bind(i64::from(filter.limit));
        let mut moment = self.moment().await?;
        let rows = query.build().fetch_all(&mut *moment).await?;
        let mut asked = Asked::default();
        rows.iter().for_each(|row| asked.add(RecordSeq(row.get(5)), row.get(3)));
        let mut states = states(&mut moment, &asked).await?;
        moment.rollback().await?;
        let found = |row: &PgRow| Found {
            seq: RecordSeq(row.get(5)),
            record: open_record(&self.ring, &record_row(row, 0)),
            state: RecordState::of_all(states.remove(&row.get(5)).unwrap_or_default()),
        };
        Ok(rows.iter().map(found).collect())
    }

    /// The newest ratings, newest first; those that cannot be opened are left out.
    pub(in crate::store) async fn newest_ratings(
        &self,
        limit: u32,
    ) -> Result<Vec<Record>, ReadError> {
        let mut query = QueryBuilder::<Postgres>::new("SELECT ");
        query.push(COLUMNS).push(" FROM record AS r WHERE r.urgent = 0 ORDER BY r.seq DESC LIMIT ");
        let rows = query.push_bind(i64::from(limit)).build().fetch_all(&self.pool).await?;
        Ok(rows
            .iter()
            .filter_map(|row| open_record(&self.ring, &record_row(row, 0)).ok())
            .collect())
    }

    /// All revisions of a record, oldest first, each with what became of it.
    pub(in crate::store) async fn history(
        &self,
        id: RecordId,
    ) -> Result<Vec<RevisionHistory>, ReadError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS}, r.seq, r.callback FROM record AS r WHERE r.id = $1 ORDER BY r.revision"
        )))
        .bind(id.0)
        .fetch_all(&mut *moment)
        .await?;
        let mut asked = Asked::default();
        rows.iter().for_each(|row| asked.add(RecordSeq(row.get(5)), row.get(3)));
        let mut states = states(&mut moment, &asked).await?;
        let mut attempts = attempts(&mut moment, &asked).await?;
        let mut history = Vec::with_capacity(rows.len());
        for row in &rows {
            let (seq, callback) = (row.get(5), CallbackSeq(row.get(6)));
            history.push(RevisionHistory {
                seq: RecordSeq(seq),
                record: open_record(&self.ring, &record_row(row, 0)),
                state: RecordState::of_all(states.remove(&seq).unwrap_or_default()),
                attempts: attempts.remove(&seq).unwrap_or_default(),
                callback_seq: callback,
                callback: self.callback_at(&mut moment, callback).await?,
                repeats: repeats(&mut moment, callback).await?,
            });
        }
        moment.rollback().await?;
        Ok(history)
    }

    /// A raw callback, unless its time has come.
    pub(in crate::store) async fn callback(
        &self,
        seq: CallbackSeq,
    ) -> Result<Option<StoredCallback>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        self.callback_at(&mut connection, seq).await
    }

    async fn callback_at(
        &self,
        connection: &mut PgConnection,
        seq: CallbackSeq,
    ) -> Result<Option<StoredCallback>, ReadError> {
        let page = sqlx::query(
            "SELECT first_seq, sealed FROM callback_page WHERE first_seq <= $1
             ORDER BY first_seq DESC LIMIT 1",
        )
        .bind(seq.0)
        .fetch_optional(connection)
        .await?;
        let Some(page) = page else { return Ok(None) };
        let first = CallbackSeq(page.get(0));
        let plain = self.ring.open(&rows::page_place(first), page.get(1))?;
        Ok(rows::decode_page(first, &plain)?.into_iter().find(|callback| callback.seq == seq))
    }

    /// What stands in each lane.
    pub(in crate::store) async fn lanes(&self) -> Result<Vec<LaneStatus>, ReadError> {
        let rows = sqlx::query(
            "SELECT l.name, coalesce(o.pending, 0), coalesce(o.complaints, 0), coalesce(o.leased, 0),
                    coalesce(o.waiting, 0), o.oldest, o.next_due, coalesce(d.dead, 0),
                    coalesce(d.theirs, 0), coalesce(o.behind, 0)
             FROM lane AS l
             LEFT JOIN (
                SELECT lane, count(*) AS pending, count(*) FILTER (WHERE urgent > 0) AS complaints,
                       count(*) FILTER (WHERE token <> 0) AS leased,
                       count(*) FILTER (WHERE attempts > 0 AND token = 0) AS waiting,
                       min(queued_at) AS oldest, min(due_at) AS next_due,
                       count(*) FILTER (WHERE due_at = $2) AS behind
                FROM outbox GROUP BY lane) AS o ON o.lane = l.id
             LEFT JOIN (
                SELECT lane, count(*) AS dead, count(*) FILTER (WHERE class = ANY($1)) AS theirs
                FROM dead_letter GROUP BY lane) AS d ON d.lane = l.id
             ORDER BY l.id",
        )
        .bind(theirs())
        .bind(PARKED)
        .fetch_all(&self.pool)
        .await?;
        let status = |row: &PgRow| LaneStatus {
            name: row.get(0),
            pending: row.get(1),
            complaints: row.get(2),
            leased: row.get(3),
            waiting_to_retry: row.get(4),
            oldest: row.get::<Option<i64>, _>(5).map(timestamp),
            next_due: row.get::<Option<i64>, _>(6).map(timestamp),
            dead: row.get(7),
            dead_theirs: row.get(8),
            behind: row.get(9),
        };
        Ok(rows.iter().map(status).collect())
    }

    /// A full count: every record revision in exactly one of five places of each lane.
    pub(in crate::store) async fn counts(&self) -> Result<Counts, ReadError> {
        let mut moment = self.moment().await?;
        let row = sqlx::query(
            "SELECT (SELECT coalesce(sum(count), 0)::bigint FROM callback_page),
                    (SELECT count(*) FROM record), count(repeats), count(*) - count(repeats),
                    (SELECT count(*) FROM inbox)
             FROM note",
        )
        .fetch_one(&mut *moment)
        .await?;
        let lanes = lane_counts(&mut moment).await?;
        moment.rollback().await?;
        let sum = |of: fn(&LaneCounts) -> i64| lanes.iter().map(of).sum();
        Ok(Counts {
            callbacks: row.get(0),
            records: row.get(1),
            pending: sum(|lane| lane.pending),
            dead: sum(|lane| lane.dead),
            delivered: sum(|lane| lane.delivered),
            superseded: sum(|lane| lane.superseded),
            repeats: row.get(2),
            notes: row.get(3),
            held: row.get(4),
            by_lane: lanes,
        })
    }

    /// When the next record of a lane is due.
    pub(in crate::store) async fn next_due(&self, lane: &str) -> Result<Option<i64>, ReadError> {
        let sql = format!(
            "{RANKS} SELECT min(o.due_at) FROM rank CROSS JOIN LATERAL (
                SELECT due_at FROM outbox
                WHERE lane = (SELECT id FROM lane_of) AND urgent = rank.urgent AND due_at < $2
                ORDER BY due_at LIMIT 1) AS o"
        );
        let next = sqlx::query_scalar(AssertSqlSafe(sql));
        Ok(next.bind(lane).bind(PARKED).fetch_one(&self.pool).await?)
    }

    /// What is due of a lane, of which no more than so many are looked at.
    pub(in crate::store) async fn due(
        &self,
        lane: &str,
        now: Timestamp,
        most: usize,
    ) -> Result<Due, ReadError> {
        let sql = format!(
            "{RANKS} SELECT count(*), coalesce(max(urgent), 0), min(due_at) FROM (
                SELECT o.urgent, o.due_at FROM rank CROSS JOIN LATERAL (
                    SELECT urgent, due_at FROM outbox
                    WHERE lane = (SELECT id FROM lane_of) AND urgent = rank.urgent AND due_at <= $2
                    ORDER BY due_at LIMIT $3) AS o
                LIMIT $3) AS due"
        );
        let (records, urgent, since): (i64, i64, Option<i64>) = sqlx::query_as(AssertSqlSafe(sql))
            .bind(lane)
            .bind(now.as_millisecond())
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_one(&self.pool)
            .await?;
        let records = usize::try_from(records).unwrap_or_default();
        Ok(Due { records, urgent: urgent > 0, since: since.map(timestamp) })
    }

    pub(super) fn open(&self, row: &RecordRow) -> Result<Record, ReadError> {
        opened(&self.ring, row)
    }
}

/// Where record revisions are in each lane that is held to account for them, in the order of lanes.
async fn states(
    connection: &mut PgConnection,
    asked: &Asked,
) -> Result<BTreeMap<i64, Vec<InLane>>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT asked.seq, o.due_at, o.token <> 0, first.id, first.revision, d.class, a.outcome
         FROM UNNEST($1::bigint[], $2::bigint[]) AS asked (seq, received_at)
         JOIN lane AS l
            ON l.first_seq <= asked.seq AND (l.last_seq IS NULL OR l.last_seq >= asked.seq)
         LEFT JOIN outbox AS o ON o.lane = l.id AND o.seq = asked.seq
         LEFT JOIN LATERAL (
            SELECT e.seq, e.received_at FROM outbox AS e
            WHERE o.due_at = $3 AND e.lane = o.lane AND e.case_key = o.case_key
            ORDER BY e.seq LIMIT 1) AS e ON true
         LEFT JOIN record AS first ON first.seq = e.seq AND first.received_at = e.received_at
         LEFT JOIN dead_letter AS d ON d.lane = l.id AND d.seq = asked.seq
         LEFT JOIN LATERAL (
            SELECT outcome FROM attempt
            WHERE lane = l.id AND seq = asked.seq AND received_at = asked.received_at
            ORDER BY send DESC LIMIT 1) AS a ON true
         ORDER BY l.id",
    )
    .bind(&asked.seqs)
    .bind(&asked.received_at)
    .bind(PARKED)
    .fetch_all(connection)
    .await?;
    let mut states: BTreeMap<i64, Vec<InLane>> = BTreeMap::new();
    for row in &rows {
        let due: Option<i64> = row.get(1);
        let first: Option<uuid::Uuid> = row.get(3);
        states.entry(row.get(0)).or_default().push(InLane {
            queued: due.map(|due| (due, row.get(2))),
            behind: first.map(|id| (RecordId(id), Revision(row.get::<i32, _>(4).unsigned_abs()))),
            dead: row.get(5),
            last: row.get::<Option<i16>, _>(6).map(i64::from),
        });
    }
    Ok(states)
}

/// What was tried with record revisions, oldest first.
async fn attempts(
    connection: &mut PgConnection,
    asked: &Asked,
) -> Result<BTreeMap<i64, Vec<AttemptLine>>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT a.seq, l.name, a.attempt, a.outcome, s.started_at, s.took_ms, s.status, s.answer
         FROM UNNEST($1::bigint[], $2::bigint[]) AS asked (seq, received_at) CROSS JOIN lane AS l
         JOIN attempt AS a
            ON a.lane = l.id AND a.seq = asked.seq AND a.received_at = asked.received_at
         LEFT JOIN send AS s ON s.id = a.send ORDER BY a.send, a.lane",
    )
    .bind(&asked.seqs)
    .bind(&asked.received_at)
    .fetch_all(connection)
    .await?;
    let mut attempts: BTreeMap<i64, Vec<AttemptLine>> = BTreeMap::new();
    for row in &rows {
        attempts.entry(row.get(0)).or_default().push(AttemptLine {
            lane: row.get(1),
            attempt: row.get::<i32, _>(2).unsigned_abs(),
            outcome: AttemptOutcome::from_number(i64::from(row.get::<i16, _>(3))),
            started_at: row.get::<Option<i64>, _>(4).map(timestamp),
            took_ms: row.get(5),
            status: row.get::<Option<i32>, _>(6).and_then(|status| u16::try_from(status).ok()),
            answer: row.get::<Option<String>, _>(7).unwrap_or_default(),
        });
    }
    Ok(attempts)
}

/// The callbacks that repeated this one, oldest first.
async fn repeats(
    connection: &mut PgConnection,
    callback: CallbackSeq,
) -> Result<Vec<Repeat>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT DISTINCT callback, received_at, matched FROM note
         WHERE repeats = $1 AND callback <> $1 ORDER BY callback",
    )
    .bind(callback.0)
    .fetch_all(connection)
    .await?;
    let repeat = |row: &PgRow| Repeat {
        callback: CallbackSeq(row.get(0)),
        received_at: timestamp(row.get(1)),
        matched: Matched::from_name(row.get(2)),
    };
    Ok(rows.iter().map(repeat).collect())
}

async fn lane_counts(connection: &mut PgConnection) -> Result<Vec<LaneCounts>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT l.name, (SELECT count(*) FROM record
                 WHERE seq >= l.first_seq AND (l.last_seq IS NULL OR seq <= l.last_seq)),
                (SELECT count(*) FROM outbox WHERE lane = l.id),
                (SELECT count(*) FROM dead_letter WHERE lane = l.id),
                coalesce(a.delivered, 0), coalesce(a.superseded, 0), coalesce(a.not_for_it, 0)
         FROM lane AS l
         LEFT JOIN (
            SELECT lane, count(*) FILTER (WHERE outcome = 1) AS delivered,
                   count(*) FILTER (WHERE outcome = 4) AS superseded,
                   count(*) FILTER (WHERE outcome = 6) AS not_for_it
            FROM attempt GROUP BY lane) AS a ON a.lane = l.id
         ORDER BY l.id",
    )
    .fetch_all(connection)
    .await?;
    let counts = |row: &PgRow| LaneCounts {
        name: row.get(0),
        records: row.get(1),
        pending: row.get(2),
        dead: row.get(3),
        delivered: row.get(4),
        superseded: row.get(5),
        not_for_it: row.get(6),
    };
    Ok(rows.iter().map(counts).collect())
}
