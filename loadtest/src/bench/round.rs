//! One measurement of a gateway under load.

use super::field::Field;
use crate::gateway::Setup;
use crate::generator::per_second;
use crate::platform::PlatformProcess;
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// What one round measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Round {
    /// Of the bare server in the same round.
    pub(super) limit_per_second: f64,
    pub(super) accepted_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
    /// Answers that were not the carrier's success, and requests without an answer.
    pub(super) failures: u64,
    /// Effects at the platform during the same seconds; `None` when it was down.
    pub(super) delivered_per_second: Option<f64>,
    /// Records still to be delivered when the load ended.
    pub(super) backlog: u64,
    /// Seconds from the end of the load until the backlog was empty; `None` when it never was.
    pub(super) drained_after: Option<f64>,
    /// Cores that the gateway kept busy.
    pub(super) cores: f64,
    /// The gateway's peak resident memory in bytes.
    pub(super) peak_memory: u64,
    pub(super) records_per_commit: Option<f64>,
}

impl Round {
    /// Accepted a second over the limit's.
    pub(super) fn ratio(&self) -> f64 {
        self.accepted_per_second / self.limit_per_second
    }

    /// Delivered a second over accepted a second.
    pub(super) fn delivered_share(&self) -> Option<f64> {
        self.delivered_per_second.map(|delivered| delivered / self.accepted_per_second)
    }
}

/// How long a backlog may take to drain before the round is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures the limit, then the gateway of this setup with a platform that answers after
/// `delay`, or with none.
pub(super) async fn measure(
    field: &Field,
    setup: &Setup,
    connections: u32,
    delay: Option<Duration>,
) -> anyhow::Result<Round> {
    let limit = field.limit(connections).await?;
    let mut platform = match delay {
        Some(delay) => Some(PlatformProcess::start(setup.platform, delay).await?),
        None => None,
    };
    let gateway = setup.start_ready().await?;
    let warm = field.warm_up(setup.http, connections).await?;

    let (usage, commits) = (gateway.usage()?, gateway.commits().await?);
    let effects = effects(&mut platform).await?;
    let begin = Instant::now();
    let tally = field.load(setup.http, connections, field.seconds).run().await?;
    let effects_after = self::effects(&mut platform).await?;
    let took = begin.elapsed();
    let (usage_after, commits_after) = (gateway.usage()?, gateway.commits().await?);

    let accepted = warm + tally.accepted;
    let backlog = accepted.saturating_sub(effects_after);
    let drained_after = match &mut platform {
        Some(platform) => drained(platform, accepted).await?,
        None => None,
    };
    let peak_memory = gateway.usage()?.peak;
    gateway.kill().await?;
    Ok(Round {
        limit_per_second: limit.rate(),
        accepted_per_second: tally.rate(),
        p50_ms: tally.quantile_ms(0.5),
        p99_ms: tally.quantile_ms(0.99),
        p999_ms: tally.quantile_ms(0.999),
        failures: tally.failures(),
        delivered_per_second: platform.map(|_| per_second(effects_after - effects, took)),
        backlog,
        drained_after,
        cores: (usage_after.cpu - usage.cpu).as_secs_f64() / took.as_secs_f64(),
        peak_memory,
        records_per_commit: commits_after.records_each_since(commits),
    })
}

async fn effects(platform: &mut Option<PlatformProcess>) -> anyhow::Result<u64> {
    match platform {
        Some(platform) => Ok(platform.totals().await?.effects),
        None => Ok(0),
    }
}

async fn drained(platform: &mut PlatformProcess, accepted: u64) -> anyhow::Result<Option<f64>> {
    let begin = Instant::now();
    let totals = platform.wait_for(accepted, PATIENCE).await?;
    Ok((totals.effects >= accepted).then(|| begin.elapsed().as_secs_f64()))
}
