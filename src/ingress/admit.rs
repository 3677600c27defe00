//! Whether a callback may come in at all, decided before its body is read.

use crate::store::Unwell;
use std::time::Duration;

/// Why a callback is told to come back later. The names are the labels of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shed {
    /// The gateway is shutting down.
    Stopping,
    /// As many callbacks as allowed are being worked on.
    TooMany,
    /// The store takes nothing now.
    Store(Unwell),
    /// It was read, but could not be committed.
    NotCommitted,
}

impl Shed {
    /// All names, for the metric's handles.
    pub(super) const NAMES: [&'static str; 6] =
        ["stopping", "too_many", "store_failing", "store_behind", "disk_floor", "not_committed"];

    /// The metric's label.
    pub(super) fn name(self) -> &'static str {
        match self {
            Shed::Stopping => "stopping",
            Shed::TooMany => "too_many",
            Shed::Store(Unwell::Failing) => "store_failing",
            Shed::Store(Unwell::Behind) => "store_behind",
            Shed::Store(Unwell::DiskFloor) => "disk_floor",
            Shed::NotCommitted => "not_committed",
        }
    }

    /// How long the carrier should stay away: the store knows best, else as configured.
    pub(super) fn retry_after(self, configured: Duration) -> Duration {
        match self {
            Shed::Store(unwell) => unwell.retry_after().max(configured),
            Shed::Stopping | Shed::TooMany | Shed::NotCommitted => configured,
        }
    }
}

/// Decides. `under_way` counts this callback too.
pub(super) fn admit(
    stopping: bool,
    store: Result<(), Unwell>,
    under_way: usize,
    max_requests: usize,
) -> Result<(), Shed> {
    if stopping {
        return Err(Shed::Stopping);
    }
    store.map_err(Shed::Store)?;
    if under_way > max_requests {
        return Err(Shed::TooMany);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_longest_is_named_first() {
        let full = Err(Unwell::DiskFloor);
        assert_eq!(admit(false, Ok(()), 2, 2), Ok(()));
        assert_eq!(admit(false, Ok(()), 3, 2), Err(Shed::TooMany));
        assert_eq!(admit(false, full, 3, 2), Err(Shed::Store(Unwell::DiskFloor)));
        assert_eq!(admit(true, full, 3, 2), Err(Shed::Stopping));
    }

    #[test]
    fn every_name_has_its_handle_and_the_longer_wait_wins() {
        let store = [Unwell::Failing, Unwell::Behind, Unwell::DiskFloor].map(Shed::Store);
        let all = [Shed::Stopping, Shed::TooMany, store[0], store[1], store[2], Shed::NotCommitted];
        assert_eq!(all.map(Shed::name), Shed::NAMES);
        let configured = Duration::from_secs(2);
        let waits = all.map(|shed| shed.retry_after(configured).as_secs());
        assert_eq!(waits, [2, 2, 5, 2, 30, 2]);
    }
}
