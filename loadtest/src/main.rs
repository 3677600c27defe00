//! Load generator, limit server, benchmark and crash test for bridge8890. The README says what
//! each command measures and how.

mod bench;
mod crash;
mod faults;
mod fill;
mod gateway;
mod generator;
mod limit;
mod output;
mod platform;
mod process;
mod run;
mod secrets;
mod server;
mod simulate;

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
  cargo build --release --workspace                        the gateway and this program
  target/release/loadtest bench                            every figure, against its goal
  target/release/loadtest crash                            50 kills; nothing lost, nothing doubled
  target/release/loadtest faults                           every fault program; the same, program by program
  target/release/loadtest run 127.0.0.1:8890 --rate 2000   latency at a steady rate
  target/release/loadtest run 127.0.0.1:8890 --rate max    saturation
  target/release/loadtest simulate --config gateway.toml   every carrier, as it would call

Exit status: 0 all well, 1 `crash` or `faults` found something lost or doubled, `simulate` was surprised, or a command
failed, 2 wrong arguments.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Send callbacks to a server and measure.
    Run(run::Run),
    /// Measure the gateway against a bare server, in turn, in one run.
    Bench(bench::Bench),
    /// Kill the gateway under load and compare what was acknowledged with what arrived.
    Crash(crash::Crash),
    /// Have the platform misbehave in every way, kill the gateway meanwhile, and compare likewise.
    Faults(faults::Faults),
    /// Play the carriers of a configuration, and judge the answers as they would.
    Simulate(simulate::Simulate),
    /// Prepare a store with a long history.
    Fill(fill::Fill),
    /// Serve as the platform, and print its totals when input ends.
    Platform(platform::PlatformCommand),
    /// Serve as the limit: read bodies, answer success, do nothing.
    Limit(limit::Limit),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Run(run) => run.run().await.map(|()| true),
        Command::Bench(bench) => bench.run().await.map(|()| true),
        Command::Crash(crash) => crash.run().await,
        Command::Faults(faults) => faults.run().await,
        Command::Simulate(simulate) => simulate.run().await,
        Command::Fill(fill) => fill.run().await.map(|()| true),
        Command::Platform(platform) => platform.run().await.map(|()| true),
        Command::Limit(limit) => limit.run().await.map(|()| true),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output::complain(&format!("loadtest: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
