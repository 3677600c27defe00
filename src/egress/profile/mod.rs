//! How a destination is spoken to: its profile makes a batch a request, and of the answer a
//! verdict. Pure: time and randomness are passed in.
//!
//! A request leaves here without proof of who we are: that is put on it just before it is sent
//! ([`super::platform`]).

pub mod national;
pub mod native;
mod rule;
mod template;

use super::verdict::Verdict;
use crate::clock::Entropy;
use crate::config::{self, Destination};
use crate::model::RecordSeq;
use crate::net::client::Answer;
use crate::store::Leased;
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use national::Province;
use native::Native;
pub use template::Template;

/// How a destination is spoken to.
#[derive(Debug, Clone)]
pub enum Profile {
    /// In our own documented JSON.
    Native(Native),
    /// In the field family of the national interface.
    National(Province),
    /// In its own words, as the configuration has them.
    Template(Template),
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
    /// The destination's own codes have none for what stands there.
    #[error("`codes.{table}` has no code for the value of `{field}`")]
    NoCode {
        /// The field.
        field: &'static str,
        /// The table of codes.
        table: String,
    },
    /// What came out is none of what can stand there.
    #[error("what the fields come to cannot stand in {0}")]
    Misfit(String),
    /// Nobody said how records of its kind are written.
    #[error("the profile has no table `{0}`")]
    NoShape(&'static str),
}

impl Profile {
    /// The profile of a destination.
    #[must_use]
    pub fn new(destination: &Destination) -> Profile {
        let finals = destination.final_statuses.clone();
        match &destination.profile {
            config::Profile::Native => Profile::Native(Native { finals }),
            config::Profile::National(national) => {
                Profile::National(Province::new(national.clone(), finals))
            }
            config::Profile::Template(template) => {
                Profile::Template(Template { template: template.clone(), finals })
            }
        }
    }

    /// Writes a batch. A record that lacks something is left out, and the others go.
    #[must_use]
    pub fn write(&self, batch: &[Leased], now: Timestamp, entropy: &Entropy) -> Written {
        match self {
            Profile::Native(native) => native.write(batch),
            Profile::National(province) => province.write(batch, now, || entropy.bytes()),
            Profile::Template(template) => template.write(batch, now),
        }
    }

    /// What the answer to a request with `batch` means: just the records that were in it.
    #[must_use]
    pub fn read(&self, answer: &Answer, batch: &[Leased], now: Timestamp) -> Verdict {
        match self {
            Profile::Native(native) => native.read(answer, batch, now),
            Profile::National(province) => province.read(answer, batch, now),
            Profile::Template(template) => template.read(answer, batch, now),
        }
    }

    /// Whether an answer says otherwise than by 401 that the destination does not know us, or no
    /// longer: a token is given up by it.
    #[must_use]
    pub fn disowns(&self, answer: &Answer) -> bool {
        match self {
            Profile::Native(_) | Profile::National(_) => false,
            Profile::Template(template) => template.disowns(answer),
        }
    }
}
