//! Partitions.
use sqlx::postgres::PgConnection;
/// X
pub(super) async fn make_ahead(
    connection: &mut PgConnection,
    now: jiff::Timestamp,
) -> Result<(), sqlx::Error> {
    Ok(())
}
