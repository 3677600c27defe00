//! `dead replay`: shows what would be put back, and puts it back in steps.

use super::filter::{Filter, KEYS_EXPLAINED, Letters};
use super::rate::Rate;
use super::shown::Tally;
use crate::cli::archive::Archive;
use crate::cli::confirm;
use crate::clock::Clock;
use crate::store::{DeadOrder, DeadPlace, Operator, ReplayRun};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::pin::{Pin, pin};
use tokio::time::{Instant, sleep_until};

/// Puts dead letters back into the queues of their destinations, with their attempts forgotten.
///
/// It shows how many fit, what they died of and the first few, and puts nothing back. With --apply
/// it does so, after a question, oldest first and so many a second; a gateway that serves notices
/// within a second. They go out under the same idempotency keys. One of which a later revision goes
/// out or has gone ends as superseded. One that cannot be opened stays a dead letter.
///
/// They queue as of now and behind complaints that come in, even where they are complaints themselves.
/// --rate bounds how much of the destination's pace they may take from fresh ratings.
///
/// Ctrl-C stops it after the step under way: what is not put back yet stays dead. Run it again to go
/// on. `dead replays` lists who did so, when, how many and by which filter.
///
/// Exit code 0: some fit, and with --apply they were put back. 1: none fits, or not all were put back.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  bridge8890 dead replay --where bin=theirs,reason=campaign
  bridge8890 dead replay --where lane=platform,class=age --rate 50/s --apply
  bridge8890 dead replay --since 2026-11-20T00:00:00+08:00 --apply --yes --json
  bridge8890 dead replay 42 43 --apply
  bridge8890 dead replay --all

{KEYS_EXPLAINED}"))]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true)
    .args(["numbers", "conditions", "since", "until", "all"]))]
pub(super) struct Args {
    #[command(flatten)]
    archive: Archive,
    /// Their numbers in the list.
    numbers: Vec<i64>,
    #[command(flatten)]
    filter: Filter,
    /// All of them.
    #[arg(long, conflicts_with_all = ["numbers", "conditions", "since", "until"])]
    all: bool,
    /// Put them back.
    #[arg(long)]
    apply: bool,
    /// Do not ask before.
    #[arg(long, requires = "apply")]
    yes: bool,
    /// At most so many a second.
    #[arg(long, value_name = "N/s", default_value = "100/s")]
    rate: Rate,
    /// One JSON object instead of text: what fits, or with --apply what was done.
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Report {
    run: i64,
    chosen: u64,
    replayed: u64,
    superseded: u64,
    unreadable: u64,
    stopped: bool,
}

/// Runs the command. Returns whether the answer is yes.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<bool> {
    if args.apply && !args.yes {
        confirm::check_somebody_answers(args.json)?;
    }
    let operator = args.archive.open().await?;
    let (tally, last) = count(args, &operator).await?;
    if !(args.apply && args.json) || tally.chosen == 0 {
        tally.write(args.json, out)?;
    }
    let Some(last) = last.filter(|_| args.apply) else {
        if tally.chosen > 0 && !args.json {
            writeln!(out, "nothing is put back yet: --apply does it")?;
        }
        return Ok(tally.chosen > 0);
    };
    if !args.yes && !confirm::is_confirmed("Put them back, and send them again?", out)? {
        writeln!(out, "nothing is put back")?;
        return Ok(false);
    }
    out.flush()?;
    let report = Replay { args, operator: &operator, last }.all(tally.chosen).await?;
    report.write(args.json, out)?;
    Ok(!report.stopped)
}

/// Counts what fits, and finds the last of it.
async fn count(args: &Args, operator: &Operator) -> anyhow::Result<(Tally, Option<DeadPlace>)> {
    let mut letters = letters(args, operator);
    let (mut tally, mut last) = (Tally::default(), None);
    while let Some(page) = letters.next_page().await? {
        for letter in &page {
            tally.add(letter);
            last = Some(letter.place);
        }
    }
    Ok((tally, last))
}

