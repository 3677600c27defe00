//! `carrier list`: every carrier that an account may name.

use super::sends;
use crate::config;
use crate::config::dialect::Dialect;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// Lists the carriers that an account may name.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 carrier list
  bridge8890 carrier list --json

A carrier that is not here is configuration: carrier = \"generic\", see docs/dialects.md.")]
pub(super) struct Args {
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
}

/// What is told of a carrier.
#[derive(Debug, Serialize)]
struct Line<'a> {
    key: &'a str,
    title: &'a str,
    routes: Vec<&'a str>,
    trust: &'static str,
    sends: Vec<&'static str>,
    patience: &'a str,
}

impl<'a> Line<'a> {
    fn of(dialect: &'a Dialect) -> Line<'a> {
        Line {
            key: &dialect.carrier,
            title: &dialect.title,
            routes: dialect.routes.iter().map(|route| route.name.as_str()).collect(),
            trust: dialect.trust().name(),
            sends: sends::takes(dialect),
            patience: &dialect.patience,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    for dialect in config::built_in().filter_map(|(key, _)| config::load_built_in(key)) {
        let line = Line::of(&dialect);
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
            continue;
        }
        let Line { key, title, routes, trust, sends, .. } = line;
        let routes = match routes.join(", ") {
            routes if routes.is_empty() => "(one address)".to_owned(),
            routes => routes,
        };
        let sends = match sends.join(", ") {
            sends if sends.is_empty() => sends,
            sends => format!("; sends {sends}"),
        };
        writeln!(out, "{key:<18}{title}\n{:<18}{routes}; trust: {trust}{sends}", "")?;
    }
    Ok(ExitCode::SUCCESS)
}
