//! Messages to citizens: what waits for an account becomes requests to its carrier, and their
//! answers become verdicts in the queue, together with the news for the dialogue.
//!
//! Lane, breaker and back-off are those of forwarding. One thing differs: a citizen must not get a
//! message twice, so one whose fate nobody knows is given up unless the carrier knows it again.

mod driver;
pub mod fate;
mod pace;
pub mod queue;
mod sender;
mod stored;

pub use driver::{MessagesError, start};
pub use queue::{Became, Queue, RecallError};
