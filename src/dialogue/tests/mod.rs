//! The dialogue as a whole, over a memory that is written down after every step.

mod bench;
mod calls;
mod channels;
mod groups;
mod in_call;
mod reasons;
mod rules;
mod voice;
mod worlds;
