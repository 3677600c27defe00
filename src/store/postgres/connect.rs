//! Connections to the server.

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use std::str::FromStr;

/// Opens connections.
#[derive(Debug, Clone)]
pub(in crate::store) struct Connector {
    options: PgConnectOptions,
}

impl Connector {
    pub(in crate::store) fn new(url: &str) -> Result<Connector, sqlx::Error> {
        Ok(Connector { options: PgConnectOptions::from_str(url)? })
    }

    /// A connection to a server that takes writes.
    pub(in crate::store) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect_with(&self.options).await
    }

    /// A pool for reading.
    pub(in crate::store) fn readers(&self) -> PgPool {
        PgPoolOptions::new().max_connections(3).connect_lazy_with(self.options.clone())
    }
}
