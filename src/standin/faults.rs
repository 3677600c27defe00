//! How the stand-in platform misbehaves on demand.

use crate::egress::native::Key;
use http::StatusCode;
use std::num::NonZeroU64;
use std::time::Duration;

/// Everything that is wrong at the moment; by default nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Connections are refused, and those that are open are dropped.
    pub down: bool,
    /// Every answer takes so much longer.
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
}

/// What may befall a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It is refused before anything is done.
    Refuse {
        /// With this status,
        status: StatusCode,
        /// and this wish to be left alone.
        retry_after: Option<Duration>,
    },
    /// It is never answered, and nothing is done.
    Hang,
    /// The connection is dropped before anything is done.
    DropBeforeWork,
    /// Everything is done, then the connection is dropped.
    DropAfterWork,
    /// Everything is done, then the answer is 200 with a body that nobody can read.
    Garbage,
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

/// Ids end in random bits, so that their remainders pick one in so many.
fn falls_on(every: Option<NonZeroU64>, key: Key) -> bool {
    every.is_some_and(|every| key.id.0.as_u128().is_multiple_of(every.get().into()))
}
