//! What is left of a callback: the records it had a part in, and what made none.

use super::{CallbackSeq, Outcome, Record, RecordSeq};

/// What is left of a callback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    /// The records that it had a part in, and those that share a callback with one of them.
    pub histories: Vec<History>,
    /// Its events that made no record, in the order in which they were noted.
    pub notes: Vec<Note>,
    /// How many of its parts lie in quarantine.
    pub garbled: usize,
    /// How many of its events are held, as their conclusion is not drawn yet.
    pub held: usize,
}

/// All revisions of a record that are kept, oldest first; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History(Vec<Made>);

/// A revision of a record, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its place in the order of arrival.
    pub seq: RecordSeq,
    /// The callback that caused it.
    pub callback: CallbackSeq,
    /// The revision.
    pub record: Record,
}

/// An event that made no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Its place among the events of its callback; `None`: a conversation concluded it.
    pub place: Option<usize>,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether it repeated another event.
    pub repeats: bool,
}

impl History {
    /// Of these revisions, oldest first; `None` if there are none.
    #[must_use]
    pub fn new(revisions: Vec<Made>) -> Option<History> {
        (!revisions.is_empty()).then_some(History(revisions))
    }

    /// The revisions, oldest first.
    #[must_use]
    pub fn revisions(&self) -> &[Made] {
        &self.0
    }

    /// The newest revision.
    #[must_use]
    pub fn latest(&self) -> &Record {
        &self.0[self.0.len() - 1].record
    }

    /// Where the newest revision that a callback caused stands among them, if it caused one.
    #[must_use]
    pub fn caused_by(&self, callback: CallbackSeq) -> Option<usize> {
        self.0.iter().rposition(|made| made.callback == callback)
    }

    /// Whether another callback than this one had a part in it.
    #[must_use]
    pub fn is_shared(&self, callback: CallbackSeq) -> bool {
        self.0.iter().any(|made| made.callback != callback)
    }

    /// Whether the revision at this place only says in words what was wrong, and came by another callback
    /// than the one before it.
    #[must_use]
    pub fn is_reason(&self, at: usize) -> bool {
        let Some((before, own)) = at.checked_sub(1).map(|before| (&self.0[before], &self.0[at]))
        else {
            return false;
        };
        let Record { revision, received_at, comment, context, .. } = own.record.clone();
        let mut said = Record { revision, received_at, comment, ..before.record.clone() };
        said.context.marks = context.marks;
        before.callback != own.callback && said == own.record
    }
}
