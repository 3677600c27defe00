//! What is left of callbacks, put together from the rows that an engine finds.

use super::revise::Revisable;
use super::rows::{StoredCallback, UnknownLayout};
use super::standing::FIRST_NOTE;
use crate::model::{History, Made, Note, Outcome, RecordId, Traces};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Pages are read until they are so many bytes together.
pub(super) const AT_ONCE: usize = 512 * 1024;

/// Longer than anything waits between its arrival and its page, with the others of its group.
const GROUP: Duration = Duration::from_hours(1);

/// What is left of callbacks, by their places.
#[derive(Debug, Default)]
pub(super) struct Remains {
    records: BTreeMap<(i64, RecordId), Vec<Made>>,
    notes: BTreeMap<i64, Vec<Note>>,
    held: BTreeMap<i64, usize>,
}

impl Remains {
    /// A revision of a record that is near a callback. Those of one record come one after the other, oldest first.
    pub(super) fn add_record(&mut self, callback: i64, made: Made) {
        self.records.entry((callback, made.record.id)).or_default().push(made);
    }

    /// A note: its item, its outcome, and whether it names what it repeats. They come in the order of their items.
    pub(super) fn add_note(
        &mut self,
        callback: i64,
        (item, outcome, repeats): (i64, &str, bool),
    ) -> Result<(), UnknownLayout> {
        let place = usize::try_from(item).ok().filter(|_| item < FIRST_NOTE);
        let outcome = Outcome::from_name(outcome).ok_or(UnknownLayout)?;
        self.notes.entry(callback).or_default().push(Note { place, outcome, repeats });
        Ok(())
    }

    /// How many events are held.
    pub(super) fn add_held(&mut self, callback: i64, count: i64) {
        self.held.insert(callback, usize::try_from(count).unwrap_or(usize::MAX));
    }

    /// What is left of each of these.
    pub(super) fn of(mut self, callbacks: Vec<StoredCallback>) -> Vec<Revisable> {
        let mut histories: BTreeMap<i64, Vec<History>> = BTreeMap::new();
        for ((callback, _), revisions) in self.records {
            histories.entry(callback).or_default().extend(History::new(revisions));
        }
        let revisable = |callback: StoredCallback| {
            let seq = callback.seq.0;
            let (garbled, notes): (Vec<Note>, Vec<Note>) = self
                .notes
                .remove(&seq)
                .unwrap_or_default()
                .into_iter()
                .partition(|note| note.outcome == Outcome::Garbled);
            let traces = Traces {
                histories: histories.remove(&seq).unwrap_or_default(),
                notes,
                garbled: garbled.len(),
                held: self.held.remove(&seq).unwrap_or_default(),
            };
            Revisable { callback, traces }
        };
        callbacks.into_iter().map(revisable).collect()
    }
}

/// When the newest callback of a page may have arrived, at the latest, if it has any from before `until`.
pub(super) fn newest(until: Timestamp) -> i64 {
    until.checked_add(GROUP).unwrap_or(Timestamp::MAX).as_millisecond()
}
