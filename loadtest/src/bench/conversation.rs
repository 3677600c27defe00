//! Answers to a campaign that holds conversations: how fast they are concluded, beside how fast
//! they are accepted.

use super::Findings;
use super::field::Field;
use super::figure::{Figure, Goal};
use crate::gateway::Gateway;
use crate::platform::PlatformProcess;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether everything is concluded.
const STEP: Duration = Duration::from_millis(50);

/// Measures a fresh gateway in each round: at saturation, and what was left behind afterwards.
pub(super) async fn measure(field: &Field, connections: u32) -> anyhow::Result<Findings> {
    let mut rounds = Vec::with_capacity(field.rounds);
    for round in 1..=field.rounds {
        field.say(format!("conversation: round {round} of {}", field.rounds));
        rounds.push(one_round(field, connections).await?);
    }
    let figure = |quantity, unit, goal, value: fn(&Round) -> f64| Figure {
        scenario: "conversation",
        quantity,
        unit,
        values: rounds.iter().map(value).collect(),
        goal,
    };
    let share = Goal::AtLeast { must: 0.25, aim: 0.5 };
    let figures = vec![
        figure("accepted", "/s", None, |round| round.accepted),
        figure("concluded meanwhile", "/s", None, |round| round.concluded),
        figure("concluded, to accepted", "", Some(share), |round| round.concluded / round.accepted),
        figure("concluded afterwards", "/s", None, |round| round.afterwards),
    ];
    Ok(Findings { rows: Vec::new(), figures })
}

/// What one round measured, each a second.
struct Round {
    accepted: f64,
    /// While answers were accepted.
    concluded: f64,
    /// Of those left behind, when nothing came in any more.
    afterwards: f64,
}

async fn one_round(field: &Field, connections: u32) -> anyhow::Result<Round> {
    let (mut setup, _directory) = field.fresh_gateway()?;
    setup.converses = true;
    let _platform = PlatformProcess::start(setup.platform, Duration::ZERO).await?;
    let gateway = setup.start_ready().await?;
    let warm = field.warm(setup.http, connections).await?;

    let (before, begin) = (gateway.rated().await?, Instant::now());
    let tally = field.load(setup.http, connections, field.seconds).run().await?;
    let concluded = (gateway.rated().await? - before) / begin.elapsed().as_secs_f64();
    let accepted = tally.rate();
    let afterwards = catch_up(&gateway, warm + tally.accepted, field.seconds).await?;
    gateway.kill().await?;
    Ok(Round { accepted, concluded, afterwards })
}

/// Concluded a second until all that was accepted is, or for as long as is measured.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
async fn catch_up(gateway: &Gateway, accepted: u64, longest: Duration) -> anyhow::Result<f64> {
    let (before, begin) = (gateway.rated().await?, Instant::now());
    loop {
        tokio::time::sleep(STEP).await;
        let (concluded, took) = (gateway.rated().await?, begin.elapsed());
        if concluded >= accepted as f64 || took >= longest {
            return Ok((concluded - before) / took.as_secs_f64());
        }
    }
}
