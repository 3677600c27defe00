//! A lane: how many requests may be under way to one far end, and whether it may be sent to.

use super::breaker::{Admits, BadBreaker, Breaker, Health, State, Ticket};
use crate::clock::Entropy;
use crate::config;
use crate::telemetry::egress::{Egress, LaneState};
use crate::telemetry::messages::Messages;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Whom a lane tells how it fares.
pub trait Telemetry {
    /// It stands so, whether that changed or not.
    fn state(&self, state: LaneState);
    /// A request took off.
    fn took_off(&self);
    /// A request is settled, or given up.
    fn landed(&self);
    /// It stopped sending.
    fn held(&self, cause: &str);
    /// It sends again.
    fn back(&self);
}

macro_rules! telemetry {
    ($($name:ty),*) => {$(
        impl Telemetry for $name {
            fn state(&self, state: LaneState) {
                self.state(state);
            }

            fn took_off(&self) {
                self.took_off();
            }

            fn landed(&self) {
                self.landed();
            }

            fn held(&self, cause: &str) {
                self.held(cause);
            }

            fn back(&self) {
                self.back();
            }
        }
    )*};
}

telemetry!(Egress, Messages);

/// A lane, shared by its driver and its requests under way.
#[derive(Debug)]
pub struct Lane<T> {
    slots: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
    /// What opened the breaker; locked after it.
    trouble: Mutex<Option<Opened>>,
    paused: AtomicBool,
    changed: Notify,
    entropy: Entropy,
    pub(super) telemetry: T,
}

/// Why a breaker is not closed, and since when.
#[derive(Debug)]
struct Opened {
    cause: String,
    since: Instant,
}

/// How a breaker that is not closed stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What the last request met.
    pub cause: String,
    /// Since when nothing but probes is sent.
    pub since: Instant,
    /// When one request may try; `None` while one does.
    pub next_probe: Option<Instant>,
}

/// A lane that could send nothing or never stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLane {
    /// It could send nothing.
    #[error("concurrency must be at least 1")]
    NoConcurrency,
    /// Its breaker makes no sense.
    #[error(transparent)]
    Breaker(#[from] BadBreaker),
}

/// The right to start one batch.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

/// A batch under way: holds its slot, and tells the lane how its requests fare.
#[derive(Debug)]
pub struct Pass<T: Telemetry> {
    lane: Arc<Lane<T>>,
    ticket: Option<Ticket>,
    _slot: Slot,
}

impl<T: Telemetry> Lane<T> {
    /// A lane that sends.
    ///
    /// # Errors
    /// [`BadLane`] when it could not.
    pub fn new(
        concurrency: usize,
        breaker: &config::Breaker,
        telemetry: T,
        entropy: Entropy,
    ) -> Result<Lane<T>, BadLane> {
        let concurrency = NonZeroUsize::new(concurrency).ok_or(BadLane::NoConcurrency)?;
        let breaker = Breaker::new(breaker)?;
        telemetry.state(LaneState::Sending);
        Ok(Lane {
            slots: Arc::new(Semaphore::new(concurrency.get())),
            breaker: Mutex::new(breaker),
            trouble: Mutex::new(None),
            paused: AtomicBool::new(false),
            changed: Notify::new(),
            entropy,
            telemetry,
        })
    }

