//! Load generator, limit server, benchmark and crash test for bridge8890. The README says what
//! each command measures and how.

mod generator;
mod limit;
mod output;
mod run;
mod secrets;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Load tests for bridge8890.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  loadtest run 127.0.0.1:8890 --rate 2000 --seconds 30     latency at a steady rate
  loadtest run 127.0.0.1:8890 --rate max --connections 512 saturation";

#[derive(Debug, Subcommand)]
enum Command {
    /// Send callbacks to a server and measure.
    Run(run::Run),
    /// Serve as the limit: read bodies, answer success, do nothing.
    Limit(limit::Limit),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run(run) => run.run().await?,
        Command::Limit(limit) => limit.run().await?,
    }
    Ok(ExitCode::SUCCESS)
}
