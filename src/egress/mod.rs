//! Forwarding: what the store holds for a destination becomes requests, and their answers become
//! verdicts in the store.
//!
//! A lane's [`driver`] leases records and starts a task for each batch; the task's [`flight`] is
//! written by the destination's [`profile`], goes through [`platform`] and [`verdict`] and is
//! settled. What is decided is decided in pure code ([`backoff`], [`batch`], [`breaker`],
//! [`flight`], [`pace`], [`profile`], [`verdict`]). Operators pause and release lanes
//! through the store (`orders`). Nothing here remembers a record that the store does not hold.

pub mod backoff;
pub mod batch;
pub mod breaker;
pub mod counts;
pub mod driver;
pub mod flight;
pub mod identity;
pub mod lane;
pub mod messages;
#[cfg(test)]
#[path = "../../tests/support/openapi.rs"]
mod openapi;
mod orders;
pub mod pace;
pub mod platform;
pub mod profile;
pub mod recordings;
#[cfg(test)]
mod samples;
pub mod verdict;
mod way;

pub use driver::{EgressError, start};
pub use lane::Lane;
pub use profile::native;
