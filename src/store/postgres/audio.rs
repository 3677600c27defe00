//! What was fetched of recordings, in the database, where every node finds it.

use super::Connector;
use crate::model::RecordingId;
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};
use uuid::Uuid;

/// The table of sealed recordings. They are few, so each change has a connection of its own.
#[derive(Debug, Clone)]
pub(in crate::store) struct AudioTable {
    connector: Connector,
    readers: PgPool,
}

impl AudioTable {
    /// Of the server that these lead to.
    pub(in crate::store) fn new(connector: Connector, readers: PgPool) -> AudioTable {
        AudioTable { connector, readers }
    }

    /// Keeps sealed bytes in place of those before.
    pub(in crate::store) async fn write(
        &self,
        id: RecordingId,
        sealed: &[u8],
    ) -> Result<(), sqlx::Error> {
        let mut connection = self.connector.connect().await?;
        sqlx::query(
            "INSERT INTO audio (id, sealed) VALUES ($1, $2)
             ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
        )
        .bind(id.0)
        .bind(sealed)
        .execute(&mut connection)
        .await?;
        connection.close().await
    }

    /// The sealed bytes, unless there are none.
    pub(in crate::store) async fn read(
        &self,
        id: RecordingId,
    ) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let sealed = sqlx::query_scalar("SELECT sealed FROM audio WHERE id = $1");
        sealed.bind(id.0).fetch_optional(&self.readers).await
    }

    /// Erases those that there are of these.
    pub(in crate::store) async fn erase(&self, ids: &[RecordingId]) -> Result<(), sqlx::Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let mut connection: PgConnection = self.connector.connect().await?;
        sqlx::query("DELETE FROM audio WHERE id = ANY($1)")
            .bind(ids)
            .execute(&mut connection)
            .await?;
        connection.close().await
    }
}
