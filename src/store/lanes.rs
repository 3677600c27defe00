//! The lanes of a store, and which records go to which.

use crate::model::{LaneName, MOST_DESTINATIONS, Record, Selection};
use std::time::Duration;

/// The most lanes of one store.
pub const MOST_LANES: usize = MOST_DESTINATIONS;

/// A lane, and what goes there.
#[derive(Debug, Clone)]
pub struct LaneOptions {
    /// Its name.
    pub name: LaneName,
    /// Which records.
    pub only: Selection,
    /// How long before the end of its last day to call back a complaint goes before all others.
    pub urgent_before: Duration,
}

impl LaneOptions {
    /// A lane that everything goes to.
    #[must_use]
    pub fn of_everything(name: LaneName) -> LaneOptions {
        LaneOptions { name, only: Selection::default(), urgent_before: Duration::ZERO }
    }
}

/// The lanes that a record does not go to, by their places among the options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Passed(u32);

impl Passed {
    /// Those of the lanes that do not take a record.
    pub(super) fn by(lanes: &[LaneOptions], record: &Record) -> Passed {
        let refusing =
            lanes.iter().take(MOST_LANES).enumerate().filter(|(_, lane)| !lane.only.takes(record));
        Passed(refusing.fold(0, |bits, (place, _)| bits | 1 << place))
    }

    /// Whether the lane at this place is one of them.
    pub(super) fn by_lane(self, place: usize) -> bool {
        place < MOST_LANES && self.0 >> place & 1 == 1
    }
}
