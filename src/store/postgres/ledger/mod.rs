//! The ledger in the database: folding it forward, reading it, and counting everything anew.

mod check;
mod count;
mod fold;
mod read;
mod write;

pub(super) use write::{add_late_notes, forget_garbled, write, write_refused};

use crate::store::ledger::Hours;

/// Begins a transaction in which all is read as of one moment.
const MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The place that a record has in a lane, as an expression over the lane, its number, and when it was received. It is 0 for
/// one that is in no place, or in two. Whatever is to be sent or was given up is not looked up among the attempts, of which
/// it may have many. Counts of at most one, as the server might hash a whole table to see what exists.
fn place(lane: &str, seq: &str, received_at: &str) -> String {
    format!(
        "(CASE (SELECT count(*) FROM outbox WHERE lane = {lane} AND seq = {seq})
            + 2 * (SELECT count(*) FROM dead_letter WHERE lane = {lane} AND seq = {seq})
         WHEN 1 THEN 2 WHEN 2 THEN 3 WHEN 3 THEN 0
         ELSE (SELECT CASE count(*) WHEN 1 THEN min(outcome) ELSE 0 END FROM attempt
               WHERE lane = {lane} AND seq = {seq} AND received_at = {received_at}
                  AND outcome IN (1, 4, 6)) END)::bigint"
    )
}

/// When some hours begin and end, in milliseconds.
fn millis(hours: Hours) -> (i64, i64) {
    (hours.since.0.saturating_mul(3_600_000), hours.until.0.saturating_mul(3_600_000))
}
