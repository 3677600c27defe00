//! The ledger in the database: folding it forward, reading it, and counting everything anew.

mod check;
mod count;
mod fold;
mod read;
