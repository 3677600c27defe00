//! How a destination is spoken to: its profile makes a batch a request, and of the answer a
//! verdict. Pure: time and randomness are passed in.
//!
//! A request leaves here without proof of who we are: that is put on it just before it is sent
//! ([`super::platform`]).

pub mod native;

use super::verdict::Verdict;
use crate::clock::Entropy;
use crate::config::{self, Destination};
use crate::model::RecordSeq;
use crate::net::client::Answer;
use crate::store::Leased;
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use native::Native;
use std::num::NonZeroUsize;

/// How a destination is spoken to.
#[derive(Debug, Clone)]
pub enum Profile {
    /// In our own documented JSON.
    Native(Native),
}

/// A batch as its profile writes it.
#[derive(Debug)]
pub struct Written {
    /// The request, whose URI is what follows the destination's base URL: path and query. `None`:
    /// nothing in the batch can be written.
    pub request: Option<Request<Bytes>>,
    /// The records that are not in it.
    pub unwritable: Vec<(RecordSeq, Unwritable)>,
}

/// What a record lacks that its profile needs. It names fields, never what is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// The record has no such field.
    #[error("`{0}` is missing")]
    Missing(String),
}

impl Profile {
    /// The profile of a destination.
    #[must_use]
    pub fn new(destination: &Destination) -> Profile {
        let finals = destination.final_statuses.clone();
        match &destination.profile {
            config::Profile::Native => Profile::Native(Native { finals }),
        }
    }

    /// The most records that one request can hold, whatever the destination allows.
    #[must_use]
    pub fn most_in_a_batch(&self) -> NonZeroUsize {
        match self {
            Profile::Native(_) => NonZeroUsize::MAX,
        }
    }

    /// Writes a batch. A record that lacks something is left out, and the others go.
    #[must_use]
    pub fn write(&self, batch: &[Leased], _now: Timestamp, _entropy: &Entropy) -> Written {
        match self {
            Profile::Native(native) => native.write(batch),
        }
    }

    /// What the answer to a request with `batch` means: just the records that were in it.
    #[must_use]
    pub fn read(&self, answer: &Answer, batch: &[Leased], now: Timestamp) -> Verdict {
        match self {
            Profile::Native(native) => native.read(answer, batch, now),
        }
    }
}
