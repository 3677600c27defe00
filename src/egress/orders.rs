//! What operators order of a lane is done, and how its breaker stands is written down for them.
//!
//! Nodes that share the store see each other's breakers there: while one holds back, the others send as little at once as they
//! may, and when it sends again, they try, too.
//!
//! Whether a pause holds is decided by its end on the clock, so it survives a restart and ends
//! though nobody ends it.

use super::lane::{self, Lane};
use crate::clock::Clock;
use crate::lifecycle::Tasks;
use crate::model::LaneName;
use crate::store::{Orders, Store, Trouble};
use crate::telemetry::Progress;
use crate::telemetry::egress::Egress;
use jiff::Timestamp;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};

/// The time between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// What is known of a lane's orders. Pure.
#[derive(Debug, Default)]
struct Known(Option<Orders>);

impl Known {
    /// Takes in what stands in the store. Returns whether to try now: a probe was ordered since the last look, or
    /// another node's breaker has closed. A probe from before the first was meant for a breaker that is gone.
    fn learn(&mut self, orders: Orders) -> bool {
        let to_try = self.0.as_ref().is_some_and(|known| {
            known.probe < orders.probe || known.troubled_elsewhere > orders.troubled_elsewhere
        });
        self.0 = Some(orders);
        to_try
    }

    fn is_troubled_elsewhere(&self) -> bool {
        self.0.as_ref().is_some_and(|orders| orders.troubled_elsewhere > 0)
    }

    /// Whether the lane is paused at this time; `None` as long as nobody knows.
    fn is_paused(&self, now: Timestamp) -> Option<bool> {
        self.0.as_ref().map(|orders| orders.pause_at(now).is_some())
    }
}

/// Looks after one lane.
pub(super) struct Watch {
    name: LaneName,
    lane: Arc<Lane<Egress>>,
    store: Store,
    clock: Clock,
    nodes: watch::Receiver<u32>,
    progress: Progress,
    /// Outlives a watch that is replaced: what is known holds on.
    seen: Mutex<Seen>,
}

/// What a watch has seen so far.
#[derive(Debug, Default)]
struct Seen {
    known: Known,
    paused: bool,
    /// What was written down last.
    noted: Option<Option<lane::Trouble>>,
}

impl Watch {
    /// Over a lane that sends nothing until its orders are known.
    pub(super) fn new(
        name: LaneName,
        lane: Arc<Lane<Egress>>,
        store: Store,
        clock: Clock,
    ) -> Watch {
        lane.pause(true);
        let progress = Progress::new("lane orders");
        let nodes = store.living_nodes();
        Watch { name, lane, store, clock, nodes, progress, seen: Mutex::default() }
    }

    /// The clock that it winds.
    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Looks until the soft stop.
    pub(super) async fn run(self: Arc<Self>, tasks: Tasks) {
        let mut stopping = pin!(tasks.stopping());
        let mut seen = self.seen.lock().await;
        loop {
            let look = async {
                self.progress.begin("reading orders");
                self.look_for_orders(&mut seen).await;
                self.progress.begin("noting how the breaker stands");
                self.note_trouble(&mut seen).await;
                self.progress.rest();
                sleep(LOOK).await;
            };
            tokio::select! {
                biased;
                () = &mut stopping => return,
                () = look => {}
            }
        }
    }

    async fn look_for_orders(&self, seen: &mut Seen) {
        match self.store.lane_orders(&self.name).await {
            Ok(orders) => {
                if seen.known.learn(orders) {
                    self.lane.release();
                }
                self.lane.heed(seen.known.is_troubled_elsewhere());
            }
            // What is known holds on, and ends by the clock.
            Err(error) => self.lane.telemetry.store_failed("lane_orders", &error),
        }
        let Some(paused) = seen.known.is_paused(self.clock.now()) else { return };
        // Before the other nodes know of this one, its part of the rate is still theirs.
        let nodes = *self.nodes.borrow();
        if nodes == 0 {
            return;
        }
        self.lane.share(nodes);
        self.lane.pause(paused);
        if paused != seen.paused {
            seen.paused = paused;
            self.lane.telemetry.paused(paused);
        }
    }

