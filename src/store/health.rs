//! Whether the store takes on new callbacks, answered without I/O.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What stands against new callbacks. Each state is entered and left by what it is named for.
#[derive(Debug, Default)]
pub(super) struct Health {
    failing: AtomicBool,
    disk_low: AtomicBool,
}

impl Health {
    /// Notes a failed commit. Returns whether it is the first in a row.
    pub(super) fn failed(&self) -> bool {
        !self.failing.swap(true, Ordering::Relaxed)
    }

    /// Notes a commit.
    pub(super) fn succeeded(&self) {
        // Most calls change nothing; a plain load keeps the cache line shared.
        if self.failing.load(Ordering::Relaxed) {
            self.failing.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Notes how much room the disk has. Returns whether that changed the state.
    pub(super) fn disk(&self, free: u64, floor: u64) -> bool {
        let low = free < floor;
        self.disk_low.swap(low, Ordering::Relaxed) != low
    }

    pub(super) fn check(&self) -> Result<(), Unwell> {
        if self.failing.load(Ordering::Relaxed) {
            Err(Unwell::Failing)
        } else if self.disk_low.load(Ordering::Relaxed) {
            Err(Unwell::DiskFloor)
        } else {
            Ok(())
        }
    }
}

/// Why nothing new is accepted at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unwell {
    /// The last commit failed; the store tries by itself until one succeeds.
    #[error("the last commit failed; the store is trying again by itself")]
    Failing,
    /// Too many callbacks wait for the writer.
    #[error("the writer's queue is full")]
    Behind,
    /// The volume has less room than the configured floor.
    #[error("the disk has less room than store.disk_floor")]
    DiskFloor,
    /// The database is away, and the spool has as much as it takes.
    #[error("the database is away, and the spool holds store.spool_max")]
    SpoolFull,
}

impl Unwell {
    /// How long a carrier should stay away.
    #[must_use]
    pub fn retry_after(self) -> Duration {
        match self {
            Unwell::Behind => Duration::from_secs(1),
            Unwell::Failing => Duration::from_secs(5),
            Unwell::DiskFloor | Unwell::SpoolFull => Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_ends_when_its_cause_does() {
        let health = Health::default();
        assert_eq!(health.check(), Ok(()));
        assert!(health.failed());
        assert!(!health.failed());
        assert_eq!(health.check(), Err(Unwell::Failing));
        health.succeeded();
        assert_eq!(health.check(), Ok(()));
        assert!(health.disk(99, 100));
        assert_eq!(health.check(), Err(Unwell::DiskFloor));
        assert!(health.disk(100, 100));
        assert_eq!(health.check(), Ok(()));
    }
}
