//! One connection to the server, made again when it broke.

use super::connect::Connector;
use super::turn::roll_back;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// How long a transaction that failed may take to be left.
const LEAVING: Duration = Duration::from_secs(1);

/// The connection of one task.
#[derive(Debug)]
pub(super) struct Link {
    connector: Connector,
    /// `None`: it broke, and nobody has needed another yet.
    connection: Option<PgConnection>,
    /// The longest that anything may take, whatever the network does.
    patience: Duration,
    /// Which of the server's processes it speaks to.
    process: Arc<AtomicI32>,
}

impl Link {
    /// Not connected yet.
    pub(super) fn new(connector: Connector, patience: Duration) -> Link {
        Link { connector, connection: None, patience, process: Arc::default() }
    }

    /// Which of the server's processes it speaks to, now and later.
    pub(super) fn process(&self) -> Arc<AtomicI32> {
        Arc::clone(&self.process)
    }

    /// Does something over it, connecting before if need be. A transaction that fails in there is left; a connection that may
    /// still be in the middle of something is given up.
    pub(super) async fn run<T>(
        &mut self,
        change: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, String> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => timeout(self.patience, self.connect())
                .await
                .map_err(|_| format!("no connection within {:?}", self.patience))??,
        };
        match timeout(self.patience, change(&mut connection)).await {
            Ok(Ok(done)) => {
                self.connection = Some(connection);
                Ok(done)
            }
            Ok(Err(error)) => {
                if let Ok(Ok(())) = timeout(LEAVING, roll_back(&mut connection)).await {
                    self.connection = Some(connection);
                }
                Err(error.to_string())
            }
            Err(_) => Err(format!("no answer from the server within {:?}", self.patience)),
        }
    }

    async fn connect(&self) -> Result<PgConnection, String> {
        let mut connection = self.connector.connect().await.map_err(|error| error.to_string())?;
        let process = make_ready(&mut connection).await.map_err(|error| error.to_string())?;
        self.process.store(process, Ordering::Relaxed);
        Ok(connection)
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        if let Some(connection) = self.connection
            && let Ok(Err(error)) = timeout(LEAVING, connection.close()).await
        {
            tracing::debug!(%error, "the connection did not close cleanly");
        }
    }
}

/// Has the server plan every statement by an index: what was planned when a table was small stays, and tables grow faster
/// than the server looks at them. Tells which of its processes this is.
async fn make_ready(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql(
        "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;
         SET enable_hashjoin = off; SET enable_mergejoin = off;
         SET plan_cache_mode = force_generic_plan; SET jit = off",
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await
}
