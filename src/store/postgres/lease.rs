//! The queue's side of a turn: settling what was sent, and leasing what is due.

use crate::model::{RecordId, Revision};
use crate::store::SendReport;
use crate::store::job::RecordRow;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

/// Writes down what happened to records of a lane; tells its id, which attempts refer to.
pub(super) async fn happened(
    connection: &mut PgConnection,
    lane: i64,
    report: &SendReport,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO send (id, lane, started_at, took_ms, status, answer)
         VALUES (nextval('send_id'), $1, $2, $3, $4, $5) RETURNING id",
    )
    .bind(lane)
    .bind(report.started_at.as_millisecond())
    .bind(i64::try_from(report.took.as_millis()).unwrap_or(i64::MAX))
    .bind(report.status.map(i32::from))
    .bind(&report.answer)
    .fetch_one(connection)
    .await
}

/// Reads the columns id, revision, account, received_at, sealed from place `first` on.
pub(super) fn record_row(row: &PgRow, first: usize) -> RecordRow {
    RecordRow {
        id: RecordId(row.get(first)),
        revision: Revision(row.get::<i32, _>(first + 1).unsigned_abs()),
        account: row.get(first + 2),
        received_at: row.get(first + 3),
        sealed: row.get(first + 4),
    }
}
