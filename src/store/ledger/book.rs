//! The ledger's rows, put together to its entries. Pure.

use super::{Book, Hour};

/// What the ledger says of some hours, one row each.
#[derive(Debug, Default)]
pub(in crate::store) struct BookRows {
    /// Hour, account, callbacks, repeats, notes, records.
    pub(in crate::store) sums: Vec<(i64, String, i64, i64, i64, i64)>,
    /// Hour, account, reason, callbacks.
    pub(in crate::store) refused: Vec<(i64, String, String, i64)>,
    /// Hour, account, lane, place, records.
    pub(in crate::store) lanes: Vec<(i64, String, String, i64, i64)>,
}

impl From<BookRows> for Book {
    fn from(BookRows { sums, refused, lanes }: BookRows) -> Book {
        let mut book = Book::new();
        for (hour, account, callbacks, repeats, notes, records) in sums {
            let entry = book.entry((Hour(hour), account)).or_default();
            (entry.callbacks, entry.repeats) = (callbacks, repeats);
            (entry.notes, entry.records) = (notes, records);
        }
        for (hour, account, reason, callbacks) in refused {
            let entry = book.entry((Hour(hour), account)).or_default();
            entry.refused.insert(reason, callbacks);
        }
        for (hour, account, lane, place, records) in lanes {
            let entry = book.entry((Hour(hour), account)).or_default();
            entry.lanes.entry(lane).or_default().add(place, records);
        }
        book
    }
}
