//! Synthetic carriers: callbacks in the recorded formats, with ids that never repeat and the
//! answers that citizens give. Pure: the seed and the time decide everything.

mod answers;
mod dialect;

pub use dialect::Dialect;

use crate::model::{MessageId, Secret};
use answers::Answers;
use bytes::Bytes;
use dialect::{Citizen, Sent};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What the synthetic carriers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// Aliyun SMS replies of about 260 bytes, each of which is read as one good rating under the
    /// scheme `asc` and so becomes exactly one record.
    Benchmark,
    /// All dialects and every kind of answer, good, bad and useless, as a day brings them.
    Citizens,
}

/// A seeded source of callbacks.
#[derive(Debug)]
pub struct Synthetic {
    mix: Mix,
    rng: StdRng,
    yunpian: Secret,
    run: u64,
    sent: u64,
}

/// One callback, ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The carrier that speaks; it knows address, content type and what success looks like.
    pub dialect: Dialect,
    /// The body.
    pub body: Bytes,
    /// The id that the carrier gave to the message or call inside.
    pub message_id: MessageId,
}

impl Synthetic {
    /// The source of this seed. `yunpian` is the secret with which Yunpian signs.
    ///
    /// Sources of different seeds never share a message id; sources of the same seed send the
    /// same ids again.
    #[must_use]
    pub fn new(mix: Mix, seed: u64, yunpian: Secret) -> Synthetic {
        let mut rng = StdRng::seed_from_u64(seed);
        let run = rng.random();
        Synthetic { mix, rng, yunpian, run, sent: 0 }
    }

    /// The next callback, as sent at `now`.
    #[must_use]
    pub fn next(&mut self, now: Timestamp) -> Request {
        let dialect = match self.mix {
            Mix::Benchmark => Dialect::AliyunSms,
            Mix::Citizens => Dialect::draw(&mut self.rng),
        };
        let answer = match self.mix {
            Mix::Benchmark => Answers::good_rating(&mut self.rng),
            Mix::Citizens => Answers::of(dialect.said(), &mut self.rng),
        };
        let sent = Sent {
            run: self.run,
            count: self.sent,
            citizen: Citizen(self.rng.random_range(0..10_000)),
            answer: &answer,
            at: now,
        };
        self.sent += 1;
        let message_id = dialect.message_id(&sent);
        let body = dialect.body(&sent, &message_id, &self.yunpian);
        Request { dialect, body: body.into(), message_id: MessageId(message_id) }
    }
}

#[cfg(test)]
mod tests {
    use super::answers::Said;
    use super::*;
    use std::collections::HashSet;

    fn synthetic(mix: Mix, seed: u64) -> Synthetic {
        Synthetic::new(mix, seed, Secret::new(b"test-secret".to_vec()))
    }

    #[test]
    fn the_seed_and_the_time_decide_everything() {
        let now = Timestamp::UNIX_EPOCH;
        let (mut one, mut same) = (synthetic(Mix::Citizens, 7), synthetic(Mix::Citizens, 7));
        for _ in 0..200 {
            assert_eq!(one.next(now), same.next(now));
        }
    }

    #[test]
    fn no_two_sources_share_an_id() {
        let mut ids = HashSet::new();
        for seed in 0..50 {
            let mut source = synthetic(Mix::Citizens, seed);
            for _ in 0..100 {
                assert!(ids.insert(source.next(Timestamp::UNIX_EPOCH).message_id));
            }
        }
    }

    #[test]
    fn the_benchmark_is_one_aliyun_reply_of_about_260_bytes() {
        let mut source = synthetic(Mix::Benchmark, 1);
        for _ in 0..500 {
            let request = source.next(Timestamp::UNIX_EPOCH);
            assert_eq!(request.dialect, Dialect::AliyunSms);
            assert!((250..=270).contains(&request.body.len()), "{} bytes", request.body.len());
        }
    }

    #[test]
    fn a_day_of_citizens_speaks_every_dialect() {
        let mut source = synthetic(Mix::Citizens, 1);
        let spoken: HashSet<Dialect> =
            (0..200).map(|_| source.next(Timestamp::UNIX_EPOCH).dialect).collect();
        assert_eq!(spoken.len(), Dialect::ALL.len());
    }

    #[test]
    fn keypads_get_keys_and_messages_get_text() {
        assert_eq!(Dialect::TencentVms.said(), Said::Keys);
        assert_eq!(Dialect::AliyunSms.said(), Said::Text);
    }
}
