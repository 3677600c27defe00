//! Erasing what has been kept long enough.
use crate::store::job::PurgeJob;
use sqlx::postgres::PgConnection;
/// X
pub(super) async fn purge(
    connection: &mut PgConnection,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    todo!()
}
