//! The register of nodes in the database: who lives, and who owns what.

use super::ownership;
use crate::config::Server;
use crate::store::nodes::{Beat, GONE, Node};
use crate::store::ownership::OwnerToken;
use crate::store::rows::timestamp;
use jiff::Timestamp;
use sqlx::postgres::PgPool;
use sqlx::{PgConnection, Row};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a node that is gone is still shown: a day, in milliseconds.
const SHOWN: i64 = 24 * 3_600_000;

/// The register as one node uses it.
#[derive(Debug)]
pub(in crate::store) struct Register {
    pool: PgPool,
    node: String,
    lease: Duration,
    version: &'static str,
    started_at: i64,
}

impl Register {
    /// For this node, whose process started now.
    pub(in crate::store) fn new(pool: PgPool, server: &Server, now: Timestamp) -> Register {
        Register {
            pool,
            node: server.node.clone(),
            lease: server.owner_lease,
            version: env!("CARGO_PKG_VERSION"),
            started_at: now.as_millisecond(),
        }
    }

    /// For how long the node claims work.
    pub(in crate::store) fn lease(&self) -> Duration {
        self.lease
    }

    /// Claims work; see [`ownership::claim`].
    pub(in crate::store) async fn claim(
        &self,
        work: &str,
        ours: Option<OwnerToken>,
        times: (i64, i64),
    ) -> Result<Option<OwnerToken>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        ownership::claim(&mut connection, (work, &self.node), ours, times).await
    }

    /// Gives work up.
    pub(in crate::store) async fn give_up(
        &self,
        work: &str,
        token: OwnerToken,
    ) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        ownership::give_up(&mut connection, work, token).await
    }

    /// Enters the node. What its name owned was an earlier process's, which is gone.
    pub(in crate::store) async fn arrive(&self, now: Timestamp) -> Result<Beat, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        // Of two that arrive at once, the second sees the first.
        sqlx::query("LOCK TABLE node IN SHARE ROW EXCLUSIVE MODE")
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM ownership WHERE node = $1")
            .bind(&self.node)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM node WHERE seen_at < $1")
            .bind(now.as_millisecond().saturating_sub(SHOWN))
            .execute(&mut *transaction)
            .await?;
        self.enter(&mut transaction, now).await?;
        let living = living(&mut transaction, now).await?;
        transaction.commit().await?;
        Ok(Beat { living, doubled: false })
    }

    /// Says that it lives.
    pub(in crate::store) async fn beat(&self, now: Timestamp) -> Result<Beat, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let seen = sqlx::query("UPDATE node SET seen_at = $3 WHERE name = $1 AND started_at = $2")
            .bind(&self.node)
            .bind(self.started_at)
            .bind(now.as_millisecond())
            .execute(&mut *connection)
            .await?;
        let doubled = seen.rows_affected() == 0;
        if doubled {
            self.enter(&mut connection, now).await?;
        }
        Ok(Beat { living: living(&mut connection, now).await?, doubled })
    }

    /// Takes the node out, with all that it owns.
    pub(in crate::store) async fn depart(&self) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM node WHERE name = $1 AND started_at = $2")
            .bind(&self.node)
            .bind(self.started_at)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    async fn enter(
        &self,
        connection: &mut PgConnection,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO node (name, started_at, seen_at, version) VALUES ($1, $2, $3, $4)
             ON CONFLICT (name) DO UPDATE SET started_at = excluded.started_at,
                seen_at = excluded.seen_at, version = excluded.version",
        )
        .bind(&self.node)
        .bind(self.started_at)
        .bind(now.as_millisecond())
        .bind(self.version)
        .execute(connection)
        .await
        .map(drop)
    }
}

/// Says for which lanes a node is configured, as it opens the store.
pub(super) async fn announce_lanes(
    connection: &mut PgConnection,
    node: &str,
    lanes: &[i64],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO node (name, started_at, seen_at, version, lanes) VALUES ($1, $2, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, lanes = excluded.lanes",
    )
    .bind(node)
    .bind(now.as_millisecond())
    .bind(env!("CARGO_PKG_VERSION"))
    .bind(lanes)
    .execute(connection)
    .await
    .map(drop)
}

/// How many nodes live.
async fn living(connection: &mut PgConnection, now: Timestamp) -> Result<u32, sqlx::Error> {
    let living: i64 = sqlx::query_scalar("SELECT count(*) FROM node WHERE seen_at > $1")
        .bind(gone_before(now))
        .fetch_one(connection)
        .await?;
    Ok(u32::try_from(living).unwrap_or(u32::MAX).max(1))
}

/// Whoever was not seen since then, in milliseconds, is gone.
pub(super) fn gone_before(now: Timestamp) -> i64 {
    let gone = i64::try_from(GONE.as_millis()).unwrap_or(i64::MAX);
    now.as_millisecond().saturating_sub(gone)
}

/// All nodes of the last day by name, each with what it owns now.
pub(in crate::store) async fn nodes(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<Vec<Node>, sqlx::Error> {
    let mut owned: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let rows = sqlx::query("SELECT node, work FROM ownership WHERE until > $1 ORDER BY work")
        .bind(now.as_millisecond())
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        owned.entry(row.get(0)).or_default().push(row.get(1));
    }
    let rows = sqlx::query("SELECT name, started_at, seen_at, version FROM node ORDER BY name")
        .fetch_all(connection)
        .await?;
    let node = |row: &sqlx::postgres::PgRow| {
        let name: String = row.get(0);
        Node {
            owns: owned.remove(&name).unwrap_or_default(),
            name,
            started_at: timestamp(row.get(1)),
            seen_at: timestamp(row.get(2)),
            version: row.get(3),
        }
    };
    Ok(rows.iter().map(node).collect())
}
