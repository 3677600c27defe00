//! `run`: the generator alone, against any URL.

use crate::generator::{Load, Pace, Tally};
use crate::{output, secrets};
use bridge8890::standin::carriers::{Cast, Mix};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What to send, how fast, for how long.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  loadtest run 127.0.0.1:8890 --rate 2000 --seconds 30
  loadtest run 127.0.0.1:8890 --rate max --connections 512 --json
  loadtest run 127.0.0.1:8890 --profile citizens --rate 50")]
pub(crate) struct Run {
    /// Address of the server, for example 127.0.0.1:8890.
    target: SocketAddr,
    /// Requests a second by an open-loop schedule, or `max` to saturate in a closed loop.
    #[arg(long, default_value = "1000")]
    rate: Pace,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Seconds during which requests are started.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// What the carriers send.
    #[arg(long, value_enum, default_value_t = Profile::Benchmark)]
    profile: Profile,
    /// Seed of ids and answers; the same seed sends the same ids again. Random unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The mixes by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Profile {
    /// Single Aliyun SMS replies of about 260 bytes.
    Benchmark,
    /// All carriers that bring answers, all kinds of answers; signed with $CARRIER_SECRET.
    /// `loadtest/accounts.toml` has their accounts.
    Citizens,
}

/// A run's result, as printed.
#[derive(Debug, Serialize)]
struct Report {
    accepted: u64,
    accepted_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    busy: u64,
    refused: u64,
    wrong_body: u64,
    broken: u64,
    unanswered: u64,
    unsent: u64,
}

impl Run {
    /// Runs the generator and prints what came of it.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let load = Load {
            target: self.target,
            connections: self.connections,
            pace: self.rate,
            duration: Duration::try_from_secs_f64(self.seconds)?,
            most: u64::MAX,
            mix: match self.profile {
                Profile::Benchmark => Mix::Benchmark,
                Profile::Citizens => Mix::Citizens(Arc::new(Cast::built_in(&secrets::carrier())?)),
            },
            seed: self.seed.unwrap_or_else(output::fresh_seed),
        };
        let report = Report::of(&load.run().await?);
        if self.json { output::json(&report) } else { output::line(&report.to_string()) }
    }
}

impl Report {
    fn of(tally: &Tally) -> Report {
        Report {
            accepted: tally.accepted,
            accepted_per_second: tally.rate(),
            p50_ms: tally.quantile_ms(0.5),
            p99_ms: tally.quantile_ms(0.99),
            p999_ms: tally.quantile_ms(0.999),
            busy: tally.busy,
            refused: tally.refused,
            wrong_body: tally.wrong_body,
            broken: tally.broken,
            unanswered: tally.unanswered,
            unsent: tally.unsent,
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "accepted    {:>10}  {:.0}/s", self.accepted, self.accepted_per_second)?;
        writeln!(
            f,
            "latency ms  p50 {:.2}  p99 {:.2}  p99.9 {:.2}",
            self.p50_ms, self.p99_ms, self.p999_ms
        )?;
        write!(
            f,
            "not accepted: {} busy, {} refused, {} wrong body, {} broken, {} unanswered, {} unsent",
            self.busy, self.refused, self.wrong_body, self.broken, self.unanswered, self.unsent
        )
    }
}
