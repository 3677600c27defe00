//! How the stand-in platform misbehaves on demand, as types and as JSON.

use super::written::{maybe_time, status, time};
use crate::egress::native::Key;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

/// Everything that is wrong at the moment; by default nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Connections are refused, and those that are open are dropped.
    pub down: bool,
    /// Every answer takes so much longer.
    #[serde(with = "time")]
    pub latency: Duration,
    /// What befalls whole requests.
    pub mishap: Option<Mishap>,
    /// It befalls one request in so many; `None`: all of them.
    pub mishap_every: Option<NonZeroU64>,
    /// One record in so many, always the same ones, is rejected.
    pub reject_every: Option<NonZeroU64>,
    /// One record in so many, always the same ones, makes any batch with it be refused with 400.
    pub poison_every: Option<NonZeroU64>,
    /// Batches with more records are refused with 413.
    pub max_batch: Option<usize>,
    /// So many new records are taken in a second, one after the other, however many requests bring
    /// them; each request waits for its own.
    pub records_per_second: Option<NonZeroU32>,
}

/// What may befall a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Mishap {
    /// It is refused before anything is done.
    Refuse {
        /// With this status,
        #[serde(with = "status")]
        status: StatusCode,
        /// and this wish to be left alone.
        #[serde(default, with = "maybe_time")]
        retry_after: Option<Duration>,
    },
    /// The same, with the wish as a date in the form of RFC 9110.
    RefuseUntil {
        /// With this status,
        #[serde(with = "status")]
        status: StatusCode,
        /// until so long from now, to the next full second.
        #[serde(with = "time")]
        wait: Duration,
    },
    /// It is refused before anything is done, in the body of an answer with status 200.
    RefuseIn200,
    /// It is never answered, and nothing is done.
    Hang,
    /// The connection is dropped before anything is done.
    DropBeforeWork,
    /// Everything is done, then the connection is dropped.
    DropAfterWork,
    /// Everything is done, then half of the answer is sent, and the connection is dropped.
    DropInAnswer,
    /// Everything is done, then the answer is sent a few bytes at a time, with this pause after each.
    Trickle {
        /// The pause.
        #[serde(with = "time")]
        every: Duration,
    },
    /// Everything is done, then the answer is 200 with a body that nobody can read.
    Garbage,
    /// Everything is done, then the answer has a status for each record that nobody knows.
    Riddle,
}

impl Faults {
    /// What befalls the request with this number.
    #[must_use]
    pub fn mishap_of(&self, request: u64) -> Option<Mishap> {
        let every = self.mishap_every.map_or(1, NonZeroU64::get);
        self.mishap.filter(|_| request.is_multiple_of(every))
    }

    /// Whether this record is one that is always rejected.
    #[must_use]
    pub fn rejects(&self, key: Key) -> bool {
        falls_on(self.reject_every, key)
    }

    /// Whether this record makes its batch be refused.
    #[must_use]
    pub fn poisons(&self, key: Key) -> bool {
        falls_on(self.poison_every, key)
    }
}

impl From<Mishap> for Faults {
    /// It befalls every request.
    fn from(mishap: Mishap) -> Faults {
        Faults { mishap: Some(mishap), ..Faults::default() }
    }
}

/// Ids end in random bits, so that their remainders pick one in so many.
fn falls_on(every: Option<NonZeroU64>, key: Key) -> bool {
    every.is_some_and(|every| key.id.0.as_u128().is_multiple_of(every.get().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_and_read_as_json() {
        let faults = Faults {
            latency: Duration::from_millis(1500),
            mishap: Some(Mishap::Refuse {
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry_after: Some(Duration::from_secs(2)),
            }),
            mishap_every: NonZeroU64::new(3),
            records_per_second: NonZeroU32::new(1),
            ..Faults::default()
        };
        let text = serde_json::to_string(&faults).expect("it is plain data");
        assert_eq!(serde_json::from_str::<Faults>(&text).ok(), Some(faults), "{text}");
        let read = |text| serde_json::from_str::<Faults>(text).ok();
        assert_eq!(read("{}"), Some(Faults::default()));
        assert_eq!(read(r#"{"mishap":"hang"}"#), Some(Mishap::Hang.into()));
        let trickle = Mishap::Trickle { every: Duration::from_millis(50) };
        assert_eq!(read(r#"{"mishap":{"trickle":{"every":"50ms"}}}"#), Some(trickle.into()));
        for wrong in [
            r#"{"dwon":true}"#,
            r#"{"latency":2}"#,
            r#"{"mishap":{"refuse":{"status":99}}}"#,
            r#"{"mishap_every":0}"#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
