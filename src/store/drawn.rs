//! What the conclusions of a group come with beside their records and notes: gathered from those that may be drawn. Pure.

use super::inbox::{Concluded, InboxSeq};
use super::job::{ConcludeJob, SealedMemory, SealedMessage};
use super::recording::NewRecording;
use super::revise::Revised;
use crate::model::{MessageKey, RecordingId};

/// What the drawn conclusions take, change and bring, each in the order of the group.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub(super) held: Vec<InboxSeq>,
    pub(super) memory: Vec<SealedMemory>,
    pub(super) messages: Vec<SealedMessage>,
    pub(super) told: Vec<MessageKey>,
    pub(super) revised: Vec<Revised>,
    pub(super) recordings: Vec<NewRecording>,
    pub(super) fetched: Vec<RecordingId>,
}

/// Of each conclusion the request that it ends, if it ends one. Planning takes the records out of the jobs, so this comes
/// before it.
pub(super) fn revising(jobs: &[ConcludeJob]) -> Vec<Option<Revised>> {
    jobs.iter().map(Revised::by).collect()
}

impl Drawn {
    /// Takes it out of the jobs that came to something.
    pub(super) fn of(
        jobs: &mut [ConcludeJob],
        revising: Vec<Option<Revised>>,
        concluded: &[Concluded],
    ) -> Drawn {
        let mut drawn = Drawn::default();
        for ((job, revising), concluded) in jobs.iter_mut().zip(revising).zip(concluded) {
            if *concluded != Concluded::Void {
                drawn.held.extend(&job.held);
                drawn.memory.append(&mut job.memory);
                drawn.messages.append(&mut job.messages);
                drawn.told.append(&mut job.told);
                drawn.revised.extend(revising);
                drawn.recordings.append(&mut job.recordings);
                drawn.fetched.append(&mut job.fetched);
            }
        }
        drawn
    }
}
