//! The carriers' listener over real sockets: good peers are served, bad ones cost little, and who
//! may not call gets nowhere.
//!
//! Every test waits for what the socket does; the timeouts that a test waits for are short.

#![expect(clippy::expect_used, reason = "a test that cannot go on says why")]

mod access;
mod connections;
mod links;
mod peers;
