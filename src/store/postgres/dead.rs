//! Reading dead letters, page by page.

use super::lease::record_row;
use super::read::{COLUMNS, Reader};
use crate::model::RecordSeq;
use crate::store::ReadError;
use crate::store::dead::{
    Bin, DeadCondition, DeadLetter, DeadOrder, DeadPage, DeadPlace, ReplayEntry, ReplayRun,
    Replayed, theirs,
};
use crate::store::look::open_record;
use crate::store::rows::timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};

impl Reader {
    /// A page of the dead letters of which all of this holds.
    pub(in crate::store) async fn dead_letters(
        &self,
        conditions: &[DeadCondition],
        page: DeadPage,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        let (later, direction) = match page.order {
            DeadOrder::Oldest => (">", "ASC"),
            DeadOrder::Newest => ("<", "DESC"),
        };
        let mut query = QueryBuilder::<Postgres>::new("SELECT ");
        query.push(COLUMNS).push(
            ", d.died_at, d.lane, d.seq, l.name, d.class, d.reason, d.attempts, d.queued_at,
                (SELECT s.started_at FROM attempt AS a JOIN send AS s ON s.id = a.send
                 WHERE a.lane = d.lane AND a.seq = d.seq AND a.received_at = d.received_at
                    AND a.outcome IN (2, 3)
                 ORDER BY a.send LIMIT 1)
             FROM dead_letter AS d JOIN lane AS l ON l.id = d.lane
             JOIN record AS r ON r.seq = d.seq AND r.received_at = d.received_at WHERE true",
        );
        // The first condition on the time is where the index is entered.
        if let Some(DeadPlace { died_at, lane, seq }) = page.behind {
            query.push(format!(" AND (d.died_at, d.lane, d.seq) {later} ("));
            query.push_bind(died_at).push(", ").push_bind(lane).push(", ");
            query.push_bind(seq).push(")");
        }
        for condition in conditions {
            ask(&mut query, condition);
        }
        query.push(format!(
            " ORDER BY d.died_at {direction}, d.lane {direction}, d.seq {direction} LIMIT "
        ));
        let rows = query.push_bind(i64::from(page.limit)).build().fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| self.dead_letter(row)).collect())
    }

    fn dead_letter(&self, row: &PgRow) -> DeadLetter {
        let place = DeadPlace { died_at: row.get(5), lane: row.get(6), seq: row.get(7) };
        DeadLetter {
            seq: RecordSeq(place.seq),
            place,
            record: open_record(&self.ring, &record_row(row, 0)),
            lane: row.get(8),
            class: row.get(9),
            reason: row.get(10),
            first_tried_at: row.get::<Option<i64>, _>(13).map(timestamp),
            died_at: timestamp(place.died_at),
            attempts: row.get::<i32, _>(11).unsigned_abs(),
            queued_at: timestamp(row.get(12)),
        }
    }

    /// The newest runs that put dead letters back.
    pub(in crate::store) async fn replays(
        &self,
        limit: u32,
    ) -> Result<Vec<ReplayEntry>, ReadError> {
        let rows = sqlx::query(
            "SELECT id, operator, filter, started_at, last_at, replayed, superseded
             FROM dead_replay ORDER BY id DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let count =
            |row: &PgRow, place: usize| u64::try_from(row.get::<i64, _>(place)).unwrap_or_default();
        let entry = |row: &PgRow| ReplayEntry {
            run: ReplayRun(row.get(0)),
            operator: row.get(1),
            filter: row.get(2),
            started_at: timestamp(row.get(3)),
            last_at: timestamp(row.get(4)),
            replayed: Replayed { queued: count(row, 5), superseded: count(row, 6) },
        };
        Ok(rows.iter().map(entry).collect())
    }
}

fn ask(query: &mut QueryBuilder<Postgres>, condition: &DeadCondition) {
    match condition {
        DeadCondition::Numbered(seqs) => {
            let seqs: Vec<i64> = seqs.iter().map(|seq| seq.0).collect();
            query.push(" AND d.seq = ANY(").push_bind(seqs).push(")");
        }
        DeadCondition::Lane(lane) => {
            query.push(" AND l.name = ").push_bind(lane.to_string());
        }
        DeadCondition::Class(class) => {
            query.push(" AND d.class = ").push_bind(class.name());
        }
        // What is not theirs is ours, classes of a newer version too.
        DeadCondition::Bin(bin) => {
            let is = if *bin == Bin::Theirs { "= ANY(" } else { "<> ALL(" };
            query.push(" AND d.class ").push(is).push_bind(theirs()).push(")");
        }
        DeadCondition::Reason(part) => {
            query.push(" AND strpos(d.reason, ").push_bind(part.clone()).push(") > 0");
        }
        DeadCondition::Since(since) => {
            query.push(" AND d.died_at >= ").push_bind(since.as_millisecond());
        }
        DeadCondition::Until(until) => {
            query.push(" AND d.died_at < ").push_bind(until.as_millisecond());
        }
    }
}
