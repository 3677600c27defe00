//! The ledger in the database: folding it forward, reading it, and counting everything anew.

mod check;
mod count;
mod fold;
mod read;

pub(super) async fn write(
    connection: &mut sqlx::postgres::PgConnection,
    fold: &crate::store::ledger::Fold,
) -> Result<(), sqlx::Error> {
    todo!()
}
pub(super) async fn write_refused(
    connection: &mut sqlx::postgres::PgConnection,
    rows: &[(i64, String, &'static str, i64)],
) -> Result<(), sqlx::Error> {
    todo!()
}
pub(super) async fn add_late_notes(
    connection: &mut sqlx::postgres::PgConnection,
    notes: &[crate::store::plan::NoteTuple],
) -> Result<(), sqlx::Error> {
    todo!()
}
