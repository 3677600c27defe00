//! Reading an answer: keys or text in, level, comment and the deciding rule out. Pure.
//!
//! `docs/reading.md` is the ladder of rules; each file here is one rung of it.

mod clause;
mod cleanup;
mod comment;
mod decide;
mod digits;
mod doubt;
mod free;
mod keypad;
mod levels;
mod optout;
mod tags;
mod text;
mod words;

#[cfg(test)]
mod tests;

use crate::model::{Channel, Level, Rule, Scheme, Tag};
use optout::OptOut;
use words::WORDS;

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

impl Reading {
    /// A reading with neither level nor comment.
    fn bare(kind: ReadingKind, rule: &'static str) -> Reading {
        Reading { kind, level: None, comment: String::new(), rule: Rule(rule.into()) }
    }

    /// What the complaint is about that this reading opens; nothing if it opens none.
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        if self.level.is_some_and(|level| !level.is_bad()) {
            return Vec::new();
        }
        tags::find(&self.comment).into_iter().map(|name| Tag(name.into())).collect()
    }
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
    /// The citizen declines to rate, as the campaign lets them.
    Declined,
    /// Neither; kept, never guessed.
    Unrecognised,
}

impl ReadingKind {
    /// All of them.
    pub const ALL: [ReadingKind; 5] = [
        ReadingKind::Rated,
        ReadingKind::Complaint,
        ReadingKind::Unsubscribe,
        ReadingKind::Declined,
        ReadingKind::Unrecognised,
    ];

    /// The name, as `reply` prints it and as a CSV file expects it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ReadingKind::Rated => "rated",
            ReadingKind::Complaint => "complaint",
            ReadingKind::Unsubscribe => "unsubscribe",
            ReadingKind::Declined => "declined",
            ReadingKind::Unrecognised => "unrecognised",
        }
    }
}

/// Reads one answer. A level is there only if the citizen clearly stated one.
#[must_use]
pub fn read(channel: Channel, scheme: Scheme, text: &str) -> Reading {
    match channel {
        Channel::Sms => read_text(scheme, text),
        Channel::Ivr => keypad::read(scheme, text),
    }
}

/// The version of the word lists that [`read`] uses, so that a reading can be traced to them.
#[must_use]
pub fn words_version() -> &'static str {
    &WORDS.version
}

/// The version of the table that [`Reading::tags`] uses.
#[must_use]
pub fn tags_version() -> &'static str {
    tags::version()
}

fn read_text(scheme: Scheme, sent: &str) -> Reading {
    let words = &*WORDS;
    let text =
        cleanup::clean(&words.cleanup, sent, |block| decide::is_answer(words, scheme, block));
    if text.marks.is_empty() {
        return Reading::bare(ReadingKind::Unrecognised, "A5");
    }
    match optout::find(&words.optout, &text) {
        OptOut::No => decide::decide(words, scheme, &text),
        OptOut::Whole(rule) => Reading::bare(ReadingKind::Unsubscribe, rule),
        OptOut::Beside(rest) => {
            let Reading { level, comment, .. } = decide::decide(words, scheme, &rest);
            Reading { level, comment, ..Reading::bare(ReadingKind::Unsubscribe, "B3") }
        }
    }
}
