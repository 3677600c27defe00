//! A lane: how many requests may be under way to one far end, and whether it may be sent to.

use super::breaker::{Admits, BadBreaker, Breaker, Health, State, Ticket};
use super::pace::{BadPace, Pace, Starts};
use crate::clock::Entropy;
use crate::config::{self, Destination};
use crate::telemetry::egress::{Egress, LaneState};
use crate::telemetry::messages::Messages;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

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
    /// So many requests may be under way, whether that changed or not.
    fn limit(&self, _limit: usize) {}
    /// The next request had to wait for its turn under the rate.
    fn waited_for_rate(&self) {}
}

macro_rules! telemetry {
    ($name:ty $({ $($more:tt)* })?) => {
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

            $($($more)*)?
        }
    };
}

telemetry!(Egress {
    fn limit(&self, limit: usize) {
        self.limit(limit);
    }

    fn waited_for_rate(&self) {
        self.waited_for_rate();
    }
});

// Their limit is fixed and their rate their own.
telemetry!(Messages);

/// A lane, shared by its driver and its requests under way.
#[derive(Debug)]
pub struct Lane<T: Telemetry> {
    standing: Mutex<Standing>,
    changed: Notify,
    entropy: Entropy,
    pub(super) telemetry: T,
}

#[derive(Debug)]
struct Standing {
    breaker: Breaker,
    pace: Pace,
    /// Slots that are given out.
    slots: usize,
    /// Those of them that were begun.
    under_way: usize,
    /// What opened the breaker, while it is not closed.
    opened: Option<Opened>,
    /// An operator holds it.
    paused: bool,
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
    /// Its pace makes no sense.
    #[error(transparent)]
    Pace(#[from] BadPace),
    /// Its breaker makes no sense.
    #[error(transparent)]
    Breaker(#[from] BadBreaker),
}

/// The right to start one batch.
#[derive(Debug)]
pub struct Slot<T: Telemetry> {
    lane: Arc<Lane<T>>,
}

/// A batch under way: holds its slot, and tells the lane how its requests fare.
#[derive(Debug)]
pub struct Pass<T: Telemetry> {
    ticket: Option<Ticket>,
    /// When its first request may start, until that has.
    turn: Option<Instant>,
    /// When its latest request started.
    started: Instant,
    slot: Slot<T>,
}

impl<T: Telemetry> Lane<T> {
    /// A lane that sends, at the pace that its destination bears.
    ///
    /// # Errors
    /// [`BadLane`] when it could not.
    pub fn paced(
        destination: &Destination,
        telemetry: T,
        entropy: Entropy,
    ) -> Result<Lane<T>, BadLane> {
        Lane::new(Pace::of(destination)?, &destination.breaker, telemetry, entropy)
    }

    /// A lane that sends so many at once, however they are answered.
    ///
    /// # Errors
    /// [`BadLane`] when it could not.
    pub fn fixed(
        concurrency: usize,
        breaker: &config::Breaker,
        telemetry: T,
        entropy: Entropy,
    ) -> Result<Lane<T>, BadLane> {
        Lane::new(Pace::fixed(concurrency)?, breaker, telemetry, entropy)
    }

    fn new(
        pace: Pace,
        breaker: &config::Breaker,
        telemetry: T,
        entropy: Entropy,
    ) -> Result<Lane<T>, BadLane> {
        let breaker = Breaker::new(breaker)?;
        telemetry.state(LaneState::Sending);
        telemetry.limit(pace.limit());
        let standing =
            Standing { breaker, pace, slots: 0, under_way: 0, opened: None, paused: false };
        let standing = Mutex::new(standing);
        Ok(Lane { standing, changed: Notify::new(), entropy, telemetry })
    }

    /// Waits until something may be started, and returns how much: every free slot whose turn comes
    /// soon, or one when the lane is to be tried. There is always at least one.
    pub async fn slots(self: &Arc<Self>) -> Vec<Slot<T>> {
        loop {
            let until = match self.take() {
                Starts::Now(some) => {
                    return (0..some).map(|_| Slot { lane: Arc::clone(self) }).collect();
                }
                Starts::NoneUntil(until) => Some(until),
                Starts::NoneYet => None,
            };
            let time = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
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
    pub fn begin(&self, slot: Slot<T>) -> Pass<T> {
        let now = Instant::now();
        let mut standing = self.standing();
        let ticket = standing.breaker.begin(now);
        let turn = standing.pace.turn(now);
        standing.under_way += 1;
        self.telemetry.state(shown(standing.breaker.state()));
        drop(standing);
        self.telemetry.took_off();
        Pass { ticket: Some(ticket), turn: Some(turn), started: now, slot }
    }

    /// Takes the slots that are free now.
    fn take(&self) -> Starts {
        let now = Instant::now();
        let mut standing = self.standing();
        let starts = match standing.breaker.admits(now) {
            _ if standing.paused => Starts::NoneYet,
            Admits::All => standing.pace.starts(standing.slots, now),
            Admits::One => standing.pace.starts_probe(standing.slots, now),
            Admits::NoneUntil(until) => Starts::NoneUntil(until),
            Admits::NoneYet => Starts::NoneYet,
        };
        if let Starts::Now(some) = starts {
            standing.slots += some;
        }
        starts
    }

    /// Starts nothing more while `paused`; what is under way goes on. Afterwards it begins slowly.
    pub fn pause(&self, paused: bool) {
        let mut standing = self.standing();
        if standing.paused == paused {
            return;
        }
        standing.paused = paused;
        if !paused {
            standing.pace.start_over(Instant::now());
            self.telemetry.limit(standing.pace.limit());
        }
        drop(standing);
        self.changed.notify_one();
    }

    /// Shares the rate with so many nodes, this one among them.
    pub fn share(&self, nodes: u32) {
        self.standing().pace.share(nodes);
        self.changed.notify_one();
    }

    /// Sends as little at once as it may while other nodes hold back from the far end.
    pub fn heed(&self, trouble: bool) {
        let mut standing = self.standing();
        standing.pace.heed(trouble, Instant::now());
        self.telemetry.limit(standing.pace.limit());
    }

    /// Has a breaker that holds the lane try now.
    pub fn release(&self) {
        self.standing().breaker.release(Instant::now());
        self.changed.notify_one();
    }

    /// How the breaker stands, unless it is closed.
    pub fn trouble(&self) -> Option<Trouble> {
        let standing = self.standing();
        let next_probe = match standing.breaker.state() {
            State::Closed { .. } => return None,
            State::Open { until } => Some(until),
            State::Probing => None,
        };
        let Opened { cause, since } = standing.opened.as_ref()?;
        Some(Trouble { cause: cause.clone(), since: *since, next_probe })
    }

    fn report(&self, ticket: Ticket, health: Health, started: Instant, cause: &str) {
        let now = Instant::now();
        let mut standing = self.standing();
        let Standing { breaker, pace, under_way, opened, .. } = &mut *standing;
        let was = shown(breaker.state());
        breaker.end(ticket, health, (started, now), self.entropy.fraction());
        let is = shown(breaker.state());
        pace.ended(health, started, *under_way, now);
        match (was, is) {
            (LaneState::Sending, LaneState::Sending) => {}
            (LaneState::Sending, _) => {
                self.telemetry.held(cause);
                *opened = Some(Opened { cause: cause.to_owned(), since: now });
            }
            (_, LaneState::Sending) => {
                pace.start_over(now);
                self.telemetry.back();
                *opened = None;
            }
            (LaneState::Probing, LaneState::Holding) => {
                if let Some(opened) = opened {
                    cause.clone_into(&mut opened.cause);
                }
            }
            _ => {}
        }
        self.telemetry.state(is);
        self.telemetry.limit(pace.limit());
        drop(standing);
        self.changed.notify_one();
    }

    /// Starts a request whose turn has come; or else says when to try again.
    fn start(&self) -> Option<Instant> {
        self.standing().pace.start(Instant::now()).err()
    }

    fn give_back(&self, ticket: Ticket) {
        let mut standing = self.standing();
        standing.breaker.give_back(ticket, Instant::now());
        self.telemetry.state(shown(standing.breaker.state()));
        drop(standing);
        self.changed.notify_one();
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Nothing that changes it can panic half way.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Telemetry> Drop for Slot<T> {
    fn drop(&mut self) {
        self.lane.standing().slots -= 1;
        self.lane.changed.notify_one();
    }
}

impl<T: Telemetry> Pass<T> {
    /// Waits until the next request may start: each has a turn of its own under the rate.
    pub async fn turn(&mut self) {
        let lane = &self.slot.lane;
        let turn = self.turn.take();
        let turn = turn.unwrap_or_else(|| lane.standing().pace.turn(Instant::now()));
        if turn > Instant::now() {
            lane.telemetry.waited_for_rate();
            sleep_until(turn).await;
        }
        while let Some(again) = lane.start() {
            sleep_until(again).await;
        }
        self.started = Instant::now();
    }

    /// Whether its next request may be sent: nobody paused the lane, and the breaker has not opened
    /// since, unless this one tries for it.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        let standing = self.slot.lane.standing();
        let is_held = !matches!(standing.breaker.state(), State::Closed { .. });
        !standing.paused && (!is_held || self.ticket == Some(Ticket::Probe))
    }

    /// Tells what a request said about the destination. One that said nothing is not told of, and
    /// a probe then is one still.
    pub fn report(&mut self, health: Health, cause: &str) {
        // After its first request a probe is one of many.
        let ticket = self.ticket.take().unwrap_or(Ticket::Regular);
        self.slot.lane.report(ticket, health, self.started, cause);
    }
}

impl<T: Telemetry> Drop for Pass<T> {
    fn drop(&mut self) {
        let lane = &self.slot.lane;
        // A probe that never came to send must not leave the lane waiting for it, and says nothing
        // about the far end.
        if self.ticket == Some(Ticket::Probe) {
            lane.give_back(Ticket::Probe);
        }
        lane.standing().under_way -= 1;
        lane.telemetry.landed();
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
mod tests;
