//! Answers that were understood before, read again by today's rules: what they were, and would be now.
//!
//! Only the reading changes. What the gateway remembered when it understood an answer stays with the
//! record: its invitation and matter, how often the matter was rated, marks, the reason that was asked for,
//! deadlines. Where nobody can tell without that memory, the answer is kept as it is, and why.

mod group;
mod keep;
mod place;
mod remember;
#[cfg(test)]
mod tests;

pub use remember::{remember_amended, remembering};

use super::campaign::choose_campaign;
use super::decide::Rules;
use super::interpret::{Interpretation, interpret};
use super::memory;
use crate::config::{Account, Campaign};
use crate::model::{
    CallbackSeq, Event, Meaning, MessageId, Note, Outcome, Record, RecordId, Traces,
};
use group::Group;
use jiff::Timestamp;
use place::Place;

/// A callback as today's profile reads it.
#[derive(Debug, Clone, Copy)]
pub struct ReadAgain<'a> {
    /// Its place in the order of arrival.
    pub seq: CallbackSeq,
    /// Whose it is.
    pub account: &'a Account,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What it says.
    pub events: &'a [Event],
    /// Whether all of it could be read both then and now.
    pub is_whole: bool,
}

/// An answer, read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// What it was.
    pub before: Side,
    /// What it would be.
    pub after: Side,
    /// What has to happen for that; nothing where it stays what it was.
    pub amendments: Vec<Amendment>,
    /// Why it cannot be read again.
    pub kept: Option<Kept>,
    /// The call in which it was given.
    call: Option<MessageId>,
}

/// What an answer is to somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// In one word; `None`: nobody can tell.
    pub outcome: Option<Outcome>,
    /// In records, each in its newest revision.
    pub records: Vec<Record>,
}

/// What happens to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amendment {
    /// It has a next revision.
    Revised {
        /// Its newest one so far.
        old: Box<Record>,
        /// The next.
        new: Box<Record>,
    },
    /// It is new.
    Made(Box<Record>),
    /// It would not be made now. The platform knows no withdrawal, so it stays.
    Withdrawn(Box<Record>),
}

/// Why an answer is kept as it was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kept {
    /// A conversation concluded it, by what was known then.
    Conversation,
    /// It waits to be concluded, by today's rules.
    Waiting,
    /// The campaign of its invitation is gone.
    Campaign,
    /// Which part of its callback it was cannot be told.
    Unclear,
    /// It lies in quarantine.
    Quarantined,
    /// Today's profile cannot read it.
    Unreadable,
}

impl Kept {
    /// The reason for operators.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Kept::Conversation => "it was concluded by a conversation",
            Kept::Waiting => "it waits to be understood, by today's rules",
            Kept::Campaign => "the campaign of its invitation is no longer configured",
            Kept::Unclear => "which part of its callback it was cannot be told",
            Kept::Quarantined => "it is in quarantine; use --quarantine",
            Kept::Unreadable => "its account's profile cannot read it",
        }
    }
}

impl Review {
    /// It stays what it was.
    fn same(before: Side) -> Review {
        Review { after: before.clone(), before, amendments: Vec::new(), kept: None, call: None }
    }

    /// Whatever a callback was, it stays, for this reason.
    #[must_use]
    pub fn keeping(traces: &Traces, callback: CallbackSeq, why: Kept) -> Review {
        let own = traces.histories.iter().filter(|it| it.caused_by(callback).is_some());
        let records = own.map(|history| history.latest().clone()).collect();
        Review { kept: Some(why), ..Review::same(Side { outcome: None, records }) }
    }

    fn kept(before: Side, after: Side, why: Kept) -> Review {
        Review { after, kept: Some(why), ..Review::same(before) }
    }

    /// The records to be written.
    pub fn written(&self) -> impl Iterator<Item = &Record> {
        self.amendments.iter().filter_map(|amendment| match amendment {
            Amendment::Revised { new, .. } => Some(&**new),
            Amendment::Made(record) => Some(&**record),
            Amendment::Withdrawn(_) => None,
        })
    }

    /// Whether there is anything to be written.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.written().next().is_some()
    }

    /// What it comes to, as bytes: the same for two reviews that write the same, whatever ids they gave
    /// to new records.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let nameless = RecordId(uuid::Uuid::nil());
        let made: Vec<RecordId> = self.amendments.iter().filter_map(Amendment::made).collect();
        let written = self.written().map(|record| {
            let mut record = record.clone();
            if made.contains(&record.id) {
                record.id = nameless;
            }
            if let Meaning::Complaint { rating: Some(rating), .. } = &mut record.meaning
                && made.contains(rating)
            {
                *rating = nameless;
            }
            record
        });
        memory::write(&written.collect::<Vec<_>>())
    }
}

