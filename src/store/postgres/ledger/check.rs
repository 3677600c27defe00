//! Looking whether the records of the last hours are still all there, a few at a time.

use super::place;
use crate::store::ReadError;
use crate::store::ledger::{Hour, Recent, RecentPart};
use crate::store::postgres::read::Reader;
use sqlx::AssertSqlSafe;

/// Records looked at by one statement: a few milliseconds.
const STEP: i64 = 1_000;

impl Reader {
    /// The hours from one on as the ledger has them.
    pub(in crate::store) async fn recent(&self, since: Hour) -> Result<Recent, ReadError> {
        let rows = sqlx::query_as(
            "SELECT hour, account, records, first_seq, last_seq FROM ledger
             WHERE hour >= $1 AND records > 0",
        )
        .bind(since.0)
        .fetch_all(&self.pool)
        .await?;
        Ok(Recent::of(rows))
    }

    /// The first hour of which, as of those behind it, no record is erased.
    pub(in crate::store) async fn whole_since(&self) -> Result<Hour, ReadError> {
        let hour =
            sqlx::query_scalar("SELECT (records_erased + 3599999) / 3600000 FROM ledger_fold");
        Ok(Hour(hour.fetch_one(&self.pool).await?))
    }

    /// Looks at the next records of the hours from one on.
    pub(in crate::store) async fn recent_part(
        &self,
        since: Hour,
        (after, last): (i64, i64),
    ) -> Result<RecentPart, ReadError> {
        let to = last.min(after + STEP);
        let rows = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT hour, account, count(*), sum(lost)::bigint FROM (
                SELECT r.received_at / 3600000 AS hour, r.account,
                    (SELECT count(*) FROM lane AS l WHERE r.seq >= l.first_seq
                        AND r.seq <= coalesce(l.last_seq, r.seq) AND {} = 0) AS lost
                FROM record AS r
                WHERE r.seq > $1 AND r.seq <= $2 AND r.received_at >= $3) AS looked_at
             GROUP BY 1, 2",
            place("l.id", "r.seq", "r.received_at")
        )))
        .bind(after)
        .bind(to)
        .bind(since.0.saturating_mul(3_600_000))
        .fetch_all(&self.pool)
        .await?;
        Ok(RecentPart::of(rows, to))
    }
}
