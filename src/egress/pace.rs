//! How many requests may be under way to one far end, and when the next may start. Pure: the time
//! is passed in.
//!
//! The limit moves as a TCP window does. Additive increase and multiplicative decrease is what lets
//! several senders find a fair share without knowing of each other (Chiu and Jain, *Analysis of the
//! Increase and Decrease Algorithms for Congestion Avoidance in Computer Networks*, 1989); one step up
//! for a round of answers, and one step down at most, is from Jacobson, *Congestion Avoidance and
//! Control*, 1988. That an answer may be too slow to be a good one is from `AIMDLimit` of Netflix's
//! concurrency-limits.
//!
//! The rate is even spacing: the generic cell rate algorithm (ITU-T I.371) without a tolerance, so
//! that no rest is saved up for a burst. Who wakes late may follow closely on the one before, but no
//! second ever holds more starts than the rate. Nodes that share a store share the rate, each its even part; the limit they
//! find without knowing of each other.

use super::breaker::Health;
use crate::config::Destination;
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::Instant;

/// How long before its turn a request may be made ready: time enough for a lease, and short enough
/// that nothing urgent comes behind what is leased already.
const AHEAD: Duration = Duration::from_millis(50);

/// The second of the rate, longer than the clock's: one request is longer on its way than the next,
/// on a busy machine by some 70 ms, and in no second shall the far end count more than the rate either.
const SECOND: Duration = Duration::from_millis(1_100);

/// An answer that takes more than one in so many parts of its deadline is a slow one.
const SLOW: u32 = 2;

/// The pace of a lane.
#[derive(Debug)]
pub struct Pace {
    bounds: RangeInclusive<usize>,
    limit: usize,
    /// Good answers since the last step.
    earned: usize,
    /// When the limit last fell.
    fell: Option<Instant>,
    slow: Duration,
    /// Another node holds back from the far end.
    heeding: bool,
    turns: Option<Turns>,
}

/// A pace that would start nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPace {
    /// Nothing could be under way.
    #[error("concurrency must be at least 1")]
    NoConcurrency,
    /// It could fall to nothing.
    #[error("concurrency_min must be at least 1")]
    NoLowerBound,
    /// Its bounds are the wrong way round.
    #[error("concurrency must be at least concurrency_min")]
    BoundsCrossed,
    /// It would never be anybody's turn.
    #[error("rate must be at least 1; leave it out for no limit")]
    NoRate,
}

/// How many requests may start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// So many, at least one.
    Now(usize),
    /// None until one that is under way has ended.
    NoneYet,
    /// None until then, by the rate.
    NoneUntil(Instant),
}

impl Pace {
    /// The pace of a destination, at its slowest.
    ///
    /// # Errors
    /// [`BadPace`] when it makes no sense.
    pub fn of(destination: &Destination) -> Result<Pace, BadPace> {
        let bounds = destination.concurrency_min..=destination.concurrency;
        Pace::new(bounds, destination.request_timeout / SLOW, destination.rate)
    }

    /// So many at once, however they are answered.
    ///
    /// # Errors
    /// [`BadPace`] when that is none.
    pub fn fixed(concurrency: usize) -> Result<Pace, BadPace> {
        Pace::new(concurrency..=concurrency, Duration::MAX, None)
    }

    /// Begins at the lower of `bounds`. An answer that takes longer than `slow` is a bad one; `rate`
    /// is in requests a second.
    fn new(
        bounds: RangeInclusive<usize>,
        slow: Duration,
        rate: Option<u32>,
    ) -> Result<Pace, BadPace> {
        match (*bounds.start(), *bounds.end()) {
            (_, 0) => return Err(BadPace::NoConcurrency),
            (0, _) => return Err(BadPace::NoLowerBound),
            (min, max) if min > max => return Err(BadPace::BoundsCrossed),
            _ => {}
        }
        let turns = match rate {
            Some(rate) => Some(Turns::new(NonZeroU32::new(rate).ok_or(BadPace::NoRate)?)),
            None => None,
        };
        let limit = *bounds.start();
        Ok(Pace { limit, bounds, earned: 0, fell: None, slow, heeding: false, turns })
    }

    /// How many requests may be under way at once.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many requests may start beside so many others.
    #[must_use]
    pub fn starts(&self, others: usize, now: Instant) -> Starts {
        self.admit(self.limit.saturating_sub(others), now)
    }

    /// Whether one may start to try the far end. Old requests that still hang do not keep it back,
    /// unless there are as many as the upper bound.
    #[must_use]
    pub fn starts_probe(&self, others: usize, now: Instant) -> Starts {
        self.admit(self.bounds.end().saturating_sub(others).min(1), now)
    }

