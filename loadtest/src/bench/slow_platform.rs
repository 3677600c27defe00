//! A platform that takes one record a second, and what carriers notice of it.

use super::Findings;
use super::field::Field;
use super::figure::{Figure, Goal};
use crate::generator::{Load, Pace, Tally};
use crate::platform::PlatformProcess;
use bridge8890::standin::faults::Faults;
use std::num::NonZeroU32;
use std::time::Duration;

/// Callbacks a second.
const RATE: f64 = 2_000.0;

/// Measures a fresh gateway with a healthy platform and another one with a slow platform in each round.
pub(super) async fn measure(field: &Field, connections: u32) -> anyhow::Result<Findings> {
    let slow = Faults { records_per_second: NonZeroU32::new(1), ..Faults::default() };
    let mut rounds = Vec::with_capacity(field.rounds);
    for round in 1..=field.rounds {
        field.say(format!("slow-platform: round {round} of {}", field.rounds));
        // Whichever is second may profit from what the first one warmed.
        let (healthy, slow) = if round % 2 == 1 {
            let healthy = one(field, connections, &Faults::default()).await?;
            (healthy, one(field, connections, &slow).await?)
        } else {
            let slow = one(field, connections, &slow).await?;
            (one(field, connections, &Faults::default()).await?, slow)
        };
        rounds.push((healthy, slow));
    }
    let figure = |quantity, unit, goal, value: fn(&(Run, Run)) -> f64| Figure {
        scenario: "slow-platform",
        quantity,
        unit,
        values: rounds.iter().map(value).collect(),
        goal,
    };
    let most = |must| Some(Goal::AtMost { must, aim: must });
    let figures = vec![
        figure("p99, platform healthy", "ms", None, |(healthy, _)| healthy.p99_ms),
        figure("p99, platform at 1 record/s", "ms", None, |(_, slow)| slow.p99_ms),
        figure("p99, slow to healthy", "×", most(1.5), |(healthy, slow)| {
            slow.p99_ms / healthy.p99_ms
        }),
        figure("taken by the slow platform", "/s", None, |(_, slow)| slow.taken_per_second),
        figure("not accepted", "", most(0.0), |(healthy, slow)| healthy.missed + slow.missed),
    ];
    Ok(Findings { figures, ..Findings::default() })
}

/// What a run measured.
struct Run {
    p99_ms: f64,
    /// Callbacks that were not accepted, or not even sent.
    missed: f64,
    taken_per_second: f64,
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
async fn one(field: &Field, connections: u32, faults: &Faults) -> anyhow::Result<Run> {
    let (setup, _directory) = field.fresh_gateway()?;
    let mut platform = PlatformProcess::start(setup.platform, Duration::ZERO).await?;
    let gateway = setup.start_ready().await?;
    let load = field.load(setup.http, connections, field.seconds);
    let load = Load { pace: Pace::PerSecond(RATE), ..load };
    let warm_up = Load { duration: Duration::from_secs(2), seed: load.seed ^ 1, ..load.clone() };
    warm_up.run().await?;
    platform.tell(faults).await?;
    let before = platform.totals().await?.effects;
    let tally: Tally = load.run().await?;
    let taken = platform.totals().await?.effects - before;
    gateway.kill().await?;
    Ok(Run {
        p99_ms: tally.quantile_ms(0.99),
        missed: (tally.failures() + tally.unsent) as f64,
        taken_per_second: taken as f64 / tally.took.as_secs_f64(),
    })
}
