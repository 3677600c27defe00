//! The records that one answer made: a rating, a complaint, or both.

use super::Side;
use crate::model::{
    CallbackSeq, Context, History, Meaning, MessageId, Outcome, Record, RecordId, RecordSeq, Traces,
};

/// What an answer made. One of the two is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    /// The rating, or whatever was not a complaint.
    pub(super) rating: Option<&'a History>,
    /// The complaint; beside a rating that which belongs to it, whichever callback opened it.
    pub(super) complaint: Option<&'a History>,
    callback: CallbackSeq,
}

impl<'a> Group<'a> {
    /// What the answers of a callback made, in the order in which they did.
    pub(super) fn all(traces: &'a Traces, callback: CallbackSeq) -> Vec<Group<'a>> {
        let mut own: Vec<&History> =
            traces.histories.iter().filter(|it| it.caused_by(callback).is_some()).collect();
        own.sort_by_key(|history| first_of(history, callback));
        let belongs = |complaint: &History| {
            own.iter().any(|it| is_rating(it) && is_opened_by(complaint, it.latest().id))
        };
        let group = |history: &&'a History| -> Option<Group<'a>> {
            let history = *history;
            if is_rating(history) {
                let id = history.latest().id;
                let complaint = traces.histories.iter().find(|it| is_opened_by(it, id));
                return Some(Group { rating: Some(history), complaint, callback });
            }
            let alone = Group { rating: None, complaint: Some(history), callback };
            (!belongs(history)).then_some(alone)
        };
        own.iter().filter_map(group).collect()
    }

    /// The record that carries the citizen's words.
    pub(super) fn main(&self) -> Option<&'a History> {
        self.rating.or(self.complaint)
    }

    /// The carrier's id of the message by which this callback made it.
    pub(super) fn message_id(&self) -> Option<&'a MessageId> {
        let main = self.main()?;
        let own = main.caused_by(self.callback)?;
        main.revisions()[own].record.message_id.as_ref()
    }

    /// Whether memory, or another callback, had a part in it.
    pub(super) fn is_concluded(&self) -> bool {
        self.main().is_some_and(|main| {
            main.latest().context != Context::default() || main.is_shared(self.callback)
        })
    }

    /// What the answer is now.
    pub(super) fn side(&self) -> Side {
        let outcome = if self.rating.is_some() { Outcome::Rated } else { Outcome::Complaint };
        let records = self.rating.into_iter().chain(self.complaint);
        let records: Vec<Record> = records.map(|history| history.latest().clone()).collect();
        Side { outcome: Some(outcome), records }
    }
}

fn is_rating(history: &History) -> bool {
    !matches!(history.latest().meaning, Meaning::Complaint { .. })
}

/// Whether a record is, or was, the complaint that this rating opened.
fn is_opened_by(history: &History, opened_by: RecordId) -> bool {
    history.revisions().iter().any(|made| {
        matches!(&made.record.meaning,
            Meaning::Complaint { rating: Some(rating), .. } if *rating == opened_by)
    })
}

fn first_of(history: &History, callback: CallbackSeq) -> Option<RecordSeq> {
    history.revisions().iter().find(|made| made.callback == callback).map(|made| made.seq)
}
