//! `lane status`: what waits for each destination.

use super::archive::Archive;
use super::shown::time;
use crate::store::{LaneStatus, MessageLane, MessageLaneStatus};
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// What waits for each destination.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Counts what is stored, pending, dead and delivered, and whether it adds up.
    ///
    /// Exit code 0: it adds up. 1: it does not.
    #[command(after_help = "Example:\n  bridge8890 lane status --config gateway.toml --json")]
    Status {
        #[command(flatten)]
        archive: Archive,
        /// One JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct Report {
    lanes: Vec<LaneStatus>,
    message_lanes: Vec<MessageLaneStatus>,
    #[serde(flatten)]
    counts: crate::store::Counts,
    adds_up: bool,
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let What::Status { archive, json } = &args.what;
    let operator = archive.open().await?;
    let (lanes, counts) = (operator.lanes().await?, operator.counts().await?);
    let message_lanes = operator.message_lanes().await?;
    let adds_up = counts.add_up();
    let report = Report { lanes, message_lanes, counts, adds_up };
    if *json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        print(&report, out)?;
    }
    Ok(if report.adds_up { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    for lane in &report.lanes {
        writeln!(
            out,
            "{}: {} pending ({} complaints, {} being sent, {} waiting to retry), {} dead ({} of them theirs)",
            lane.name,
            lane.pending,
            lane.complaints,
            lane.leased,
            lane.waiting_to_retry,
            lane.dead,
            lane.dead_theirs
        )?;
        if let Some(oldest) = lane.oldest {
            writeln!(out, "  oldest waits since {}", time(oldest))?;
        }
    }
    for lane in &report.message_lanes {
        let is_calls = MessageLane::is_of_calls(&lane.name);
        writeln!(
            out,
            "{}: {} pending ({} being sent, {} waiting to retry), {} sent, {} dropped, {} dead",
            if is_calls { lane.name.clone() } else { format!("messages of {}", lane.name) },
            lane.pending,
            lane.leased,
            lane.waiting_to_retry,
            lane.sent,
            lane.dropped,
            lane.dead
        )?;
    }
    let counts = &report.counts;
    writeln!(out, "{} callbacks kept", counts.callbacks)?;
    for lane in &counts.by_lane {
        let passed = match lane.not_for_it {
            0 => String::new(),
            passed => format!(" + {passed} not for it"),
        };
        writeln!(
            out,
            "{}: {} records = {} delivered + {} pending + {} dead + {} superseded{passed}: {}",
            lane.name,
            lane.records,
            lane.delivered,
            lane.pending,
            lane.dead,
            lane.superseded,
            if lane.add_up() { "adds up" } else { "DOES NOT ADD UP" }
        )?;
    }
    writeln!(out, "{} repeats and {} other events made no record", counts.repeats, counts.notes)?;
    writeln!(out, "{} events wait for their conclusion", counts.held)
}
