//! From a request to an answer: believed, read, understood, committed, and only then acknowledged.

mod accept;
pub mod calls;
mod dialogue;
mod distribution;
pub mod invitations;
mod quarantine;

pub use accept::Intake;
pub use dialogue::{ConcludeError, DialogueWorker};
pub use invitations::Invitations;
pub use quarantine::{RereadError, Rereader, decode};
