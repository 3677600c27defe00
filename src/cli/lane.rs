//! `lane`: what waits for each destination and why, and holding it back.

mod order;

use super::archive::Archive;
use super::shown::time;
use crate::clock::Clock;
use crate::store::{LaneStatus, MessageLane, MessageLaneStatus, Operator, Pause, Trouble};
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// Shows what waits for each destination, and pauses and resumes it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Counts what is stored, pending, dead and delivered, and whether it adds up; says which lanes
    /// hold, and why.
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
    /// Holds a lane: what is under way is finished, everything else waits, and nothing is lost.
    ///
    /// It holds through restarts, and ends by itself. A gateway that serves notices within a second.
    ///
    /// Exit code 0: it is paused. 1: there is no such lane.
    #[command(after_help = "\
Examples:
  bridge8890 lane pause platform --reason 'their maintenance' --for 2h --by wang")]
    Pause(order::Pause),
    /// Ends a lane's pause.
    ///
    /// Exit code 0: it was paused. 1: it was not, or there is no such lane.
    Resume(order::Lane),
    /// Has a lane that its breaker holds try now, with one request.
    ///
    /// Exit code 0: the breaker held it. 1: it did not, or there is no such lane.
    Probe(order::Lane),
    /// Lists who paused, resumed and probed lanes, newest first.
    ///
    /// Exit code 0: somebody did. 1: nobody did.
    History(order::History),
}

#[derive(Serialize)]
struct Report {
    lanes: Vec<Lane>,
    message_lanes: Vec<MessageLaneStatus>,
    #[serde(flatten)]
    counts: crate::store::Counts,
    adds_up: bool,
}

/// A lane, and whether it holds.
#[derive(Serialize)]
struct Lane {
    #[serde(flatten)]
    status: LaneStatus,
    state: &'static str,
    pause: Option<Pause>,
    breaker: Option<Trouble>,
}

impl Lane {
    async fn look(operator: &Operator, status: LaneStatus, now: Timestamp) -> anyhow::Result<Lane> {
        let pause = operator.lane_orders(&status.name).await?.pause_at(now).cloned();
        let breaker = operator.trouble(&status.name).await?;
        let state = state(pause.as_ref(), breaker.as_ref());
        Ok(Lane { status, state, pause, breaker })
    }
}

/// A paused lane does not even probe, so that comes first.
fn state(pause: Option<&Pause>, breaker: Option<&Trouble>) -> &'static str {
    match (pause, breaker) {
        (Some(_), _) => "paused",
        (None, Some(Trouble { next_probe: None, .. })) => "probing",
        (None, Some(_)) => "holding",
        (None, None) => "sending",
    }
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let is_so = match &args.what {
        What::Status { archive, json } => status(&archive.open().await?, *json, out).await?,
        What::Pause(args) => order::pause(args, out).await?,
        What::Resume(args) => order::resume(args, out).await?,
        What::Probe(args) => order::probe(args, out).await?,
        What::History(args) => order::history(args, out).await?,
    };
    Ok(if is_so { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn status(operator: &Operator, json: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    let now = Clock::system().now();
    let mut lanes = Vec::new();
    for lane in operator.lanes().await? {
        lanes.push(Lane::look(operator, lane, now).await?);
    }
    let counts = operator.counts().await?;
    let message_lanes = operator.message_lanes().await?;
    let adds_up = counts.add_up();
    let report = Report { lanes, message_lanes, counts, adds_up };
    if json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        print(&report, out)?;
    }
    Ok(report.adds_up)
}

fn print(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    for Lane { status: lane, state, pause, breaker } in &report.lanes {
        writeln!(
            out,
            "{}: {} pending ({} complaints, {} being sent, {} waiting to retry, {} behind others of their \
             case), {} dead ({} of them theirs)",
            lane.name,
            lane.pending,
            lane.complaints,
            lane.leased,
            lane.waiting_to_retry,
            lane.behind,
            lane.dead,
            lane.dead_theirs
        )?;
        match (pause, breaker) {
            (None, None) => writeln!(out, "  {state}")?,
            _ => print_hold(pause.as_ref(), breaker.as_ref(), out)?,
        }
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

fn print_hold(
    pause: Option<&Pause>,
    breaker: Option<&Trouble>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    if let Some(Pause { reason, by, since, until }) = pause {
        let (since, until) = (time(*since), time(*until));
        writeln!(out, "  paused by {by} since {since} until {until}: {reason}")?;
    }
    if let Some(Trouble { cause, since, next_probe }) = breaker {
        let next = next_probe
            .map_or("one request tries".to_owned(), |at| format!("next probe at {}", time(at)));
        writeln!(out, "  holding by breaker since {}, {next}: {cause}", time(*since))?;
    }
    Ok(())
}
