//! `reconcile`: the ledger held against everything that is stored, and against what the platform has.

mod platform;

use super::archive::Archive;
use super::period;
use super::shown::{beijing, time};
use crate::store::{Difference, Erased, Figure, Reconciled};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use jiff::civil::Date;
use platform::PlatformDay;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

/// Counts all that is stored, and compares it with the ledger hour by hour; asks the platform for its counts.
///
/// It reads the whole store, beside a gateway that serves, and changes nothing. Of hours of which something is erased,
/// as its time was over, only the ledger tells, and they are not compared.
///
/// Exit code 0: all is equal. 1: something differs. 2: it could not be done, or a platform not be asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 reconcile --config gateway.toml
  bridge8890 reconcile --day 2026-11-24 --ask-platform --config gateway.toml
  bridge8890 reconcile --since 2026-11-20T00:00:00+08:00 --json")]
pub(super) struct Args {
    #[command(flatten)]
    archive: Archive,
    /// Only what was received on this day at +08:00.
    #[arg(long, value_name = "DATE", conflicts_with = "since")]
    day: Option<Date>,
    /// Only what was received in the hour of this time or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Ask each destination whose profile can be asked what it has of each day.
    #[arg(long)]
    ask_platform: bool,
    /// Ask only for what came under this key's id: where other gateways call the same platform.
    #[arg(long, value_name = "ID", requires = "ask_platform")]
    key_id: Option<String>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    compared: u64,
    differences: Vec<Difference>,
    callbacks_erased_before: Option<String>,
    records_erased_before: Option<String>,
    platforms: Vec<PlatformDay>,
    equal: bool,
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let hours = args.day.map_or_else(|| period::since(args.since), |of| period::day(of).hours());
    let (config, operator) = args.archive.open_with_config().await?;
    let bar = ProgressBar::new(0).with_style(ProgressStyle::default_bar());
    let counted = operator
        .reconcile(hours, |done, all| {
            bar.set_length(u64::try_from(all).unwrap_or_default());
            bar.set_position(u64::try_from(done).unwrap_or_default());
        })
        .await;
    bar.finish_and_clear();
    let counted = counted?;
    let platforms = match args.ask_platform {
        true => {
            let days = platform::days(&counted, args.day.map(period::day));
            platform::ask(&config, &counted, (&days, args.key_id.as_deref())).await?
        }
        false => Vec::new(),
    };
    let report = Report::new(counted, platforms);
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        false => report.write(out)?,
    }
    Ok(match (report.equal, report.platforms.iter().any(PlatformDay::failed)) {
        (false, _) => ExitCode::FAILURE,
        (true, true) => ExitCode::from(2),
        (true, false) => ExitCode::SUCCESS,
    })
}

impl Report {
    fn new(counted: Reconciled, platforms: Vec<PlatformDay>) -> Report {
        let Erased { callbacks, records } = counted.erased;
        let equal = counted.differences.is_empty() && !platforms.iter().any(PlatformDay::differs);
        Report {
            compared: counted.compared,
            differences: counted.differences,
            callbacks_erased_before: callbacks.map(beijing),
            records_erased_before: records.map(beijing),
            platforms,
            equal,
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{} hours of accounts were compared", self.compared)?;
        for (what, before) in
            [("callbacks", &self.callbacks_erased_before), ("records", &self.records_erased_before)]
        {
            if let Some(before) = before {
                writeln!(
                    out,
                    "{what} from before {before} are erased: only the ledger tells of them"
                )?;
            }
        }
        for difference in &self.differences {
            writeln!(out, "{}", line(difference))?;
        }
        for day in &self.platforms {
            writeln!(out, "{day}")?;
        }
        for next in self.next() {
            writeln!(out, "{next}")?;
        }
        writeln!(out, "{}", if self.equal { "all is equal" } else { "IT DIFFERS" })
    }

    /// What shows the records that differ.
    fn next(&self) -> Vec<String> {
        let hours: BTreeSet<_> = self.differences.iter().map(|it| (it.hour, &it.account)).collect();
        let command = |(hour, account): &(crate::store::Hour, &String)| {
            format!(
                "next: bridge8890 records find --account {account} --since {} --until {} --limit 10000",
                beijing(hour.start()),
                beijing(hour.next().start())
            )
        };
        let mut next: Vec<String> = hours.iter().take(5).map(command).collect();
        if hours.len() > next.len() {
            next.push(format!("next: the same for {} further hours", hours.len() - next.len()));
        }
        if self.platforms.iter().any(PlatformDay::differs) {
            next.push(
                "next: bridge8890 records find --since … --until … lists a day's records with their ids, for the \
                 platform to look for"
                    .to_owned(),
            );
        }
        next
    }
}

fn line(it: &Difference) -> String {
    let (hour, account) = (time(it.hour.start()), &it.account);
    let lane = it.lane.as_ref().map(|lane| format!(" in {lane}")).unwrap_or_default();
    let what = match it.figure {
        Figure::Callbacks => "callbacks",
        Figure::Repeats => "repeats",
        Figure::Notes => "events without a record",
        Figure::Records => "records",
        Figure::Delivered => "delivered",
        Figure::Pending => "pending",
        Figure::Dead => "dead",
        Figure::Superseded => "superseded",
        Figure::NotForIt => "not for it",
        Figure::InNoPlace => "in no place, or if negative in two",
    };
    let (ledger, counted) = (it.ledger, it.counted);
    format!("{hour}  {account}{lane}  {what}: {ledger} in the ledger, {counted} in the store")
}
