//! Recordings of calls: what waits for an account is fetched from its carrier, checked, and kept.
//!
//! Only listed hosts on public networks are asked, at each redirect anew (`config::Recordings`). A
//! recording may be fetched any number of times, so one that was cut off is simply fetched again.

mod driver;
pub mod fate;
mod source;

pub use driver::{RecordingsError, start};