impl Amendment {
    fn made(&self) -> Option<RecordId> {
        match self {
            Amendment::Made(record) => Some(record.id),
            Amendment::Revised { .. } | Amendment::Withdrawn(_) => None,
        }
    }
}

/// Reads the answers of a callback again. `new_id` is called for each record that may be new.
pub fn review(
    callback: ReadAgain<'_>,
    traces: &Traces,
    rules: Rules<'_>,
    new_id: &mut dyn FnMut() -> RecordId,
) -> Vec<Review> {
    if traces.held > 0 {
        return vec![Review::keeping(traces, callback.seq, Kept::Waiting)];
    }
    let groups = Group::all(traces, callback.seq);
    let places = place::places(callback.events, &groups, &traces.notes, callback.is_whole);
    let in_parts = traces.notes.iter().any(|note| note.outcome == Outcome::Part);
    let mut reader = Reader { callback, rules, in_parts, new_id };
    let mut reviews = Vec::new();
    for (event, place) in callback.events.iter().zip(&places) {
        reviews.extend(match place {
            Place::Recorded(at) => Some(reader.recorded(event, &groups[*at])),
            Place::Noted(at) => reader.noted(event, traces.notes[*at]),
            Place::Unclear if traces.garbled > 0 => reader.unclear(event, Kept::Quarantined),
            Place::Unclear => reader.unclear(event, Kept::Unclear),
        });
    }
    let lost = (0..groups.len()).filter(|at| !places.contains(&Place::Recorded(*at)));
    reviews.extend(lost.map(|at| {
        let before = groups[at].side();
        Review::kept(before.clone(), before, Kept::Unclear)
    }));
    reviews
}

/// Reads the events of one callback.
struct Reader<'a> {
    callback: ReadAgain<'a>,
    rules: Rules<'a>,
    /// Whether it brought parts of longer texts.
    in_parts: bool,
    new_id: &'a mut dyn FnMut() -> RecordId,
}

impl<'a> Reader<'a> {
    /// The campaign that claims an event today.
    fn campaign(&self, event: &Event) -> Option<&'a Campaign> {
        let campaigns = self.rules.campaigns;
        choose_campaign(campaigns, self.callback.account, event.service.as_ref()).map(|it| &**it)
    }

    fn read(&mut self, event: &Event, campaign: Option<&Campaign>) -> Interpretation {
        let ReadAgain { account, received_at, .. } = self.callback;
        let mut meant = interpret(event, account, campaign, received_at, || (self.new_id)());
        for record in &mut meant.records {
            // As precise as it is stored.
            record.occurred_at = record
                .occurred_at
                .and_then(|at| Timestamp::from_millisecond(at.as_millisecond()).ok());
        }
        meant
    }

    fn is_part(&self, event: &Event) -> bool {
        self.in_parts || event.part.as_ref().is_some_and(|part| part.total > 1)
    }

    /// An event that made no record.
    fn noted(&mut self, event: &Event, note: Note) -> Option<Review> {
        if note.repeats {
            return None;
        }
        let campaign = self.campaign(event);
        let meant = self.read(event, campaign);
        let before = Side { outcome: Some(note.outcome), records: Vec::new() };
        let conversation = campaign.and_then(|campaign| campaign.conversation.as_ref());
        if meant.records.is_empty() || conversation.is_some_and(|it| it.invited_only) {
            return Some(Review::same(before));
        }
        let after = Side { outcome: Some(meant.outcome), records: meant.records };
        let by_itself = match note.outcome {
            // Nobody was asked, and nobody was told.
            Outcome::Unmatched => true,
            Outcome::Unrecognised | Outcome::Declined | Outcome::OptOut | Outcome::Noted => {
                note.place.is_some()
            }
            _ => false,
        };
        if !by_itself || self.is_part(event) {
            return Some(Review::kept(before, after, Kept::Conversation));
        }
        let made = |record: &Record| Amendment::Made(Box::new(record.clone()));
        let amendments = after.records.iter().map(made).collect();
        Some(Review { amendments, after, ..Review::same(before) })
    }

    /// An event of which it is not known what it was; of no interest if it says nothing.
    fn unclear(&mut self, event: &Event, why: Kept) -> Option<Review> {
        let meant = self.read(event, self.campaign(event));
        let after = Side { outcome: Some(meant.outcome), records: meant.records };
        (!after.records.is_empty()).then(|| Review::kept(Side::default(), after, why))
    }
}
