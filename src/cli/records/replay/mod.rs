//! `records replay`: reads stored callbacks again, by today's rules.

mod filter;
mod quarantine;
mod revise;
mod shown;

use crate::config;
use crate::store::ReadError;
use filter::Condition;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// How long a serving gateway may take without reading a single one.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

/// Reads stored callbacks again, after rules, campaigns or a profile changed.
///
/// With --since it shows what today's configuration makes otherwise of what was understood before:
/// every field, old and new, with numbers masked and texts as their length. With --apply that is
/// recorded, after a question, as the next revision of the same record, and goes to the platform
/// like any other. Nothing is sent to a citizen. What a conversation knew stays: invitation and
/// matter, how often it was rated, marks, the reason that was asked for; so do deadlines. A record
/// that would not be made now stays as well, since the platform knows no withdrawal.
///
/// With --quarantine it reads what could not be read at all.
///
/// A gateway that serves does the work, by the campaigns that it was last told and the accounts that
/// it was started with: reload or restart it first. Where it comes to something else than was
/// shown, it leaves the answer as it is. Where none serves, this command does it.
///
/// Exit code 0: there are differences, and with --apply all are recorded; all in quarantine could be
/// read. 1: there is none, or some were left.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 records replay --since 2026-11-20T00:00:00+08:00 --config gateway.toml
  bridge8890 records replay --since 2026-11-20T00:00:00+08:00 --where campaign=hotline,channel=ivr \\
      --apply --config gateway.toml
  bridge8890 records replay --since 2026-11-20T00:00:00+08:00 --where outcome=unmatched --json --config gateway.toml
  bridge8890 records replay --quarantine --dry-run --config gateway.toml
  bridge8890 records replay --quarantine --account city-sms --config gateway.toml
  bridge8890 records replay --quarantine --callback 4711 --config gateway.toml

Keys of --where, all of which must hold of what an answer is or would be:
  account    the account whose callback it was
  campaign   the campaign by which it is read
  channel    sms or ivr
  kind       rating, complaint or not_rated
  level      1 to 5
  outcome    what became of it: rated, complaint, unrecognised, unmatched, ...")]
pub(super) struct Args {
    /// The configuration file of the gateway; without it, the built-in defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Received at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME", required_unless_present = "quarantine")]
    since: Option<Timestamp>,
    /// Received before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Only answers of which all of this holds; for the keys see below.
    #[arg(long = "where", value_name = "KEY=VALUE", value_delimiter = ',')]
    #[arg(conflicts_with = "quarantine")]
    conditions: Vec<Condition>,
    /// Record the differences.
    #[arg(long, conflicts_with = "quarantine")]
    apply: bool,
    /// Do not ask before.
    #[arg(long, requires = "apply")]
    yes: bool,
    /// What could not be read.
    #[arg(long)]
    quarantine: bool,
    /// Of this account only, of the quarantine.
    #[arg(long, value_name = "NAME", requires = "quarantine")]
    account: Option<String>,
    /// This callback only; `records find --quarantined` lists them.
    #[arg(long, value_name = "N", requires = "quarantine")]
    callback: Option<i64>,
    /// Only say what each would be read as with this configuration.
    #[arg(long, requires = "quarantine")]
    dry_run: bool,
    /// At most so many callbacks that are read otherwise, oldest first.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    limit: u32,
    /// JSON instead of text: an object a line.
    #[arg(long)]
    json: bool,
}

/// Runs the command. Returns whether the answer is yes.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<bool> {
    let config = config::load(args.config.as_deref())?;
    match args.quarantine {
        true => quarantine::run(&config, args, out).await,
        false => revise::run(&config, args, out).await,
    }
}

fn bar(length: u64) -> ProgressBar {
    ProgressBar::new(length).with_style(ProgressStyle::default_bar())
}

/// Waits until the gateway that serves has read all that is asked for. Returns whether it does so: not if it takes
/// too long over a single one.
async fn is_taken_up(
    bar: &ProgressBar,
    left: impl AsyncFn() -> Result<u64, ReadError>,
) -> Result<bool, ReadError> {
    let all = bar.length().unwrap_or_default();
    let mut before = left().await?;
    let mut last = tokio::time::Instant::now();
    while before > 0 {
        tokio::time::sleep(LOOK).await;
        let now = left().await?;
        if now < before {
            last = tokio::time::Instant::now();
        } else if last.elapsed() > PATIENCE {
            return Ok(false);
        }
        before = now;
        bar.set_position(all.saturating_sub(before));
    }
    Ok(true)
}
