//! Synthetic carriers: callbacks in the carriers' own words, with ids that never repeat and the
//! answers that citizens give. Pure: the seed and the time decide everything.

pub mod accounts;
mod answers;
mod benchmark;
mod cast;
pub mod speaker;

pub use cast::Cast;

use crate::carrier::Reply;
use crate::model::MessageId;
use answers::{Answers, Manner};
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use speaker::Said;
use std::sync::Arc;

/// The number that citizens answer.
const SERVICE: &str = "8890";

/// What the synthetic carriers send.
#[derive(Debug, Clone)]
pub enum Mix {
    /// Aliyun SMS replies of about 260 bytes, each of which is read as one good rating under the
    /// scheme `asc` and so becomes exactly one record.
    Benchmark,
    /// All carriers and every kind of answer, good, bad and useless, as a day brings them.
    Citizens(Arc<Cast>),
}

/// A seeded source of callbacks.
#[derive(Debug)]
pub struct Synthetic {
    mix: Mix,
    rng: StdRng,
    run: u64,
    sent: u64,
}

/// One callback, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Everything but the body.
    pub head: Arc<Head>,
    /// The body.
    pub body: Bytes,
    /// The id that the carrier gave to the message or call inside.
    pub message_id: MessageId,
}

/// What stands before the body of a callback, and what its carrier wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The account that is called.
    pub account: String,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The headers, without those of the connection.
    pub headers: HeaderMap,
    /// What the carrier takes for success.
    pub success: Success,
}

/// What a carrier takes for success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    /// The status.
    pub status: u16,
    /// The body; JSON may be written in another way. Empty: any will do.
    pub body: Bytes,
}

impl Success {
    /// Whether this answer means success.
    #[must_use]
    pub fn is(&self, status: u16, body: &[u8]) -> bool {
        let same_document = || match serde_json::from_slice::<Value>(&self.body) {
            Ok(wanted) => serde_json::from_slice(body).is_ok_and(|given: Value| given == wanted),
            Err(_) => false,
        };
        status == self.status && (self.body.is_empty() || self.body == body || same_document())
    }
}

impl From<Reply> for Success {
    fn from(accepted: Reply) -> Success {
        Success { status: accepted.status.as_u16(), body: accepted.body }
    }
}

/// What is put into words.
struct Sent<'a> {
    /// What sets this source apart from all others.
    run: u64,
    /// How many it sent before.
    count: u64,
    citizen: Citizen,
    answer: &'a str,
    at: Timestamp,
}

/// The last four digits of an invented number, 1390000xxxx.
#[derive(Debug, Clone, Copy)]
struct Citizen(u16);

impl Citizen {
    fn mobile(self) -> String {
        format!("1390000{:04}", self.0)
    }
}

impl Synthetic {
    /// The source of this seed.
    ///
    /// Sources of different seeds never share a message id; sources of the same seed send the
    /// same ids again.
    #[must_use]
    pub fn new(mix: Mix, seed: u64) -> Synthetic {
        let mut rng = StdRng::seed_from_u64(seed);
        let run = rng.random();
        Synthetic { mix, rng, run, sent: 0 }
    }

    /// The next callback, as sent at `now`.
    #[must_use]
    pub fn next(&mut self, now: Timestamp) -> Request {
        let request = match self.mix.clone() {
            Mix::Benchmark => self.benchmark(now),
            Mix::Citizens(cast) => self.answer(&cast, now),
        };
        self.sent += 1;
        request
    }

    fn benchmark(&mut self, now: Timestamp) -> Request {
        let answer = Answers::good_rating(&mut self.rng);
        let (run, count, citizen) = (self.run, self.sent, self.citizen());
        let sent = Sent { run, count, citizen, answer: &answer, at: now };
        let id = benchmark::message_id(&sent);
        let body = benchmark::body(&sent, &id).into();
        Request { head: benchmark::head(), body, message_id: MessageId(id) }
    }

