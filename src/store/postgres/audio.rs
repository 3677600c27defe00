//! What was fetched of recordings, in the database, where every node finds it.

use crate::model::RecordingId;
use sqlx::postgres::PgPool;
use uuid::Uuid;

/// The table of sealed recordings.
#[derive(Debug, Clone)]
pub(in crate::store) struct AudioTable(pub(in crate::store) PgPool);

impl AudioTable {
    /// Keeps sealed bytes in place of those before.
    pub(in crate::store) async fn write(
        &self,
        id: RecordingId,
        sealed: &[u8],
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO audio (id, sealed) VALUES ($1, $2)
             ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
        )
        .bind(id.0)
        .bind(sealed)
        .execute(&self.0)
        .await
        .map(drop)
    }

    /// The sealed bytes, unless there are none.
    pub(in crate::store) async fn read(
        &self,
        id: RecordingId,
    ) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let sealed = sqlx::query_scalar("SELECT sealed FROM audio WHERE id = $1");
        sealed.bind(id.0).fetch_optional(&self.0).await
    }

    /// Erases those that there are of these.
    pub(in crate::store) async fn erase(&self, ids: &[RecordingId]) -> Result<(), sqlx::Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let erase = sqlx::query("DELETE FROM audio WHERE id = ANY($1)");
        erase.bind(ids).execute(&self.0).await.map(drop)
    }
}
