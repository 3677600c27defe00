//! What all scenarios share: the gateway's program, a place to work in, the length of a
//! measurement, and the line that says what is going on.

use crate::gateway::{self, Setup};
use crate::generator::{Load, Pace, Tally};
use crate::output;
use crate::process::{Process, free_address};
use bridge8890::clock::Entropy;
use bridge8890::standin::carriers::Mix;
use indicatif::ProgressBar;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Where a benchmark takes place.
#[derive(Debug)]
pub(super) struct Field {
    gateway: PathBuf,
    place: TempDir,
    entropy: Entropy,
    progress: ProgressBar,
    /// Length of a measurement.
    pub(super) seconds: Duration,
    /// Rounds of each scenario.
    pub(super) rounds: usize,
}

/// Load before a measurement, so that connections, caches and the allocator are warm.
const WARM_UP: Duration = Duration::from_secs(1);

impl Field {
    /// Prepares a place beside the working directory's disk, not in a memory file system.
    pub(super) fn new(
        gateway: Option<PathBuf>,
        seconds: Duration,
        rounds: usize,
    ) -> anyhow::Result<Field> {
        Ok(Field {
            gateway: gateway::binary(gateway)?,
            place: tempfile::Builder::new().prefix("loadtest-").tempdir_in(".")?,
            entropy: Entropy::system(),
            progress: output::spinner(),
            seconds,
            rounds,
        })
    }

    /// Says what is going on.
    pub(super) fn say(&self, what: String) {
        self.progress.set_message(what);
    }

    /// Takes the line away.
    pub(super) fn done(&self) {
        self.progress.finish_and_clear();
    }

    /// A directory inside the place.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A gateway over an empty store that is thrown away with the returned directory.
    pub(super) fn fresh_gateway(&self) -> anyhow::Result<(Setup, TempDir)> {
        let directory =
            tempfile::Builder::new().prefix("gateway-").tempdir_in(self.place.path())?;
        Ok((self.gateway_over(directory.path())?, directory))
    }

    /// A gateway over a directory that is there already.
    pub(super) fn gateway_over(&self, directory: &Path) -> anyhow::Result<Setup> {
        Setup::new(&self.gateway, directory)
    }

    /// The benchmark's load at saturation, with ids that were not used before.
    pub(super) fn load(&self, target: SocketAddr, connections: u32, duration: Duration) -> Load {
        Load {
            target,
            connections,
            pace: Pace::Saturating,
            duration,
            most: u64::MAX,
            mix: Mix::Benchmark,
            seed: u64::from_le_bytes(self.entropy.bytes()),
        }
    }

    /// How long a server is under load before a measurement.
    pub(super) fn warm_up(&self) -> Duration {
        WARM_UP
    }

    /// Warms a server up; returns how many it accepted.
    pub(super) async fn warm(&self, target: SocketAddr, connections: u32) -> anyhow::Result<u64> {
        Ok(self.load(target, connections, WARM_UP).run().await?.accepted)
    }

    /// What the bare server does, now.
    pub(super) async fn limit(&self, connections: u32) -> anyhow::Result<Tally> {
        let address = free_address()?;
        let mut limit = Process::of_ours(&["limit".to_owned(), format!("--listen={address}")])?;
        limit.connect(address).await?;
        self.warm(address, connections).await?;
        let tally = self.load(address, connections, self.seconds).run().await?;
        limit.kill().await?;
        Ok(tally)
    }
}
