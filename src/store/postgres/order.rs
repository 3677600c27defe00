//! The order within a lane: the ranks that what is due goes by, and the cases whose records go one after the other.
//!
//! Of a case only the first record is ever due. The others are parked: due at the end of time, where no look at
//! what is due comes by, until the one before has left the queue. So a case that is stuck costs nobody else anything.

use sqlx::postgres::PgConnection;

/// When a parked record is due.
pub(super) const PARKED: i64 = i64::MAX;

/// Gives records that came to their cases late their place there, and the rank of what they are before.
/// Whatever else is in those cases waits for its turn already, but for the one behind each.
pub(super) async fn rejoin(
    connection: &mut PgConnection,
    lane: i64,
    seqs: &[i64],
) -> Result<(), sqlx::Error> {
    todo!()
}
