//! The carriers' translator: given the bytes of a request and the time, says whether the request
//! is genuine, what was said, and how to answer, as the account's dialect has it.
//!
//! It opens no socket, asks no clock and stores nothing, so a recorded exchange is a carrier's
//! whole test. What a carrier says and wants to hear is data, [`crate::config::dialect`].

mod answer;
mod charset;
mod dedupe;
mod document;
mod events;
mod field;
mod inflate;
mod reading;
#[cfg(test)]
mod sample;
mod scope;
pub mod send;
mod step;
mod template;
pub(crate) mod time;
mod verify;
mod written;

pub use answer::answer;
pub use events::decode;
pub use reading::Reading;
pub use step::{tell, turn};
pub use template::{Surroundings, filtered};
pub use verify::{Proof, sign, verify};

use crate::config::dialect::Route;
use crate::model::{Event, Step};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::SignedDuration;
use std::borrow::Cow;
use std::time::Duration;

/// One request, as bytes.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The method.
    pub method: &'a Method,
    /// The route that was called.
    pub route: &'a Route,
    /// Path and query exactly as sent.
    pub target: &'a str,
    /// The query exactly as sent, without `?`; empty when there is none.
    pub query: &'a str,
    /// The URL as the carrier knows it, with the query: some sign it.
    pub url: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body as sent, whole.
    pub body: &'a Bytes,
}

/// What a genuine request proved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How far the carrier's clock is ahead of ours, where the proof tells its time.
    pub skew: Option<SignedDuration>,
    /// A value that is good for one content only, where the proof does not cover the content.
    pub nonce: Option<String>,
}

/// What a body said. Either list may be empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// What was understood, in the order of the body.
    pub events: Vec<Event>,
    /// What was not, one for each item, or one for a body that cannot be read at all.
    pub garbled: Vec<Garbled>,
    /// It is our turn: the carrier waits for the next step of a call.
    pub turn: Option<Turn>,
}

/// Our turn in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The question that was answered; `None`: the call begins.
    pub step: Option<Step>,
}

/// Why a request was not believed. The variants are the labels of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Denied {
    /// The part of the request that should carry the proof is not there.
    #[error("no signature in the request; the carrier must sign with the account's secret")]
    Unsigned,
    /// There is a proof, and it is not right for any live secret.
    #[error("wrong signature; compare the account's secret with the carrier's console")]
    BadSignature,
    /// User, password or token is wrong.
    #[error("wrong credentials; compare the account's user and secret with the carrier's console")]
    BadCredentials,
    /// The proof is right but too old or too new.
    #[error("signed outside the accepted window; compare both clocks, or widen `tolerance`")]
    Stale,
    /// The proof is right, but came before with another content.
    #[error("this one-time token came before with other content; somebody may be replaying it")]
    Replayed,
    /// It came from an address that is not on the account's list.
    #[error("from an address that is not in the account's `sources`")]
    Source,
    /// It came without a client certificate that the account names.
    #[error("without a client certificate that the account's `client_certificates` names")]
    Certificate,
    /// It came over plain HTTP.
    #[error("over plain HTTP; the account has no `allow_http = true`")]
    PlainHttp,
}

impl Denied {
    /// All of them, for the metric's handles.
    pub const ALL: [Denied; 8] = [
        Denied::Unsigned,
        Denied::BadSignature,
        Denied::BadCredentials,
        Denied::Stale,
        Denied::Replayed,
        Denied::Source,
        Denied::Certificate,
        Denied::PlainHttp,
    ];

    /// The metric's label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Denied::Unsigned => "unsigned",
            Denied::BadSignature => "bad_signature",
            Denied::BadCredentials => "bad_credentials",
            Denied::Stale => "stale",
            Denied::Replayed => "replayed",
            Denied::Source => "source",
            Denied::Certificate => "certificate",
            Denied::PlainHttp => "plain_http",
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
    pub content_type: Option<HeaderValue>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}
