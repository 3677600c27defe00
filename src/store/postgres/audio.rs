//! What was fetched of recordings, in the database, where every node finds it.

use super::connect::{Connector, Patience};
use crate::model::RecordingId;
use sqlx::postgres::PgPool;
use uuid::Uuid;

/// The table of sealed recordings.
#[derive(Debug, Clone)]
pub(in crate::store) struct AudioTable {
    pool: PgPool,
    patience: Patience,
}

impl AudioTable {
    /// The table where this connector goes.
    pub(in crate::store) fn new(connector: &Connector) -> AudioTable {
        AudioTable { pool: connector.readers(), patience: connector.patience() }
    }

    /// Keeps sealed bytes in place of those before.
    pub(in crate::store) async fn write(
        &self,
        id: RecordingId,
        sealed: &[u8],
    ) -> Result<(), sqlx::Error> {
        let write = sqlx::query(
            "INSERT INTO audio (id, sealed) VALUES ($1, $2)
             ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
        );
        let write = write.bind(id.0).bind(sealed).execute(&self.pool);
        self.patience.wait(write).await.map(drop)
    }

    /// The sealed bytes, unless there are none.
    pub(in crate::store) async fn read(
        &self,
        id: RecordingId,
    ) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let sealed = sqlx::query_scalar("SELECT sealed FROM audio WHERE id = $1");
        self.patience.wait(sealed.bind(id.0).fetch_optional(&self.pool)).await
    }

    /// Erases those that there are of these.
    pub(in crate::store) async fn erase(&self, ids: &[RecordingId]) -> Result<(), sqlx::Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let erase = sqlx::query("DELETE FROM audio WHERE id = ANY($1)");
        self.patience.wait(erase.bind(ids).execute(&self.pool)).await.map(drop)
    }
}
