//! A backlog gathered while the platform was down, and how fast it goes out once it is back.

use super::Findings;
use super::field::Field;
use super::figure::{Figure, Goal};
use crate::gateway::Setup;
use crate::generator::{Load, per_second};
use crate::platform::PlatformProcess;
use anyhow::ensure;
use std::time::Duration;
use tokio::time::Instant;

/// How long gathering or draining may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures a fresh gateway with `pending` records in each round.
pub(super) async fn measure(
    field: &Field,
    connections: u32,
    pending: u64,
) -> anyhow::Result<Findings> {
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=field.rounds {
        field.say(format!("drain: round {round} of {}", field.rounds));
        let limit = field.limit(connections).await?.rate();
        let (setup, _directory) = field.fresh_gateway()?;
        let gateway = setup.start_ready().await?;
        gather(field, &setup, connections, pending).await?;
        let rate = drain(&setup, pending).await?;
        gateway.kill().await?;
        rates.push(rate);
        ratios.push(rate / limit);
    }
    let scenario = "drain";
    let goal = Some(Goal::AtLeast { must: 0.25, aim: 0.45 });
    let rate = Figure { scenario, quantity: "delivered", unit: "/s", values: rates, goal: None };
    let ratio =
        Figure { scenario, quantity: "delivered, to the limit", unit: "", values: ratios, goal };
    Ok(Findings { figures: vec![rate, ratio], ..Findings::default() })
}

/// Has a gateway accept `pending` records while its platform is down.
pub(super) async fn gather(
    field: &Field,
    setup: &Setup,
    connections: u32,
    pending: u64,
) -> anyhow::Result<()> {
    let load = field.load(setup.http, connections, PATIENCE);
    let tally = Load { most: pending, ..load }.run().await?;
    ensure!(tally.accepted == pending, "only {} of {pending} were accepted", tally.accepted);
    Ok(())
}

/// Brings the platform up; delivered a second from the first delivery to the last.
async fn drain(setup: &Setup, pending: u64) -> anyhow::Result<f64> {
    let mut platform = PlatformProcess::start(setup.platform, Duration::ZERO).await?;
    let first = platform.wait_for(1, PATIENCE).await?.effects;
    let begin = Instant::now();
    let last = platform.wait_for(pending, PATIENCE).await?.effects;
    ensure!(last >= pending, "only {last} of {pending} were delivered within {PATIENCE:?}");
    Ok(per_second(last - first, begin.elapsed()))
}
