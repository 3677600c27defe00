//! What was fetched of recordings, in the database, where every node finds it.

use super::Connector;
use crate::model::RecordingId;
use crate::store::AudioError;
use sqlx::Connection;
use uuid::Uuid;

/// The table of sealed recordings. They are few, so each change has a connection of its own.
#[derive(Debug, Clone)]
pub(in crate::store) struct AudioTable(pub(in crate::store) Connector);

impl AudioTable {
    /// Keeps sealed bytes in place of those before.
    pub(in crate::store) async fn write(
        &self,
        id: RecordingId,
        sealed: &[u8],
    ) -> Result<(), AudioError> {
        let mut connection = self.0.connect().await?;
        sqlx::query(
            "INSERT INTO audio (id, sealed) VALUES ($1, $2)
             ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
        )
        .bind(id.0)
        .bind(sealed)
        .execute(&mut connection)
        .await?;
        Ok(connection.close().await?)
    }

    /// The sealed bytes, unless there are none.
    pub(in crate::store) async fn read(
        &self,
        id: RecordingId,
    ) -> Result<Option<Vec<u8>>, AudioError> {
        let sealed = sqlx::query_scalar("SELECT sealed FROM audio WHERE id = $1");
        Ok(sealed.bind(id.0).fetch_optional(&self.0.readers()).await?)
    }

    /// Erases those that there are of these.
    pub(in crate::store) async fn erase(&self, ids: &[RecordingId]) -> Result<(), AudioError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let mut connection = self.0.connect().await?;
        sqlx::query("DELETE FROM audio WHERE id = ANY($1)")
            .bind(ids)
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
    }
}
