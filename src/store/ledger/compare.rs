//! The ledger beside a full count: what is not the same. Pure.

use super::{Book, Entry, Erased, Hour, Places};
use jiff::Timestamp;
use serde::Serialize;

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Callbacks stored.
    Callbacks,
    /// Events that repeated an earlier one.
    Repeats,
    /// Other events that made no record.
    Notes,
    /// Record revisions.
    Records,
    /// Of them with the platform.
    Delivered,
    /// Of them in the outbox.
    Pending,
    /// Of them given up.
    Dead,
    /// Of them overtaken.
    Superseded,
    /// Of them not wanted there.
    NotForIt,
    /// Of them in no place, or if negative in two.
    InNoPlace,
}

/// A figure that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of which hour.
    pub hour: Hour,
    /// Of which account.
    pub account: String,
    /// Of which lane.
    pub lane: Option<String>,
    /// Of what.
    pub figure: Figure,
    /// What the ledger says.
    pub ledger: i64,
    /// What there is.
    pub counted: i64,
}

/// Compares hour by hour. Of hours of which something is erased only the rest is compared. Returns also how many hours of
/// accounts that were.
pub(in crate::store) fn compare(
    ledger: &Book,
    counted: &Book,
    erased: Erased,
) -> (u64, Vec<Difference>) {
    let nothing = Entry::default();
    let mut keys: Vec<_> = ledger.keys().chain(counted.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut differences = Vec::new();
    for key in &keys {
        let sides = (ledger.get(*key).unwrap_or(&nothing), counted.get(*key).unwrap_or(&nothing));
        let (hour, account) = *key;
        let mut note = |lane: Option<&str>, figure, ledger, counted| {
            let (account, lane) = (account.clone(), lane.map(str::to_owned));
            let difference = Difference { hour: *hour, account, lane, figure, ledger, counted };
            differences.push(difference);
        };
        if is_whole(*hour, erased.callbacks) {
            compare_callbacks(sides, &mut note);
        }
        if is_whole(*hour, erased.records) {
            compare_records(sides, &mut note);
        }
    }
    (keys.len() as u64, differences)
}

fn is_whole(hour: Hour, erased: Option<Timestamp>) -> bool {
    erased.is_none_or(|before| hour.start() >= before)
}

fn compare_callbacks(
    (ledger, counted): (&Entry, &Entry),
    note: &mut impl FnMut(Option<&str>, Figure, i64, i64),
) {
    for (figure, ledger, counted) in [
        (Figure::Callbacks, ledger.callbacks, counted.callbacks),
        (Figure::Repeats, ledger.repeats, counted.repeats),
        (Figure::Notes, ledger.notes, counted.notes),
    ] {
        if ledger != counted {
            note(None, figure, ledger, counted);
        }
    }
}

fn compare_records(
    (ledger, counted): (&Entry, &Entry),
    note: &mut impl FnMut(Option<&str>, Figure, i64, i64),
) {
    if ledger.records != counted.records {
        note(None, Figure::Records, ledger.records, counted.records);
    }
    let mut lanes: Vec<&String> = ledger.lanes.keys().chain(counted.lanes.keys()).collect();
    lanes.sort_unstable();
    lanes.dedup();
    for lane in lanes {
        let places = |entry: &Entry| entry.lanes.get(lane).copied().unwrap_or_default();
        let (ledger, counted) = (places(ledger), places(counted));
        for ((figure, ledger), (_, counted)) in figures(ledger).into_iter().zip(figures(counted)) {
            if ledger != counted {
                note(Some(lane), figure, ledger, counted);
            }
        }
        // Where both see that one is lost, they agree, and it is lost all the same.
        if ledger.difference != 0 || counted.difference != 0 {
            note(Some(lane), Figure::InNoPlace, ledger.difference, counted.difference);
        }
    }
}

fn figures(places: Places) -> [(Figure, i64); 5] {
    [
        (Figure::Delivered, places.delivered),
        (Figure::Pending, places.pending),
        (Figure::Dead, places.dead),
        (Figure::Superseded, places.superseded),
        (Figure::NotForIt, places.not_for_it),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn book(hours: impl IntoIterator<Item = (i64, Entry)>) -> Book {
        hours.into_iter().map(|(hour, entry)| ((Hour(hour), "a".to_owned()), entry)).collect()
    }

    fn entry(places: Places) -> Entry {
        let lanes = BTreeMap::from([("p".to_owned(), places)]);
        Entry { callbacks: 5, records: places.records(), lanes, ..Entry::default() }
    }

    #[test]
    fn what_is_the_same_is_no_difference() {
        let places = Places { delivered: 3, dead: 1, ..Places::default() };
        let book = book([(1, entry(places)), (2, Entry::default())]);
        assert_eq!(compare(&book, &book, Erased::default()), (2, Vec::new()));
    }

    #[test]
    fn each_figure_that_differs_is_named_and_so_is_what_both_miss() {
        let ledger = Places { delivered: 3, difference: 1, ..Places::default() };
        let counted = Places { delivered: 2, pending: 1, difference: 1, ..Places::default() };
        let counted = book([(1, Entry { callbacks: 4, ..entry(counted) })]);
        let (_, found) = compare(&book([(1, entry(ledger))]), &counted, Erased::default());
        let found: Vec<_> = found.iter().map(|it| (it.figure, it.ledger, it.counted)).collect();
        assert_eq!(
            found,
            [
                (Figure::Callbacks, 5, 4),
                (Figure::Delivered, 3, 2),
                (Figure::Pending, 0, 1),
                (Figure::InNoPlace, 1, 1),
            ]
        );
    }

    #[test]
    fn what_is_erased_is_not_compared() {
        let ledger = book([
            (1, entry(Places { delivered: 3, ..Places::default() })),
            (2, Entry { callbacks: 1, ..Entry::default() }),
        ]);
        let at = |hour: i64| Some(Hour(hour).start());
        let found = |erased| compare(&ledger, &Book::new(), erased).1.len();
        assert_eq!(found(Erased { callbacks: at(2), records: at(2) }), 1);
        assert_eq!(found(Erased { callbacks: at(3), records: at(1) }), 2);
        assert_eq!(found(Erased { callbacks: at(3), records: at(3) }), 0);
    }
}
