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
//! second ever holds more starts than the rate.

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
        Ok(Pace { limit: *bounds.start(), bounds, earned: 0, fell: None, slow, turns })
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

    /// A limit that is not half used says nothing about a higher one.
    fn rise(&mut self, under_way: usize) {
        if under_way.saturating_mul(2) < self.limit {
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
    interval: Duration,
    next: Option<Instant>,
    /// The latest starts, a second's worth at most, the earliest first.
    started: VecDeque<Instant>,
    rate: usize,
}

impl Turns {
    /// The interval is rounded up: a second holds no more than the rate.
    fn new(rate: NonZeroU32) -> Turns {
        let nanoseconds = SECOND.as_nanos().div_ceil(rate.get().into());
        let interval = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let rate = usize::try_from(rate.get()).unwrap_or(usize::MAX);
        Turns { interval, next: None, started: VecDeque::new(), rate }
    }

    fn next(&self, now: Instant) -> Instant {
        self.next.map_or(now, |next| next.max(now))
    }

    fn take(&mut self, now: Instant) -> Instant {
        let turn = self.next(now);
        self.next = Some(turn + self.interval);
        turn
    }

    fn start(&mut self, now: Instant) -> Result<(), Instant> {
        if self.started.len() >= self.rate
            && let Some(first) = self.started.front()
        {
            let free = *first + SECOND;
            if now < free {
                return Err(free);
            }
            self.started.pop_front();
        }
        self.started.push_back(now);
        Ok(())
    }

    /// How many there are until then.
    fn until(&self, then: Instant, now: Instant) -> usize {
        let Some(left) = then.checked_duration_since(self.next(now)) else { return 0 };
        let further = left.as_nanos() / self.interval.as_nanos();
        usize::try_from(further).unwrap_or(usize::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SLOW_AFTER: Duration = Duration::from_secs(5);

    fn pace(bounds: RangeInclusive<usize>, rate: Option<u32>) -> Pace {
        Pace::new(bounds, SLOW_AFTER, rate).expect("sense")
    }

    /// Good answers until the limit is at its upper bound; returns how many.
    fn recover(pace: &mut Pace, now: Instant) -> usize {
        let mut answers = 0;
        while pace.limit() < *pace.bounds.end() {
            pace.ended(Health::Well, now, pace.limit(), now);
            answers += 1;
        }
        answers
    }

    #[test]
    fn nonsense_is_refused() {
        for (bounds, rate, why) in [
            (0..=0, None, BadPace::NoConcurrency),
            (0..=4, None, BadPace::NoLowerBound),
            (RangeInclusive::new(5, 4), None, BadPace::BoundsCrossed),
            (1..=4, Some(0), BadPace::NoRate),
        ] {
            assert_eq!(Pace::new(bounds, SLOW_AFTER, rate).err(), Some(why));
        }
    }

    #[test]
    fn a_round_of_good_answers_is_one_more_and_a_bad_one_halves_once() {
        let now = Instant::now();
        let mut pace = pace(1..=8, None);
        let mut limits = Vec::new();
        for _ in 0..6 {
            pace.ended(Health::Well, now, pace.limit(), now);
            limits.push(pace.limit());
        }
        assert_eq!(limits, [2, 2, 3, 3, 3, 4]);
        let later = now + Duration::from_secs(1);
        pace.ended(Health::Failed, now, 4, later);
        pace.ended(Health::Failed, now, 3, later);
        pace.ended(Health::Well, now, 2, later);
        assert_eq!(pace.limit(), 2, "the others had started before");
        pace.ended(Health::Wait(Duration::ZERO), later, 2, later);
        assert_eq!(pace.limit(), 1);
    }

    #[test]
    fn slow_answers_are_bad_ones_and_a_limit_that_is_not_used_stays() {
        let now = Instant::now();
        let mut pace = pace(1..=16, None);
        recover(&mut pace, now);
        pace.ended(Health::Well, now, 16, now + SLOW_AFTER);
        assert_eq!(pace.limit(), 16);
        let late = now + SLOW_AFTER + Duration::from_millis(1);
        pace.ended(Health::Well, now, 16, late);
        assert_eq!(pace.limit(), 8);
        for _ in 0..100 {
            pace.ended(Health::Well, late, 3, late);
        }
        assert_eq!(pace.limit(), 8);
    }

    #[test]
    fn after_an_outage_it_begins_at_the_lower_bound() {
        let now = Instant::now();
        let mut pace = pace(2..=8, None);
        recover(&mut pace, now);
        let back = now + Duration::from_secs(60);
        pace.start_over(back);
        pace.ended(Health::Well, now, 8, back);
        assert_eq!(pace.limit(), 2);
        assert_eq!(recover(&mut pace, back), (2..8).sum::<usize>());
    }

    #[test]
    fn a_probe_is_kept_back_by_the_upper_bound_and_the_rate_alone() {
        let now = Instant::now();
        let mut pace = pace(1..=2, Some(10));
        assert_eq!(pace.starts(1, now), Starts::NoneYet);
        assert_eq!(pace.starts_probe(1, now), Starts::Now(1));
        assert_eq!(pace.starts_probe(2, now), Starts::NoneYet);
        assert_eq!(pace.turn(now), now);
        assert_eq!(
            pace.starts_probe(0, now),
            Starts::NoneUntil(now + Duration::from_millis(110) - AHEAD)
        );
    }

    #[test]
    fn only_so_much_is_made_ready_as_has_its_turn_soon() {
        let now = Instant::now();
        let mut pace = pace(64..=64, Some(110));
        assert_eq!(pace.starts(0, now), Starts::Now(6));
        let turns: Vec<Duration> = (0..6).map(|_| pace.turn(now) - now).collect();
        assert_eq!(turns, [0, 10, 20, 30, 40, 50].map(Duration::from_millis));
        assert_eq!(pace.starts(6, now), Starts::NoneUntil(now + Duration::from_millis(10)));
        let rested = now + Duration::from_secs(60);
        assert_eq!(pace.starts(0, rested), Starts::Now(6), "a rest is not saved up");
    }

    proptest! {
        #[test]
        fn no_second_holds_more_starts_than_the_rate_however_late_they_wake(
            rate in 1_u32..40,
            late in prop::collection::vec(0_u64..300, 1..120),
        ) {
            let begin = Instant::now();
            let mut pace = pace(1..=8, Some(rate));
            // Each takes its turn ahead and wakes late; whoever wakes early enough may be early in the row.
            let mut wakes: Vec<Instant> = late
                .iter()
                .map(|late| pace.turn(begin) + Duration::from_millis(*late))
                .collect();
            wakes.sort_unstable();
            let mut started: Vec<Instant> = Vec::new();
            for wake in wakes {
                let mut now = started.last().map_or(wake, |last| wake.max(*last));
                while let Err(again) = pace.start(now) {
                    prop_assert!(again > now && again <= now + SECOND);
                    now = again;
                }
                started.push(now);
            }
            for from in &started {
                let within = started.iter().filter(|it| *it >= from && **it < *from + SECOND);
                prop_assert!(within.count() <= rate as usize);
            }
        }

        #[test]
        fn the_limit_stays_within_its_bounds(
            min in 1_usize..20, more in 0_usize..40,
            answers in prop::collection::vec((0_u8..5, 0_u64..8, 0_usize..80), 0..300)
        ) {
            let mut now = Instant::now();
            let mut pace = pace(min..=min + more, None);
            for (what, took, under_way) in answers {
                let started = now;
                now += Duration::from_secs(took);
                match what {
                    0 => pace.ended(Health::Failed, started, under_way, now),
                    1 => pace.start_over(now),
                    _ => pace.ended(Health::Well, started, under_way, now),
                }
                prop_assert!((min..=min + more).contains(&pace.limit()));
                if let Starts::Now(some) = pace.starts(under_way, now) {
                    prop_assert!(some >= 1 && some + under_way <= pace.limit());
                }
            }
        }

        #[test]
        fn a_healthy_far_end_brings_it_to_the_upper_bound(min in 1_usize..20, more in 0_usize..40) {
            let mut pace = pace(min..=min + more, None);
            let answers = recover(&mut pace, Instant::now());
            prop_assert_eq!(pace.limit(), min + more);
            prop_assert_eq!(answers, (min..min + more).sum::<usize>());
        }

        /// However full it is: the requests that are under way, then half as many, and so on.
        #[test]
        fn bad_answers_bring_it_to_the_lower_bound(min in 1_usize..20, more in 0_usize..60) {
            let max = min + more;
            let mut now = Instant::now();
            let mut pace = pace(min..=max, None);
            recover(&mut pace, now);
            let mut under_way = VecDeque::from(vec![now; max]);
            let mut answers = 0;
            while pace.limit() > min {
                now += Duration::from_millis(1);
                let started = under_way.pop_front().expect("one is under way");
                pace.ended(Health::Failed, started, under_way.len() + 1, now);
                answers += 1;
                while let Starts::Now(some) = pace.starts(under_way.len(), now) {
                    under_way.extend(vec![now; some]);
                }
            }
            prop_assert!(answers <= 2 * max, "{} of {}", answers, max);
        }

        #[test]
        fn no_window_holds_more_than_the_rate(
            rate in 1_u32..2_000, waits in prop::collection::vec(0_u64..50_000, 2..400)
        ) {
            let mut now = Instant::now();
            let mut pace = pace(1..=1_000, Some(rate));
            let turns: Vec<Instant> = waits
                .into_iter()
                .map(|wait| {
                    now += Duration::from_micros(wait);
                    pace.turn(now)
                })
                .collect();
            for (first, from) in turns.iter().enumerate() {
                for (after, to) in turns[first..].iter().enumerate() {
                    let within = to.duration_since(*from).as_nanos() * u128::from(rate);
                    prop_assert!(within >= after as u128 * 1_000_000_000);
                }
            }
        }

        #[test]
        fn a_lane_that_is_always_ready_uses_nine_tenths_of_the_rate(rate in 1_u32..2_000) {
            let begun = Instant::now();
            let mut now = begun;
            let mut pace = pace(1_000..=1_000, Some(rate));
            let mut started = 0;
            while now < begun + Duration::from_secs(3) {
                match pace.starts(0, now) {
                    Starts::Now(some) => {
                        for _ in 0..some {
                            prop_assert!(pace.turn(now) <= now + AHEAD);
                            started += 1;
                        }
                    }
                    // Timers are late by up to a millisecond.
                    Starts::NoneUntil(until) => now = until + Duration::from_millis(1),
                    Starts::NoneYet => prop_assert!(false, "nothing is under way"),
                }
            }
            prop_assert!(started * 10 >= 3 * rate * 9, "{} of {}", started, 3 * rate);
        }
    }
}
