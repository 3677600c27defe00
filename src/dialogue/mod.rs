//! What an event means: which campaign asked the question, and what the answer says. Pure.
//!
//! Layer 1: it knows the words, the configured campaigns and how replies are read; it stores
//! nothing and asks no clock.

mod campaign;
mod interpret;

pub use campaign::{area, choose_campaign};
pub use interpret::{Interpretation, interpret};
