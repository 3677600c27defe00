//! Real PostgreSQL servers for tests: one's own, that may be stopped, killed, paused and failed
//! over, and the one that all tests share, with a database for each.
//!
//! `tests/postgres` finds the programs, or says what to install.

mod disk;
mod proxy;
mod server;
mod shared;
mod standby;
mod tls;

pub(crate) use disk::Disk;
pub(crate) use proxy::{Proxy, When};
pub(crate) use server::{Login, Options, Server};
pub(crate) use shared::{Database, shared};
use shared::{script, told};
pub(crate) use tls::Authority;

use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long what is sure to come may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
