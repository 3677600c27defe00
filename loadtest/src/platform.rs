//! `platform`: the platform's stand-in as a process of its own, so that its CPU time is not the
//! gateway's.

mod stand_in;

pub(crate) use stand_in::Platform;

use crate::generator::Connection;
use crate::output;
use crate::process::Process;
use anyhow::{Context, ensure};
use bridge8890::lifecycle::Tasks;
use bytes::Bytes;
use clap::Args;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Where the stand-in listens and how it behaves.
#[derive(Debug, Args)]
pub(crate) struct PlatformCommand {
    /// Address to take records on.
    #[arg(long, default_value = "127.0.0.1:18891")]
    listen: SocketAddr,
    /// Address that answers `GET /totals`.
    #[arg(long, default_value = "127.0.0.1:18892")]
    control: SocketAddr,
    /// Milliseconds to wait before each answer.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
}

/// What the platform received so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Requests that were answered.
    pub(crate) requests: u64,
    /// Records that had an effect: keys that were not there before.
    pub(crate) effects: u64,
    /// Records whose key was there before; without effect.
    pub(crate) repeats: u64,
    /// Requests that were not signed as they should be.
    pub(crate) unsigned: u64,
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
        let platform = Arc::new(Platform::start(self.listen, delay).await?);
        let control = TcpListener::bind(self.control).await?;
        tasks.spawn("control", serve_totals(control, Arc::clone(&platform), tasks.clone()));
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

async fn serve_totals(control: TcpListener, platform: Arc<Platform>, tasks: Tasks) {
    while let Ok((stream, _)) = control.accept().await {
        let platform = Arc::clone(&platform);
        tasks.spawn("control connection", async move {
            let answer = service_fn(|_: Request<Incoming>| {
                let totals = serde_json::to_vec(&platform.totals()).unwrap_or_default();
                async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(totals)))) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await
        });
    }
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
        serde_json::from_slice::<Totals>(answer.body)?.checked()
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
