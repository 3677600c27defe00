//! The dialogue as a whole, over a memory that is written down after every step.

mod bench;
mod rules;
mod voice;
mod worlds;
