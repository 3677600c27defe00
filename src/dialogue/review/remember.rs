//! Records that are amended while the gateway still remembers them: a reason or a second rating that comes later must
//! go on from the newest revision.

use super::{Amendment, Review};
use crate::dialogue::decide::Change;
use crate::dialogue::known::Known;
use crate::dialogue::memory::{Memory, MemoryKey, Rated, VoiceMemory};
use crate::dialogue::often::subject;
use crate::model::{Caller, Meaning, Record};

/// The memories that may hold a record which these reviews amend.
#[must_use]
pub fn remembering(reviews: &[&Review]) -> Vec<MemoryKey> {
    let mut keys = Vec::new();
    for (review, old) in reviews.iter().flat_map(revised) {
        if let Some(Caller::Number(number)) = &old.caller {
            keys.push(MemoryKey::Caller(number.clone()));
        }
        if let (Some(invitation), Some(matter)) = (&old.context.invitation, &old.context.matter) {
            keys.extend(subject(matter, invitation).key());
        }
        if let Some(call) = &review.call {
            keys.push(MemoryKey::Call { account: old.account.clone(), call: call.clone() });
            keys.push(MemoryKey::Voice { account: old.account.clone(), call: call.clone() });
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// Has the memories at hand hold the amended records. Returns those that changed.
pub fn remember_amended(known: &mut Known, reviews: &[&Review]) -> Vec<Change> {
    known.begin();
    for key in remembering(reviews) {
        let Some(mut memory) = known.get(&key).cloned() else { continue };
        for rated in ratings(&mut memory) {
            reviews.iter().for_each(|review| amend(rated, review));
        }
        if let Memory::Voice(VoiceMemory { complaint: Some(complaint), .. }) = &mut memory {
            let mut written = reviews.iter().flat_map(|review| review.written());
            if let Some(record) = written.find(|record| record.id == complaint.id) {
                **complaint = record.clone();
            }
        }
        known.recall(key, Some(memory));
    }
    known.changes()
}

fn ratings(memory: &mut Memory) -> Vec<&mut Rated> {
    match memory {
        Memory::Caller(caller) => caller.ratings.iter_mut().collect(),
        Memory::Call(call) => call.rated.as_deref_mut().into_iter().collect(),
        Memory::Matter(rated) => vec![&mut **rated],
        Memory::Message(_) | Memory::Invitation(_) | Memory::Asking(_) | Memory::Voice(_) => {
            Vec::new()
        }
    }
}

fn amend(rated: &mut Rated, review: &Review) {
    let id = rated.record.id;
    for record in review.written() {
        if record.id == id {
            rated.record = record.clone();
        }
        rated.complained |= matches!(&record.meaning,
            Meaning::Complaint { rating: Some(rating), .. } if *rating == id);
    }
}

fn revised<'a>(review: &'a &Review) -> impl Iterator<Item = (&'a Review, &'a Record)> {
    review.amendments.iter().filter_map(|amendment| match amendment {
        Amendment::Revised { old, .. } => Some((&**review, &**old)),
        Amendment::Made(_) | Amendment::Withdrawn(_) => None,
    })
}
