//! What an event means: which campaign asked the question, and what the answer says. Pure.
//!
//! Most answers are read each for itself: [`interpret()`]. What [`needs_memory`] is decided by what is
//! remembered: recall what is [`wanted`], [`decide()`], and keep, send and remember all of the
//! [`Decision`] or nothing of it.
//!
//! Layer 1: it knows the words, the configured campaigns and how replies are read; it stores
//! nothing and asks no clock.

mod answering;
mod asking;
mod because;
mod calls;
mod campaign;
mod decide;
pub mod distribution;
pub mod flow;
mod in_call;
mod integrity;
mod interpret;
mod known;
mod limits;
mod matching;
pub mod memory;
mod news;
mod often;
mod parts;
mod recordings;
mod review;
mod talk;
#[cfg(test)]
mod tests;

pub use because::{Because, Silence};
pub use campaign::{area, choose_campaign};
pub use decide::{Change, Concluded, Decision, Happening, Rules, decide, needs_memory, wanted};
pub use interpret::{Interpretation, interpret};
pub use known::Known;
pub use limits::{NotNow, may_call, may_send};
pub use matching::Fit;
pub use news::{Fetched, News};
pub use often::Turn;
pub use review::{Amendment, Kept, ReadAgain, Review, Side, remember_amended, remembering, review};
