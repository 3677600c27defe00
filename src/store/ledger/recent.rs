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

/// What was found of some records.
#[derive(Debug, Default)]
pub(in crate::store) struct RecentPart {
    /// By hour and account: those that are there, and the lanes in which one of them is in no place or in two.
    pub(in crate::store) found: BTreeMap<(Hour, String), (i64, i64)>,
    /// The last that was looked at.
    pub(in crate::store) to: i64,
}