    #[expect(clippy::expect_used, reason = "a test says `1` in every role of every cast")]
    fn answer(&mut self, cast: &Cast, now: Timestamp) -> Request {
        let role = cast.draw(&mut self.rng);
        let manner = if role.is_text() { Manner::Text } else { Manner::Keys };
        let answer = Answers::of(manner, &mut self.rng);
        let id = format!("{:016x}{:016x}", self.run, self.sent);
        let caller = self.citizen().mobile();
        let said = |content| Said {
            caller: &caller,
            service: SERVICE,
            id: &id,
            call: &id,
            at: now,
            pass_through: "",
            content,
        };
        // Not every carrier tells of every answer: some say nothing when no key was pressed.
        let spoken = cast.say(role, &said(&answer)).or_else(|_| cast.say(role, &said("1")));
        let spoken = spoken.expect("what every carrier can say");
        let head = Head {
            account: role.account().name.to_string(),
            success: spoken.accepted(role.route()).into(),
            method: spoken.method,
            target: spoken.target,
            headers: spoken.headers,
        };
        Request { head: Arc::new(head), body: spoken.body, message_id: MessageId(id) }
    }

    fn citizen(&mut self) -> Citizen {
        Citizen(self.rng.random_range(0..10_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};
    use std::sync::LazyLock;

    static CAST: LazyLock<Arc<Cast>> =
        LazyLock::new(|| Arc::new(Cast::built_in("test-secret").expect("right dialects")));

    fn citizens(seed: u64) -> Synthetic {
        Synthetic::new(Mix::Citizens(Arc::clone(&CAST)), seed)
    }

    #[test]
    fn the_seed_and_the_time_decide_everything() {
        let now = Timestamp::UNIX_EPOCH;
        let (mut one, mut same) = (citizens(7), citizens(7));
        for _ in 0..200 {
            assert_eq!(one.next(now), same.next(now));
        }
    }

    #[test]
    fn no_two_sources_share_an_id() {
        let mut ids = HashSet::new();
        for seed in 0..50 {
            let mut source = Synthetic::new(Mix::Benchmark, seed);
            for _ in 0..100 {
                assert!(ids.insert(source.next(Timestamp::UNIX_EPOCH).message_id));
            }
        }
    }

    #[test]
    fn the_benchmark_is_one_aliyun_reply_of_about_260_bytes() {
        let mut source = Synthetic::new(Mix::Benchmark, 1);
        for _ in 0..500 {
            let request = source.next(Timestamp::UNIX_EPOCH);
            assert_eq!(request.head.account, "aliyun-sms");
            assert!((250..=270).contains(&request.body.len()), "{} bytes", request.body.len());
        }
    }

    #[test]
    fn a_day_of_citizens_hears_every_carrier_that_brings_answers() {
        let mut source = citizens(1);
        let mut spoken: HashMap<String, usize> = HashMap::new();
        for _ in 0..1_000 {
            let request = source.next(Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(9));
            *spoken.entry(request.head.account.clone()).or_default() += 1;
        }
        let spoken: HashSet<&str> = spoken.keys().map(String::as_str).collect();
        assert_eq!(spoken, accounts::of_citizens().into_iter().collect());
        assert!(spoken.len() > 20, "{} carriers", spoken.len());
    }

    #[test]
    fn success_is_what_the_carrier_reads_as_success() {
        let success = |body: &'static str| Success { status: 200, body: body.into() };
        let json = success(r#"{"code":0,"msg":"接收成功"}"#);
        assert!(json.is(200, "{\"msg\": \"接收成功\", \"code\": 0}".as_bytes()));
        assert!(!json.is(200, br#"{"code":1}"#));
        assert!(!json.is(200, b""));
        assert!(!json.is(503, &json.body));
        assert!(success("SUCCESS").is(200, b"SUCCESS"));
        assert!(!success("SUCCESS").is(200, b"BUSY"));
        assert!(success("").is(200, b"whatever"));
    }
}
