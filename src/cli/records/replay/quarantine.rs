//! `records replay --quarantine`: reads again what could not be read, after a profile was corrected.

use super::Args;
use crate::app;
use crate::cli::archive;
use crate::cli::shown::time;
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::intake;
use crate::model::{AccountName, CallbackSeq};
use crate::store::{Operator, QuarantineFilter, Quarantined, RequestedRereads};
use anyhow::bail;
use indicatif::ProgressBar;
use serde::Serialize;
use std::io::Write;

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
pub(super) async fn run(
    config: &Config,
    args: &Args,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let operator = archive::open(&config.store).await?;
    let filter = QuarantineFilter {
        account: args.account.as_deref().map(AccountName::new).transpose()?,
        callback: args.callback.map(CallbackSeq),
        since: args.since,
        until: args.until,
        limit: args.limit,
    };
    if args.dry_run {
        return preview(config, &operator, &filter, args.json, out).await;
    }
    let clock = Clock::system();
    let requested =
        operator.request_reread(&filter, config.store.dedupe_window, clock.now()).await?;
    if !requested.callbacks.is_empty() {
        let bar = super::bar(requested.callbacks.len() as u64);
        if app::read_quarantine(config, clock, Entropy::system()).await?.is_none() {
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
    if !super::is_taken_up(bar, async || operator.rereads_left().await).await? {
        let withdrawn = operator.withdraw_rereads().await?;
        bail!(
            "the gateway that serves reads nothing from quarantine; {withdrawn} callbacks stay \
             there. Look at its log, or stop it and run this command again"
        );
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
