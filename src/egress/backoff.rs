//! When a failed record is tried again, and when it is given up. Pure.

use crate::config;
use crate::store::DeadClass;
use std::num::NonZeroU32;
use std::time::Duration;

/// Exponential back-off with full jitter, bounded in attempts and age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    max_attempts: NonZeroU32,
    max_age: Duration,
}

/// A back-off that would never wait, never try or never end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBackoff {
    /// The first delay is nothing.
    #[error("backoff.base must be longer than 0, for example 1s")]
    NoBase,
    /// The longest delay is shorter than the first.
    #[error("backoff.cap must be at least backoff.base")]
    CapBelowBase,
    /// No attempt is allowed.
    #[error("backoff.max_attempts must be at least 1")]
    NoAttempts,
    /// Records are too old from the start.
    #[error("backoff.max_age must be longer than 0, for example 7d")]
    NoAge,
}

/// What to do with a record whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again after this long.
    Again(Duration),
    /// Give it up.
    GiveUp(DeadClass),
}

impl Backoff {
    /// The back-off of a destination.
    ///
    /// # Errors
    /// [`BadBackoff`] when it makes no sense.
    pub fn new(config: &config::Backoff) -> Result<Backoff, BadBackoff> {
        if config.base.is_zero() {
            return Err(BadBackoff::NoBase);
        }
        if config.cap < config.base {
            return Err(BadBackoff::CapBelowBase);
        }
        if config.max_age.is_zero() {
            return Err(BadBackoff::NoAge);
        }
        let max_attempts = NonZeroU32::new(config.max_attempts).ok_or(BadBackoff::NoAttempts)?;
        Ok(Backoff { base: config.base, cap: config.cap, max_attempts, max_age: config.max_age })
    }

    /// The longest that the wait after this attempt, from 1, may be.
    #[must_use]
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// What follows a failed `attempt`, from 1, of a record that is `age` old.
    ///
    /// The wait is the `fraction` (0 to 1) of its ceiling, so that records which failed together
    /// do not come back together; it is not shorter than what the platform `asked` for.
    #[must_use]
    pub fn after(
        &self,
        attempt: u32,
        age: Duration,
        asked: Option<Duration>,
        fraction: f64,
    ) -> Next {
        if attempt >= self.max_attempts.get() {
            return Next::GiveUp(DeadClass::Attempts);
        }
        let jittered = self.ceiling(attempt).mul_f64(fraction.clamp(0.0, 1.0));
        let wait = jittered.max(asked.unwrap_or_default());
        if age.saturating_add(wait) >= self.max_age {
            return Next::GiveUp(DeadClass::Age);
        }
        Next::Again(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config() -> config::Backoff {
        config::Backoff {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            max_attempts: 10,
            max_age: Duration::from_secs(3600),
        }
    }

    #[test]
    fn the_whole_schedule() {
        let backoff = Backoff::new(&config()).expect("sense");
        let schedule: Vec<Next> =
            (1..=11).map(|attempt| backoff.after(attempt, Duration::ZERO, None, 1.0)).collect();
        let again = |seconds| Next::Again(Duration::from_secs(seconds));
        let dead = Next::GiveUp(DeadClass::Attempts);
        let doubling = [1, 2, 4, 8, 16, 32, 60, 60, 60].map(again);
        assert_eq!(schedule, [doubling.as_slice(), &[dead, dead]].concat());
    }

    #[test]
    fn nonsense_is_refused() {
        let cases = [
            (config::Backoff { base: Duration::ZERO, ..config() }, BadBackoff::NoBase),
            (
                config::Backoff { cap: Duration::from_millis(1), ..config() },
                BadBackoff::CapBelowBase,
            ),
            (config::Backoff { max_attempts: 0, ..config() }, BadBackoff::NoAttempts),
            (config::Backoff { max_age: Duration::ZERO, ..config() }, BadBackoff::NoAge),
        ];
        for (bad, why) in cases {
            assert_eq!(Backoff::new(&bad), Err(why));
        }
    }

    #[test]
    fn a_record_too_old_to_wait_is_given_up() {
        let backoff = Backoff::new(&config()).expect("sense");
        let age = Duration::from_secs(3590);
        let wait = |asked: u64| backoff.after(1, age, Some(Duration::from_secs(asked)), 0.0);
        assert_eq!(wait(9), Next::Again(Duration::from_secs(9)));
        assert_eq!(wait(10), Next::GiveUp(DeadClass::Age));
    }

    proptest! {
        #[test]
        fn waits_are_within_their_ceilings_which_never_fall(
            base in 1_u64..100_000, more in 0_u64..10_000_000, attempt in 1_u32..100, fraction in 0.0..1.0
        ) {
            let backoff = Backoff::new(&config::Backoff {
                base: Duration::from_millis(base),
                cap: Duration::from_millis(base + more),
                max_attempts: u32::MAX,
                max_age: Duration::MAX,
            }).expect("sense");
            let ceiling = backoff.ceiling(attempt);
            prop_assert!(ceiling <= Duration::from_millis(base + more));
            prop_assert!(ceiling <= backoff.ceiling(attempt + 1));
            match backoff.after(attempt, Duration::ZERO, None, fraction) {
                Next::Again(wait) => prop_assert!(wait <= ceiling),
                Next::GiveUp(_) => prop_assert!(false, "young and with attempts left"),
            }
        }

        #[test]
        fn every_record_comes_to_an_end(age in 0_u64..10_000, fraction in 0.0..1.0) {
            let backoff = Backoff::new(&config()).expect("sense");
            let mut age = Duration::from_secs(age);
            let mut attempts = 0;
            loop {
                attempts += 1;
                prop_assert!(attempts <= 10);
                match backoff.after(attempts, age, None, fraction) {
                    Next::Again(wait) => age += wait,
                    Next::GiveUp(_) => break,
                }
            }
        }
    }
}
