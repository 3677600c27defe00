//! When a lane stops sending for a while, and how it finds its way back. Pure: the time is
//! passed in.
//!
//! ```text
//! closed ──failures in a row, or a fault, or told to wait──▶ open ──its time is over──▶ probing
//!    ▲                                                        ▲                          │
//!    └──────────────────── the probe succeeded ───────────────┼──────────────────────────┤
//!                                                             └──── the probe failed ────┘
//! ```
//!
//! A probe that was not sent after all leaves its place to the next. Failures that take long are enough before they are
//! many: a destination that hangs is known by the time without a good answer.

use crate::config;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::Instant;

/// The longest time without a good answer while requests fail.
const PATIENCE: Duration = Duration::from_secs(30);

/// Holds a lane whose destination is in trouble, and lets one request try at a time.
#[derive(Debug)]
pub struct Breaker {
    failures: NonZeroU32,
    open_for: Duration,
    state: State,
    /// When the last answer came that was no failure.
    heard_at: Option<Instant>,
    /// Since when there are only failures, by the start of the first.
    failing_since: Option<Instant>,
}

/// A breaker that would never open or never hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBreaker {
    /// It would open without a failure.
    #[error("breaker.failures must be at least 1")]
    NoFailures,
    /// It would not hold.
    #[error("breaker.open_for must be longer than 0, for example 10s")]
    NoTime,
}

/// Where the breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Requests flow; so many failed in a row.
    Closed {
        /// Failures since the last success.
        failures: u32,
    },
    /// Nothing is sent until then.
    Open {
        /// When one request may try.
        until: Instant,
    },
    /// One request is trying.
    Probing,
}

/// How many requests may start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admits {
    /// Any number.
    All,
    /// One, to try.
    One,
    /// None until then.
    NoneUntil(Instant),
    /// None until the one that is trying has ended.
    NoneYet,
}

/// What a request is to the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticket {
    /// One of many.
    Regular,
    /// The one that tries; its end decides.
    Probe,
}

/// What a request said about the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works, whatever it said about the records.
    Well,
    /// The request failed.
    Failed,
    /// No request can succeed before somebody repairs something.
    Faulty,
    /// It works and wants to be left alone for so long.
    Wait(Duration),
}

