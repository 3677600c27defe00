//! One measurement of a gateway under load.

use super::field::Field;
use crate::gateway::{Commits, Gateway, Setup};
use crate::generator::{Tally, per_second};
use crate::platform::PlatformProcess;
use crate::process::Usage;
use crate::server::Server;
use serde::Serialize;
use std::time::Duration;
use tokio::task::JoinSet;
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
    /// All that was accepted, before the clock started too.
    pub(super) accepted: u64,
    /// Answers that were not the carrier's success, and requests without an answer.
    pub(super) failures: u64,
    /// Effects at the platform during the same seconds; `None` when it was down.
    pub(super) delivered_per_second: Option<f64>,
    /// Records still to be delivered when the load ended.
    pub(super) backlog: u64,
    /// Seconds from the end of the load until the backlog was empty; `None` when it never was.
    pub(super) drained_after: Option<f64>,
    /// Accepted, and without effect at the platform at the end; `None` when the platform stayed down.
    pub(super) undelivered: Option<u64>,
    /// Cores that the gateway kept busy; of several, all together.
    pub(super) cores: f64,
    /// The gateway's peak resident memory in bytes; of several, all together.
    pub(super) peak_memory: u64,
    pub(super) records_per_commit: Option<f64>,
    /// The database's part, where it is a server.
    pub(super) server: Option<Part>,
}

/// What a database server used.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Part {
    /// Cores that all its processes kept busy.
    pub(super) cores: f64,
    /// Their memory under load in bytes, what they share counted once.
    pub(super) memory: u64,
}

impl Round {
    /// Accepted a second over the limit's.
    pub(super) fn ratio(&self) -> f64 {
        self.accepted_per_second / self.limit_per_second
    }

    /// CPU time of the nodes for each accepted callback, in microseconds.
    pub(super) fn each(&self) -> f64 {
        self.cores * 1e6 / self.accepted_per_second
    }

    /// The same of the database server.
    pub(super) fn each_at_server(&self) -> Option<f64> {
        self.server.map(|server| server.cores * 1e6 / self.accepted_per_second)
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
    let limit = field.limit(connections).await?.rate();
    let mut platform = match delay {
        Some(delay) => Some(PlatformProcess::start(setup.platform, delay).await?),
        None => None,
    };
    let nodes = Nodes { setups: std::slice::from_ref(setup), server: None };
    let (running, mut round) = nodes.load(field, connections, limit, &mut platform).await?;
    if let Some(platform) = &mut platform {
        round.drain(platform).await?;
    }
    round.end(running).await
}

/// Gateways that share the load, and perhaps a database server.
pub(super) struct Nodes<'a> {
    pub(super) setups: &'a [Setup],
    pub(super) server: Option<&'a Server>,
}

impl Nodes<'_> {
    /// Measures them under load. They still run afterwards: what was accepted may be on its way.
    pub(super) async fn load(
        &self,
        field: &Field,
        connections: u32,
        limit_per_second: f64,
        platform: &mut Option<PlatformProcess>,
    ) -> anyhow::Result<(Vec<Gateway>, Round)> {
        let mut running = Vec::with_capacity(self.setups.len());
        for setup in self.setups {
            running.push(setup.start_ready().await?);
        }
        let warm = self.run(field, connections, field.warm_up()).await?.accepted;
        let before = Reading::take(&running, self.server).await?;
        let effects = effects(platform).await?;
        let begin = Instant::now();
        let tally = self.run(field, connections, field.seconds).await?;
        let effects_after = self::effects(platform).await?;
        let took = begin.elapsed();
        let after = Reading::take(&running, self.server).await?;
        let cores = |from: Usage, to: Usage| (to.cpu - from.cpu).as_secs_f64() / took.as_secs_f64();
        let accepted = warm + tally.accepted;
        let round = Round {
            limit_per_second,
            accepted_per_second: tally.rate(),
            p50_ms: tally.quantile_ms(0.5),
            p99_ms: tally.quantile_ms(0.99),
            p999_ms: tally.quantile_ms(0.999),
            accepted,
            failures: tally.failures(),
            delivered_per_second: platform
                .is_some()
                .then(|| per_second(effects_after - effects, took)),
            backlog: accepted.saturating_sub(effects_after),
            drained_after: None,
            undelivered: None,
            cores: cores(before.nodes, after.nodes),
            peak_memory: 0,
            records_per_commit: after.commits.records_each_since(before.commits),
            server: before
                .server
                .zip(after.server)
                .map(|(from, to)| Part { cores: cores(from, to), memory: to.resident }),
        };
        Ok((running, round))
    }

    /// Splits a load among them.
    async fn run(
        &self,
        field: &Field,
        connections: u32,
        duration: Duration,
    ) -> anyhow::Result<Tally> {
        let each = connections / u32::try_from(self.setups.len())?;
        let mut loads = JoinSet::new();
        for setup in self.setups {
            let load = field.load(setup.http, each, duration);
            loads.spawn(async move { load.run().await });
        }
        let mut total = Tally::new();
        while let Some(tally) = loads.join_next().await {
            total.merge(&tally??);
        }
        Ok(total)
    }
}

/// What stands on all counters.
struct Reading {
    nodes: Usage,
    commits: Commits,
    server: Option<Usage>,
}

impl Reading {
    async fn take(running: &[Gateway], server: Option<&Server>) -> anyhow::Result<Reading> {
        let server = server.map(Server::usage).transpose()?;
        let mut reading = Reading { nodes: Usage::default(), commits: Commits::default(), server };
        for gateway in running {
            reading.nodes += gateway.usage()?;
            reading.commits += gateway.commits().await?;
        }
        Ok(reading)
    }
}

impl Round {
    /// Waits until the platform has all that was accepted.
    pub(super) async fn drain(&mut self, platform: &mut PlatformProcess) -> anyhow::Result<()> {
        let begin = Instant::now();
        let totals = platform.wait_for(self.accepted, PATIENCE).await?;
        self.undelivered = Some(self.accepted.saturating_sub(totals.effects));
        self.drained_after =
            (totals.effects >= self.accepted).then(|| begin.elapsed().as_secs_f64());
        Ok(())
    }

    /// Itself, when the gateways are gone.
    pub(super) async fn end(mut self, running: Vec<Gateway>) -> anyhow::Result<Round> {
        for gateway in running {
            self.peak_memory += gateway.usage()?.peak;
            gateway.kill().await?;
        }
        Ok(self)
    }
}

async fn effects(platform: &mut Option<PlatformProcess>) -> anyhow::Result<u64> {
    match platform {
        Some(platform) => Ok(platform.totals().await?.effects),
        None => Ok(0),
    }
}
