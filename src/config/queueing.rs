//! From the file as written to the checked types: how what waits for a destination is ordered and gathered.

use super::Queueing;
use super::raw::Section;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a record may be made to wait for company; longer, and nobody would call it fresh.
const DELAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(5);

/// How far before its deadline a complaint may go before all others.
const BEFORE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(30 * 24);

/// A body of one record has room in the least of these.
const BYTES: RangeInclusive<u64> = 4 << 10..=64 << 20;

/// Reads the keys of a destination that say so.
pub(super) fn queueing(section: &mut Section<'_>) -> Option<Queueing> {
    Some(Queueing {
        max_batch: section.count("max_batch", 1..=10_000)?.value,
        max_bytes: usize::try_from(section.size("max_bytes", BYTES)?.value).unwrap_or(usize::MAX),
        max_delay: section.duration("max_delay", DELAY)?.value,
        urgent_before: section.duration("urgent_before", BEFORE)?.value,
    })
}
