//! `migrate`: bringing the schema of the database to this version.

use crate::config;
use crate::store::{self, Migrated, Place, Step};
use serde::Serialize;
use std::cell::Cell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Makes or changes the tables of the database that nodes share; a gateway that serves never does.
///
/// It is safe to run from all nodes at once, and while nodes of the version before serve. The
/// database of a directory is only looked at: the gateway changes it when it starts.
///
/// Exit code 0: nothing is left to apply. 1: something is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 migrate --config gateway.toml --dry-run   what would be applied?
  bridge8890 migrate --config gateway.toml             apply it")]
pub(super) struct Args {
    /// The configuration file of the gateway; without it, the built-in defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say what would be applied, and apply nothing.
    #[arg(long)]
    dry_run: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    /// Where the store is, without its password.
    store: String,
    #[serde(flatten)]
    migrated: Migrated,
}

/// Runs the command.
///
/// # Errors
/// When the schema cannot be changed, or `out` not be written to.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let config = config::load(args.config.as_deref())?;
    let place = Place::of(&config.store);
    let told = Cell::new(false);
    let waiting = |_: Duration| {
        if !told.replace(true) {
            // Nothing is lost with it.
            drop(writeln!(io::stderr(), "another node is migrating; waiting for it"));
        }
    };
    let migrated = store::migrate(&place, args.dry_run, waiting).await?;
    let code = match migrated.pending.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    };
    let report = Report { store: place.to_string(), migrated };
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        print(&report, &place, out)?;
    }
    Ok(code)
}

fn print(report: &Report, place: &Place, out: &mut impl Write) -> io::Result<()> {
    let Report { store, migrated } = report;
    let line = |out: &mut dyn Write, word: &str, step: &Step| {
        writeln!(out, "{word} {:04} {}", step.version, step.what)
    };
    for step in &migrated.applied {
        line(out, "applied", step)?;
    }
    for step in &migrated.pending {
        line(out, "pending", step)?;
    }
    match (migrated.version, place) {
        (_, Place::Directory(_)) if !migrated.pending.is_empty() => {
            writeln!(out, "{store}: the gateway applies that when it starts")
        }
        (Some(version), _) => writeln!(out, "{store}: schema version {version}"),
        (None, _) => writeln!(out, "{store}: empty"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_database_of_a_directory_is_left_to_the_gateway() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("gateway.toml");
        std::fs::write(&file, "[store]\ndirectory = \"data\"").expect("written");
        let args = Args { config: Some(file), dry_run: false, json: false };
        let mut out = Vec::new();
        let code = run(&args, &mut out).await.expect("it is looked at");
        let said = String::from_utf8(out).expect("text");
        assert_eq!(code, ExitCode::FAILURE, "{said}");
        assert!(said.starts_with("pending 0001 "), "{said}");
        assert!(said.ends_with("data: the gateway applies that when it starts\n"), "{said}");
        assert!(!directory.path().join("data").exists(), "nothing is made");
    }
}
