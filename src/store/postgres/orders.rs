//! What operators order of lanes, and how each node's breakers stand, in the database.

use super::Connector;
use super::read::Reader;
use super::text;
use crate::model::LaneName;
use crate::store::nodes::GONE;
use crate::store::orders::{Order, OrderId, OrderLine, Orders, Trouble};
use crate::store::rows::timestamp;
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, Row};

/// What nodes that live noted of lanes, as `t`. Time goes by whichever was seen last: if none lives, it stands as the last
/// of them left it.
const LIVING: &str = "lane_trouble AS t JOIN node AS n
    ON n.name = t.node AND n.seen_at > (SELECT max(seen_at) FROM node) - $2";

/// Writes down an order, on a connection of the operator's own. Returns whether there is such a
/// lane.
pub(in crate::store) async fn order(
    connector: &Connector,
    lane: &LaneName,
    order: &Order,
    (by, now): (&str, Timestamp),
) -> Result<bool, OpenError> {
    let (kind, reason, until) = order.columns();
    let mut connection = connector.connect().await?;
    let done = sqlx::query(
        "INSERT INTO lane_order (lane, kind, at, who, reason, until)
         SELECT id, $2, $3, $4, $5, $6 FROM lane WHERE name = $1",
    )
    .bind(lane.as_str())
    .bind(kind)
    .bind(now.as_millisecond())
    .bind(by)
    .bind(text(reason))
    .bind(until)
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(done.rows_affected() > 0)
}

/// Writes down how a lane's breaker stands on this node, beside the writer.
pub(in crate::store) async fn note_trouble(
    connector: &Connector,
    lane: &LaneName,
    trouble: Option<&Trouble>,
) -> Result<(), OpenError> {
    let mut connection = connector.connect().await?;
    let query = match trouble {
        None => sqlx::query(
            "DELETE FROM lane_trouble
             WHERE lane = (SELECT id FROM lane WHERE name = $1) AND node = $2",
        ),
        Some(_) => sqlx::query(
            "INSERT INTO lane_trouble (lane, node, cause, since, probe_at)
             SELECT id, $2, $3, $4, $5 FROM lane WHERE name = $1
             ON CONFLICT (lane, node) DO UPDATE
                SET cause = excluded.cause, since = excluded.since, probe_at = excluded.probe_at",
        ),
    };
    let mut query = query.bind(lane.as_str()).bind(connector.node());
    if let Some(trouble) = trouble {
        query = query
            .bind(text(&trouble.cause))
            .bind(trouble.since.as_millisecond())
            .bind(trouble.next_probe.map(Timestamp::as_millisecond));
    }
    query.execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

impl Reader {
    /// What stands of a lane's orders, and how it stands elsewhere.
    pub(in crate::store) async fn lane_orders(&self, lane: &str) -> Result<Orders, ReadError> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT o.kind, o.reason, o.until, o.who, o.at,
                    (SELECT max(id) FROM lane_order WHERE lane = l.id AND kind = 3),
                    (SELECT count(*) FROM {LIVING} WHERE t.lane = l.id AND t.node <> $3)
             FROM lane AS l LEFT JOIN LATERAL (
                SELECT kind, reason, until, who, at FROM lane_order
                WHERE lane = l.id AND kind IN (1, 2) ORDER BY id DESC LIMIT 1) AS o ON true
             WHERE l.name = $1"
        )))
        .bind(lane)
        .bind(gone())
        .bind(&*self.node)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(Orders::default()) };
        let standing = row.get::<Option<i16>, _>(0).map(|kind| {
            let order = Order::of_columns((kind, row.get(1), row.get(2)));
            order.pause(row.get(3), timestamp(row.get(4)))
        });
        Ok(Orders {
            pause: standing.flatten(),
            probe: row.get::<Option<i64>, _>(5).map(OrderId),
            troubled_elsewhere: u32::try_from(row.get::<i64, _>(6)).unwrap_or(u32::MAX),
        })
    }

    /// How a lane's breaker stands on the node where it has not been closed for longest, unless it is closed on all that live.
    pub(in crate::store) async fn trouble(&self, lane: &str) -> Result<Option<Trouble>, ReadError> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT t.cause, t.since, t.probe_at FROM {LIVING}
             WHERE t.lane = (SELECT id FROM lane WHERE name = $1) ORDER BY t.since, t.node LIMIT 1"
        )))
        .bind(lane)
        .bind(gone())
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
             WHERE $1::text IS NULL OR l.name = $1 ORDER BY o.id DESC LIMIT $2",
        )
        .bind(lane)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(order_line).collect())
    }
}

/// After how many milliseconds a node that was not seen is gone.
fn gone() -> i64 {
    i64::try_from(GONE.as_millis()).unwrap_or(i64::MAX)
}

fn order_line(row: &PgRow) -> OrderLine {
    let order = Order::of_columns((row.get(3), row.get(4), row.get(5)));
    OrderLine { lane: row.get(0), at: timestamp(row.get(1)), by: row.get(2), order }
}
