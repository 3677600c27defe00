//! A log line that may be due a thousand times a second is written once in a while, with a count.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// Lets one line through in every [`Seldom::PAUSE`].
#[derive(Debug)]
pub struct Seldom {
    made: Instant,
    /// Milliseconds from `made` to the end of the present pause.
    silent_until: AtomicU64,
    held_back: AtomicU64,
}

impl Seldom {
    /// The time between two lines of one kind.
    pub const PAUSE: Duration = Duration::from_secs(10);

    /// Lets the first line through.
    #[must_use]
    pub fn new() -> Seldom {
        Seldom {
            made: Instant::now(),
            silent_until: AtomicU64::new(0),
            held_back: AtomicU64::new(0),
        }
    }

    /// Whether to write now: how many lines were held back since the last one, or `None`.
    pub fn now(&self) -> Option<u64> {
        let now = u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        let pause = u64::try_from(Seldom::PAUSE.as_millis()).unwrap_or(u64::MAX);
        let until = self.silent_until.load(Relaxed);
        let due = now >= until
            && self.silent_until.compare_exchange(until, now + pause, Relaxed, Relaxed).is_ok();
        if due {
            Some(self.held_back.swap(0, Relaxed))
        } else {
            self.held_back.fetch_add(1, Relaxed);
            None
        }
    }
}

impl Default for Seldom {
    fn default() -> Seldom {
        Seldom::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_in_a_pause_and_a_count_of_the_rest() {
        let seldom = Seldom::new();
        assert_eq!(seldom.now(), Some(0));
        assert_eq!(seldom.now(), None);
        assert_eq!(seldom.now(), None);
        tokio::time::advance(Seldom::PAUSE).await;
        assert_eq!(seldom.now(), Some(2));
        assert_eq!(seldom.now(), None);
    }
}
