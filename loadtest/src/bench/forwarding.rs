//! Accepting at full rate, with the platform up, slow or down.

use super::Findings;
use super::field::Field;
use super::figure::{Goal, Row, mebibytes};
use super::round::{self, Round};
use std::time::Duration;

/// Measures a fresh gateway in each round. `delay` is how long the platform takes to answer;
/// `None` means that nobody listens.
pub(super) async fn measure(
    scenario: &'static str,
    field: &Field,
    connections: u32,
    delay: Option<Duration>,
) -> anyhow::Result<Findings> {
    let mut rounds = Vec::with_capacity(field.rounds);
    for round in 1..=field.rounds {
        field.say(format!("{scenario}: round {round} of {}", field.rounds));
        let (setup, _directory) = field.fresh_gateway()?;
        rounds.push(round::measure(field, &setup, connections, delay).await?);
    }
    let row = Row { scenario, connections, rounds };

    let ratio = match delay {
        Some(_) => Goal::AtLeast { must: 0.15, aim: 0.25 },
        None => Goal::AtLeast { must: 0.20, aim: 0.35 },
    };
    let p99 = match connections {
        ..=64 => Goal::AtMost { must: 15.0, aim: 6.0 },
        _ => Goal::AtMost { must: 50.0, aim: 30.0 },
    };
    let share = Goal::AtLeast { must: 0.98, aim: 0.98 };
    let backlog = Goal::AtMost { must: 1.0, aim: 1.0 };
    let memory = Goal::AtMost { must: 100.0, aim: 50.0 };
    let mut figures = vec![
        row.figure("accepted, to the limit", "", Some(ratio), |round| Some(round.ratio())),
        row.figure("p99", "ms", Some(p99), |round| Some(round.p99_ms)),
        row.figure("peak memory", "MiB", Some(memory), |round| Some(mebibytes(round.peak_memory))),
    ];
    if delay.is_some() {
        figures.push(row.figure("delivered, to accepted", "", Some(share), Round::delivered_share));
        figures.push(row.figure("backlog, seconds of input", "s", Some(backlog), backlog_seconds));
    }
    Ok(Findings { rows: vec![row], figures, ..Findings::default() })
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn backlog_seconds(round: &Round) -> Option<f64> {
    Some(round.backlog as f64 / round.accepted_per_second)
}
