//! What one step of folding found, before it is written down.

use crate::store::rows;
use std::collections::BTreeMap;

/// Where the rotation among open records stands, by lane and record.
pub(in crate::store) type FoldedTo = (i64, i64);

/// A record that a lane has not taken in, when it was received, its account, and its place.
pub(in crate::store) type NewRow = (i64, i64, String, i64);

/// The lane and the number of an open record, when it was received, its account, and its place before and now.
pub(in crate::store) type MovedRow = (i64, i64, i64, String, i64, i64);

/// What one step found.
#[derive(Debug, Default)]
pub(in crate::store) struct Fold {
    /// How many steps had been taken before.
    pub(in crate::store) steps: i64,
    /// Hour, account, callbacks.
    pub(in crate::store) callbacks: Vec<(i64, String, i64)>,
    pub(in crate::store) pages_to: i64,
    /// The notes of callbacks up to this one are to be counted.
    pub(in crate::store) notes_to: Option<i64>,
    /// Hour, account, records, and the first and last of them.
    pub(in crate::store) records: Vec<(i64, String, i64, i64, i64)>,
    pub(in crate::store) records_to: i64,
    /// Lanes, and their last record now.
    pub(in crate::store) lanes: Vec<[i64; 2]>,
    /// By how many records the places change: hour, account, lane, place.
    pub(in crate::store) places: BTreeMap<(i64, String, i64, i64), i64>,
    /// Lane, record, place, and when that was received.
    pub(in crate::store) open: Vec<[i64; 4]>,
    /// Lane, record.
    pub(in crate::store) closed: Vec<[i64; 2]>,
    /// Whether there is more to take in.
    pub(in crate::store) more: bool,
}

impl Fold {
    /// Whether there is anything to write down.
    pub(in crate::store) fn changes(&self) -> bool {
        !(self.callbacks.is_empty()
            && self.notes_to.is_none()
            && self.records.is_empty()
            && self.lanes.is_empty()
            && self.open.is_empty()
            && self.closed.is_empty())
    }

    /// The changes of places, one a row.
    pub(in crate::store) fn places(&self) -> Vec<(i64, &str, i64, i64, i64)> {
        let changed = self.places.iter().filter(|(_, records)| **records != 0);
        changed
            .map(|((hour, account, lane, place), records)| {
                (*hour, account.as_str(), *lane, *place, *records)
            })
            .collect()
    }

    /// Takes records in that are new to a lane, in their order.
    pub(in crate::store) fn take_in(&mut self, lane: i64, rows: &[NewRow]) {
        self.lanes.extend(rows.last().map(|(seq, ..)| [lane, *seq]));
        for (seq, received_at, account, place) in rows {
            self.moves((rows::hour(*received_at), account), (lane, *place), 1);
            if is_open(*place) {
                self.open.push([lane, *seq, *place, *received_at]);
            }
        }
    }

    /// Has open records be where they are now.
    pub(in crate::store) fn bring_up(&mut self, rows: &[MovedRow]) {
        for (lane, seq, received_at, account, before, now) in rows {
            let of = (rows::hour(*received_at), account.as_str());
            self.moves(of, (*lane, *before), -1);
            self.moves(of, (*lane, *now), 1);
            match is_open(*now) {
                true => self.open.push([*lane, *seq, *now, *received_at]),
                false => self.closed.push([*lane, *seq]),
            }
        }
    }

    /// Has a record of an hour and account come into a place of a lane, or leave it.
    fn moves(&mut self, (hour, account): (i64, &str), (lane, place): (i64, i64), records: i64) {
        *self.places.entry((hour, account.to_owned(), lane, place)).or_default() += records;
    }
}

/// Whether a record in this place may come into another.
fn is_open(place: i64) -> bool {
    matches!(place, 0 | 2 | 3)
}
