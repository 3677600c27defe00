//! One connection to the server, made again when it broke.

use super::connect::{Connector, FRESH};
use super::turn::roll_back;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long it may take to leave a transaction that failed, or a connection.
const LEAVING: Duration = Duration::from_secs(1);

/// The connection of one task.
#[derive(Debug)]
pub(super) struct Link {
    connector: Connector,
    /// `None`: it broke, and nobody has needed another yet.
    connection: Option<PgConnection>,
    /// When something was last done over it, or in vain.
    tried_at: Instant,
    /// The longest that anything may take, whatever the network does.
    patience: Duration,
    /// Which of the server's processes it speaks to.
    process: Arc<AtomicI32>,
    /// Which of them owes an answer that nobody waits for any more.
    unanswered: Option<i32>,
}

impl Link {
    /// Not connected yet.
    pub(super) fn new(connector: Connector, patience: Duration) -> Link {
        Link {
            connector,
            connection: None,
            tried_at: Instant::now(),
            patience,
            process: Arc::default(),
            unanswered: None,
        }
    }

    /// Which of the server's processes it speaks to, now and later.
    pub(super) fn process(&self) -> Arc<AtomicI32> {
        Arc::clone(&self.process)
    }

    /// When something was last done over it, or in vain.
    pub(super) fn tried_at(&self) -> Instant {
        self.tried_at
    }

    /// Does something over it, connecting before if need be. A transaction that fails in there is left; a connection that may
    /// still be in the middle of something is given up.
    pub(super) async fn run<T>(
        &mut self,
        change: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, String> {
        let done = self.attempt(change).await;
        self.tried_at = Instant::now();
        done
    }

    async fn attempt<T>(
        &mut self,
        change: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, String> {
        let mut connection = self.ready().await?;
        // Whoever runs this may stop waiting at any moment, too.
        self.unanswered = Some(self.process.load(Ordering::Relaxed));
        let done = timeout(self.patience, change(&mut connection)).await.map_err(|_| {
            format!("no answer from the server within {patience:?}", patience = self.patience)
        })?;
        self.unanswered = None;
        if done.is_ok() || matches!(timeout(LEAVING, roll_back(&mut connection)).await, Ok(Ok(())))
        {
            self.connection = Some(connection);
        }
        done.map_err(|error| error.to_string())
    }

    /// Whether there is a connection that serves; makes one if not.
    pub(super) async fn look(&mut self) -> Result<(), String> {
        self.run(async |_| Ok(())).await
    }

    /// A connection that serves: the one that there is, or another.
    async fn ready(&mut self) -> Result<PgConnection, String> {
        let mut connection = match self.kept().await {
            Some(connection) => connection,
            None => timeout(self.patience, self.connect())
                .await
                .map_err(|_| format!("no connection within {:?}", self.patience))??,
        };
        if let Some(process) = self.unanswered {
            let waits = timeout(LEAVING, waits_for_standby(&mut connection, process)).await;
            let waits = waits.map_err(|_| "the server does not answer".to_owned())?;
            if waits.map_err(|error| error.to_string())? {
                self.connection = Some(connection);
                return Err("a commit still waits for a standby; bring it back".to_owned());
            }
            self.unanswered = None;
        }
        Ok(connection)
    }

    /// The connection that there is, if it still serves.
    async fn kept(&mut self) -> Option<PgConnection> {
        let mut connection = self.connection.take()?;
        let serves =
            self.tried_at.elapsed() < FRESH || self.connector.still_serves(&mut connection).await;
        serves.then_some(connection)
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
        "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
         SET max_parallel_workers_per_gather = 0; SET plan_cache_mode = force_generic_plan",
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await
}

/// Whether one of the server's processes is in a commit that waits for a standby, which nothing of ours ends. As long as it
/// does, so would what came after it, each on a connection more.
async fn waits_for_standby(
    connection: &mut PgConnection,
    process: i32,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'SyncRep')",
    )
    .bind(process)
    .fetch_one(connection)
    .await
}
