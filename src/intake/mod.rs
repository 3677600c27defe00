//! From a request to an answer: believed, read, understood, committed, and only then acknowledged.

mod accept;

pub use accept::Intake;
