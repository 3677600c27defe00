//! `serve`: run the gateway until told to stop.

use crate::app;
use crate::clock::{Clock, Entropy};
use crate::telemetry::logging;
use anyhow::anyhow;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs the gateway.
///
/// SIGTERM and SIGINT stop it: nothing new is taken on, what is under way is finished within
/// shutdown.grace. A second one cuts off what is left; whatever was acknowledged is on disk.
///
/// SIGHUP reads the configuration again. Campaigns, complaints and log.filter are taken over for the next
/// callbacks; if it is wrong, or another key differs, everything stays as it is, and the log says why.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bridge8890 serve --config gateway.toml")]
pub(super) struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command.
pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = crate::config::load(args.config.as_deref())?;
    config.ready_to_serve().map_err(|gaps| anyhow!("{gaps}"))?;
    let filter = logging::init(&config.log.filter, config.log.json)?;
    let clock = Clock::system();
    app::warn(&config, clock.now());
    let mut stop = Stop::new()?;
    let mut again = signal(SignalKind::hangup())?;
    let mut gateway = app::start(&config, clock, Entropy::system()).await?;
    for address in &gateway.http {
        tracing::info!(%address, "carriers may call");
    }
    tracing::info!(address = %gateway.admin, "operators may look: /metrics /readyz /livez");
    let fallen = loop {
        tokio::select! {
            () = stop.asked() => break None,
            name = gateway.fallen() => break Some(name),
            _ = again.recv() => {}
        }
        gateway.reload(crate::config::load(args.config.as_deref()), &filter);
    };
    match fallen {
        None => tracing::info!("stopping; a second signal cuts off what is under way"),
        Some(name) => tracing::error!(task = name, "a vital task ended; stopping"),
    }
    let tasks = gateway.tasks().clone();
    let stopped = gateway.stop(|waiting| tracing::info!("still waiting for {waiting}"));
    let left = tokio::select! {
        left = stopped => left,
        () = stop.asked() => {
            let left = tasks.waiting_for();
            tasks.abort();
            left
        }
    };
    if left.is_empty() {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped; cut off: {left}; nothing that was acknowledged is lost");
    }
    match fallen {
        None => Ok(ExitCode::SUCCESS),
        Some(name) => Err(anyhow!("the {name} ended by itself; the log has the reason")),
    }
}

/// The signals that ask a process to stop.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Listens from now on.
    pub(super) fn new() -> io::Result<Stop> {
        Ok(Stop {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of them.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
