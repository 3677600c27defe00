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
pub(crate) use tls::Authority;

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long what is sure to come may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// A command of `tests/postgres`.
fn script(verb: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("tests/postgres"));
    command.arg(verb);
    command
}

/// Runs a command of `tests/postgres` to its end; returns what it printed.
fn told(mut command: Command) -> String {
    let output = command.output().expect("tests/postgres runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
