//! Storing what a second reading made of a quarantined callback.
use super::commit::Added;
use super::turn::{Lanes, Turn};
use crate::store::job::RereadJob;
use crate::store::seal::Sealer;
use sqlx::postgres::PgConnection;
/// X
pub(super) struct Reread {
    pub(super) fresh: Vec<bool>,
    pub(super) added: Added,
}
/// X
pub(super) async fn reread(
    connection: &mut PgConnection,
    turn: &mut Turn,
    lanes: &Lanes,
    sealer: Sealer<'_>,
    job: &mut RereadJob,
    now: i64,
) -> Result<Reread, sqlx::Error> {
    todo!()
}
