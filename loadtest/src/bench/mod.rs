//! `bench`: the limit and the gateway in turn, in one run, so that ratios travel where absolute
//! figures do not.

mod backlog;
mod conversation;
mod drain;
mod field;
mod figure;
mod filled;
mod forwarding;
mod idle;
mod postgres;
mod restart;
mod round;
mod shared;
mod slow_platform;
mod table;

use crate::output;
use clap::{Args, ValueEnum};
use field::Field;
use figure::{Figure, Row};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// What to measure and how long.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  loadtest bench                                    everything, three rounds each
  loadtest bench --scenarios forwarding,down        two scenarios
  loadtest bench --platform slow --scenarios forwarding
  loadtest bench --scenarios filled,restart --data /var/tmp/filled --stored 10000000")]
pub(crate) struct Bench {
    /// Keep-alive connections of the scenarios that do not say otherwise.
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Rounds; each measures the limit and the gateway, and medians over all are printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How the platform behaves in `forwarding`, `forwarding-512` and `filled`.
    #[arg(long, value_enum, default_value_t = PlatformMode::Up)]
    platform: PlatformMode,
    /// A directory prepared by `fill`, for `filled` and `restart`; filled anew unless given.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Records stored in that directory, or to be stored where there is none.
    #[arg(long, default_value_t = 1_000_000)]
    stored: u64,
    /// Records waiting in `backlog`.
    #[arg(long, default_value_t = 1_000_000)]
    backlog: u64,
    /// Records waiting in `drain` and `restart`.
    #[arg(long, default_value_t = 200_000)]
    pending: u64,
    /// The gateway's program; beside this one unless given.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Which scenarios, in this order.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Scenario::ALL)]
    scenarios: Vec<Scenario>,
    /// Print one JSON object with every round.
    #[arg(long)]
    json: bool,
}

/// How the platform behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PlatformMode {
    /// It answers at once.
    Up,
    /// Nobody listens.
    Down,
    /// It answers after 100 ms.
    Slow,
}

impl PlatformMode {
    /// How long it takes to answer; `None` when it never does.
    fn delay(self) -> Option<Duration> {
        match self {
            PlatformMode::Up => Some(Duration::ZERO),
            PlatformMode::Down => None,
            PlatformMode::Slow => Some(Duration::from_millis(100)),
        }
    }
}

/// One thing to measure; each is a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Scenario {
    /// Accepting at full rate while forwarding.
    Forwarding,
    /// The same over 512 connections.
    #[value(name = "forwarding-512")]
    Forwarding512,
    /// Accepting at full rate with the platform down.
    Down,
    /// A backlog after the platform has come back.
    Drain,
    /// Accepting at full rate over a filled store and over an empty one.
    Filled,
    /// Start after kill -9 with a backlog.
    Restart,
    /// A gateway with next to nothing to do.
    Idle,
    /// Answers that are held and then concluded by what is remembered.
    Conversation,
    /// Carriers at a steady rate while the platform takes one record a second.
    SlowPlatform,
    /// A start with a long backlog under a rate, and a fresh complaint meanwhile.
    Backlog,
    /// One node on SQLite, one on PostgreSQL, and two on one PostgreSQL.
    Postgres,
}

impl Scenario {
    const ALL: [Scenario; 11] = [
        Scenario::Forwarding,
        Scenario::Forwarding512,
        Scenario::Down,
        Scenario::Drain,
        Scenario::Filled,
        Scenario::Restart,
        Scenario::Idle,
        Scenario::Conversation,
        Scenario::SlowPlatform,
        Scenario::Backlog,
        Scenario::Postgres,
    ];

    async fn measure(self, bench: &Bench, field: &Field) -> anyhow::Result<Findings> {
        let delay = bench.platform.delay();
        match self {
            Scenario::Forwarding => {
                forwarding::measure("forwarding", field, bench.connections, delay).await
            }
            Scenario::Forwarding512 => {
                forwarding::measure("forwarding-512", field, 512, delay).await
            }
            Scenario::Down => forwarding::measure("down", field, bench.connections, None).await,
            Scenario::Drain => drain::measure(field, bench.connections, bench.pending).await,
            Scenario::Filled => {
                let stored =
                    filled::Stored::prepare(field, bench.data.clone(), bench.stored).await?;
                filled::measure(field, &stored, bench.connections, delay).await
            }
            Scenario::Restart => {
                let stored =
                    filled::Stored::prepare(field, bench.data.clone(), bench.stored).await?;
                restart::measure(field, &stored, bench.connections, bench.pending).await
            }
            Scenario::Idle => idle::measure(field).await,
            Scenario::Conversation => conversation::measure(field, bench.connections).await,
            Scenario::SlowPlatform => slow_platform::measure(field, bench.connections).await,
            Scenario::Backlog => backlog::measure(field, bench.backlog).await,
            Scenario::Postgres => postgres::measure(field, bench.connections).await,
        }
    }
}

/// What scenarios found.
#[derive(Debug, Default, Serialize)]
struct Findings {
    /// Runs under load, each with all its rounds.
    rows: Vec<Row>,
    /// Single quantities, with the goal of those that have one.
    figures: Vec<Figure>,
}

impl Bench {
    /// Measures and prints.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let seconds = Duration::from_secs(self.seconds);
        let field = Field::new(self.gateway.clone(), seconds, self.rounds)?;
        let mut findings = Findings::default();
        for scenario in &self.scenarios {
            let found = scenario.measure(&self, &field).await?;
            findings.rows.extend(found.rows);
            findings.figures.extend(found.figures);
        }
        field.done();
        if self.json { output::json(&findings) } else { output::line(&table::render(&findings)) }
    }
}
