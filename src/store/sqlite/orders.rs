//! What operators order of lanes, and how their breakers stand, in the database.

use super::open::open_operator;
use super::read::Reader;
use crate::model::LaneName;
use crate::store::orders::{Order, OrderId, OrderLine, Orders, Trouble};
use crate::store::rows::timestamp;
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row};
use std::path::Path;

/// Writes down an order, on a connection of the operator's own. Returns whether there is such a
/// lane.
pub(in crate::store) async fn order(
    directory: &Path,
    lane: &LaneName,
    order: &Order,
    (by, now): (&str, Timestamp),
) -> Result<bool, OpenError> {
    let (kind, reason, until) = order.columns();
    let mut connection = open_operator(directory).await?;
    let done = sqlx::query(
        "INSERT INTO lane_order (lane, kind, at, who, reason, until)
         SELECT id, ?, ?, ?, ?, ? FROM lane WHERE name = ?",
    )
    .bind(kind)
    .bind(now.as_millisecond())
    .bind(by)
    .bind(reason)
    .bind(until)
    .bind(lane.as_str())
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(done.rows_affected() > 0)
}

/// Writes down how a lane's breaker stands, beside the writer.
pub(in crate::store) async fn note_trouble(
    directory: &Path,
    lane: &LaneName,
    trouble: Option<&Trouble>,
) -> Result<(), OpenError> {
    let mut connection = open_operator(directory).await?;
    let query = match trouble {
        None => sqlx::query(
            "DELETE FROM lane_trouble WHERE lane = (SELECT id FROM lane WHERE name = ?)",
        ),
        Some(trouble) => sqlx::query(
            "INSERT OR REPLACE INTO lane_trouble (cause, since, probe_at, lane)
             SELECT ?, ?, ?, id FROM lane WHERE name = ?",
        )
        .bind(&trouble.cause)
        .bind(trouble.since.as_millisecond())
        .bind(trouble.next_probe.map(Timestamp::as_millisecond)),
    };
    query.bind(lane.as_str()).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

impl Reader {
    /// What stands of a lane's orders.
    pub(in crate::store) async fn lane_orders(&self, lane: &str) -> Result<Orders, ReadError> {
        let standing = sqlx::query(
            "SELECT kind, reason, until, who, at FROM lane_order
             WHERE lane = (SELECT id FROM lane WHERE name = ?) AND kind IN (1, 2)
             ORDER BY id DESC LIMIT 1",
        )
        .bind(lane)
        .fetch_optional(&self.pool)
        .await?;
        let pause = standing.and_then(|row| {
            let order = Order::of_columns((row.get(0), row.get(1), row.get(2)));
            order.pause(row.get(3), timestamp(row.get(4)))
        });
        let probe: Option<i64> = sqlx::query_scalar(
            "SELECT max(id) FROM lane_order
             WHERE lane = (SELECT id FROM lane WHERE name = ?) AND kind = 3",
        )
        .bind(lane)
        .fetch_one(&self.pool)
        .await?;
        Ok(Orders { pause, probe: probe.map(OrderId), troubled_elsewhere: 0 })
    }

    /// How a lane's breaker stands, unless it is closed.
    pub(in crate::store) async fn trouble(&self, lane: &str) -> Result<Option<Trouble>, ReadError> {
        let row = sqlx::query(
            "SELECT cause, since, probe_at FROM lane_trouble
             WHERE lane = (SELECT id FROM lane WHERE name = ?)",
        )
        .bind(lane)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Trouble {
            cause: row.get(0),
            since: timestamp(row.get(1)),
            next_probe: row.get::<Option<i64>, _>(2).map(timestamp),
        }))
    }

    /// The orders of one lane, or of all, newest first.
    pub(in crate::store) async fn order_history(
        &self,
        lane: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OrderLine>, ReadError> {
        let rows = sqlx::query(
            "SELECT l.name, o.at, o.who, o.kind, o.reason, o.until
             FROM lane_order AS o JOIN lane AS l ON l.id = o.lane
             WHERE ?1 IS NULL OR l.name = ?1 ORDER BY o.id DESC LIMIT ?2",
        )
        .bind(lane)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(order_line).collect())
    }
}

fn order_line(row: &SqliteRow) -> OrderLine {
    let order = Order::of_columns((row.get(3), row.get(4), row.get(5)));
    OrderLine { lane: row.get(0), at: timestamp(row.get(1)), by: row.get(2), order }
}
