//! How much goes into one request: by count, by bytes and by delay, and what the platform's refusals taught. Pure.
//!
//! The limits that the platform bears are found as its pace is ([`super::pace`]): a refusal for size halves them, and
//! full requests that it takes raise them again, by small steps, so that a limit costs a refusal now and then and not one
//! for each batch.

use crate::config::Queueing;
use crate::store::Due;
use jiff::Timestamp;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Full requests that must be taken for a step up.
const ROUND: u32 = 32;

/// Steps from nothing to what is configured.
const STEPS: usize = 64;

/// How much of a request's bytes is planned for: records differ in size.
const PLANNED: (usize, usize) = (7, 8);

/// The sizes of a lane's batches.
#[derive(Debug, Clone)]
pub struct Batching {
    most: Size,
    limit: Size,
    /// Bytes of a record, as of late; 0 before the first.
    weight: usize,
    /// Full requests taken since the last step.
    taken: u32,
    delay: Duration,
}

/// How large a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its records.
    pub records: usize,
    /// The bytes of its body.
    pub bytes: usize,
}

impl Batching {
    /// As configured, for a profile that has so many in one request at most.
    #[must_use]
    pub fn new(queueing: &Queueing, at_most: NonZeroUsize) -> Batching {
        let records = queueing.max_batch.clamp(1, at_most.get());
        let most = Size { records, bytes: queueing.max_bytes.max(1) };
        Batching { most, limit: most, weight: 0, taken: 0, delay: queueing.max_delay }
    }

    /// The size that a request may have now.
    #[must_use]
    pub fn limit(&self) -> Size {
        self.limit
    }

    /// How many records to put into a request so that it will probably fit; at least one.
    #[must_use]
    pub fn records(&self) -> usize {
        let (of, out_of) = PLANNED;
        let by_bytes = (self.limit.bytes / out_of * of).checked_div(self.weight);
        by_bytes.unwrap_or(usize::MAX).clamp(1, self.limit.records)
    }

    /// Until when to wait for more to send; `None`: what is due is sent. `max_delay` at most, and not at all with a
    /// complaint or with enough for a request.
    #[must_use]
    pub fn waits_until(&self, due: &Due, now: Timestamp) -> Option<Timestamp> {
        let since = due.since.filter(|_| !due.urgent && due.records < self.records())?;
        let until = since.checked_add(self.delay).ok()?;
        (until > now).then_some(until)
    }

    /// Whether delay plays a part at all.
    #[must_use]
    pub fn delays(&self) -> bool {
        !self.delay.is_zero()
    }

    /// Whether a request that was written may be sent; if not, it is halved before. A record alone always may.
    #[must_use]
    pub fn admits(&mut self, size: Size) -> bool {
        let weight = size.bytes.div_ceil(size.records.max(1));
        self.weight =
            if self.weight == 0 { weight } else { (self.weight * 7 + weight).div_ceil(8) };
        size.records <= 1 || size.bytes <= self.limit.bytes
    }

    /// A whole batch was refused for its size. What its halves meet is the same news, and a record that is too large
    /// alone says nothing of others.
    pub fn refused(&mut self, size: Size) {
        if size.records > 1 {
            self.limit.records = self.limit.records.min(size.records.div_ceil(2));
            self.limit.bytes = self.limit.bytes.min(size.bytes.div_ceil(2));
            self.taken = 0;
        }
    }

