//! Looking whether the records of an hour are still all there, a few at a time.

use super::place;
use crate::store::ReadError;
use crate::store::ledger::Hour;
use crate::store::sqlite::read::Reader;
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeMap;

/// Records looked at by one statement: a few milliseconds.
const STEP: i64 = 1_000;

/// An hour as the ledger has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct HourSpan {
    /// Its records by account.
    pub(in crate::store) records: BTreeMap<String, i64>,
    /// The one before the first that may be of it.
    pub(in crate::store) after: i64,
    /// The last.
    pub(in crate::store) last: i64,
}

/// What was found of some records of an hour.
#[derive(Debug, Default)]
pub(in crate::store) struct HourPart {
    /// By account: those that are there, and the lanes in which one of them is in no place or in two.
    pub(in crate::store) found: BTreeMap<String, (i64, i64)>,
    /// The last that was looked at.
    pub(in crate::store) to: i64,
}

impl Reader {
    /// The hours from one on of which the ledger has records, newest first.
    pub(in crate::store) async fn hours_with_records(
        &self,
        since: Hour,
    ) -> Result<Vec<Hour>, ReadError> {
        let hours: Vec<i64> = sqlx::query_scalar(
            "SELECT DISTINCT hour FROM ledger WHERE hour >= ? AND records > 0 ORDER BY hour DESC",
        )
        .bind(since.0)
        .fetch_all(&self.pool)
        .await?;
        Ok(hours.into_iter().map(Hour).collect())
    }

    /// An hour as the ledger has it; `None` once something of it is erased.
    pub(in crate::store) async fn hour_span(
        &self,
        hour: Hour,
    ) -> Result<Option<HourSpan>, ReadError> {
        let rows = sqlx::query(
            "SELECT account, records, first_seq, last_seq FROM ledger
             WHERE hour = ? AND records > 0
                AND hour * 3600000 >= (SELECT records_erased FROM ledger_fold)",
        )
        .bind(hour.0)
        .fetch_all(&self.pool)
        .await?;
        let first = rows.iter().map(|row| row.get::<i64, _>(2)).min();
        let last = rows.iter().map(|row| row.get::<i64, _>(3)).max();
        Ok(first.zip(last).map(|(first, last)| HourSpan {
            records: rows.iter().map(|row| (row.get(0), row.get(1))).collect(),
            after: first - 1,
            last,
        }))
    }

    /// Looks at the next records of an hour.
    pub(in crate::store) async fn hour_part(
        &self,
        hour: Hour,
        (after, last): (i64, i64),
    ) -> Result<HourPart, ReadError> {
        let to = last.min(after + STEP);
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT account, count(*), sum(lost) FROM (
                SELECT r.account, (SELECT count(*) FROM lane AS l WHERE r.seq >= l.first_seq
                    AND r.seq <= coalesce(l.last_seq, r.seq) AND {} = 0) AS lost
                FROM record AS r
                WHERE r.seq > ? AND r.seq <= ? AND r.received_at / 3600000 = ?)
             GROUP BY account",
            place("l.id", "r.seq")
        )))
        .bind(after)
        .bind(to)
        .bind(hour.0)
        .fetch_all(&self.pool)
        .await?;
        let found = rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        Ok(HourPart { found, to })
    }
}
