//! `copy`: moving what one gateway stored to a database that nodes share.

use crate::clock::Clock;
use crate::config::{self, Server};
use crate::store::{Compared, Copied, CopyStep, KeyRing, Place, Transfer, data_key};
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

/// Copies all that a stopped gateway has in its directory to a PostgreSQL database that was just migrated.
///
/// Everything comes along: callbacks, records, queues, dead letters, what is remembered, dedupe keys, recordings and the ledger.
/// The directory stays as it is. It is one transaction: a copy that breaks off leaves a database that `serve` refuses,
/// and the same command begins anew. At the end both are counted, and `serve` is let in if they hold the same.
///
/// The data key must be that of the directory, and on all nodes the same: store.key, else the key file in the directory.
///
/// Exit code 0: it is copied, or with --dry-run could be. 1: it is copied, and the two differ. 2: it was not copied.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 copy --from sqlite:/var/lib/bridge8890 --config a.toml --dry-run   is all ready?
  bridge8890 copy --from sqlite:/var/lib/bridge8890 --config a.toml             to its store.url
  bridge8890 copy --from sqlite:data --to postgres://bridge8890@db1/bridge8890 --json")]
pub(super) struct Args {
    /// The directory of the gateway, sqlite:DIR.
    #[arg(long, value_name = "sqlite:DIR")]
    from: End,
    /// The database, postgres://USER@HOST/DATABASE; without it, store.url of the configuration.
    #[arg(long, value_name = "URL")]
    to: Option<End>,
    /// The configuration file of a node; without it, the built-in defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Look whether everything is ready and say what would be copied, and copy nothing.
    #[arg(long)]
    dry_run: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// One end of a copy.
#[derive(Debug, Clone)]
enum End {
    Sqlite(PathBuf),
    Postgres(Box<Server>),
}

#[derive(Debug, thiserror::Error)]
#[error("write sqlite:DIR or postgres://USER@HOST/DATABASE")]
struct NoEnd;

impl FromStr for End {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<End> {
        if config::server::is_postgres(text) {
            return Ok(End::Postgres(Box::new(text.parse()?)));
        }
        match text.split_once(':') {
            Some(("sqlite", directory)) if !directory.is_empty() => {
                Ok(End::Sqlite(directory.into()))
            }
            _ => Err(NoEnd.into()),
        }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    from: String,
    /// Without its password.
    to: String,
    /// Whether it is copied, or only could be.
    copied: bool,
    tables: BTreeMap<&'static str, u64>,
    unopened_records: u64,
    recordings_without_audio: u64,
    #[serde(flatten)]
    compared: Option<Compared>,
    /// Whether the two hold the same; null: nothing was copied.
    agree: Option<bool>,
    #[serde(skip)]
    key_in_directory: bool,
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let config = config::load(args.config.as_deref())?;
    let End::Sqlite(directory) = &args.from else {
        bail!(
            "only a directory is copied, and only to a PostgreSQL database: write --from sqlite:DIR"
        );
    };
    let configured = config.store.server.as_deref();
    let server = match (&args.to, configured) {
        (Some(End::Sqlite(_)), _) => {
            bail!("there is no way to a directory: write --to postgres://USER@HOST/DATABASE")
        }
        (Some(End::Postgres(server)), _) => with_password(server, configured),
        (None, Some(server)) => server.clone(),
        (None, None) => {
            bail!(
                "store.url is not set: write --to postgres://USER@HOST/DATABASE, or --config FILE"
            )
        }
    };
    let from = Place::Directory(directory.clone());
    let key = data_key::load(&from, config.store.key.as_ref())?;
    let ring = KeyRing::new(&key, &config.store.old_keys).context("store.key")?;
    let now = Clock::system().now();
    let mut transfer = Transfer::open(directory, &server, ring, now).await?;
    let (copied, compared) = match args.dry_run {
        true => (transfer.foresee().await?, None),
        false => {
            let bar = Bar::new();
            let copied = transfer.run(now, |step| bar.show(step)).await?;
            bar.0.set_message("counting both");
            let compared = transfer.compare().await?;
            bar.0.finish_and_clear();
            (copied, Some(compared))
        }
    };
    let report = Report::new(copied, compared, (&from, &Place::Server(Box::new(server))));
    let report = Report { key_in_directory: config.store.key.is_none(), ..report };
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        false => report.write(out)?,
    }
    Ok(if report.agree == Some(false) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The server, with the password of the configured one where it has none itself: that stands in no list of processes.
fn with_password(server: &Server, configured: Option<&Server>) -> Server {
    let password = configured.and_then(|configured| configured.password.clone());
    Server { password: server.password.clone().or(password), ..server.clone() }
}

/// How far the table is that is being copied.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Bar {
        let style = ProgressStyle::with_template("{msg:>14} {wide_bar} {human_pos}/{human_len}");
        Bar(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    fn show(&self, CopyStep { table, done, all }: CopyStep) {
        self.0.set_message(table);
        self.0.set_length(all);
        self.0.set_position(done);
    }
}

impl Report {
    fn new(copied: Copied, compared: Option<Compared>, (from, to): (&Place, &Place)) -> Report {
        Report {
            from: from.to_string(),
            to: to.to_string(),
            copied: compared.is_some(),
            tables: copied.tables.into_iter().collect(),
            unopened_records: copied.unopened,
            recordings_without_audio: copied.without_audio,
            agree: compared.as_ref().map(Compared::agree),
            compared,
            key_in_directory: false,
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (table, rows) in &self.tables {
            writeln!(out, "{rows:>12}  {table}")?;
        }
        if self.unopened_records > 0 {
            writeln!(
                out,
                "{} records are sealed under no configured key (store.old_keys): they are there, and not found by \
                 their callers",
                self.unopened_records
            )?;
        }
        if self.recordings_without_audio > 0 {
            let missing = self.recordings_without_audio;
            writeln!(out, "{missing} recordings are noted as kept, and have no file")?;
        }
        let Report { from, to, .. } = self;
        match self.agree {
            None => writeln!(out, "{from} can be copied to {to}"),
            Some(true) => {
                writeln!(out, "{from} is copied to {to}, and both hold the same")?;
                if self.key_in_directory {
                    writeln!(
                        out,
                        "next: set store.key of all nodes to what stands in {from}/data.key"
                    )?;
                }
                writeln!(
                    out,
                    "next: start the nodes; keep {from}, and start no gateway there again"
                )
            }
            Some(false) => {
                writeln!(out, "{from} IS COPIED TO {to}, AND THE TWO DIFFER: serve refuses it")?;
                writeln!(out, "next: --json shows what differs; please report this")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_directory_is_copied_and_only_to_a_server() {
        let (sqlite, postgres) = ("sqlite:data", "postgres://b@db/b");
        for (from, to, expected) in [
            (postgres, Some(sqlite), "only a directory is copied"),
            (postgres, Some(postgres), "only a directory is copied"),
            (sqlite, Some(sqlite), "there is no way to a directory"),
            (sqlite, None, "store.url is not set"),
        ] {
            let end = |text: &str| text.parse::<End>().expect("an end");
            let (from, to) = (end(from), to.map(end));
            let args = Args { from, to, config: None, dry_run: false, json: false };
            let refused = run(&args, &mut Vec::new()).await.expect_err("it is refused");
            assert!(refused.to_string().starts_with(expected), "{refused}");
        }
        for text in ["data", "sqlite:", "postgres:db", "mysql://db"] {
            assert!(text.parse::<End>().is_err(), "{text}");
        }
    }
}
