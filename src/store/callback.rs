//! What comes into the store: a callback as it came, and what was made of it.

use crate::model::{AccountName, CallbackSeq, Outcome, Record};
use bytes::Bytes;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// One callback on its way into the store: the request as it came, and what was made of it.
#[derive(Debug, Clone)]
pub struct Callback {
    /// Whose it is.
    pub account: AccountName,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Method, path, query, headers and body, as they came.
    pub raw: RawRequest,
    /// The one-time token it was signed with, where the signature does not cover what it says.
    pub nonce: Option<Nonce>,
    /// What its events came to, in order. Empty for a body that could not be read at all.
    pub entries: Vec<Entry>,
    /// Why (part of) it could not be read; empty when all of it could.
    pub garbled: Vec<String>,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The headers that a carrier's file may need to read it again.
    pub headers: Vec<(String, Bytes)>,
    /// The body.
    pub body: Bytes,
}

/// A one-time token. It is remembered for `store.dedupe_window`, and within it stands for one
/// content only.
#[derive(Clone, PartialEq, Eq)]
pub struct Nonce {
    /// The token.
    pub value: String,
    /// SHA-256 of all that was said under it.
    pub content: [u8; 32],
}

impl fmt::Debug for Nonce {
    // With its signature the token is a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonce").finish_non_exhaustive()
    }
}

/// One event's share of a callback.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The carrier's dedupe fields, joined; digested with the account's name before it is stored.
    pub dedupe: String,
    /// How it is recognised under a new id; `None` for carriers that repeat the old one.
    pub resend: Option<Resend>,
    /// What became of it.
    pub share: Share,
}

/// What became of an event.
#[derive(Debug, Clone)]
pub enum Share {
    /// It is understood.
    Decided {
        /// As what.
        outcome: Outcome,
        /// What was made of it: none, a rating, a complaint, or both.
        records: Vec<Record>,
    },
    /// It waits in the inbox for its conclusion.
    Held(Opaque),
}

impl Share {
    /// What became of it, in one word.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Share::Decided { outcome, .. } => *outcome,
            Share::Held(_) => Outcome::Held,
        }
    }
}

/// Bytes whose layout is the caller's. They are sealed at rest, and `Debug` shows only their length.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Opaque(pub Vec<u8>);

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opaque({} bytes)", self.0.len())
    }
}

/// The business key of an event, for carriers that resend under new ids.
#[derive(Clone, PartialEq, Eq)]
pub struct Resend {
    /// Caller, service number, text and so on, joined; digested like [`Entry::dedupe`].
    pub key: String,
    /// How far apart two callbacks with one key may arrive and still tell of one event. No longer
    /// than the keys (`store.dedupe_window`) and the callbacks (`store.keep_callbacks`) are kept.
    pub window: Duration,
}

impl fmt::Debug for Resend {
    // The key holds a number and a text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resend").field("window", &self.window).finish_non_exhaustive()
    }
}

/// What a commit did with a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The callback's place in the order of arrival.
    pub seq: CallbackSeq,
    /// For each entry, in order, whether it was new; `false` is a repeat that changed nothing.
    pub fresh: Vec<bool>,
}
