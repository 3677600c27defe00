//! Sockets: who may connect to us, and how we call others.

pub mod client;
