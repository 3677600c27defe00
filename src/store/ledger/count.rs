//! A full count of some hours, to be laid beside the ledger. Pure.

use super::{Book, Day, Delivered, Entry, Hour, Hours};
use std::collections::BTreeMap;

/// Records of an hour, account and lane that are in one place there: hour, account, lane, place, whether they are
/// complaints, whether they have a level, how many there are, and whether the ledger has taken them in.
pub(in crate::store) type PlacedRow = (i64, String, String, i64, bool, bool, i64, bool);

/// Records that came into another place since the ledger looked: hour, account, lane, place before, place now, how many.
pub(in crate::store) type ForwardRow = (i64, String, String, i64, i64, i64);

/// A full count, under way.
#[derive(Debug)]
pub(in crate::store) struct Count {
    hours: Hours,
    pub(in crate::store) book: Book,
    pub(in crate::store) delivered: BTreeMap<(String, Day), Delivered>,
}

impl Count {
    /// Of some hours.
    pub(in crate::store) fn of(hours: Hours) -> Count {
        Count { hours, book: Book::new(), delivered: BTreeMap::new() }
    }

    /// Takes in callbacks by hour and account.
    pub(in crate::store) fn callbacks(&mut self, sums: BTreeMap<(i64, String), i64>) {
        for ((hour, account), callbacks) in sums {
            if let Some(entry) = self.entry(hour, account) {
                entry.callbacks += callbacks;
            }
        }
    }

    /// Takes in notes: hour, account, repeats, others.
    pub(in crate::store) fn notes(&mut self, rows: Vec<(i64, String, i64, i64)>) {
        for (hour, account, repeats, notes) in rows {
            if let Some(entry) = self.entry(hour, account) {
                (entry.repeats, entry.notes) = (repeats, notes);
            }
        }
    }

    /// Takes in records: hour, account, how many.
    pub(in crate::store) fn records(&mut self, rows: Vec<(i64, String, i64)>) {
        for (hour, account, records) in rows {
            if let Some(entry) = self.entry(hour, account) {
                entry.records += records;
            }
        }
    }

    /// Takes in what lanes are held to account for: until it is found in a place, it is in none.
    pub(in crate::store) fn accounted_for(&mut self, rows: Vec<(i64, String, String, i64)>) {
        for (hour, account, lane, records) in rows {
            if let Some(entry) = self.entry(hour, account) {
                entry.lanes.entry(lane).or_default().difference += records;
            }
        }
    }

    /// Takes in what was found in its places; of what the ledger has not taken in, what was delivered.
    pub(in crate::store) fn placed(&mut self, rows: Vec<PlacedRow>) {
        for (hour, account, lane, place, complaint, rated, records, folded) in rows {
            if !self.hours.contain(Hour(hour)) {
                continue;
            }
            if folded && let Some(entry) = self.entry(hour, account) {
                let places = entry.lanes.entry(lane.clone()).or_default();
                places.add(place, records);
                places.difference -= records;
            }
            let day = self.delivered.entry((lane, Day::of(Hour(hour)))).or_default();
            *match (place, complaint, rated) {
                (1, true, _) => &mut day.complaints,
                (1, false, true) => &mut day.ratings,
                (1, false, false) => &mut day.not_rated,
                (6, ..) => continue,
                _ => &mut day.unsure,
            } += records;
        }
    }

    /// Moves in a ledger what has come into another place since that looked.
    pub(in crate::store) fn bring_forward(&self, ledger: &mut Book, rows: Vec<ForwardRow>) {
        for (hour, account, lane, before, now, records) in rows {
            if !self.hours.contain(Hour(hour)) {
                continue;
            }
            let entry = ledger.entry((Hour(hour), account)).or_default();
            let places = entry.lanes.entry(lane).or_default();
            places.add(before, -records);
            places.add(now, records);
        }
    }

    fn entry(&mut self, hour: i64, account: String) -> Option<&mut Entry> {
        let hour = Hour(hour);
        self.hours.contain(hour).then(|| self.book.entry((hour, account)).or_default())
    }
}