    async fn note_trouble(&self, seen: &mut Seen) {
        let trouble = self.lane.trouble();
        if seen.noted.as_ref() == Some(&trouble) {
            return;
        }
        let (now, instant) = (self.clock.now(), Instant::now());
        let shown = trouble.as_ref().map(|trouble| shown(trouble, now, instant));
        match self.store.note_trouble(&self.name, shown.as_ref()).await {
            Ok(()) => seen.noted = Some(trouble),
            Err(error) => self.lane.telemetry.store_failed("note_trouble", &error),
        }
    }
}

/// A breaker's trouble with times that mean something in another process.
fn shown(trouble: &lane::Trouble, now: Timestamp, instant: Instant) -> Trouble {
    let ago = instant.saturating_duration_since(trouble.since);
    let at = |probe: Instant| {
        let wait = probe.saturating_duration_since(instant);
        now.checked_add(wait).unwrap_or(Timestamp::MAX)
    };
    Trouble {
        cause: trouble.cause.clone(),
        since: now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        next_probe: trouble.next_probe.map(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{OrderId, Pause};
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_677_230 + second).expect("a time")
    }

    fn paused(until: i64) -> Orders {
        let pause = Pause {
            reason: "their maintenance".to_owned(),
            by: "wang".to_owned(),
            since: at(0),
            until: at(until),
        };
        Orders { pause: Some(pause), ..Orders::default() }
    }

    fn probed(id: i64) -> Orders {
        Orders { probe: Some(OrderId(id)), ..Orders::default() }
    }

    #[test]
    fn nobody_knows_before_the_first_look() {
        let mut known = Known::default();
        assert_eq!(known.is_paused(at(0)), None);
        assert!(!known.learn(Orders::default()));
        assert_eq!(known.is_paused(at(0)), Some(false));
    }

    #[test]
    fn a_pause_holds_until_it_is_over_or_ended() {
        let mut known = Known::default();
        known.learn(paused(60));
        for (second, expected) in [(0, true), (59, true), (60, false), (3600, false)] {
            assert_eq!(known.is_paused(at(second)), Some(expected), "{second}");
        }
        // Another pause takes its place, the clock may be set back, and resuming ends it.
        known.learn(paused(120));
        assert_eq!((known.is_paused(at(119)), known.is_paused(at(-9))), (Some(true), Some(true)));
        known.learn(Orders::default());
        assert_eq!(known.is_paused(at(0)), Some(false));
    }

    #[test]
    fn a_probe_is_done_once_and_not_by_a_later_process() {
        let mut known = Known::default();
        let ordered = [probed(4), probed(4), probed(7), probed(7)];
        assert_eq!(ordered.map(|orders| known.learn(orders)), [false, false, true, false]);
        let mut known = Known::default();
        known.learn(Orders::default());
        assert!(known.learn(probed(1)), "the first ever");
    }

    #[test]
    fn when_another_nodes_breaker_closes_ours_tries() {
        let elsewhere = |nodes| Orders { troubled_elsewhere: nodes, ..Orders::default() };
        let mut known = Known::default();
        let seen = [1, 2, 1, 1, 0].map(|nodes| known.learn(elsewhere(nodes)));
        assert_eq!(seen, [false, false, true, false, true]);
        assert!(!known.is_troubled_elsewhere());
    }

    #[test]
    fn instants_become_times() {
        let instant = Instant::now() + Duration::from_secs(60);
        let trouble = lane::Trouble {
            cause: "401".to_owned(),
            since: instant - Duration::from_secs(30),
            next_probe: Some(instant + Duration::from_secs(5)),
        };
        let shown = shown(&trouble, at(0), instant);
        assert_eq!((shown.since, shown.next_probe), (at(-30), Some(at(5))));
    }

    proptest! {
        #[test]
        fn every_pause_ends(until in -1000_i64..1000, now in -2000_i64..2000) {
            let mut known = Known::default();
            known.learn(paused(until));
            prop_assert_eq!(known.is_paused(at(now)), Some(now < until));
        }
    }
}
