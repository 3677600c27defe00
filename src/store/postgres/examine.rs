//! A look at the servers for an operator: who answers, in what state, and what is amiss.

use super::connect::{Connector, HostFault};
use super::schema;
use crate::clock::Clock;
use crate::config::Server;
use crate::config::server::Host;
use crate::store::OpenError;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use std::time::Duration;
use tokio::time::timeout;

/// How long one server may take to tell.
const PATIENCE: Duration = Duration::from_secs(10);
const STATE: &str = "SELECT current_setting('server_version'),
    current_setting('transaction_read_only') = 'on',
    pg_is_in_recovery(),
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
    (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'),
    current_setting('max_connections')::bigint
        - current_setting('superuser_reserved_connections')::bigint,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    current_schema(),
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
    (SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        AND relkind IN ('r', 'p') AND NOT (has_table_privilege(oid, 'SELECT')
        AND has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE')
        AND has_table_privilege(oid, 'DELETE')))";

/// What one server told.
#[derive(Debug)]
pub struct ServerState {
    /// Its version, as it writes it.
    pub version: String,
    /// Whether it takes no changes.
    pub read_only: bool,
    /// Whether it follows another.
    pub standby: bool,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
    /// The `synchronous_commit` that sessions of the role begin with.
    pub synchronous_commit: String,
    /// The connections that are there for all who are no superusers.
    pub connections: i64,
    /// Those in use.
    pub connections_used: i64,
    /// The schema that tables are made in; `None`: the search path names none that is there.
    pub schema: Option<String>,
    /// Whether the role may make tables there.
    pub may_create: bool,
    /// The tables there that the role may not read and change.
    pub tables_barred: i64,
    /// By how many milliseconds its clock is ahead of ours, and by how many that may be wrong.
    pub clock_ahead: (i64, i64),
    /// The nodes that share the database, by its own word; `None`: it has no such table yet.
    pub nodes: Option<i64>,
    /// Whether this program may use what is in the database.
    pub usable: Result<(), OpenError>,
}

/// Asks each of the servers how it stands.
///
/// # Errors
/// [`OpenError::Connect`], when nothing can be asked of any.
pub async fn examine(
    server: &Server,
    clock: &Clock,
) -> Result<Vec<(Host, Result<ServerState, HostFault>)>, OpenError> {
    let mut told = Vec::new();
    for (host, connected) in Connector::new(server)?.connect_to_each().await {
        let state = match connected {
            Err(fault) => Err(fault),
            Ok(mut connection) => match timeout(PATIENCE, look(&mut connection, clock)).await {
                Ok(state) => state.map_err(|error| HostFault::Unreachable(error.to_string())),
                Err(_) => Err(HostFault::Unreachable(format!("tells nothing within {PATIENCE:?}"))),
            },
        };
        told.push((host, state));
    }
    Ok(told)
}

async fn look(connection: &mut PgConnection, clock: &Clock) -> Result<ServerState, sqlx::Error> {
    let row = sqlx::raw_sql(STATE).fetch_one(&mut *connection).await?;
    let clock_ahead = clock_ahead(connection, clock).await?;
    let nodes = nodes(connection).await?;
    let usable = schema::check(connection).await;
    read(&row, clock_ahead, nodes, usable)
}

fn read(
    row: &PgRow,
    clock_ahead: (i64, i64),
    nodes: Option<i64>,
    usable: Result<(), OpenError>,
) -> Result<ServerState, sqlx::Error> {
    Ok(ServerState {
        version: row.try_get(0)?,
        read_only: row.try_get(1)?,
        standby: row.try_get(2)?,
        encrypted: row.try_get(3)?,
        synchronous_commit: row.try_get(4)?,
        connections: row.try_get(5)?,
        connections_used: row.try_get(6)?,
        schema: row.try_get(7)?,
        may_create: row.try_get(8)?,
        tables_barred: row.try_get(9)?,
        clock_ahead,
        nodes,
        usable,
    })
}

/// By how much the server's clock is ahead of ours: it was read somewhere between asking and answer.
async fn clock_ahead(
    connection: &mut PgConnection,
    clock: &Clock,
) -> Result<(i64, i64), sqlx::Error> {
    const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let before = clock.now().as_millisecond();
    let theirs: i64 = sqlx::raw_sql(NOW).fetch_one(connection).await?.try_get(0)?;
    let margin = (clock.now().as_millisecond() - before) / 2;
    Ok((theirs - before - margin, margin))
}

/// The nodes that share the database.
async fn nodes(connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('node') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT count(*) FROM node").fetch_one(connection).await.map(Some)
}
