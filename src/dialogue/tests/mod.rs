//! The dialogue as a whole, over a memory that is written down after every step.

mod bench;
mod groups;
mod in_call;
mod reasons;
mod rules;
mod worlds;
