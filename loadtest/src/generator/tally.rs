//! What came of the requests of one run: counts and a latency histogram, mergeable.

use super::connection::Answer;
use bridge8890::standin::carriers::Success;
use hdrhistogram::Histogram;
use std::time::Duration;

/// What came of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The carrier reads the answer as success.
    Accepted,
    /// 503: come back later.
    Busy,
    /// Another status.
    Refused,
    /// The right status, but not a body that the carrier reads as success.
    WrongBody,
    /// The connection failed before the answer was whole; whether it had an effect is unknown.
    Broken,
    /// No answer by the end of the run.
    Unanswered,
}

impl Verdict {
    /// What a carrier makes of an answer.
    pub(crate) fn of(success: &Success, answer: &Answer<'_>) -> Verdict {
        match answer.status {
            status if success.is(status, answer.body) => Verdict::Accepted,
            status if status == success.status => Verdict::WrongBody,
            503 => Verdict::Busy,
            _ => Verdict::Refused,
        }
    }
}

/// Counts and latencies of one run, or of one connection's share of it.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// Of accepted requests, in microseconds.
    latency: Histogram<u64>,
    pub(crate) accepted: u64,
    pub(crate) busy: u64,
    pub(crate) refused: u64,
    pub(crate) wrong_body: u64,
    pub(crate) broken: u64,
    pub(crate) unanswered: u64,
    /// Starts that the schedule held and no connection was free to make.
    pub(crate) unsent: u64,
    /// From the first start to the last answer.
    pub(crate) took: Duration,
}

/// Latencies are kept with three digits up to this; longer ones count as this.
const LONGEST: Duration = Duration::from_secs(60);

impl Tally {
    /// With nothing in it.
    #[expect(clippy::expect_used, reason = "the bounds are constants that the histogram accepts")]
    pub(crate) fn new() -> Tally {
        let latency = Histogram::new_with_bounds(1, micros(LONGEST), 3).expect("1 µs to 60 s");
        Tally {
            latency,
            accepted: 0,
            busy: 0,
            refused: 0,
            wrong_body: 0,
            broken: 0,
            unanswered: 0,
            unsent: 0,
            took: Duration::ZERO,
        }
    }

    /// Counts one request.
    pub(crate) fn count(&mut self, verdict: Verdict, latency: Duration) {
        match verdict {
            Verdict::Accepted => {
                self.accepted += 1;
                self.latency.saturating_record(micros(latency));
            }
            Verdict::Busy => self.busy += 1,
            Verdict::Refused => self.refused += 1,
            Verdict::WrongBody => self.wrong_body += 1,
            Verdict::Broken => self.broken += 1,
            Verdict::Unanswered => self.unanswered += 1,
        }
    }

    /// Adds another connection's share.
    #[expect(clippy::expect_used, reason = "all histograms have the bounds of `Tally::new`")]
    pub(crate) fn merge(&mut self, other: &Tally) {
        self.latency.add(&other.latency).expect("the same bounds");
        self.accepted += other.accepted;
        self.busy += other.busy;
        self.refused += other.refused;
        self.wrong_body += other.wrong_body;
        self.broken += other.broken;
        self.unanswered += other.unanswered;
        self.unsent += other.unsent;
        self.took = self.took.max(other.took);
    }

    /// Accepted requests a second.
    pub(crate) fn rate(&self) -> f64 {
        per_second(self.accepted, self.took)
    }

    /// The latency in milliseconds under which the given share (0 to 1) of accepted requests
    /// stayed; 0 when there are none.
    #[expect(clippy::cast_precision_loss, reason = "at most 60 million microseconds")]
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        self.latency.value_at_quantile(share) as f64 / 1_000.0
    }

    /// Everything that was not accepted.
    pub(crate) fn failures(&self) -> u64 {
        self.busy + self.refused + self.wrong_body + self.broken + self.unanswered
    }
}

/// A count over a time, a second; 0 when there was no time.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub(crate) fn per_second(count: u64, took: Duration) -> f64 {
    if took.is_zero() { 0.0 } else { count as f64 / took.as_secs_f64() }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &[u8]) -> Answer<'_> {
        Answer { status, body, closes: false }
    }

    #[test]
    fn only_the_carriers_own_success_counts() {
        let success = Success { status: 200, body: "SUCCESS".into() };
        let verdict = |status, body| Verdict::of(&success, &answer(status, body));
        assert_eq!(verdict(200, b"SUCCESS"), Verdict::Accepted);
        assert_eq!(verdict(200, b""), Verdict::WrongBody);
        assert_eq!(verdict(503, b"SUCCESS"), Verdict::Busy);
        assert_eq!(verdict(404, b"SUCCESS"), Verdict::Refused);
    }

    #[test]
    fn shares_add_up_as_if_one_had_counted_all() {
        let (mut all, mut shares) = (Tally::new(), Tally::new());
        for share in 0..4_u64 {
            let mut tally = Tally::new();
            for step in 1..=250 {
                let latency = Duration::from_millis(share * 250 + step);
                all.count(Verdict::Accepted, latency);
                tally.count(Verdict::Accepted, latency);
            }
            tally.count(Verdict::Busy, Duration::ZERO);
            all.count(Verdict::Busy, Duration::ZERO);
            shares.merge(&tally);
        }
        assert_eq!((shares.accepted, shares.busy, shares.failures()), (1_000, 4, 4));
        for share in [0.5, 0.99, 0.999] {
            assert_eq!(shares.quantile_ms(share), all.quantile_ms(share));
        }
        // Three digits are kept.
        assert!((shares.quantile_ms(0.5) - 500.0).abs() < 0.6, "{}", shares.quantile_ms(0.5));
    }

    #[test]
    fn refusals_do_not_flatter_the_latency() {
        let mut tally = Tally::new();
        tally.count(Verdict::Accepted, Duration::from_millis(8));
        for _ in 0..100 {
            tally.count(Verdict::Busy, Duration::from_micros(1));
        }
        assert!(tally.quantile_ms(0.5) >= 8.0);
    }
}
