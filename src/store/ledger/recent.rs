//! The records of the last hours: as the ledger has them, and as they were found.

use super::Hour;
use std::collections::BTreeMap;

/// The last hours as the ledger has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Recent {
    /// Their records by hour and account.
    pub(in crate::store) records: BTreeMap<(Hour, String), i64>,
    /// The one before the first that may be of them.
    pub(in crate::store) after: i64,
    /// The last: whatever is behind it was not folded yet.
    pub(in crate::store) last: i64,
}

impl Recent {
    /// From rows of the ledger: hour, account, records, and the first and last of them.
    pub(in crate::store) fn of(rows: Vec<(i64, String, i64, i64, i64)>) -> Recent {
        let first = rows.iter().map(|(_, _, _, first, _)| *first).min().unwrap_or(1);
        let last = rows.iter().map(|(.., last)| *last).max().unwrap_or(0);
        let records = rows.into_iter().map(|(hour, of, records, ..)| ((Hour(hour), of), records));
        Recent { records: records.collect(), after: first - 1, last }
    }
}

/// What was found of some records.
#[derive(Debug, Default)]
pub(in crate::store) struct RecentPart {
    /// By hour and account: those that are there, and the lanes in which one of them is in no place or in two.
    pub(in crate::store) found: BTreeMap<(Hour, String), (i64, i64)>,
    /// The last that was looked at.
    pub(in crate::store) to: i64,
}

impl RecentPart {
    /// From rows of hour, account, records, lost ones, up to a record.
    pub(in crate::store) fn of(rows: Vec<(i64, String, i64, i64)>, to: i64) -> RecentPart {
        let found =
            rows.into_iter().map(|(hour, of, records, lost)| ((Hour(hour), of), (records, lost)));
        RecentPart { found: found.collect(), to }
    }
}