    /// A request of this size was taken.
    pub fn taken(&mut self, size: Size) {
        let is_full = size.records >= self.records() || size.bytes > self.limit.bytes / 2;
        if self.limit == self.most || !is_full {
            return;
        }
        self.taken += 1;
        if self.taken >= ROUND {
            self.taken = 0;
            let up = |limit: usize, most: usize| most.min(limit + most.div_ceil(STEPS));
            self.limit.records = up(self.limit.records, self.most.records);
            self.limit.bytes = up(self.limit.bytes, self.most.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batching() -> Batching {
        let queueing = Queueing {
            max_batch: 100,
            max_bytes: 64_000,
            max_delay: Duration::from_secs(2),
            urgent_before: Duration::ZERO,
        };
        Batching::new(&queueing, NonZeroUsize::MAX)
    }

    fn size(records: usize) -> Size {
        Size { records, bytes: records * 500 }
    }

    /// Sends so many records to a platform that takes so many in one request. Counts requests that were refused, and
    /// those that were taken.
    fn send(batching: &mut Batching, records: usize, bears: usize) -> (usize, usize) {
        let (mut refused, mut taken, mut left) = (0, 0, records);
        while left > 0 {
            let mut batch = batching.records().min(left);
            left -= batch;
            let mut whole = true;
            while batch > 0 {
                let mut part = batch;
                while part > bears {
                    refused += 1;
                    if std::mem::take(&mut whole) {
                        batching.refused(size(part));
                    }
                    part = part.div_ceil(2);
                }
                batching.taken(size(part));
                taken += 1;
                batch -= part;
            }
        }
        (refused, taken)
    }

    #[test]
    fn one_refusal_does_not_cost_every_batch_another() {
        let mut batching = batching();
        let (refused, taken) = send(&mut batching, 100_000, 30);
        assert!(refused < taken / 20, "{refused} of {taken}");
        assert!(taken < 6_000, "{taken} requests");
    }

    #[test]
    fn it_is_forgotten_by_and_by_when_the_platform_bears_more() {
        let mut batching = batching();
        send(&mut batching, 1_000, 30);
        assert!(batching.records() <= 50);
        let (refused, _) = send(&mut batching, 300_000, 1_000);
        assert_eq!((refused, batching.limit(), batching.records()), (0, batching.most, 100));
    }

    #[test]
    fn lone_records_neither_teach_nor_forget() {
        let mut batching = batching();
        batching.refused(Size { records: 1, bytes: 1 << 20 });
        assert_eq!(batching.limit(), batching.most);
        batching.refused(size(100));
        let learned = batching.limit();
        (0..10_000).for_each(|_| batching.taken(size(1)));
        assert_eq!((learned.records, batching.limit()), (50, learned));
    }

    #[test]
    fn what_is_written_says_how_many_fit() {
        let mut batching = batching();
        assert_eq!(batching.records(), 100);
        assert!(
            !batching.admits(Size { records: 100, bytes: 100_000 }),
            "halved before it is sent"
        );
        assert_eq!(batching.records(), 56, "of 1000 bytes each, with some room");
        assert!(batching.admits(Size { records: 1, bytes: 100_000 }), "nothing is smaller");
    }

    #[test]
    fn a_record_waits_for_company_so_long_and_a_complaint_not_at_all() {
        let batching = batching();
        let since: Timestamp = "2026-03-05T02:20:40Z".parse().expect("a time");
        let due = |records, urgent| Due { records, urgent, since: Some(since) };
        let until = since + Duration::from_secs(2);
        assert_eq!(batching.waits_until(&due(1, false), since), Some(until));
        assert_eq!(batching.waits_until(&due(1, false), until), None, "alone, as nobody came");
        assert_eq!(batching.waits_until(&due(100, false), since), None);
        assert_eq!(batching.waits_until(&due(1, true), since), None);
        let nothing = Due { records: 0, urgent: false, since: None };
        assert_eq!(batching.waits_until(&nothing, since), None);
    }

    proptest! {
        #[test]
        fn whatever_happens_a_request_holds_something_and_no_more_than_configured(
            steps in prop::collection::vec((0..3_u8, 1..200_usize, 1..100_000_usize), 0..200),
        ) {
            let mut batching = batching();
            for (step, records, bytes) in steps {
                let size = Size { records, bytes };
                match step {
                    0 => batching.refused(size),
                    1 => batching.taken(size),
                    _ => prop_assert!(batching.admits(size) || records > 1),
                }
                prop_assert!((1..=100).contains(&batching.records()));
                prop_assert!((1..=64_000).contains(&batching.limit().bytes));
            }
        }
    }
}
