//! Whose callbacks a page holds.

use crate::model::CallbackSeq;
use crate::store::{KeyRing, rows};
use std::collections::BTreeMap;

/// The callbacks of a page by hour and account. Those of one that cannot be opened belong to `?`.
pub(in crate::store) fn tally(
    ring: &KeyRing,
    first: i64,
    (count, received_at): (i64, i64),
    sealed: &[u8],
) -> BTreeMap<(i64, String), i64> {
    let place = rows::page_place(CallbackSeq(first));
    let plain = ring.open(&place, sealed).ok();
    plain
        .and_then(|plain| rows::tally_page(&plain).ok())
        .unwrap_or_else(|| BTreeMap::from([((rows::hour(received_at), "?".to_owned()), count)]))
}
