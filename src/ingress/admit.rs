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
    /// As many bytes of bodies as allowed are held.
    TooMuch,
    /// The store takes nothing now.
    Store(Unwell),
    /// It was read, but could not be committed.
    NotCommitted,
}

impl Shed {
    /// All names, for the metric's handles.
    pub(super) const NAMES: [&'static str; 8] = [
        "stopping",
        "too_many",
        "too_much",
        "store_failing",
        "store_behind",
        "disk_floor",
        "spool_full",
        "not_committed",
    ];

    /// The metric's label.
    pub(super) fn name(self) -> &'static str {
        match self {
            Shed::Stopping => "stopping",
            Shed::TooMany => "too_many",
            Shed::TooMuch => "too_much",
            Shed::Store(Unwell::Failing) => "store_failing",
            Shed::Store(Unwell::Behind) => "store_behind",
            Shed::Store(Unwell::DiskFloor) => "disk_floor",
            Shed::Store(Unwell::SpoolFull) => "spool_full",
            Shed::NotCommitted => "not_committed",
        }
    }

    /// How long the carrier should stay away: the store knows best, else as configured.
    pub(super) fn retry_after(self, configured: Duration) -> Duration {
        match self {
            Shed::Store(unwell) => unwell.retry_after().max(configured),
            Shed::Stopping | Shed::TooMany | Shed::TooMuch | Shed::NotCommitted => configured,
        }
    }
}

/// What is being worked on at once: callbacks, and the bytes of their bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) requests: usize,
    pub(super) bytes: usize,
}

/// Decides. `load` counts this callback too.
pub(super) fn admit(
    stopping: bool,
    store: Result<(), Unwell>,
    load: Load,
    most: Load,
) -> Result<(), Shed> {
    if stopping {
        return Err(Shed::Stopping);
    }
    store.map_err(Shed::Store)?;
    if load.requests > most.requests {
        return Err(Shed::TooMany);
    }
    if load.bytes > most.bytes {
        return Err(Shed::TooMuch);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_longest_is_named_first() {
        let full = Err(Unwell::DiskFloor);
        let load = |requests, bytes| Load { requests, bytes };
        let most = load(2, 100);
        assert_eq!(admit(false, Ok(()), most, most), Ok(()));
        assert_eq!(admit(false, Ok(()), load(2, 101), most), Err(Shed::TooMuch));
        assert_eq!(admit(false, Ok(()), load(3, 101), most), Err(Shed::TooMany));
        assert_eq!(admit(false, full, load(3, 0), most), Err(Shed::Store(Unwell::DiskFloor)));
        assert_eq!(admit(true, full, load(3, 0), most), Err(Shed::Stopping));
    }

    #[test]
    fn every_name_has_its_handle_and_the_longer_wait_wins() {
        let full = Shed::Store(Unwell::SpoolFull);
        let store = [Unwell::Failing, Unwell::Behind, Unwell::DiskFloor].map(Shed::Store);
        let [failing, behind, floor] = store;
        let (many, much) = (Shed::TooMany, Shed::TooMuch);
        let all = [Shed::Stopping, many, much, failing, behind, floor, full, Shed::NotCommitted];
        assert_eq!(all.map(Shed::name), Shed::NAMES);
        let configured = Duration::from_secs(2);
        let waits = all.map(|shed| shed.retry_after(configured).as_secs());
        assert_eq!(waits, [2, 2, 2, 5, 2, 30, 30, 2]);
    }
}
