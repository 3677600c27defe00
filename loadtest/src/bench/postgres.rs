//! What sharing a store costs: one node on SQLite, one on PostgreSQL, and two on one PostgreSQL with the load split, in
//! turn, with the platform up and down.

use super::Findings;
use super::field::Field;
use super::figure::{Figure, Goal, Row, mebibytes};
use super::round::{Nodes, Round};
use super::shared::Ground;
use crate::gateway::Setup;
use crate::platform::PlatformProcess;
use std::time::Duration;
use tempfile::TempDir;

/// Who is under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    OneNode,
    TwoNodes,
}

const KINDS: [Kind; 3] = [Kind::Sqlite, Kind::OneNode, Kind::TwoNodes];

/// Rounds of one kind, with the platform up or down.
struct Measured {
    kind: Kind,
    up: bool,
    rounds: Vec<Round>,
}

/// Measures all of them in each round, the first in turn.
pub(super) async fn measure(field: &Field, connections: u32) -> anyhow::Result<Findings> {
    let mut all: Vec<Measured> = [true, false]
        .into_iter()
        .flat_map(|up| KINDS.map(|kind| Measured { kind, up, rounds: Vec::new() }))
        .collect();
    let ground = Ground::prepare(field, &[]).await?;
    for round in 0..field.rounds {
        let limit = field.limit(connections).await?.rate();
        for place in 0..all.len() {
            // Whichever comes later may find the machine at another pace.
            let place = (place + round) % all.len();
            let Some(Measured { kind, up, rounds }) = all.get_mut(place) else { continue };
            let what = name(*kind, *up);
            field.say(format!("{what}: round {} of {}", round + 1, field.rounds));
            rounds.push(one_round(field, &ground, (*kind, *up), (connections, limit)).await?);
        }
    }
    let mut findings = Findings::default();
    for up in [true, false] {
        let of = |kind| all.iter().find(|one| one.kind == kind && one.up == up);
        for (to, kind, quantity, goal) in [
            (Kind::Sqlite, Kind::OneNode, "one node, to SQLite", (0.6, 0.75)),
            (Kind::OneNode, Kind::TwoNodes, "two nodes, to one", (0.9, 1.0)),
        ] {
            let (Some(to), Some(of)) = (of(to), of(kind)) else { continue };
            findings.figures.push(ratio(quantity, (to, of), goal));
        }
    }
    for Measured { kind, up, rounds } in all {
        let row = Row { scenario: name(kind, up), connections, rounds };
        findings.figures.extend(figures(&row));
        findings.rows.push(row);
    }
    Ok(findings)
}

fn name(kind: Kind, up: bool) -> &'static str {
    match (kind, up) {
        (Kind::Sqlite, true) => "sqlite",
        (Kind::OneNode, true) => "postgres",
        (Kind::TwoNodes, true) => "postgres-2",
        (Kind::Sqlite, false) => "sqlite-down",
        (Kind::OneNode, false) => "postgres-down",
        (Kind::TwoNodes, false) => "postgres-2-down",
    }
}

async fn one_round(
    field: &Field,
    ground: &Ground,
    (kind, up): (Kind, bool),
    (connections, limit): (u32, f64),
) -> anyhow::Result<Round> {
    let mut kept: Vec<TempDir> = Vec::new();
    let mut setups: Vec<Setup> = Vec::new();
    let mut add = |(setup, directory)| {
        setups.push(setup);
        kept.push(directory);
    };
    let server = match kind {
        Kind::Sqlite => {
            add(field.fresh_gateway()?);
            None
        }
        Kind::OneNode | Kind::TwoNodes => {
            let nodes = if kind == Kind::TwoNodes { 2 } else { 1 };
            ground.nodes(field, nodes).await?.into_iter().for_each(add);
            Some(&ground.server)
        }
    };
    let at = setups.first().map(|setup| setup.platform);
    let platform = async || match at {
        Some(at) => Ok(Some(PlatformProcess::start(at, Duration::ZERO).await?)),
        None => anyhow::Ok(None),
    };
    let mut there = if up { platform().await? } else { None };
    let nodes = Nodes { setups: &setups, server };
    let (running, mut round) = nodes.load(field, connections, limit, &mut there).await?;
    if there.is_none() {
        there = platform().await?;
    }
    if let Some(platform) = &mut there {
        round.drain(platform).await?;
    }
    let round = round.end(running).await?;
    if server.is_some() {
        ground.clear().await?;
    }
    Ok(round)
}

/// Accepted a second of one, to that of another in the same round.
fn ratio(
    quantity: &'static str,
    (to, of): (&Measured, &Measured),
    (must, aim): (f64, f64),
) -> Figure {
    let pairs = to.rounds.iter().zip(&of.rounds);
    Figure {
        scenario: if of.up { "up" } else { "down" },
        quantity,
        unit: "",
        values: pairs.map(|(to, of)| of.accepted_per_second / to.accepted_per_second).collect(),
        goal: Some(Goal::AtLeast { must, aim }),
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn figures(row: &Row) -> Vec<Figure> {
    let none = Goal::AtMost { must: 0.0, aim: 0.0 };
    let memory = |round: &Round| Some(mebibytes(round.server?.memory));
    let lacking = |round: &Round| Some(round.undelivered? as f64);
    let figures = [
        row.figure("accepted and not delivered", "", Some(none), lacking),
        row.figure("CPU of nodes, each callback", "µs", None, |round| Some(round.each())),
        row.figure("CPU of the server, each callback", "µs", None, Round::each_at_server),
        row.figure("memory of the server", "MiB", None, memory),
    ];
    figures.into_iter().filter(|figure| !figure.values.is_empty()).collect()
}
