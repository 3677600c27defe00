//! Dead letters: what was given up, in two bins, and how operators put it back.

use super::{DeadClass, OpenError, Operator, ReadError, Unreadable};
use crate::model::{LaneName, Record, RecordSeq};
use jiff::Timestamp;
use serde::Serialize;

/// Who must mend something before a dead letter can go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bin {
    /// We, or whoever runs the way to the platform: no answer was about the record itself.
    Ours,
    /// The platform, or whoever made the record: it was refused.
    Theirs,
}

impl Bin {
    /// Both.
    pub const ALL: [Bin; 2] = [Bin::Ours, Bin::Theirs];

    /// The name, as lists show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Bin::Ours => "ours",
            Bin::Theirs => "theirs",
        }
    }

    /// The bin of a class; one that this version does not know is ours to look at.
    #[must_use]
    pub fn of_class(class: &str) -> Bin {
        let known = DeadClass::ALL.into_iter().find(|known| known.name() == class);
        known.map_or(Bin::Ours, DeadClass::bin)
    }
}

/// The names of the classes in the bin of theirs.
pub(super) fn theirs() -> Vec<&'static str> {
    let theirs = DeadClass::ALL.into_iter().filter(|class| class.bin() == Bin::Theirs);
    theirs.map(DeadClass::name).collect()
}

impl DeadClass {
    /// The bin that it belongs to.
    #[must_use]
    pub fn bin(self) -> Bin {
        match self {
            DeadClass::Rejected | DeadClass::RefusedIn200 => Bin::Theirs,
            DeadClass::Unwritable
            | DeadClass::TooLarge
            | DeadClass::Attempts
            | DeadClass::Age
            | DeadClass::Unknown
            | DeadClass::Unreadable => Bin::Ours,
        }
    }
}

/// A dead letter.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The place of its record in the order of arrival.
    pub seq: RecordSeq,
    /// Its place among the dead letters.
    pub place: DeadPlace,
    /// The record, if it can be opened.
    pub record: Result<Record, Unreadable>,
    /// The lane that gave it up.
    pub lane: String,
    /// Why, by class.
    pub class: String,
    /// The last answer, trimmed and without personal data.
    pub reason: String,
    /// When it was tried first.
    pub first_tried_at: Option<Timestamp>,
    /// When it was given up.
    pub died_at: Timestamp,
    /// After how many attempts.
    pub attempts: u32,
    /// Since when it had waited.
    pub queued_at: Timestamp,
}

/// Which dead letter, in the order in which they died. One that is put back and dies again is
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadPlace {
    pub(super) died_at: i64,
    pub(super) lane: i64,
    pub(super) seq: i64,
}

/// What can be asked of a dead letter without opening its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadCondition {
    /// It is one of these.
    Numbered(Vec<RecordSeq>),
    /// This lane gave it up.
    Lane(LaneName),
    /// It is of this class.
    Class(DeadClass),
    /// It is in this bin.
    Bin(Bin),
    /// The last answer contains this.
    Reason(String),
    /// It was given up at or after.
    Since(Timestamp),
    /// It was given up before.
    Until(Timestamp),
}

/// In which order dead letters are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadOrder {
    /// The last one to die first.
    Newest,
    /// The first one to die first.
    Oldest,
}

/// A page of dead letters.
#[derive(Debug, Clone, Copy)]
pub struct DeadPage {
    /// In this order.
    pub order: DeadOrder,
    /// Behind this one.
    pub behind: Option<DeadPlace>,
    /// At most so many.
    pub limit: u32,
}

/// A run that puts dead letters back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayRun(pub i64);

/// What a step of a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// So many are in the queue again.
    pub queued: u64,
    /// So many have ended instead, since the lane sends or has sent a later revision.
    pub superseded: u64,
}

/// What is kept of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayEntry {
    /// Which.
    pub run: ReplayRun,
    /// Who ran it.
    pub operator: String,
    /// What was chosen, as it was asked for.
    pub filter: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When its last step was.
    pub last_at: Timestamp,
    /// What it did.
    pub replayed: Replayed,
}

impl Operator {
    /// A page of the dead letters of which all of this holds.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn dead_letters(
        &self,
        conditions: &[DeadCondition],
        page: DeadPage,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        self.reader.dead_letters(conditions, page).await
    }

    /// Notes that an operator begins to put dead letters back, and by what they are chosen.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is noted.
    pub async fn begin_replay(
        &self,
        operator: &str,
        filter: &str,
        now: Timestamp,
    ) -> Result<ReplayRun, OpenError> {
        self.desk.begin_replay((operator, filter), now).await
    }

    /// Puts dead letters back into the queues of their lanes, as of now, behind complaints and with
    /// their attempts forgotten; a serving gateway finds them within a second. Those that are gone by
    /// now are left alone.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is put back.
    pub async fn replay(
        &self,
        run: ReplayRun,
        letters: &[DeadPlace],
        now: Timestamp,
    ) -> Result<Replayed, OpenError> {
        self.desk.replay(run, letters, now).await
    }

    /// What is kept of the runs that put dead letters back, newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn replays(&self, limit: u32) -> Result<Vec<ReplayEntry>, ReadError> {
        self.reader.replays(limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_bin_and_an_unknown_one_is_ours() {
        let bins = DeadClass::ALL.map(|class| (class.name(), Bin::of_class(class.name())));
        let theirs: Vec<_> = bins.iter().filter(|(_, bin)| *bin == Bin::Theirs).collect();
        assert_eq!(theirs, [&("rejected", Bin::Theirs), &("refused_in_200", Bin::Theirs)]);
        assert_eq!(Bin::of_class("of tomorrow"), Bin::Ours);
    }
}
