//! Start after kill -9 over a filled store with a backlog.

use super::Findings;
use super::drain::gather;
use super::field::Field;
use super::figure::{Figure, Goal, mebibytes};
use super::filled::Stored;
use crate::platform::PlatformProcess;
use anyhow::ensure;
use std::time::Duration;
use tokio::time::Instant;

/// How long the first delivery may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Kills and starts in each round, with at least `pending` records waiting.
pub(super) async fn measure(
    field: &Field,
    stored: &Stored,
    connections: u32,
    pending: u64,
) -> anyhow::Result<Findings> {
    let setup = field.gateway_over(&stored.directory)?;
    let (mut ports, mut deliveries, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=field.rounds {
        field.say(format!("restart: round {round} of {}", field.rounds));
        let gateway = setup.start_ready().await?;
        gather(field, &setup, connections, pending).await?;
        gateway.kill().await?;

        let mut platform = PlatformProcess::start(setup.platform, Duration::ZERO).await?;
        let begin = Instant::now();
        let mut gateway = setup.start()?;
        gateway.open().await?;
        ports.push(begin.elapsed().as_secs_f64());
        let totals = platform.wait_for(1, PATIENCE).await?;
        ensure!(totals.effects > 0, "nothing was delivered within {PATIENCE:?}");
        deliveries.push(begin.elapsed().as_secs_f64());
        // The backlog goes out, so that the next round finds what this one found.
        platform.wait_for(pending, PATIENCE).await?;
        memory.push(mebibytes(gateway.usage()?.peak));
        gateway.kill().await?;
    }
    let figure = |quantity, unit, values, goal| Figure {
        scenario: "restart",
        quantity,
        unit,
        values,
        goal: Some(goal),
    };
    let figures = vec![
        figure("port open", "s", ports, Goal::AtMost { must: 1.0, aim: 0.2 }),
        figure("first delivery", "s", deliveries, Goal::AtMost { must: 2.0, aim: 0.5 }),
        figure("peak memory", "MiB", memory, Goal::AtMost { must: 150.0, aim: 80.0 }),
    ];
    Ok(Findings { figures, ..Findings::default() })
}
