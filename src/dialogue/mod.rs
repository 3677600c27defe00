//! What an event means: which campaign asked the question, and what the answer says. Pure.
//!
//! Layer 1: it knows the words, the configured campaigns and how replies are read; it stores
//! nothing and asks no clock.

mod campaign;
mod decide;
mod interpret;
pub mod memory;
mod news;

pub use campaign::choose_campaign;
pub use decide::{Change, Concluded, Decision, Happening, Rules};
pub use interpret::{Interpretation, interpret};
pub use news::News;
