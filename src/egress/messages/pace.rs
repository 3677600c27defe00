//! How many messages a second. Pure: the time is passed in.

use std::time::Duration;
use tokio::time::Instant;

/// Spreads messages evenly: no more in a second than the rate, and no burst after a rest.
#[derive(Debug)]
pub(super) struct Pace {
    rate: u32,
    interval: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// So many a second; at least one.
    pub(super) fn new(rate: u32) -> Pace {
        let rate = rate.max(1);
        Pace { rate, interval: Duration::from_secs(1) / rate, next: None }
    }

    /// The rate is for so many nodes together, of which this is one: it gets its part, which is never nothing.
    pub(super) fn share(&mut self, nodes: u32) {
        self.interval = Duration::from_secs(1).saturating_mul(nodes.max(1)) / self.rate;
    }

    /// How long it is until so many more have gone, after those that wait for their turn.
    pub(super) fn time_for(&self, messages: usize, now: Instant) -> Duration {
        let ahead = self.next.map(|next| next.saturating_duration_since(now)).unwrap_or_default();
        ahead + self.interval.saturating_mul(u32::try_from(messages).unwrap_or(u32::MAX))
    }

    /// When the next message may go, which is then taken.
    pub(super) fn take(&mut self, now: Instant) -> Instant {
        let at = self.next.map_or(now, |next| next.max(now));
        self.next = Some(at + self.interval);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_spread_and_a_rest_is_not_saved_up() {
        let now = Instant::now();
        let mut pace = Pace::new(10);
        let hundred = Duration::from_millis(100);
        assert_eq!([pace.take(now), pace.take(now)], [now, now + hundred]);
        let later = now + Duration::from_secs(5);
        assert_eq!([pace.take(later), pace.take(later)], [later, later + hundred]);
        assert_eq!(pace.time_for(4, later), hundred * 6, "two have their turn before them");
        assert_eq!(pace.time_for(4, later + hundred * 9), hundred * 4);
    }

    #[test]
    fn nodes_share_the_rate_and_none_is_left_without() {
        let now = Instant::now();
        let mut pace = Pace::new(1);
        pace.share(3);
        assert_eq!([pace.take(now), pace.take(now)], [now, now + Duration::from_secs(3)]);
        pace.share(0);
        assert_eq!(pace.time_for(1, now), Duration::from_secs(7));
    }
}
