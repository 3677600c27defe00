//! The ledger in the database: folding it forward, reading it, and counting everything anew.

mod check;
mod count;
mod fold;
mod read;
mod write;

pub(in crate::store) use write::{add_late_notes, forget_garbled, write, write_refused};

/// The place that a record has in a lane, as an expression over the two. It is 0 for one that is in no place, or in two.
/// Whatever is to be sent or was given up is not looked up among the attempts, of which it may have many.
fn place(lane: &str, seq: &str) -> String {
    format!(
        "CASE (EXISTS (SELECT 1 FROM outbox WHERE lane = {lane} AND seq = {seq}))
            + 2 * (EXISTS (SELECT 1 FROM dead_letter WHERE lane = {lane} AND seq = {seq}))
         WHEN 1 THEN 2 WHEN 2 THEN 3 WHEN 3 THEN 0
         ELSE (SELECT CASE count(*) WHEN 1 THEN min(outcome) ELSE 0 END FROM attempt
               WHERE lane = {lane} AND seq = {seq} AND outcome IN (1, 4, 6)) END"
    )
}