impl Breaker {
    /// A closed breaker.
    ///
    /// # Errors
    /// [`BadBreaker`] when it makes no sense.
    pub fn new(config: &config::Breaker) -> Result<Breaker, BadBreaker> {
        let failures = NonZeroU32::new(config.failures).ok_or(BadBreaker::NoFailures)?;
        if config.open_for.is_zero() {
            return Err(BadBreaker::NoTime);
        }
        let state = State::Closed { failures: 0 };
        let open_for = config.open_for;
        Ok(Breaker { failures, open_for, state, heard_at: None, failing_since: None })
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// How many requests may start now.
    #[must_use]
    pub fn admits(&self, now: Instant) -> Admits {
        match self.state {
            State::Closed { .. } => Admits::All,
            State::Open { until } if now < until => Admits::NoneUntil(until),
            State::Open { .. } => Admits::One,
            State::Probing => Admits::NoneYet,
        }
    }

    /// A request that was admitted starts. If the breaker has opened since, it is one that was
    /// under way.
    pub fn begin(&mut self, now: Instant) -> Ticket {
        if self.admits(now) != Admits::One {
            return Ticket::Regular;
        }
        self.state = State::Probing;
        Ticket::Probe
    }

    /// A request that had started was not sent: another may try in its place, at once.
    pub fn give_back(&mut self, ticket: Ticket, now: Instant) {
        if ticket == Ticket::Probe && self.state == State::Probing {
            self.state = State::Open { until: now };
        }
    }

    /// Somebody wants it tried: an open one need not wait any longer.
    pub fn release(&mut self, now: Instant) {
        if let State::Open { until } = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// A request that started and ended at these times is over. `fraction` (0 to 1) shortens an open time by up to a fifth, so that
    /// several gateways do not try in step.
    ///
    /// Once it is open, only the probe counts: what the others say is older news.
    pub fn end(
        &mut self,
        ticket: Ticket,
        health: Health,
        (started, now): (Instant, Instant),
        fraction: f64,
    ) {
        let is_patient = self.failing_for(health, started, now) < PATIENCE;
        let open_for = self.open_for.mul_f64(0.8 + 0.2 * fraction.clamp(0.0, 1.0));
        self.state = match (self.state, ticket, health) {
            (State::Closed { .. }, _, Health::Well)
            | (State::Probing, Ticket::Probe, Health::Well) => State::Closed { failures: 0 },
            (State::Closed { failures }, _, Health::Failed)
                if is_patient && failures.saturating_add(1) < self.failures.get() =>
            {
                State::Closed { failures: failures.saturating_add(1) }
            }
            (State::Closed { .. }, _, Health::Failed | Health::Faulty)
            | (State::Probing, Ticket::Probe, Health::Failed | Health::Faulty) => {
                State::Open { until: now + open_for }
            }
            (State::Closed { .. }, _, Health::Wait(wait))
            | (State::Probing, Ticket::Probe, Health::Wait(wait)) => {
                State::Open { until: now + wait }
            }
            (State::Open { until }, _, Health::Wait(wait)) => {
                State::Open { until: until.max(now + wait) }
            }
            (state @ (State::Open { .. } | State::Probing), _, _) => state,
        };
    }

    /// For how long there have been only failures, this answer included.
    fn failing_for(&mut self, health: Health, started: Instant, now: Instant) -> Duration {
        if health != Health::Failed {
            (self.heard_at, self.failing_since) = (Some(now), None);
            return Duration::ZERO;
        }
        // What was answered while this request was under way shows a destination that worked.
        let since = self.heard_at.map_or(started, |heard| heard.max(started));
        now.saturating_duration_since(*self.failing_since.get_or_insert(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPEN_FOR: Duration = Duration::from_secs(10);

    fn breaker() -> Breaker {
        Breaker::new(&config::Breaker { failures: 3, open_for: OPEN_FOR }).expect("sense")
    }

    #[test]
    fn nonsense_is_refused() {
        let none = config::Breaker { failures: 0, open_for: OPEN_FOR };
        assert_eq!(Breaker::new(&none).err(), Some(BadBreaker::NoFailures));
        let no_time = config::Breaker { failures: 1, open_for: Duration::ZERO };
        assert_eq!(Breaker::new(&no_time).err(), Some(BadBreaker::NoTime));
    }

    #[test]
    fn opens_on_failures_in_a_row_and_only_then() {
        let now = Instant::now();
        let mut breaker = breaker();
        for health in [Health::Failed, Health::Failed, Health::Well, Health::Failed, Health::Failed]
        {
            breaker.end(Ticket::Regular, health, (now, now), 1.0);
            assert_eq!(breaker.admits(now), Admits::All);
        }
        breaker.end(Ticket::Regular, Health::Failed, (now, now), 1.0);
        assert_eq!(breaker.admits(now), Admits::NoneUntil(now + OPEN_FOR));
    }

    #[tokio::test(start_paused = true)]
    async fn opens_on_a_destination_that_only_hangs_before_failures_are_many() {
        let hundred = config::Breaker { failures: 100, open_for: OPEN_FOR };
        let mut breaker = Breaker::new(&hundred).expect("sense");
        let timeout = Duration::from_secs(10);
        let mut requests = 0;
        while breaker.admits(Instant::now()) == Admits::All {
            let started = Instant::now();
            tokio::time::advance(timeout).await;
            breaker.end(Ticket::Regular, Health::Failed, (started, Instant::now()), 1.0);
            requests += 1;
        }
        assert_eq!(requests, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_between_makes_it_patient_again_and_idle_time_does_not_count() {
        let mut breaker = breaker();
        let (failed, well) = (Health::Failed, Health::Well);
        for (health, took, idle) in
            [(failed, 20, 0), (well, 1, 0), (failed, 20, 0), (well, 1, 900), (failed, 10, 0)]
        {
            let started = Instant::now();
            tokio::time::advance(Duration::from_secs(took)).await;
            breaker.end(Ticket::Regular, health, (started, Instant::now()), 1.0);
            assert_eq!(breaker.admits(Instant::now()), Admits::All);
            tokio::time::advance(Duration::from_secs(idle)).await;
        }
        // One that was under way while another was answered does not count from its start.
        let started = Instant::now();
        tokio::time::advance(Duration::from_secs(29)).await;
        let now = Instant::now();
        breaker.end(Ticket::Regular, well, (started, now), 1.0);
        tokio::time::advance(Duration::from_secs(1)).await;
        breaker.end(Ticket::Regular, failed, (started, Instant::now()), 1.0);
        assert_eq!(breaker.admits(Instant::now()), Admits::All);
    }

    #[test]
    fn one_probe_decides() {
        let now = Instant::now();
        let mut breaker = breaker();
        breaker.end(Ticket::Regular, Health::Faulty, (now, now), 1.0);
        let later = now + OPEN_FOR;
        assert_eq!(breaker.admits(later), Admits::One);
        let probe = breaker.begin(later);
        assert_eq!((probe, breaker.admits(later)), (Ticket::Probe, Admits::NoneYet));
        // A straggler from before knows nothing new.
        breaker.end(Ticket::Regular, Health::Well, (later, later), 1.0);
        assert_eq!(breaker.state(), State::Probing);
        breaker.end(probe, Health::Failed, (later, later), 1.0);
        assert_eq!(breaker.admits(later), Admits::NoneUntil(later + OPEN_FOR));
        assert_eq!(breaker.begin(later), Ticket::Regular);
        let probe = breaker.begin(later + OPEN_FOR);
        breaker.end(probe, Health::Well, (later + OPEN_FOR, later + OPEN_FOR), 1.0);
        assert_eq!(breaker.state(), State::Closed { failures: 0 });
    }

    #[test]
    fn a_probe_that_was_not_sent_says_nothing_and_leaves_its_place_to_another() {
        let now = Instant::now();
        let mut breaker = breaker();
        breaker.end(Ticket::Regular, Health::Faulty, (now, now), 1.0);
        let later = now + OPEN_FOR;
        let probe = breaker.begin(later);
        breaker.give_back(Ticket::Regular, later);
        assert_eq!(breaker.admits(later), Admits::NoneYet);
        breaker.give_back(probe, later);
        assert_eq!(breaker.admits(later), Admits::One);
        let probe = breaker.begin(later);
        breaker.end(probe, Health::Well, (later, later), 1.0);
        assert_eq!(breaker.state(), State::Closed { failures: 0 });
    }

    #[test]
    fn released_it_tries_at_once_and_what_does_not_hold_is_left_alone() {
        let now = Instant::now();
        let mut breaker = breaker();
        breaker.release(now);
        assert_eq!(breaker.admits(now), Admits::All);
        breaker.end(Ticket::Regular, Health::Wait(OPEN_FOR * 30), (now, now), 1.0);
        breaker.release(now);
        assert_eq!(breaker.admits(now), Admits::One);
        let probe = breaker.begin(now);
        breaker.release(now);
        assert_eq!(breaker.admits(now), Admits::NoneYet);
        breaker.end(probe, Health::Failed, (now, now), 1.0);
        assert_eq!(breaker.admits(now), Admits::NoneUntil(now + OPEN_FOR));
    }

    #[test]
    fn waits_as_long_as_it_is_told_then_probes() {
        let now = Instant::now();
        let mut breaker = breaker();
        let wait = Duration::from_secs(90);
        breaker.end(Ticket::Regular, Health::Wait(wait), (now, now), 0.0);
        breaker.end(Ticket::Regular, Health::Wait(wait / 2), (now, now), 0.0);
        assert_eq!(breaker.admits(now), Admits::NoneUntil(now + wait));
        assert_eq!(breaker.admits(now + wait), Admits::One);
    }

    fn health() -> impl Strategy<Value = Health> {
        prop_oneof![
            Just(Health::Well),
            Just(Health::Failed),
            Just(Health::Faulty),
            (1_u64..300).prop_map(|seconds| Health::Wait(Duration::from_secs(seconds))),
        ]
    }

    proptest! {
        /// Whatever happens, there is at most one probe, it can always come back, and a success
        /// of the probe closes it.
        #[test]
        fn never_sticks(
            steps in prop::collection::vec((0_u64..20, prop::option::of(health()), any::<bool>()), 0..200)
        ) {
            let mut breaker = breaker();
            let mut now = Instant::now();
            let mut under_way: Vec<Ticket> = Vec::new();
            for (seconds, health, start) in steps {
                now += Duration::from_secs(seconds);
                if start {
                    under_way.push(breaker.begin(now));
                } else if let Some(ticket) = under_way.pop() {
                    match health {
                        Some(health) => breaker.end(ticket, health, (now, now), 0.5),
                        None => breaker.give_back(ticket, now),
                    }
                }
                let probes = under_way.iter().filter(|ticket| **ticket == Ticket::Probe).count();
                prop_assert!(probes <= 1);
                prop_assert_eq!(probes == 1, breaker.state() == State::Probing);
            }
            while let Some(ticket) = under_way.pop() {
                breaker.end(ticket, Health::Failed, (now, now), 0.5);
            }
            // The longest that anything asks for is 300 s.
            now += Duration::from_secs(301);
            prop_assert!(matches!(breaker.admits(now), Admits::All | Admits::One));
            let last = breaker.begin(now);
            breaker.end(last, Health::Well, (now, now), 0.5);
            prop_assert_eq!(breaker.state(), State::Closed { failures: 0 });
        }
    }
}
