//! A start with a long backlog, as an outage leaves it: how soon it is ready, how fast it drains under a
//! rate, with how much memory, and how long a fresh complaint takes past it.

use super::Findings;
use super::field::Field;
use super::figure::{Figure, Goal, mebibytes};
use crate::fill::Filling;
use crate::gateway::Gateway;
use crate::generator::{Verdict, exchange, per_second};
use crate::output;
use crate::platform::Platform;
use anyhow::{Context, ensure};
use bridge8890::clock::Clock;
use bridge8890::standin::carriers::{Mix, Request, Synthetic};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Requests a second that the platform allows: 6,000 records in full batches.
const RATE: u32 = 60;
/// How often it is looked how far the backlog is.
const STEP: Duration = Duration::from_millis(20);
/// How long a backlog may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// How long a filled store may take to close.
const CLOSING: Duration = Duration::from_secs(30);
/// Fresh complaints while the backlog drains, and the pause between two.
const COMPLAINTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// What one round measured.
struct Round {
    ready: f64,
    drained_per_second: f64,
    /// The slowest of the fresh complaints, in seconds.
    complaint: f64,
    busiest_second: f64,
    peak_memory: f64,
}

/// Fills once, and starts a gateway over a copy in each round.
pub(super) async fn measure(field: &Field, pending: u64) -> anyhow::Result<Findings> {
    let full = field.path("backlog");
    field.say(format!("backlog: filling a store with {pending} records that wait"));
    let filling = Filling { directory: full.clone(), records: 0, pending };
    filling.run(&output::bar(pending)?).await.context("filling a store")?;
    closed(&full.join("store")).await?;
    let mut rounds = Vec::with_capacity(field.rounds);
    for round in 1..=field.rounds {
        field.say(format!("backlog: round {round} of {}", field.rounds));
        rounds.push(one_round(field, &full, pending).await?);
    }
    std::fs::remove_dir_all(&full)?;
    let figure = |quantity, unit, goal, value: fn(&Round) -> f64| Figure {
        scenario: "backlog",
        quantity,
        unit,
        values: rounds.iter().map(value).collect(),
        goal: Some(goal),
    };
    let most = |must| Goal::AtMost { must, aim: must };
    let least = |must| Goal::AtLeast { must, aim: must };
    let figures = vec![
        figure("ready", "s", most(10.0), |round| round.ready),
        figure("drained", "/s", least(5_000.0), |round| round.drained_per_second),
        figure("fresh complaint, the slowest", "s", most(5.0), |round| round.complaint),
        figure("requests in any second", "", most(f64::from(RATE)), |round| round.busiest_second),
        figure("peak memory", "MiB", most(300.0), |round| round.peak_memory),
    ];
    Ok(Findings { figures, ..Findings::default() })
}

#[expect(clippy::cast_precision_loss, reason = "requests in a second")]
async fn one_round(field: &Field, full: &Path, pending: u64) -> anyhow::Result<Round> {
    let (mut setup, _directory) = field.fresh_gateway()?;
    setup.rate = Some(RATE);
    copy(&full.join("store"), &setup.store())?;
    let platform = Platform::awaiting(setup.platform).await?;
    let begin = Instant::now();
    let mut gateway = setup.start()?;
    gateway.ready().await?;
    let ready = begin.elapsed().as_secs_f64();

    let mut carrier = Synthetic::new(Mix::Benchmark, output::fresh_seed());
    let mut complaint = Duration::ZERO;
    for _ in 0..COMPLAINTS {
        sleep(PAUSE).await;
        let request = complaining(carrier.next(Clock::system().now()))?;
        complaint = complaint.max(follow(&platform, &setup.http, &request).await?);
    }
    let left = pending.saturating_sub(platform.totals().effects);
    ensure!(left > 0, "the backlog was gone before all complaints were: fill more with --backlog");
    let drained_per_second = drain(&platform, &gateway, pending).await?;
    let totals = platform.totals().checked()?;
    let peak_memory = mebibytes(gateway.usage()?.peak);
    gateway.kill().await?;
    let busiest_second = totals.busiest_second as f64;
    let complaint = complaint.as_secs_f64();
    Ok(Round { ready, drained_per_second, complaint, busiest_second, peak_memory })
}

/// Waits until the backlog is gone; delivered a second meanwhile.
async fn drain(platform: &Platform, gateway: &Gateway, pending: u64) -> anyhow::Result<f64> {
    let (before, begin) = (platform.totals().effects, Instant::now());
    while platform.totals().effects < pending {
        ensure!(begin.elapsed() < PATIENCE, "not drained within {PATIENCE:?}");
        // An error here says that the gateway has ended.
        gateway.usage()?;
        sleep(STEP).await;
    }
    Ok(per_second(platform.totals().effects - before, begin.elapsed()))
}

/// Sends a callback and follows it to the platform; how long that took.
async fn follow(
    platform: &Platform,
    gateway: &std::net::SocketAddr,
    request: &Request,
) -> anyhow::Result<Duration> {
    let message = &request.message_id.0;
    platform.expect(message);
    let begin = Instant::now();
    let verdict = exchange(&mut None, *gateway, request).await?;
    ensure!(verdict == Verdict::Accepted, "a complaint was answered: {verdict:?}");
    loop {
        if let Some(came) = platform.came(message) {
            return Ok(came - begin);
        }
        ensure!(begin.elapsed() < PATIENCE, "a complaint did not arrive within {PATIENCE:?}");
        sleep(STEP).await;
    }
}

/// The same callback with the worst answer, which is a complaint too.
fn complaining(request: Request) -> anyhow::Result<Request> {
    let mut body: Value = serde_json::from_slice(&request.body)?;
    let content = body.pointer_mut("/0/content").context("a reply has a content")?;
    *content = Value::from("5 态度很差，一直没有人处理");
    Ok(Request { body: serde_json::to_vec(&body)?.into(), ..request })
}

/// Waits until the last connection to a database has taken its log away.
async fn closed(store: &Path) -> anyhow::Result<()> {
    let begin = Instant::now();
    let logs = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with("-wal"))
    };
    while std::fs::read_dir(store)?.any(logs) {
        ensure!(begin.elapsed() < CLOSING, "the filled store did not close within {CLOSING:?}");
        sleep(STEP).await;
    }
    Ok(())
}

/// Copies the files of a directory.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
