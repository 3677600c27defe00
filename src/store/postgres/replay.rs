//! Putting dead letters back into the queue, on a connection of the operator's own.

use super::Connector;
use crate::store::OpenError;
use crate::store::dead::{DeadPlace, ReplayRun, Replayed};
use jiff::Timestamp;

/// Notes who begins a run, and by what the letters are chosen.
pub(in crate::store) async fn begin_replay(
    connector: &Connector,
    (operator, filter): (&str, &str),
    now: Timestamp,
) -> Result<ReplayRun, OpenError> {
    todo!()
}

/// Puts dead letters back with their attempts forgotten, and counts them in the run's row.
pub(in crate::store) async fn replay(
    connector: &Connector,
    run: ReplayRun,
    letters: &[DeadPlace],
    now: Timestamp,
) -> Result<Replayed, OpenError> {
    todo!()
}
