//! Reading an answer: keys or text in, level, comment and the deciding rule out. Pure.

use crate::model::{Channel, Level, Rule, Scheme};

/// What an answer was read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The kind of answer.
    pub kind: ReadingKind,
    /// The level; always there for `Rated`, sometimes for `Unsubscribe`, never otherwise.
    pub level: Option<Level>,
    /// The citizen's words apart from the answer itself; empty when there are none.
    pub comment: String,
    /// The rule that decided.
    pub rule: Rule,
}

/// The kinds of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadingKind {
    /// A level was clearly stated.
    Rated,
    /// Free text that a human must read.
    Complaint,
    /// The citizen wants no further messages.
    Unsubscribe,
    /// Neither; kept, never guessed.
    Unrecognised,
}

impl ReadingKind {
    /// The name, as `reply` prints it and as a CSV file expects it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ReadingKind::Rated => "rated",
            ReadingKind::Complaint => "complaint",
            ReadingKind::Unsubscribe => "unsubscribe",
            ReadingKind::Unrecognised => "unrecognised",
        }
    }
}

/// Reads one answer.
#[must_use]
pub fn read(channel: Channel, scheme: Scheme, text: &str) -> Reading {
    let _ = (channel, scheme, text);
    Reading {
        kind: ReadingKind::Unrecognised,
        level: None,
        comment: String::new(),
        rule: Rule("A5".into()),
    }
}
