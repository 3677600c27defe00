//! `crash`: kill -9 at random moments under load, and at the end a comparison of every
//! acknowledged message with what the platform got.

mod carrier;
mod comparison;

use crate::gateway::{self, LEASE, Setup};
use crate::output;
use crate::platform::Platform;
use anyhow::{Context, ensure};
use bridge8890::clock::Clock;
pub(crate) use carrier::{Acknowledged, Persistent};
use clap::Args;
pub(crate) use comparison::Comparison;
use indicatif::ProgressBar;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often, and by which dice.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  loadtest crash                       50 kills; exit status 1 if anything was lost or doubled
  loadtest crash --kills 200 --seed 7  the same moments and messages as every run of seed 7")]
pub(crate) struct Crash {
    /// Kills.
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// Seed of the moments and of the messages; random unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// The gateway's program; beside this one unless given.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a crash test found.
#[derive(Debug, Serialize)]
struct Report {
    seed: u64,
    kills: u32,
    /// Messages sent again because nobody knew what had become of them.
    resent: u64,
    /// Messages sent again although they had been acknowledged, as carriers do.
    repeated: u64,
    #[serde(flatten)]
    comparison: Comparison,
}

/// The shortest and the longest time, in milliseconds, that a gateway lives once it is ready.
const LIFE_MS: std::ops::Range<u64> = 50..1_500;
/// How long the end may take.
const PATIENCE: Duration = Duration::from_secs(300);

impl Crash {
    /// Runs the test and prints what it found; whether nothing was lost or doubled.
    pub(crate) async fn run(self) -> anyhow::Result<bool> {
        let seed = self.seed.unwrap_or_else(output::fresh_seed);
        let directory = tempfile::Builder::new().prefix("loadtest-crash-").tempdir_in(".")?;
        let setup = Setup::new(&gateway::binary(self.gateway.clone())?, directory.path())?;
        let platform = Platform::remembering(setup.platform).await?;

        let told = self.kill_under_load(seed, &setup, &platform).await;
        let told = told.with_context(|| {
            format!("seed {seed}; the store is kept in {}", directory.path().display())
        });
        let (acknowledged, comparison) = match told {
            Ok(told) => told,
            Err(error) => {
                let _kept = directory.keep();
                return Err(error);
            }
        };

        let report = Report {
            seed,
            kills: self.kills,
            resent: acknowledged.resent,
            repeated: acknowledged.repeated,
            comparison,
        };
        let printed =
            if self.json { output::json(&report) } else { output::line(&report.to_string()) };
        printed?;
        let clean = report.comparison.is_clean();
        if !clean {
            output::line(&format!("the store is kept in {}", directory.keep().display()))?;
        }
        Ok(clean)
    }

    async fn kill_under_load(
        &self,
        seed: u64,
        setup: &Setup,
        platform: &Platform,
    ) -> anyhow::Result<(Acknowledged, Comparison)> {
        let mut gateway = setup.start_ready().await?;
        let enough = CancellationToken::new();
        let mut carriers = JoinSet::new();
        for stream in 0..self.connections {
            let carrier = Persistent::new(seed, stream, setup.http, Clock::system());
            carriers.spawn(carrier.send_until(enough.clone()));
        }
        let mut dice = StdRng::seed_from_u64(seed);
        let bar = output::bar(u64::from(self.kills))?.with_message("kills");
        for _ in 0..self.kills {
            tokio::time::sleep(Duration::from_millis(dice.random_range(LIFE_MS))).await;
            gateway.kill().await?;
            gateway = setup.start_ready().await?;
            bar.inc(1);
        }
        enough.cancel();
        let mut acknowledged = Acknowledged::default();
        while let Some(carrier) = carriers.join_next().await {
            acknowledged.merge(carrier?);
        }
        bar.finish_and_clear();
        let comparison = settle_down(platform, &acknowledged).await?;
        gateway.kill().await?;
        Ok((acknowledged, comparison))
    }
}

/// Waits until the platform has everything, and then until every lease that a killed gateway
/// left behind has run out and its record was sent again: a double effect may hide there.
async fn settle_down(
    platform: &Platform,
    acknowledged: &Acknowledged,
) -> anyhow::Result<Comparison> {
    let quiet = LEASE + Duration::from_secs(2);
    let spinner: ProgressBar = output::spinner();
    let deadline = Instant::now() + PATIENCE;
    let mut last = platform.totals();
    let mut since = Instant::now();
    while since.elapsed() < quiet {
        ensure!(Instant::now() < deadline, "the queue was not empty within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let totals = platform.totals();
        if totals != last {
            (last, since) = (totals, Instant::now());
        }
        let known = acknowledged.ids.len();
        spinner.set_message(format!("{known} acknowledged, {} delivered", totals.effects));
    }
    spinner.finish_and_clear();
    Ok(Comparison::of(&acknowledged.ids, &platform.effects()))
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Comparison { acknowledged, delivered, lost, double } = &self.comparison;
        writeln!(f, "seed {}, {} kills", self.seed, self.kills)?;
        writeln!(f, "acknowledged  {acknowledged:>9}")?;
        writeln!(f, "delivered     {delivered:>9}")?;
        writeln!(f, "lost          {lost:>9}")?;
        writeln!(f, "double        {double:>9}")?;
        writeln!(f, "resent        {:>9}  after an unknown outcome", self.resent)?;
        write!(f, "repeated      {:>9}  after an acknowledgement", self.repeated)
    }
}
