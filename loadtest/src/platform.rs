//! `platform`: the platform's stand-in as a process of its own, so that its CPU time is not the
//! gateway's.

mod stand_in;

pub(crate) use stand_in::Platform;

use crate::generator::Connection;
use crate::output;
use crate::process::Process;
use anyhow::{Context, ensure};
use bridge8890::lifecycle::Tasks;
use bridge8890::standin::faults::Faults;
use bridge8890::standin::{control, platform};
use clap::Args;
use http::{HeaderMap, Method};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;

/// Where the stand-in listens and how it behaves.
#[derive(Debug, Args)]
#[command(after_help = control::HELP)]
pub(crate) struct PlatformCommand {
    /// Address to take records on.
    #[arg(long, default_value = "127.0.0.1:18891")]
    listen: SocketAddr,
    /// Address where it is told what to do wrong, and asked for totals.
    #[arg(long, default_value = "127.0.0.1:18892")]
    control: SocketAddr,
    /// Milliseconds to wait before each answer.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
}

/// What the platform received so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// Requests that were answered.
    pub(crate) requests: u64,
    /// Records that had an effect: keys that were not there before.
    pub(crate) effects: u64,
    /// Records whose key was there before; without effect.
    pub(crate) repeats: u64,
    /// Requests that were not signed as they should be.
    pub(crate) unsigned: u64,
    /// The most requests in any second.
    pub(crate) busiest_second: usize,
}

impl From<platform::Totals> for Totals {
    fn from(seen: platform::Totals) -> Totals {
        Totals {
            requests: seen.requests,
            effects: seen.effects.accepted,
            repeats: seen.effects.duplicates,
            unsigned: seen.unsigned,
            busiest_second: seen.busiest_second,
        }
    }
}

impl Totals {
    /// Itself, unless it shows that gateway and platform do not share a key: nothing that is
    /// measured then means anything.
    pub(crate) fn checked(self) -> anyhow::Result<Totals> {
        ensure!(self.unsigned == 0, "{} requests were not signed as they should be", self.unsigned);
        Ok(self)
    }
}

impl PlatformCommand {
    /// Serves until interrupted or until standard input ends, then prints the totals.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let tasks = Tasks::new();
        let delay = Duration::from_millis(self.delay_ms);
        let platform = Platform::start(self.listen, delay).await?;
        control::start(self.control, platform.stand_in(), &tasks).await?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            ended = end_of_input() => ended?,
        }
        tasks.abort();
        output::json(&platform.totals().checked()?)
    }
}

/// Completes when standard input ends. The reading thread is nobody's: it may wait for input
/// for ever, and must not keep the process from ending.
async fn end_of_input() -> std::io::Result<()> {
    let (ended, input) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let copied = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        // Nobody waits for it any more when we were interrupted.
        drop(ended.send(copied.map(drop)));
    });
    input.await.unwrap_or(Ok(()))
}

/// The stand-in as a child process, seen through its totals.
#[derive(Debug)]
pub(crate) struct PlatformProcess {
    _process: Process,
    control: Connection,
}

impl PlatformProcess {
    /// Starts it and waits until it answers.
    pub(crate) async fn start(listen: SocketAddr, delay: Duration) -> anyhow::Result<Self> {
        let control = crate::process::free_address()?;
        let arguments = [
            "platform".to_owned(),
            format!("--listen={listen}"),
            format!("--control={control}"),
            format!("--delay-ms={}", delay.as_millis()),
        ];
        let mut process = Process::of_ours(&arguments)?;
        let control = process.connect(control).await?;
        Ok(PlatformProcess { _process: process, control })
    }

    /// What it received so far.
    pub(crate) async fn totals(&mut self) -> anyhow::Result<Totals> {
        let answer = self.control.get("/totals").await.context("asking the platform")?;
        Totals::from(serde_json::from_slice::<platform::Totals>(answer.body)?).checked()
    }

    /// Has it misbehave like this from now on.
    pub(crate) async fn tell(&mut self, faults: &Faults) -> anyhow::Result<()> {
        let (body, none) = (serde_json::to_vec(faults)?, HeaderMap::new());
        let answer = self.control.send(&Method::POST, "/faults", &none, &body).await;
        let status = answer.context("telling the platform")?.status;
        ensure!(status == 200, "the platform does not understand: {status}");
        Ok(())
    }

    /// Waits until at least so many records had an effect; returns the last totals when they
    /// are reached or when `patience` ends.
    pub(crate) async fn wait_for(
        &mut self,
        effects: u64,
        patience: Duration,
    ) -> anyhow::Result<Totals> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let totals = self.totals().await?;
            if totals.effects >= effects || tokio::time::Instant::now() >= deadline {
                return Ok(totals);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
