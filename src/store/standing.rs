//! What the store has of conclusions before they are written: which of them may still be drawn. Pure.

use super::inbox::InboxSeq;
use super::job::ConcludeJob;
use crate::model::{CallbackSeq, MessageKey};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The first number of a conclusion's notes: beyond those of any callback's own items.
pub(super) const FIRST_NOTE: i64 = 1 << 32;

/// What an engine looked up of what these conclusions take, bring and note.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) held: HashSet<InboxSeq>,
    pub(super) untold: HashSet<MessageKey>,
    pub(super) to_revise: HashSet<CallbackSeq>,
    pub(super) revisions: HashSet<(Uuid, u32)>,
    /// The last note of earlier conclusions, by callback.
    pub(super) noted: HashMap<i64, i64>,
}

impl Standing {
    /// Whether a conclusion may be drawn. What it takes and brings, the next one finds taken and
    /// brought.
    pub(super) fn admits(&mut self, job: &ConcludeJob) -> bool {
        let brought: HashSet<_> = revisions(job).collect();
        let admitted = job.held.iter().all(|seq| self.held.contains(seq))
            && job.told.iter().all(|id| self.untold.contains(id))
            && job.revised.is_none_or(|callback| self.to_revise.contains(&callback))
            && brought.len() == revisions(job).count()
            && self.revisions.is_disjoint(&brought);
        if admitted {
            job.held.iter().for_each(|seq| {
                self.held.remove(seq);
            });
            job.told.iter().for_each(|id| {
                self.untold.remove(id);
            });
            job.revised.iter().for_each(|callback| {
                self.to_revise.remove(callback);
            });
            self.revisions.extend(brought);
        }
        admitted
    }

    /// The next number of a note on a callback.
    pub(super) fn next_note(&mut self, callback: CallbackSeq) -> i64 {
        let last = self.noted.entry(callback.0).or_insert(FIRST_NOTE - 1);
        *last += 1;
        *last
    }
}

/// The revisions of records that a conclusion brings.
pub(super) fn revisions(job: &ConcludeJob) -> impl Iterator<Item = (Uuid, u32)> {
    let records = job.items.iter().flat_map(|item| &item.records);
    records.map(|record| (record.id.0, record.revision.0))
}