fn letters<'a>(args: &'a Args, operator: &'a Operator) -> Letters<'a> {
    Letters::new(operator, &args.filter, &args.numbers, DeadOrder::Oldest)
}

/// A run over what was shown.
struct Replay<'a> {
    args: &'a Args,
    operator: &'a Operator,
    /// The last that was shown: what dies again meanwhile comes behind it.
    last: DeadPlace,
}

impl Replay<'_> {
    async fn all(&self, chosen: u64) -> anyhow::Result<Report> {
        let began = Clock::system().now();
        let run = self.operator.begin_replay(&operator_name(), &self.filter(), began).await?;
        let mut report = Report { run: run.0, chosen, ..Report::default() };
        let bar = ProgressBar::new(chosen).with_style(ProgressStyle::default_bar());
        let mut stop = pin!(tokio::signal::ctrl_c());
        let mut letters = letters(self.args, self.operator);
        let mut due = Instant::now();
        'pages: while let Some(page) = letters.next_page().await? {
            let shown = page.iter().filter(|letter| letter.place <= self.last);
            let (readable, unreadable): (Vec<_>, Vec<_>) =
                shown.partition(|letter| letter.record.is_ok());
            report.unreadable += unreadable.len() as u64;
            let places: Vec<DeadPlace> = readable.iter().map(|letter| letter.place).collect();
            for step in places.chunks(self.args.rate.step()) {
                if is_stopped(stop.as_mut(), due).await? {
                    report.stopped = true;
                    break 'pages;
                }
                due = Instant::now() + self.args.rate.pause();
                self.step(run, step, &mut report).await?;
                bar.inc(step.len() as u64);
            }
            if page.last().is_some_and(|letter| letter.place >= self.last) {
                break;
            }
        }
        bar.finish_and_clear();
        Ok(report)
    }

    async fn step(
        &self,
        run: ReplayRun,
        step: &[DeadPlace],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let done = self.operator.replay(run, step, Clock::system().now()).await?;
        report.replayed += done.queued;
        report.superseded += done.superseded;
        Ok(())
    }

    /// What was asked for, in words to be kept.
    fn filter(&self) -> String {
        let numbers: Vec<String> = self.args.numbers.iter().map(ToString::to_string).collect();
        let mut parts = Vec::new();
        if !numbers.is_empty() {
            parts.push(format!("number={}", numbers.join(" ")));
        }
        if !self.args.filter.is_empty() {
            parts.push(self.args.filter.to_string());
        }
        if self.args.all {
            parts.push("all".to_owned());
        }
        parts.join(",")
    }
}

/// Waits until a step is due. Returns whether the operator wants no more of them.
async fn is_stopped(
    stop: Pin<&mut impl Future<Output = std::io::Result<()>>>,
    due: Instant,
) -> std::io::Result<bool> {
    tokio::select! {
        biased;
        stopped = stop => stopped.map(|()| true),
        () = sleep_until(due) => Ok(false),
    }
}

/// Who runs this command: behind sudo the one who called it, else the user of the session or the process.
fn operator_name() -> String {
    let mut named =
        ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|it| std::env::var(it).ok());
    named.find(|name| !name.is_empty()).unwrap_or_else(|| match std::fs::metadata("/proc/self") {
        Ok(process) => format!("uid {}", process.uid()),
        Err(_) => "unknown".to_owned(),
    })
}

impl Report {
    fn write(&self, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        let Report { run, chosen, replayed, superseded, unreadable, stopped } = self;
        writeln!(out, "{replayed} of {chosen} put back into the queue (run {run})")?;
        if *superseded > 0 {
            writeln!(out, "{superseded} superseded: a later revision goes out or has gone")?;
        }
        if *unreadable > 0 {
            writeln!(out, "{unreadable} left: they cannot be opened; `dead list` says why")?;
        }
        if *stopped {
            writeln!(out, "stopped: the others stay dead; run it again to go on")?;
        }
        Ok(())
    }
}
