//! What the stand-in platform took: every key and how often it came.

use crate::egress::native::Key;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

/// The keys, 32 bytes for each, so that millions fit into memory.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    seen: HashMap<(u128, u32), u32>,
    effects: Effects,
}

/// Records by what they came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// Taken for the first time: the effects.
    pub accepted: u64,
    /// Came again and changed nothing.
    pub duplicates: u64,
    /// Rejected.
    pub rejected: u64,
}

/// A record that is taken for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its key.
    pub key: Key,
    /// `rating`, `complaint` or `not_rated`.
    pub kind: &'a str,
    /// The account whose callback caused it.
    pub account: &'a str,
    /// The carrier's id of the message or call.
    pub message_id: Option<&'a str>,
    /// The invitation that it answers.
    pub invitation: Option<&'a str>,
}

/// What becomes of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Taken for the first time.
    Accepted,
    /// Taken before.
    Duplicate,
    /// Not taken.
    Rejected,
}

impl Ledger {
    /// Takes the records of a batch, `None` for one to reject, and says what became of each.
    pub fn take(&self, batch: impl IntoIterator<Item = Option<Key>>) -> Vec<Fate> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Book { seen, effects } = &mut *guard;
        let mut take = |key: Option<Key>| {
            let Some(key) = key else {
                effects.rejected += 1;
                return Fate::Rejected;
            };
            match seen.entry((key.id.0.as_u128(), key.revision.0)) {
                Entry::Vacant(first) => {
                    first.insert(1);
                    effects.accepted += 1;
                    Fate::Accepted
                }
                Entry::Occupied(mut times) => {
                    *times.get_mut() += 1;
                    effects.duplicates += 1;
                    Fate::Duplicate
                }
            }
        };
        batch.into_iter().map(&mut take).collect()
    }

    /// The sums.
    #[must_use]
    pub fn effects(&self) -> Effects {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).effects
    }

    /// How often this key was taken.
    #[must_use]
    pub fn times_seen(&self, key: Key) -> u32 {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.seen.get(&(key.id.0.as_u128(), key.revision.0)).copied().unwrap_or(0)
    }
}