    fn admit(&self, room: usize, now: Instant) -> Starts {
        match &self.turns {
            _ if room == 0 => Starts::NoneYet,
            None => Starts::Now(room),
            Some(turns) => match turns.until(now + AHEAD, now) {
                0 => Starts::NoneUntil(turns.next(now) - AHEAD),
                some => Starts::Now(room.min(some)),
            },
        }
    }

    /// When a request may start, which is then taken: each takes its own, whatever it carries.
    pub fn turn(&mut self, now: Instant) -> Instant {
        self.turns.as_mut().map_or(now, |turns| turns.take(now))
    }

    /// Starts a request whose turn has come, unless a whole second's worth of others did within the
    /// last second.
    ///
    /// # Errors
    /// When it may try again; nothing has started.
    pub fn start(&mut self, now: Instant) -> Result<(), Instant> {
        self.turns.as_mut().map_or(Ok(()), |turns| turns.start(now))
    }

    /// A request has ended that was one of `under_way`, itself included.
    ///
    /// What started before the limit last fell tells of what it fell for, and counts no more.
    pub fn ended(&mut self, health: Health, started: Instant, under_way: usize, now: Instant) {
        if self.fell.is_some_and(|fell| started < fell) {
            return;
        }
        match health {
            Health::Well if now.duration_since(started) <= self.slow => self.rise(under_way),
            _ => self.fall_to(self.limit / 2, now),
        }
    }

    /// The far end is back after an outage: nobody knows what it bears now.
    pub fn start_over(&mut self, now: Instant) {
        self.fall_to(*self.bounds.start(), now);
    }

    /// The rate is for so many nodes together, of which this is one: it gets its part, which is never nothing.
    pub fn share(&mut self, nodes: u32) {
        if let Some(turns) = &mut self.turns {
            turns.nodes = nodes.max(1);
        }
    }

    /// Whether other nodes have trouble with the far end: then the limit is at its lower bound, and stays there.
    pub fn heed(&mut self, trouble: bool, now: Instant) {
        if trouble && !self.heeding {
            self.start_over(now);
        }
        self.heeding = trouble;
    }

    /// A limit that is not half used says nothing about a higher one.
    fn rise(&mut self, under_way: usize) {
        if self.heeding || under_way.saturating_mul(2) < self.limit {
            return;
        }
        self.earned += 1;
        if self.earned >= self.limit {
            self.earned = 0;
            self.limit = self.limit.saturating_add(1).min(*self.bounds.end());
        }
    }

    fn fall_to(&mut self, limit: usize, now: Instant) {
        self.limit = limit.max(*self.bounds.start());
        self.earned = 0;
        self.fell = Some(now);
    }
}

/// One start after another, no two closer than the interval.
#[derive(Debug)]
struct Turns {
    /// Of all nodes together.
    rate: NonZeroU32,
    nodes: u32,
    next: Option<Instant>,
    /// The latest starts, a second's worth of the rate at most, the earliest first.
    started: VecDeque<Instant>,
}

impl Turns {
    fn new(rate: NonZeroU32) -> Turns {
        Turns { rate, nodes: 1, next: None, started: VecDeque::new() }
    }

    /// Rounded up: a second holds no more than the rate.
    fn interval(&self) -> Duration {
        let nanoseconds = SECOND.as_nanos() * u128::from(self.nodes);
        let nanoseconds = nanoseconds.div_ceil(self.rate.get().into());
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// How many starts at most there are in how long a time. More nodes than the rate has requests take seconds for one.
    fn window(&self) -> (usize, Duration) {
        let rate = self.rate.get();
        match rate / self.nodes {
            0 => (1, SECOND.saturating_mul(self.nodes.div_ceil(rate))),
            part => (usize::try_from(part).unwrap_or(usize::MAX), SECOND),
        }
    }

    fn next(&self, now: Instant) -> Instant {
        self.next.map_or(now, |next| next.max(now))
    }

    fn take(&mut self, now: Instant) -> Instant {
        let turn = self.next(now);
        self.next = Some(turn + self.interval());
        turn
    }

    fn start(&mut self, now: Instant) -> Result<(), Instant> {
        let (most, window) = self.window();
        let first = self.started.len().checked_sub(most).and_then(|at| self.started.get(at));
        if let Some(free) = first.map(|first| *first + window)
            && now < free
        {
            return Err(free);
        }
        // As many as matter when this node is alone again.
        if self.started.len() >= usize::try_from(self.rate.get()).unwrap_or(usize::MAX) {
            self.started.pop_front();
        }
        self.started.push_back(now);
        Ok(())
    }

    /// How many there are until then.
    fn until(&self, then: Instant, now: Instant) -> usize {
        let Some(left) = then.checked_duration_since(self.next(now)) else { return 0 };
        let further = left.as_nanos() / self.interval().as_nanos();
        usize::try_from(further).unwrap_or(usize::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests;
