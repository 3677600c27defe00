//! Adding what a plan holds: callbacks, keys, records and their places in the queue, held events and notes.

use crate::store::keys::KeyEntry;
use crate::store::plan::{Found, Plan};
use crate::store::seal::{Fingerprint, Sealer};
use sqlx::postgres::PgConnection;

/// What was added of a plan.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Added {
    /// Record revisions.
    pub(super) records: u64,
    /// By how many rows the queue grew, or shrank.
    pub(super) queued: i64,
    /// Whether events are held.
    pub(super) held: bool,
}

/// Where keys lead that were seen since `keys_from`, and when that arrived.
pub(super) async fn look_up(
    connection: &mut PgConnection,
    keys_from: i64,
    prints: &[Fingerprint],
) -> Result<Found, sqlx::Error> {
    todo!()
}

/// Adds keys that were seen at a time.
pub(super) async fn add_keys(
    connection: &mut PgConnection,
    keys: &[KeyEntry],
    received_at: i64,
) -> Result<(), sqlx::Error> {
    todo!()
}

/// Adds a plan's records, their places in the queue, what it holds, and its notes; not its keys. Records wait since they
/// arrived, or since `queued_at`.
pub(super) async fn add_planned(
    connection: &mut PgConnection,
    lanes: &[i64],
    sealer: Sealer<'_>,
    plan: Plan,
    queued_at: Option<i64>,
) -> Result<Added, sqlx::Error> {
    todo!()
}
