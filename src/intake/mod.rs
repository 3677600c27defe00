//! From a request to an answer: believed, read, understood, committed, and only then acknowledged.

mod accept;
pub mod calls;
mod dialogue;
mod distribution;
pub mod invitations;
mod passed;
mod quarantine;
mod revise;
mod steps;

pub use accept::Intake;
pub use dialogue::{ConcludeError, DialogueWorker};
pub use invitations::Invitations;
pub use quarantine::{RereadError, Rereader, decode};
pub use revise::{Reviser, review};
