//! The connections for reading: they go where the last connection went, and nobody waits for ever for what they read.

use super::{Connector, FRESH, Inner, look, make_ready};
use sqlx::Connection;
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::io::{Error, ErrorKind};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long anybody waits for what is read. The server ends what takes too long by itself, but one that vanished ends nothing.
#[derive(Debug, Clone)]
pub(in crate::store) struct Patience {
    longest: Duration,
    /// Told when another server has the database.
    moved: watch::Receiver<()>,
}

impl Patience {
    /// Waits for what is read so long, and no longer than the server has the database.
    pub(in crate::store) async fn wait<T, E: From<sqlx::Error>>(
        &self,
        reading: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut moved = self.moved.clone();
        moved.mark_unchanged();
        tokio::select! {
            biased;
            read = timeout(self.longest, reading) => read.unwrap_or_else(|_| {
                Err(given_up(ErrorKind::TimedOut, "the server does not answer").into())
            }),
            Ok(()) = moved.changed() => {
                let why = "another server has the database now";
                Err(given_up(ErrorKind::ConnectionAborted, why).into())
            }
        }
    }
}

fn given_up(kind: ErrorKind, why: &'static str) -> sqlx::Error {
    sqlx::Error::Io(Error::new(kind, why))
}

impl Connector {
    /// The connections for reading, which go to the server that gave the last one of [`Connector::connect`].
    pub(in crate::store) fn readers(&self) -> PgPool {
        let Inner { server, readers, .. } = &*self.0;
        readers.get_or_init(|| self.pool(server.pool.readers)).clone()
    }

    /// How long anybody waits for what one of them reads: to get it, and for two statements.
    pub(in crate::store) fn patience(&self) -> Patience {
        let Inner { server, moved, .. } = &*self.0;
        let longest = server.pool.acquire + server.timeouts.connect + 2 * server.timeouts.statement;
        Patience { longest, moved: moved.subscribe() }
    }

    /// A pool of connections to the server that gave the last one.
    pub(in crate::store::postgres) fn pool(&self, most: u32) -> PgPool {
        let Inner { hosts, wanted, server, last, .. } = &*self.0;
        let (wanted, patience) = (*wanted, server.timeouts.connect);
        let first = hosts.get(last.load(Ordering::Relaxed)).map(|(_, options)| options.clone());
        PgPoolOptions::new()
            .max_connections(most)
            .acquire_timeout(server.pool.acquire)
            // The pool's task that closes old ones may spin for ever (sqlx issue 3645, in 0.9.0 too).
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let ready = make_ready(connection, wanted).await;
                    ready.map_err(|fault| sqlx::Error::Configuration(Box::new(fault)))
                })
            })
            .before_acquire(move |connection, meta| {
                Box::pin(async move {
                    if meta.idle_for < FRESH {
                        return Ok(true);
                    }
                    let look = timeout(patience, look(connection, wanted)).await;
                    Ok(matches!(look, Ok(Ok(()))))
                })
            })
            // The pool waits for what was given up in the middle, and would do so for ever.
            .after_release(move |connection, _| {
                Box::pin(async move {
                    let well = timeout(patience, connection.ping()).await;
                    Ok(matches!(well, Ok(Ok(()))))
                })
            })
            .connect_lazy_with(first.unwrap_or_default())
    }
}
