//! A gateway with next to nothing to do: its memory, and one callback at a time.

use super::Findings;
use super::field::Field;
use super::figure::{Figure, Goal, mebibytes};
use crate::generator::{Verdict, exchange};
use crate::output;
use crate::platform::PlatformProcess;
use anyhow::ensure;
use bridge8890::clock::Clock;
use bridge8890::standin::carriers::{Mix, Synthetic};
use std::time::Duration;
use tokio::time::Instant;

/// Callbacks, one at a time.
const CALLBACKS: u64 = 100;
/// Between two callbacks.
const PAUSE: Duration = Duration::from_millis(50);
/// How long one may take to the platform.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends single callbacks and follows each to the platform.
pub(super) async fn measure(field: &Field) -> anyhow::Result<Findings> {
    field.say("idle".to_owned());
    let (setup, _directory) = field.fresh_gateway()?;
    let mut platform = PlatformProcess::start(setup.platform, Duration::ZERO).await?;
    let gateway = setup.start_ready().await?;
    let mut carrier = Synthetic::new(Mix::Benchmark, output::fresh_seed());
    let (mut connection, clock) = (None, Clock::system());
    let (mut answers, mut deliveries) = (Vec::new(), Vec::new());
    for callback in 1..=CALLBACKS {
        tokio::time::sleep(PAUSE).await;
        let request = carrier.next(clock.now());
        let begin = Instant::now();
        let verdict = exchange(&mut connection, setup.http, &request).await?;
        answers.push(begin.elapsed().as_secs_f64() * 1_000.0);
        ensure!(verdict == Verdict::Accepted, "a single callback was answered: {verdict:?}");
        let totals = platform.wait_for(callback, PATIENCE).await?;
        ensure!(totals.effects == callback, "a callback did not arrive within {PATIENCE:?}");
        deliveries.push(begin.elapsed().as_secs_f64() * 1_000.0);
    }
    let memory = vec![mebibytes(gateway.usage()?.resident)];
    gateway.kill().await?;
    let figure = |quantity, unit, values, most| Figure {
        scenario: "idle",
        quantity,
        unit,
        values,
        goal: Some(Goal::AtMost { must: most, aim: most }),
    };
    let figures = vec![
        figure("resident memory", "MiB", memory, 30.0),
        figure("single callback answered", "ms", answers, 5.0),
        figure("single callback at the platform", "ms", deliveries, 50.0),
    ];
    Ok(Findings { figures, ..Findings::default() })
}
