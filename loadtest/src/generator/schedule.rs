//! When each request should start, and from when its latency counts.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How requests follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// Open loop: so many a second, whether or not earlier ones were answered.
    PerSecond(f64),
    /// Closed loop: each connection sends as soon as it has its answer.
    Saturating,
}

/// A rate that is neither a positive number nor `max`.
#[derive(Debug, thiserror::Error)]
#[error("expected requests per second, such as 2000, or `max` to saturate")]
pub(crate) struct NotAPace;

impl FromStr for Pace {
    type Err = NotAPace;

    fn from_str(text: &str) -> Result<Pace, NotAPace> {
        if text == "max" {
            return Ok(Pace::Saturating);
        }
        let rate: f64 = text.parse().map_err(|_| NotAPace)?;
        if rate.is_finite() && rate > 0.0 { Ok(Pace::PerSecond(rate)) } else { Err(NotAPace) }
    }
}

/// Deals out the starts of one run to all its connections. Whichever connection is free takes
/// the next, so that a slow answer does not hold back the starts of others.
#[derive(Debug)]
pub(crate) struct Schedule {
    pace: Pace,
    begin: Instant,
    end: Instant,
    most: u64,
    taken: AtomicU64,
}

/// One start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// When the schedule says.
    At(Instant),
    /// As soon as possible.
    Now,
}

/// What the runtime's timer may wake us too late is not the server's doing: it rounds up to a
/// millisecond, and so does the system's wait under it.
const TICK: Duration = Duration::from_millis(2);

impl Schedule {
    /// Starts from `begin` on for `duration`, and no more than `most`.
    pub(crate) fn new(pace: Pace, begin: Instant, duration: Duration, most: u64) -> Schedule {
        Schedule { pace, begin, end: begin + duration, most, taken: AtomicU64::new(0) }
    }

    /// The next start, or `None` when the run is over.
    pub(crate) fn take(&self, now: Instant) -> Option<Slot> {
        if now >= self.end {
            return None;
        }
        let index = self.taken.fetch_add(1, Ordering::Relaxed);
        if index >= self.most {
            return None;
        }
        match self.pace {
            Pace::Saturating => Some(Slot::Now),
            Pace::PerSecond(rate) => {
                let at = self.begin + offset(index, rate);
                (at < self.end).then_some(Slot::At(at))
            }
        }
    }

    /// How many starts the schedule holds altogether; `None` when it has no rate.
    pub(crate) fn planned(&self) -> Option<u64> {
        match self.pace {
            Pace::Saturating => None,
            Pace::PerSecond(rate) => {
                let planned = rate * (self.end - self.begin).as_secs_f64();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a positive count; what a float cannot hold is cut to the limit"
                )]
                let planned = planned.ceil() as u64;
                Some(planned.min(self.most))
            }
        }
    }
}

impl Slot {
    /// From when the latency of a request counts that was really sent at `sent`: from the
    /// intended start, so that a server which stops answering is charged for everything that
    /// queued behind it; only the timer's own tick is forgiven.
    pub(crate) fn counts_from(self, sent: Instant) -> Instant {
        match self {
            Slot::Now => sent,
            Slot::At(due) if sent <= due + TICK => sent,
            Slot::At(due) => due,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
fn offset(index: u64, rate: f64) -> Duration {
    Duration::from_secs_f64(index as f64 / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_or_max() {
        assert_eq!("2000".parse::<Pace>().ok(), Some(Pace::PerSecond(2000.0)));
        assert_eq!("0.5".parse::<Pace>().ok(), Some(Pace::PerSecond(0.5)));
        assert_eq!("max".parse::<Pace>().ok(), Some(Pace::Saturating));
        for bad in ["", "0", "-1", "inf", "NaN", "fast"] {
            assert!(bad.parse::<Pace>().is_err(), "{bad}");
        }
    }

    #[test]
    fn starts_are_evenly_spaced_and_end_with_the_run() {
        let begin = Instant::now();
        let second = Duration::from_secs(1);
        let schedule = Schedule::new(Pace::PerSecond(4.0), begin, second, u64::MAX);
        let starts: Vec<_> = std::iter::from_fn(|| schedule.take(begin)).collect();
        let expected = [0, 250, 500, 750].map(|ms| Slot::At(begin + Duration::from_millis(ms)));
        assert_eq!(starts, expected);
        assert_eq!(schedule.planned(), Some(4));
    }

    #[test]
    fn saturation_ends_with_the_time_or_the_count() {
        let begin = Instant::now();
        let second = Duration::from_secs(1);
        let schedule = Schedule::new(Pace::Saturating, begin, second, 2);
        assert_eq!(schedule.take(begin + second), None);
        assert_eq!(schedule.take(begin), Some(Slot::Now));
        assert_eq!(schedule.take(begin), Some(Slot::Now));
        assert_eq!(schedule.take(begin), None);
    }

    #[test]
    fn a_late_start_counts_from_when_it_was_due() {
        let due = Instant::now();
        let late = due + Duration::from_millis(40);
        assert_eq!(Slot::At(due).counts_from(late), due);
        let tick = due + Duration::from_micros(1_900);
        assert_eq!(Slot::At(due).counts_from(tick), tick);
        assert_eq!(Slot::Now.counts_from(late), late);
    }
}
