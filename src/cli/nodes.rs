//! `nodes`: who serves from the store, and which of them does what only one may do.

use super::archive::Archive;
use super::shown::{beijing, time};
use crate::clock::Clock;
use crate::config::show_size;
use crate::store::{Depth, Node, Serving, spooled_in};
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// Shows the nodes that serve from the store: since when, which version, and what each owns.
///
/// Exit code 0: at least one serves. 1: none does.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 nodes --config gateway.toml
  bridge8890 nodes --json")]
pub(super) struct Args {
    #[command(flatten)]
    archive: Archive,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Who serves, as it is shown.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "store")]
enum Shown {
    /// One process at a time may serve from it, and owns everything.
    Alone { serves: bool },
    /// Nodes share it.
    Shared {
        nodes: Vec<ShownNode>,
        /// What lies in the spool of this machine, if it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        spool: Option<ShownSpool>,
    },
}

#[derive(Debug, PartialEq, Serialize)]
struct ShownSpool {
    callbacks: u64,
    aside: u64,
    bytes: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct ShownNode {
    name: String,
    lives: bool,
    version: String,
    since: String,
    last_seen: String,
    owns: Vec<String>,
    #[serde(skip)]
    times: (Timestamp, Timestamp),
}

impl Shown {
    fn new(serving: Serving, spool: Option<Depth>, now: Timestamp) -> Shown {
        match serving {
            Serving::Alone { serves } => Shown::Alone { serves },
            Serving::Nodes(nodes) => {
                let shown = |node: Node| ShownNode {
                    lives: node.lives(now),
                    since: beijing(node.started_at),
                    last_seen: beijing(node.seen_at),
                    times: (node.started_at, node.seen_at),
                    name: node.name,
                    version: node.version,
                    owns: node.owns,
                };
                let spool = spool.map(|Depth { callbacks, aside, bytes, .. }| ShownSpool {
                    callbacks,
                    aside,
                    bytes,
                });
                Shown::Shared { nodes: nodes.into_iter().map(shown).collect(), spool }
            }
        }
    }

    fn is_served(&self) -> bool {
        match self {
            Shown::Alone { serves } => *serves,
            Shown::Shared { nodes, .. } => nodes.iter().any(|node| node.lives),
        }
    }
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now();
    let (config, operator) = args.archive.open_with_config().await?;
    let spool = match &config.store.spool {
        Some(spool) => spooled_in(&spool.directory).await?,
        None => None,
    };
    let shown = Shown::new(operator.serving(now).await?, spool, now);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &shown)?;
        writeln!(out)?;
    } else {
        print(&shown, out)?;
    }
    Ok(if shown.is_served() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(shown: &Shown, out: &mut impl Write) -> std::io::Result<()> {
    match shown {
        Shown::Alone { serves: true } => {
            writeln!(out, "a gateway serves from this directory, and does everything by itself")
        }
        Shown::Alone { serves: false } => writeln!(out, "no gateway serves from this directory"),
        Shown::Shared { nodes, spool } => {
            if nodes.is_empty() {
                writeln!(out, "no node serves")?;
            }
            nodes.iter().try_for_each(|node| print_node(node, out))?;
            spool.iter().try_for_each(|spool| print_spool(spool, out))
        }
    }
}

fn print_node(node: &ShownNode, out: &mut impl Write) -> std::io::Result<()> {
    let ShownNode { name, lives, version, owns, times: (started_at, seen_at), .. } = node;
    if *lives {
        writeln!(out, "{name}: serves since {}, version {version}", time(*started_at))?;
    } else {
        writeln!(out, "{name}: gone, last seen {}, version {version}", time(*seen_at))?;
    }
    // What one that is gone owns is taken over when its time is up.
    if !owns.is_empty() {
        writeln!(out, "  owns {}", owns.join(", "))?;
    }
    Ok(())
}

fn print_spool(spool: &ShownSpool, out: &mut impl Write) -> std::io::Result<()> {
    let ShownSpool { callbacks, aside, bytes } = spool;
    write!(out, "spool of this machine: {callbacks} callbacks, {}", show_size(*bytes))?;
    if *aside > 0 {
        write!(out, ", of which the database did not take {aside}")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;

    #[test]
    fn nodes_are_shown_with_what_they_own_and_a_lost_one_as_gone() {
        let now: Timestamp = "2026-11-24T04:00:00Z".parse().expect("a time");
        let node = |name: &str, seen: i64, owns: &[&str]| Node {
            name: name.to_owned(),
            started_at: now - 2.hours(),
            seen_at: now - seen.seconds(),
            version: "0.1.0".to_owned(),
            owns: owns.iter().map(|work| (*work).to_owned()).collect(),
        };
        // The second's clock is ahead of ours.
        let nodes = vec![
            node("a", 3, &["dialogue", "link:china-mobile"]),
            node("b", -1, &[]),
            node("c", 10, &["housekeeping"]),
        ];
        let spool = Depth { callbacks: 3, aside: 1, bytes: 2048, oldest: Some(0) };
        let shown = Shown::new(Serving::Nodes(nodes), Some(spool), now);
        let mut text = Vec::new();
        print(&shown, &mut text).expect("a vector grows");
        assert!(shown.is_served());
        assert_eq!(
            String::from_utf8(text).expect("UTF-8"),
            "a: serves since 2026-11-24 10:00:00, version 0.1.0\n  owns dialogue, link:china-mobile\n\
             b: serves since 2026-11-24 10:00:00, version 0.1.0\n\
             c: gone, last seen 2026-11-24 11:59:50, version 0.1.0\n  owns housekeeping\n\
             spool of this machine: 3 callbacks, 2 KiB, of which the database did not take 1\n"
        );
    }

    #[test]
    fn where_all_are_gone_nobody_serves() {
        let now = Timestamp::UNIX_EPOCH;
        assert!(!Shown::new(Serving::Nodes(Vec::new()), None, now).is_served());
        assert!(!Shown::new(Serving::Alone { serves: false }, None, now).is_served());
        assert!(Shown::new(Serving::Alone { serves: true }, None, now).is_served());
    }
}
