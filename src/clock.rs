//! Time, randomness and ids: the only place that asks the system for them.

use crate::model::{MessageKey, RecordId};
use jiff::Timestamp;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// A source of wall-clock time: the system's, or one that a test sets.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    /// A clock that stands still until it is set.
    #[must_use]
    pub fn set_to(now: Timestamp) -> Clock {
        Clock(Source::Set(Arc::new(AtomicI64::new(now.as_millisecond()))))
    }

    /// The time, to the millisecond.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        let millis = match &self.0 {
            Source::System => Timestamp::now().as_millisecond(),
            Source::Set(millis) => millis.load(Ordering::Relaxed),
        };
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// Moves a set clock forward; the system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        self.step(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// Sets a set clock back; the system's clock is left alone.
    pub fn set_back(&self, by: Duration) {
        self.step(-i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    fn step(&self, by: i64) {
        if let Source::Set(millis) = &self.0 {
            millis.fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// A source of randomness: seeded by the system, or by a test.
#[derive(Debug, Clone)]
pub struct Entropy(Arc<Mutex<StdRng>>);

impl Entropy {
    /// Seeded by the system.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn system() -> Entropy {
        Entropy(Arc::new(Mutex::new(StdRng::from_rng(&mut rand::rng()))))
    }

    /// The same sequence for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Entropy {
        Entropy(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.with(|rng| rng.fill_bytes(&mut bytes));
        bytes
    }

    /// A number from 0 up to, not including, 1.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        self.with(|rng| rng.random())
    }

    /// A fresh record id of version 7: the time, then random bits, so ids follow arrival.
    #[must_use]
    pub fn record_id(&self, now: Timestamp) -> RecordId {
        RecordId(self.uuid(now))
    }

    /// A fresh key of a message, made like a record's id.
    #[must_use]
    pub fn message_key(&self, now: Timestamp) -> MessageKey {
        MessageKey(self.uuid(now))
    }

    fn uuid(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }

    fn with<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        // A panic while drawing leaves a generator that is still a generator.
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_ids_follow_the_clock() {
        let clock = Clock::set_to(Timestamp::from_second(1_772_677_230).expect("a time"));
        let entropy = Entropy::seeded(1);
        let earlier = entropy.record_id(clock.now());
        clock.advance(Duration::from_millis(1));
        let later = entropy.record_id(clock.now());
        assert!(earlier < later);
        assert_eq!(later.0.get_version_num(), 7);
    }
}