    /// Waits until something may be started, and returns how much: every free slot, or one when
    /// the lane is to be tried. There is always at least one.
    pub async fn slots(&self) -> Vec<Slot> {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&self.slots).acquire_owned().await else {
                return std::future::pending().await;
            };
            let first = Slot { _permit: permit };
            let admits = if self.paused.load(Ordering::Acquire) {
                Admits::NoneYet
            } else {
                self.breaker().admits(Instant::now())
            };
            match admits {
                Admits::One => return vec![first],
                Admits::All => {
                    let more = std::iter::from_fn(|| {
                        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
                        Some(Slot { _permit: permit })
                    });
                    return std::iter::once(first).chain(more).collect();
                }
                Admits::NoneYet | Admits::NoneUntil(_) => drop(first),
            }
            let time = async {
                match admits {
                    Admits::NoneUntil(until) => tokio::time::sleep_until(until).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = time => {}
            }
        }
    }

    /// Starts a batch in a slot from [`Lane::slots`].
    #[must_use]
    pub fn begin(self: &Arc<Self>, slot: Slot) -> Pass<T> {
        let mut breaker = self.breaker();
        let ticket = breaker.begin(Instant::now());
        self.telemetry.state(shown(breaker.state()));
        drop(breaker);
        self.telemetry.took_off();
        Pass { lane: Arc::clone(self), ticket: Some(ticket), _slot: slot }
    }

    /// Starts nothing more while `paused`; what is under way goes on.
    pub fn pause(&self, paused: bool) {
        if self.paused.swap(paused, Ordering::AcqRel) != paused {
            self.changed.notify_one();
        }
    }

    /// Has a breaker that holds the lane try now.
    pub fn release(&self) {
        self.breaker().release(Instant::now());
        self.changed.notify_one();
    }

    /// How the breaker stands, unless it is closed.
    pub fn trouble(&self) -> Option<Trouble> {
        let breaker = self.breaker();
        let next_probe = match breaker.state() {
            State::Closed { .. } => return None,
            State::Open { until } => Some(until),
            State::Probing => None,
        };
        let opened = self.opened();
        let Opened { cause, since } = opened.as_ref()?;
        Some(Trouble { cause: cause.clone(), since: *since, next_probe })
    }

    fn report(&self, ticket: Ticket, health: Health, cause: &str) {
        let mut breaker = self.breaker();
        let was = shown(breaker.state());
        breaker.end(ticket, health, Instant::now(), self.entropy.fraction());
        let is = shown(breaker.state());
        match (was, is) {
            (LaneState::Sending, LaneState::Sending) => return,
            (LaneState::Sending, _) => {
                self.telemetry.held(cause);
                *self.opened() = Some(Opened { cause: cause.to_owned(), since: Instant::now() });
            }
            (_, LaneState::Sending) => {
                self.telemetry.back();
                *self.opened() = None;
            }
            (LaneState::Probing, LaneState::Holding) => {
                if let Some(opened) = &mut *self.opened() {
                    cause.clone_into(&mut opened.cause);
                }
            }
            _ => {}
        }
        self.telemetry.state(is);
        drop(breaker);
        self.changed.notify_one();
    }

    fn give_back(&self, ticket: Ticket) {
        let mut breaker = self.breaker();
        breaker.give_back(ticket, Instant::now());
        self.telemetry.state(shown(breaker.state()));
        drop(breaker);
        self.changed.notify_one();
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // Every change of it is one assignment, so a panic leaves nothing half done.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self) -> MutexGuard<'_, Option<Opened>> {
        // The same holds here.
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Telemetry> Pass<T> {
    /// Tells what a request said about the destination.
    pub fn report(&mut self, health: Health, cause: &str) {
        // After its first request a probe is one of many.
        let ticket = self.ticket.take().unwrap_or(Ticket::Regular);
        self.lane.report(ticket, health, cause);
    }
}

impl<T: Telemetry> Drop for Pass<T> {
    fn drop(&mut self) {
        // A probe that never came to send must not leave the lane waiting for it, and says nothing
        // about the far end.
        if self.ticket == Some(Ticket::Probe) {
            self.lane.give_back(Ticket::Probe);
        }
        self.lane.telemetry.landed();
    }
}

fn shown(state: State) -> LaneState {
    match state {
        State::Closed { .. } => LaneState::Sending,
        State::Probing => LaneState::Probing,
        State::Open { .. } => LaneState::Holding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::samples::destination;
    use crate::telemetry::Metrics;
    use std::time::Duration;

    fn lane() -> Arc<Lane<Egress>> {
        let destination = destination();
        let telemetry = Egress::new(&Metrics::new().expect("a registry"), &destination.name);
        let lane = Lane::new(4, &destination.breaker, telemetry, Entropy::seeded(1));
        Arc::new(lane.expect("sense"))
    }

    fn state(lane: &Lane<Egress>) -> LaneState {
        shown(lane.breaker().state())
    }

    fn in_flight(lane: &Lane<Egress>) -> usize {
        destination().concurrency - lane.slots.available_permits()
    }

    #[tokio::test(start_paused = true)]
    async fn gives_every_free_slot_and_waits_for_one() {
        let lane = lane();
        let mut slots = lane.slots().await;
        assert_eq!(slots.len(), 4);
        let first = lane.begin(slots.pop().expect("a slot"));
        assert_eq!(in_flight(&lane), 4);
        drop(slots);
        assert_eq!((in_flight(&lane), lane.slots().await.len()), (1, 3));
        drop(first);
        assert_eq!(lane.slots().await.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn holds_on_a_fault_then_probes_with_one_then_sends_again() {
        let lane = lane();
        let started = Instant::now();
        let mut slots = lane.slots().await;
        let mut pass = lane.begin(slots.pop().expect("a slot"));
        pass.report(Health::Faulty, "401");
        drop((pass, slots));
        assert_eq!(state(&lane), LaneState::Holding);

        let mut slots = lane.slots().await;
        assert!(started.elapsed() >= Duration::from_secs(8), "a fifth less than open_for at most");
        assert_eq!(slots.len(), 1);
        let mut probe = lane.begin(slots.pop().expect("a slot"));
        assert_eq!(state(&lane), LaneState::Probing);
        // While one tries, no other starts, however long it takes.
        let other = tokio::time::timeout(Duration::from_secs(60), lane.slots());
        assert!(other.await.is_err());
        probe.report(Health::Failed, "500");
        assert_eq!(state(&lane), LaneState::Holding);
        drop(probe);

        let mut slots = lane.slots().await;
        let mut probe = lane.begin(slots.pop().expect("a slot"));
        let (waiting, ()) = tokio::join!(lane.slots(), async {
            probe.report(Health::Well, "");
        });
        assert_eq!(waiting.len(), 3);
        assert_eq!(state(&lane), LaneState::Sending);
    }

    #[tokio::test(start_paused = true)]
    async fn paused_it_starts_nothing_and_goes_on_when_it_is_not() {
        let lane = lane();
        let slots = lane.slots().await;
        lane.pause(true);
        drop(slots);
        let other = tokio::time::timeout(Duration::from_secs(3600), lane.slots());
        assert!(other.await.is_err());
        let (slots, ()) = tokio::join!(lane.slots(), async { lane.pause(false) });
        assert_eq!(slots.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn says_what_holds_it_and_tries_when_it_is_released() {
        let lane = lane();
        assert_eq!(lane.trouble(), None);
        let since = Instant::now();
        let mut slots = lane.slots().await;
        let wait = Health::Wait(Duration::from_secs(300));
        lane.begin(slots.pop().expect("a slot")).report(wait, "asked to wait for 300 s");
        drop(slots);
        let trouble = lane.trouble().expect("it holds");
        assert_eq!((trouble.cause.as_str(), trouble.since), ("asked to wait for 300 s", since));
        assert_eq!(trouble.next_probe, Some(since + Duration::from_secs(300)));

        let (mut slots, ()) = tokio::join!(lane.slots(), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            lane.release();
        });
        assert_eq!((slots.len(), since.elapsed()), (1, Duration::from_secs(1)));
        let mut probe = lane.begin(slots.pop().expect("a slot"));
        assert_eq!(lane.trouble().expect("it tries").next_probe, None);
        probe.report(Health::Faulty, "401");
        let trouble = lane.trouble().expect("it holds");
        assert_eq!((trouble.cause.as_str(), trouble.since), ("401", since));
        lane.release();
        let mut slots = lane.slots().await;
        lane.begin(slots.pop().expect("a slot")).report(Health::Well, "");
        assert_eq!(lane.trouble(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_never_sent_leaves_its_place_to_the_next() {
        let lane = lane();
        let mut slots = lane.slots().await;
        lane.begin(slots.pop().expect("a slot")).report(Health::Faulty, "404");
        drop(slots);
        let mut slots = lane.slots().await;
        let since = Instant::now();
        for _ in 0..3 {
            drop(lane.begin(slots.pop().expect("a slot")));
            assert_eq!(state(&lane), LaneState::Holding);
            slots = lane.slots().await;
            assert_eq!((slots.len(), since.elapsed()), (1, Duration::ZERO));
        }
        let mut probe = lane.begin(slots.pop().expect("a slot"));
        probe.report(Health::Well, "");
        assert_eq!(state(&lane), LaneState::Sending);
    }
}
