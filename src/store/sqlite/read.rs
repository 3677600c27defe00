//! Reading: what operators look for, on connections that cannot write.

use super::filed::find_in_buckets;
use super::lease::record_row;
use super::order::{PARKED, RANKS};
use crate::model::{CallbackSeq, Record, RecordId, RecordSeq, Revision};
use crate::store::dead::theirs;
use crate::store::job::RecordRow;
use crate::store::keys::{self, KeyKind};
use crate::store::look::{
    AttemptLine, AttemptOutcome, Counts, Filter, Found, InLane, LaneCounts, LaneStatus, Matched,
    RecordState, Repeat, RevisionHistory, open_record, opened,
};
use crate::store::rows::{self, StoredCallback, timestamp};
use crate::store::seal::{Fingerprint, Fingerprinter};
use crate::store::{Due, KeyRing, ReadError};
use jiff::Timestamp;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};
use std::sync::Arc;

pub(super) const COLUMNS: &str = "r.id, r.revision, r.account, r.received_at, r.sealed";

/// Reads a store, beside whoever writes to it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Reader {
    pub(in crate::store) pool: SqlitePool,
    pub(in crate::store) ring: Arc<KeyRing>,
    pub(in crate::store) prints: Fingerprinter,
}

impl Reader {
    /// Records that the filter lets through, newest first.
    pub(in crate::store) async fn find(&self, filter: &Filter) -> Result<Vec<Found>, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(COLUMNS).push(", r.seq FROM record AS r WHERE r.seq > 0");
        if let Some(caller) = &filter.caller {
            let seqs = self.records_of(self.prints.caller(caller)).await?;
            query.push(" AND r.seq IN (SELECT value FROM json_each(");
            query.push_bind(super::json_list(seqs)).push("))");
        }
        filter.narrow(&mut query);
        query.push(" ORDER BY r.seq DESC LIMIT ").push_bind(filter.limit);
        let mut found = Vec::new();
        for row in &query.build().fetch_all(&self.pool).await? {
            let seq = RecordSeq(row.get(5));
            let record = open_record(&self.ring, &record_row(row, 0));
            let state = self.state(seq).await?;
            found.push(Found { seq, record, state });
        }
        Ok(found)
    }

    /// The newest ratings, newest first; those that cannot be opened are left out.
    pub(in crate::store) async fn newest_ratings(
        &self,
        limit: u32,
    ) -> Result<Vec<Record>, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(COLUMNS).push(" FROM record AS r WHERE r.urgent = 0 ORDER BY r.seq DESC LIMIT ");
        let rows = query.push_bind(limit).build().fetch_all(&self.pool).await?;
        Ok(rows
            .iter()
            .filter_map(|row| open_record(&self.ring, &record_row(row, 0)).ok())
            .collect())
    }

    async fn records_of(&self, caller: Fingerprint) -> Result<Vec<i64>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let runs: Vec<i64> =
            sqlx::query_scalar("SELECT run FROM key_run").fetch_all(&mut *connection).await?;
        let buckets: Vec<i64> =
            runs.iter().map(|run| keys::bucket_id(*run, KeyKind::Caller, caller)).collect();
        let mut seqs = find_in_buckets(&mut connection, &buckets, caller).await?;
        let unfiled = sqlx::query(
            "SELECT entries FROM key_log
             WHERE first_seq > (SELECT coalesce(max(last_log), 0) FROM key_run)",
        )
        .fetch_all(&mut *connection)
        .await?;
        for row in &unfiled {
            let entries = keys::decode_log(row.get(0));
            let own =
                entries.iter().filter(|key| key.kind == KeyKind::Caller && key.print == caller);
            seqs.extend(own.map(|entry| entry.seq));
        }
        Ok(seqs)
    }

    /// All revisions of a record, oldest first, each with what became of it.
    pub(in crate::store) async fn history(
        &self,
        id: RecordId,
    ) -> Result<Vec<RevisionHistory>, ReadError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, r.seq, r.callback FROM record AS r WHERE r.id = ? ORDER BY r.revision"
        )))
        .bind(id.0.into_bytes().to_vec())
        .fetch_all(&self.pool)
        .await?;
        let mut history = Vec::new();
        for row in &rows {
            let seq = RecordSeq(row.get(5));
            let callback = CallbackSeq(row.get(6));
            history.push(RevisionHistory {
                seq,
                record: open_record(&self.ring, &record_row(row, 0)),
                state: self.state(seq).await?,
                attempts: self.attempts(seq).await?,
                callback_seq: callback,
                callback: self.callback(callback).await?,
                repeats: self.repeats(callback).await?,
            });
        }
        Ok(history)
    }

    /// A raw callback, unless its time has come.
    pub(in crate::store) async fn callback(
        &self,
        seq: CallbackSeq,
    ) -> Result<Option<StoredCallback>, ReadError> {
        let page = sqlx::query(
            "SELECT first_seq, sealed FROM callback_page WHERE first_seq <= ?
             ORDER BY first_seq DESC LIMIT 1",
        )
        .bind(seq.0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(page) = page else { return Ok(None) };
        let first = CallbackSeq(page.get(0));
        let plain = self.ring.open(&rows::page_place(first), page.get(1))?;
        Ok(rows::decode_page(first, &plain)?.into_iter().find(|callback| callback.seq == seq))
    }

    /// The callbacks that repeated this one, oldest first.
    async fn repeats(&self, callback: CallbackSeq) -> Result<Vec<Repeat>, ReadError> {
        let rows = sqlx::query(
            "SELECT DISTINCT callback, received_at, matched FROM note
             WHERE repeats = ?1 AND callback <> ?1 ORDER BY callback",
        )
        .bind(callback.0)
        .fetch_all(&self.pool)
        .await?;
        let repeat = |row: &SqliteRow| Repeat {
            callback: CallbackSeq(row.get(0)),
            received_at: timestamp(row.get(1)),
            matched: Matched::from_name(row.get(2)),
        };
        Ok(rows.iter().map(repeat).collect())
    }

    async fn attempts(&self, seq: RecordSeq) -> Result<Vec<AttemptLine>, ReadError> {
        let rows = sqlx::query(
            "SELECT l.name, a.attempt, a.outcome, s.started_at, s.took_ms, s.status, s.answer
             FROM attempt AS a JOIN lane AS l ON l.id = a.lane LEFT JOIN send AS s ON s.id = a.send
             WHERE a.lane IN (SELECT id FROM lane) AND a.seq = ? ORDER BY a.send",
        )
        .bind(seq.0)
        .fetch_all(&self.pool)
        .await?;
        let line = |row: &SqliteRow| AttemptLine {
            lane: row.get(0),
            attempt: row.get(1),
            outcome: AttemptOutcome::from_number(row.get(2)),
            started_at: row.get::<Option<i64>, _>(3).map(timestamp),
            took_ms: row.get(4),
            status: row.get(5),
            answer: row.get::<Option<String>, _>(6).unwrap_or_default(),
        };
        Ok(rows.iter().map(line).collect())
    }

    /// Where a record revision is: in exactly one place of each lane, and of several lanes where most
    /// is left to be done.
    async fn state(&self, seq: RecordSeq) -> Result<RecordState, ReadError> {
        let rows = sqlx::query(
            "SELECT o.due_at, o.token,
                    (SELECT class FROM dead_letter WHERE lane = l.id AND seq = ?1),
                    (SELECT outcome FROM attempt WHERE lane = l.id AND seq = ?1
                     ORDER BY send DESC LIMIT 1),
                    first.id, first.revision
             FROM lane AS l LEFT JOIN outbox AS o ON o.lane = l.id AND o.seq = ?1
             LEFT JOIN record AS first ON o.due_at = ?2 AND first.seq = (
                SELECT min(e.seq) FROM outbox AS e INDEXED BY outbox_case
                WHERE e.lane = o.lane AND e.case_key = o.case_key)
             WHERE l.first_seq <= ?1 AND (l.last_seq IS NULL OR l.last_seq >= ?1) ORDER BY l.id",
        )
        .bind(seq.0)
        .bind(PARKED)
        .fetch_all(&self.pool)
        .await?;
        let in_lane = |row: &SqliteRow| InLane {
            queued: row
                .get::<Option<i64>, _>(0)
                .map(|due| (due, row.get::<Option<i64>, _>(1).is_some_and(|token| token != 0))),
            behind: behind(row),
            dead: row.get(2),
            last: row.get(3),
        };
        Ok(RecordState::of_all(rows.iter().map(in_lane)))
    }

    /// What stands in each lane.
    pub(in crate::store) async fn lanes(&self) -> Result<Vec<LaneStatus>, ReadError> {
        let rows = sqlx::query(
            "SELECT l.name, count(o.seq), coalesce(sum(o.urgent > 0), 0), coalesce(sum(o.token <> 0), 0),
                    coalesce(sum(o.attempts > 0 AND o.token = 0), 0), min(o.queued_at), min(o.due_at),
                    (SELECT count(*) FROM dead_letter AS d WHERE d.lane = l.id),
                    (SELECT count(*) FROM dead_letter AS d WHERE d.lane = l.id
                        AND d.class IN (SELECT value FROM json_each(?))),
                    coalesce(sum(o.due_at = ?), 0)
             FROM lane AS l LEFT JOIN outbox AS o ON o.lane = l.id GROUP BY l.id ORDER BY l.id",
        )
        .bind(super::json(&theirs())?)
        .bind(PARKED)
        .fetch_all(&self.pool)
        .await?;
        let status = |row: &SqliteRow| LaneStatus {
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
        let row = sqlx::query(
            "SELECT (SELECT coalesce(sum(count), 0) FROM callback_page),
                    (SELECT count(*) FROM record),
                    (SELECT count(*) FROM note WHERE repeats IS NOT NULL),
                    (SELECT count(*) FROM note WHERE repeats IS NULL),
                    (SELECT count(*) FROM inbox)",
        )
        .fetch_one(&self.pool)
        .await?;
        let lanes = self.lane_counts().await?;
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

    async fn lane_counts(&self) -> Result<Vec<LaneCounts>, ReadError> {
        let rows = sqlx::query(
            "SELECT l.name, (SELECT count(*) FROM record
                     WHERE seq >= l.first_seq AND (l.last_seq IS NULL OR seq <= l.last_seq)),
                    (SELECT count(*) FROM outbox WHERE lane = l.id),
                    (SELECT count(*) FROM dead_letter WHERE lane = l.id),
                    (SELECT count(*) FROM attempt WHERE lane = l.id AND outcome = 1),
                    (SELECT count(*) FROM attempt WHERE lane = l.id AND outcome = 4),
                    (SELECT count(*) FROM attempt WHERE lane = l.id AND outcome = 6)
             FROM lane AS l ORDER BY l.id",
        )
        .fetch_all(&self.pool)
        .await?;
        let counts = |row: &SqliteRow| LaneCounts {
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

    /// When the next record of a lane is due.
    pub(in crate::store) async fn next_due(&self, lane: &str) -> Result<Option<i64>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let lane: Option<i64> = sqlx::query_scalar("SELECT id FROM lane WHERE name = ?")
            .bind(lane)
            .fetch_optional(&mut *connection)
            .await?;
        let sql = format!(
            "{RANKS} SELECT min((SELECT min(due_at) FROM outbox INDEXED BY outbox_due
                WHERE lane = ? AND urgent = rank.urgent AND due_at < ?)) FROM rank"
        );
        let next = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
        Ok(next.bind(lane).bind(lane).bind(lane).bind(PARKED).fetch_one(&mut *connection).await?)
    }

    /// What is due of a lane, of which no more than so many are looked at.
    pub(in crate::store) async fn due(
        &self,
        lane: &str,
        now: Timestamp,
        most: usize,
    ) -> Result<Due, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let lane: Option<i64> = sqlx::query_scalar("SELECT id FROM lane WHERE name = ?")
            .bind(lane)
            .fetch_optional(&mut *connection)
            .await?;
        let sql = format!(
            "{RANKS} SELECT count(*), coalesce(max(urgent), 0), min(due_at) FROM (
                SELECT o.urgent, o.due_at FROM rank CROSS JOIN outbox AS o INDEXED BY outbox_due
                    ON o.lane = ? AND o.urgent = rank.urgent AND o.due_at <= ? LIMIT ?)"
        );
        let (records, urgent, since): (i64, i64, Option<i64>) =
            sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(lane)
                .bind(lane)
                .bind(lane)
                .bind(now.as_millisecond())
                .bind(i64::try_from(most).unwrap_or(i64::MAX))
                .fetch_one(&mut *connection)
                .await?;
        let records = usize::try_from(records).unwrap_or_default();
        Ok(Due { records, urgent: urgent > 0, since: since.map(timestamp) })
    }

    pub(super) fn open(&self, row: &RecordRow) -> Result<Record, ReadError> {
        opened(&self.ring, row)
    }
}

/// Behind which record one is parked, if it is.
fn behind(row: &SqliteRow) -> Option<(RecordId, Revision)> {
    let first = uuid::Uuid::from_slice(row.get::<Option<&[u8]>, _>(4)?).unwrap_or_default();
    Some((RecordId(first), Revision(row.get(5))))
}
