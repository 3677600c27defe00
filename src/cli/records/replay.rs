//! `records replay --quarantine`: reads again what could not be read, after a profile was corrected.

use crate::app;
use crate::cli::archive;
use crate::cli::shown::time;
use crate::clock::{Clock, Entropy};
use crate::config::{self, Config};
use crate::intake;
use crate::model::{AccountName, CallbackSeq};
use crate::store::{Operator, QuarantineFilter, Quarantined, RequestedRereads};
use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// How long a serving gateway may take without reading a single one.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

/// Reads callbacks from quarantine again, with their original time of arrival.
///
/// Correct the profile first, and restart the gateway that serves: it is the one that reads them,
/// with the configuration that it was started with. Where none serves, this command reads them. What
/// is readable now is recorded and forwarded; a repeat of it still counts once.
///
/// Exit code 0: all could be read. 1: some could not, or there were none.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 records replay --quarantine --dry-run --config gateway.toml
  bridge8890 records replay --quarantine --account city-sms --config gateway.toml
  bridge8890 records replay --quarantine --callback 4711 --config gateway.toml")]
pub(super) struct Args {
    /// The configuration file of the gateway; without it, the built-in defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What could not be read.
    #[arg(long, required = true)]
    quarantine: bool,
    /// Of this account only.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// This callback only; `records find --quarantined` lists them.
    #[arg(long, value_name = "N")]
    callback: Option<i64>,
    /// Received at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Received before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// At most so many, oldest first.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    limit: u32,
    /// Only say what each would be read as with this configuration.
    #[arg(long)]
    dry_run: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    requested: usize,
    read: usize,
    still_quarantined: usize,
    /// Left out: their dedupe keys are gone, and readable parts of them might count twice.
    too_old: u64,
    /// Left out: no longer kept.
    erased: u64,
}

/// Runs the command. Returns whether all could be read.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<bool> {
    let config = config::load(args.config.as_deref())?;
    let operator = archive::open(&config.store, &config.store.directory).await?;
    let filter = QuarantineFilter {
        account: args.account.as_deref().map(AccountName::new).transpose()?,
        callback: args.callback.map(CallbackSeq),
        since: args.since,
        until: args.until,
        limit: args.limit,
    };
    if args.dry_run {
        return preview(&config, &operator, &filter, args.json, out).await;
    }
    let clock = Clock::system();
    let requested =
        operator.request_reread(&filter, config.store.dedupe_window, clock.now()).await?;
    if !requested.callbacks.is_empty() {
        let bar = ProgressBar::new(requested.callbacks.len() as u64)
            .with_style(ProgressStyle::default_bar());
        if app::read_quarantine(&config, clock, Entropy::system()).await?.is_none() {
            wait_for_gateway(&operator, &bar).await?;
        }
        bar.finish_and_clear();
    }
    let report = report(&operator, &requested).await?;
    print(&report, args.json, out)?;
    Ok(report.requested > 0 && report.still_quarantined == 0)
}

/// Waits until the gateway that serves has read everything.
async fn wait_for_gateway(operator: &Operator, bar: &ProgressBar) -> anyhow::Result<()> {
    let all = bar.length().unwrap_or_default();
    let mut left = operator.rereads_left().await?;
    let mut last = tokio::time::Instant::now();
    while left > 0 {
        tokio::time::sleep(LOOK).await;
        let now_left = operator.rereads_left().await?;
        if now_left < left {
            last = tokio::time::Instant::now();
        } else if last.elapsed() > PATIENCE {
            let withdrawn = operator.withdraw_rereads().await?;
            bail!(
                "the gateway that serves reads nothing from quarantine; {withdrawn} callbacks stay \
                 there. Look at its log, or stop it and run this command again"
            );
        }
        left = now_left;
        bar.set_position(all.saturating_sub(left));
    }
    Ok(())
}

async fn report(operator: &Operator, requested: &RequestedRereads) -> anyhow::Result<Report> {
    let still = operator.still_quarantined(&requested.callbacks).await?;
    let still = usize::try_from(still).unwrap_or(usize::MAX);
    let count = requested.callbacks.len();
    Ok(Report {
        requested: count,
        read: count.saturating_sub(still),
        still_quarantined: still,
        too_old: requested.too_old,
        erased: requested.erased,
    })
}

fn print(report: &Report, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
        return Ok(());
    }
    let Report { requested, read, still_quarantined, too_old, erased } = report;
    match requested {
        0 => writeln!(out, "nothing in quarantine fits")?,
        _ => writeln!(out, "{read} of {requested} callbacks read; {still_quarantined} stay")?,
    }
    if *still_quarantined > 0 {
        writeln!(out, "`bridge8890 records find --quarantined` says why")?;
    }
    if *too_old > 0 {
        writeln!(
            out,
            "{too_old} left out: parts of them were recorded so long ago that a repeat is no longer known"
        )?;
    }
    if *erased > 0 {
        writeln!(out, "{erased} left out: no longer kept")?;
    }
    Ok(())
}

/// One callback as it would be read now.
#[derive(Debug, Serialize)]
struct Preview {
    callback: i64,
    account: String,
    received_at: String,
    events: usize,
    problems: Vec<String>,
}

/// Says what each would be read as. Returns whether all could be.
async fn preview(
    config: &Config,
    operator: &Operator,
    filter: &QuarantineFilter,
    json: bool,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let found = operator.quarantined(filter.limit).await?;
    let fits = |one: &&Quarantined| {
        filter.account.as_ref().is_none_or(|account| account.as_str() == one.account)
            && filter.callback.is_none_or(|seq| seq == one.seq)
            && filter.since.is_none_or(|since| one.received_at >= since)
            && filter.until.is_none_or(|until| one.received_at < until)
    };
    let (mut all, mut readable) = (0, 0);
    for one in found.iter().filter(fits) {
        let preview = look(config, one);
        all += 1;
        readable += usize::from(preview.problems.is_empty());
        if json {
            writeln!(out, "{}", serde_json::to_string(&preview)?)?;
            continue;
        }
        let Preview { callback, account, received_at, events, problems } = &preview;
        let problems = match problems.join("; ") {
            problems if problems.is_empty() => String::new(),
            problems => format!("; still: {problems}"),
        };
        writeln!(out, "{received_at}  callback {callback}  {account}  {events} events{problems}")?;
    }
    if !json {
        writeln!(out, "{readable} of {all} callbacks would be read whole")?;
    }
    Ok(all > 0 && readable == all)
}

fn look(config: &Config, one: &Quarantined) -> Preview {
    let account = config.accounts.values().find(|account| account.name.as_str() == one.account);
    let decoded = account
        .zip(one.callback.as_ref())
        .and_then(|(account, callback)| intake::decode(account, callback));
    let (events, problems) = match decoded {
        Some(decoded) => {
            let problems = decoded.garbled.iter().map(ToString::to_string).collect();
            (decoded.events.len(), problems)
        }
        None => (0, vec!["no account or route for it, or no longer kept".to_owned()]),
    };
    Preview {
        callback: one.seq.0,
        account: one.account.clone(),
        received_at: time(one.received_at),
        events,
        problems,
    }
}
