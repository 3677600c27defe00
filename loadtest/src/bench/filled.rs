//! A store with a long history against an empty one.

use super::Findings;
use super::field::Field;
use super::figure::{Figure, Goal, Row};
use super::round;
use crate::gateway::disk_usage;
use crate::{fill, output};
use anyhow::Context;
use std::path::PathBuf;
use std::time::Duration;

/// A directory with a store of so many records.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) directory: PathBuf,
    pub(super) records: u64,
}

impl Stored {
    /// The given directory, which somebody has filled, or one that is filled now.
    pub(super) async fn prepare(
        field: &Field,
        given: Option<PathBuf>,
        records: u64,
    ) -> anyhow::Result<Stored> {
        if let Some(directory) = given {
            return Ok(Stored { directory, records });
        }
        let directory = field.path("filled");
        if !directory.exists() {
            field.say(format!("filling a store with {records} records"));
            let filling = fill::Filling { directory: directory.clone(), records, pending: 0 };
            filling.run(&output::bar(records)?).await.context("filling a store")?;
        }
        Ok(Stored { directory, records })
    }
}

/// Measures an empty store and the filled one in turn. The filled store keeps what it accepts.
pub(super) async fn measure(
    field: &Field,
    stored: &Stored,
    connections: u32,
    delay: Option<Duration>,
) -> anyhow::Result<Findings> {
    let filled_setup = field.gateway_over(&stored.directory)?;
    let size = disk_usage(&filled_setup.store())?;
    let (mut empty, mut filled) = (Vec::new(), Vec::new());
    for round in 1..=field.rounds {
        field.say(format!("filled: round {round} of {}", field.rounds));
        let (setup, _directory) = field.fresh_gateway()?;
        empty.push(round::measure(field, &setup, connections, delay).await?);
        filled.push(round::measure(field, &filled_setup, connections, delay).await?);
    }

    let pairs = || empty.iter().zip(&filled);
    // Each is first set against the limit of its own round: the machine may have changed pace.
    let rates = pairs().map(|(empty, filled)| filled.ratio() / empty.ratio()).collect();
    let p99s = pairs().map(|(empty, filled)| filled.p99_ms / empty.p99_ms).collect();
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    let bytes = vec![size as f64 / stored.records as f64];
    let figure = |quantity, unit, values, goal| Figure {
        scenario: "filled",
        quantity,
        unit,
        values,
        goal: Some(goal),
    };
    let figures = vec![
        figure("accepted, to an empty store", "", rates, Goal::AtLeast { must: 0.8, aim: 0.95 }),
        figure("p99, to an empty store", "×", p99s, Goal::AtMost { must: 2.0, aim: 1.3 }),
        figure("disk, each stored record", "B", bytes, Goal::AtMost { must: 1_000.0, aim: 600.0 }),
    ];
    let row = |scenario, rounds| Row { scenario, connections, rounds };
    Ok(Findings {
        rows: vec![row("empty", empty), row("filled", filled)],
        figures,
        ..Findings::default()
    })
}
