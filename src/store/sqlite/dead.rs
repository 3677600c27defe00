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
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

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
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(COLUMNS).push(
            ", d.died_at, d.lane, d.seq, l.name, d.class, d.reason, d.attempts, d.queued_at,
                (SELECT s.started_at FROM attempt AS a CROSS JOIN send AS s ON s.id = a.send
                 WHERE a.lane = d.lane AND a.seq = d.seq AND a.outcome IN (2, 3)
                 ORDER BY a.send LIMIT 1)
             FROM dead_letter AS d INDEXED BY dead_letter_died
             CROSS JOIN lane AS l ON l.id = d.lane CROSS JOIN record AS r ON r.seq = d.seq
             WHERE d.seq > 0",
        );
        for condition in conditions {
            ask(&mut query, condition)?;
        }
        if let Some(DeadPlace { died_at, lane, seq }) = page.behind {
            query.push(format!(" AND (d.died_at, d.lane, d.seq) {later} ("));
            query.push_bind(died_at).push(", ").push_bind(lane).push(", ");
            query.push_bind(seq).push(")");
        }
        query.push(format!(
            " ORDER BY d.died_at {direction}, d.lane {direction}, d.seq {direction} LIMIT "
        ));
        let rows = query.push_bind(page.limit).build().fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| self.dead_letter(row)).collect())
    }

    fn dead_letter(&self, row: &SqliteRow) -> DeadLetter {
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
            attempts: row.get(11),
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
             FROM dead_replay ORDER BY id DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let count = |row: &SqliteRow, place: usize| {
            u64::try_from(row.get::<i64, _>(place)).unwrap_or_default()
        };
        let entry = |row: &SqliteRow| ReplayEntry {
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

fn ask(query: &mut QueryBuilder<Sqlite>, condition: &DeadCondition) -> Result<(), sqlx::Error> {
    match condition {
        DeadCondition::Numbered(seqs) => {
            let seqs = super::json_list(seqs.iter().map(|seq| seq.0));
            query.push(" AND d.seq IN (SELECT value FROM json_each(").push_bind(seqs).push("))");
        }
        DeadCondition::Lane(lane) => {
            query.push(" AND l.name = ").push_bind(lane.to_string());
        }
        DeadCondition::Class(class) => {
            query.push(" AND d.class = ").push_bind(class.name());
        }
        // What is not theirs is ours, classes of a newer version too.
        DeadCondition::Bin(bin) => {
            query.push(if *bin == Bin::Theirs { " AND d.class" } else { " AND d.class NOT" });
            query.push(" IN (SELECT value FROM json_each(").push_bind(super::json(&theirs())?);
            query.push("))");
        }
        DeadCondition::Reason(part) => {
            query.push(" AND instr(d.reason, ").push_bind(part.clone()).push(") > 0");
        }
        DeadCondition::Since(since) => {
            // Without the plus the index would be entered here on every page, and not behind the last.
            query.push(" AND +d.died_at >= ").push_bind(since.as_millisecond());
        }
        DeadCondition::Until(until) => {
            query.push(" AND +d.died_at < ").push_bind(until.as_millisecond());
        }
    }
    Ok(())
}
