//! The carriers: one file per dialect, and the contract that every one of them keeps.
//!
//! A carrier is a translator. It is given the bytes of a request and the time, and says whether
//! the request is genuine, what was said, and how to answer. It opens no socket, asks no clock
//! and stores nothing, so a recorded exchange is its whole test.

mod check;
mod kit;

mod aliyun_sms;
mod tencent_vms;
mod yunpian;

#[cfg(test)]
mod tests;

pub use check::{AccountFault, check_account};

use crate::config::Account;
use crate::model::Event;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use std::borrow::Cow;
use std::time::Duration;

/// Every carrier, by key. A new one is a line here and a `mod` line above.
pub static CARRIERS: &[&dyn Carrier] =
    &[&aliyun_sms::AliyunSms, &tencent_vms::TencentVms, &yunpian::Yunpian];

/// The carrier with this key.
#[must_use]
pub fn find(key: &str) -> Option<&'static dyn Carrier> {
    CARRIERS.iter().copied().find(|carrier| carrier.spec().key == key)
}

/// How some provider or protocol speaks.
///
/// MUST: never panic, whatever the bytes; work over the bytes as sent; compare secrets in
/// constant time; give every event a dedupe key built from fields that a repeat carries
/// unchanged; report an unreadable item of a batch beside its readable neighbours; answer a
/// duplicate as it answers the first.
///
/// MUST NOT: keep state; trust the content type; invent a time or a caller; put a number or a
/// text into an error.
///
/// SHOULD: be constants first, then `verify`, then `decode`, each field one call into the kit.
pub trait Carrier: Sync {
    /// Its name, routes and limits.
    fn spec(&self) -> &'static Spec;

    /// Whether the request comes from whom it claims.
    ///
    /// # Errors
    /// [`Denied`] with the reason, which is counted; nothing of the request is stored.
    fn verify(&self, call: &Call<'_>, account: &Account, now: Timestamp) -> Result<(), Denied>;

    /// What was said.
    ///
    /// # Errors
    /// [`Garbled`] when the whole body cannot be read; it is then quarantined, never dropped.
    fn decode(
        &self,
        call: &Call<'_>,
        account: &Account,
        now: Timestamp,
    ) -> Result<Decoded, Garbled>;

    /// The answer in the carrier's own words.
    fn reply(&self, call: &Call<'_>, answer: &Answer) -> Reply;
}

/// What is fixed about a carrier.
#[derive(Debug)]
pub struct Spec {
    /// The name in the configuration, `carrier = "…"`.
    pub key: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The path segments after the account that this carrier may be told to call; empty for
    /// carriers with one address for everything.
    pub routes: &'static [&'static str],
    /// The methods it uses.
    pub methods: &'static [Method],
    /// The largest body it may send, in bytes. The listener's own cap may be lower.
    pub max_body: usize,
    /// What proves that a request is its own.
    pub proof: Proof,
    /// What it documents about giving up, for operators.
    pub patience: &'static str,
}

/// What proves that a request comes from the carrier, and so how far it may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Nothing. Operators rely on TLS, address lists and an account name nobody guesses.
    Nothing,
    /// A signature over the body, made with a secret of the account.
    Signature {
        /// What the secret is called in the carrier's console.
        secret: &'static str,
    },
}

impl Proof {
    /// The trust level, as documentation and lists show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Proof::Nothing => "none",
            Proof::Signature { .. } => "signed body",
        }
    }
}

/// One request, as bytes.
#[derive(Debug)]
pub struct Call<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path segment after the account, or empty.
    pub route: &'a str,
    /// Path and query exactly as sent.
    pub target: &'a str,
    /// The query exactly as sent, without `?`; empty when there is none.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, whole.
    pub body: &'a Bytes,
}

/// What a readable body said. Either list may be empty.
#[derive(Debug, Default)]
pub struct Decoded {
    /// What was understood, in the order of the body.
    pub events: Vec<Event>,
    /// What was not, one for each item.
    pub garbled: Vec<Garbled>,
}

impl Decoded {
    /// Sorts the items of a batch into what was understood and what was not.
    #[must_use]
    pub fn from_items(items: impl IntoIterator<Item = Result<Event, Garbled>>) -> Decoded {
        let mut decoded = Decoded::default();
        for item in items {
            match item {
                Ok(event) => decoded.events.push(event),
                Err(garbled) => decoded.garbled.push(garbled),
            }
        }
        decoded
    }
}

/// Why a request was not believed. The variants are the labels of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The part of the request that should carry the proof is not there.
    #[error("no signature in the request; the carrier must sign with the account's secret")]
    Unsigned,
    /// There is a proof, and it is not right for any live secret.
    #[error("wrong signature; compare the account's secret with the carrier's console")]
    BadSignature,
    /// The proof is right but too old or too new.
    #[error("signed outside the accepted window; compare both clocks")]
    Stale,
    /// User, password or token is wrong.
    #[error("wrong credentials; compare the account's secret with the carrier's console")]
    BadCredentials,
}

impl Denied {
    /// All of them, for the metric's handles.
    pub const ALL: [Denied; 4] =
        [Denied::Unsigned, Denied::BadSignature, Denied::Stale, Denied::BadCredentials];

    /// The metric's label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Denied::Unsigned => "unsigned",
            Denied::BadSignature => "bad_signature",
            Denied::Stale => "stale",
            Denied::BadCredentials => "bad_credentials",
        }
    }
}

/// Why a body, or an item of it, could not be read. It names places and shapes, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Garbled {
    /// Where in the request, for example `body[3].send_time`.
    pub place: String,
    /// What is wrong and what was expected.
    pub problem: Cow<'static, str>,
}

impl Garbled {
    /// A problem at a place.
    pub fn new(place: impl Into<String>, problem: impl Into<Cow<'static, str>>) -> Garbled {
        Garbled { place: place.into(), problem: problem.into() }
    }
}

/// What the gateway has to say, before it is put into the carrier's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Committed: understood, or kept in quarantine because it could not be read. A repeat would
    /// bring the same bytes, so both are a success to the carrier.
    Accepted,
    /// Was committed before; most carriers are told the same as for [`Answer::Accepted`].
    Duplicate,
    /// Not now; come back after this long.
    Busy(Duration),
    /// Not believed.
    Refused(Denied),
}

/// An answer in the carrier's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The content type; `None` sends no such header.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A reply with a fixed body.
    #[must_use]
    pub fn fixed(status: StatusCode, content_type: &'static str, body: &'static str) -> Reply {
        Reply {
            status,
            content_type: Some(content_type),
            body: Bytes::from_static(body.as_bytes()),
        }
    }
}
