//! `records`: find what was recorded, and what became of it.

mod replay;

use super::archive::Archive;
use super::shown::{Listed, time};
use crate::model::{AccountName, Level, Msisdn, RecordId};
use crate::store::{AttemptLine, Filter, Matched, Repeat, RevisionHistory, StoredCallback};
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// Finds what was recorded, and what became of it. Numbers are masked; texts are not shown.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists records, newest first.
    ///
    /// Exit code 0: there are some. 1: there are none.
    #[command(after_help = "\
Examples:
  bridge8890 records find --caller 13940000001
  bridge8890 records find --complaints --since 2026-11-23T00:00:00+08:00
  bridge8890 records find --quarantined")]
    Find(Find),
    Replay(replay::Args),
    /// Shows a record: every revision, every attempt, the callback that caused it, and its repeats.
    ///
    /// Exit code 0: it is there. 1: it is not.
    #[command(after_help = "\
Example:
  bridge8890 records show 019aaf5e-2a6c-7c3e-9d52-0f4c8f1f2b3a")]
    Show {
        #[command(flatten)]
        archive: Archive,
        /// The record's id.
        id: uuid::Uuid,
        /// One JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Find {
    #[command(flatten)]
    archive: Archive,
    /// Of this caller, in any form.
    #[arg(long, value_name = "NUMBER")]
    caller: Option<String>,
    /// Of this account.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Ratings of this level, 1 to 5.
    #[arg(long, value_name = "1-5")]
    level: Option<u8>,
    /// Complaints only.
    #[arg(long, conflicts_with = "level")]
    complaints: bool,
    /// Received at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Received before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Callbacks that could not be read, instead of records.
    #[arg(long, conflicts_with_all = ["caller", "account", "level", "complaints", "since", "until"])]
    quarantined: bool,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let found = match &args.what {
        What::Find(find) if find.quarantined => quarantined(find, out).await?,
        What::Find(args) => find(args, out).await?,
        What::Replay(args) => replay::run(args, out).await?,
        What::Show { archive, id, json } => show(archive, RecordId(*id), *json, out).await?,
    };
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn find(args: &Find, out: &mut impl Write) -> anyhow::Result<bool> {
    let level = args.level.map(Level::try_from).transpose()?;
    let caller = args.caller.as_ref().map(|raw| match Msisdn::read(raw, "86") {
        Ok(number) => number.reveal().to_owned(),
        Err(_) => raw.clone(),
    });
    let filter = Filter {
        caller,
        account: args.account.as_deref().map(AccountName::new).transpose()?,
        level,
        complaints: args.complaints.then_some(true),
        since: args.since,
        until: args.until,
        limit: args.limit,
    };
    let found = args.archive.open().await?.find(&filter).await?;
    for one in &found {
        let shown = Listed::new(&one.record, one.state.clone());
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&shown)?)?;
        } else {
            writeln!(out, "{}", shown.line())?;
        }
    }
    if found.is_empty() && !args.json {
        writeln!(out, "no record fits")?;
    }
    Ok(!found.is_empty())
}

/// A callback that could not be read, without its body.
#[derive(Debug, Serialize)]
struct Unread {
    callback: i64,
    account: String,
    received_at: String,
    bytes: Option<usize>,
    problems: Vec<String>,
}

async fn quarantined(args: &Find, out: &mut impl Write) -> anyhow::Result<bool> {
    let found = args.archive.open().await?.quarantined(args.limit).await?;
    for one in &found {
        let callback = one.callback.as_ref();
        let unread = Unread {
            callback: one.seq.0,
            account: one.account.clone(),
            received_at: time(one.received_at),
            bytes: callback.map(|callback| callback.raw.body.len()),
            problems: one.problems.clone(),
        };
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&unread)?)?;
        } else {
            let Unread { callback, account, received_at, problems, .. } = &unread;
            writeln!(
                out,
                "{received_at}  callback {callback}  {account}  {}",
                problems.join("; ")
            )?;
        }
    }
    if found.is_empty() && !args.json {
        writeln!(out, "nothing is in quarantine")?;
    }
    Ok(!found.is_empty())
}

#[derive(Debug, Serialize)]
struct ShownRevision {
    #[serde(flatten)]
    record: Listed,
    attempts: Vec<AttemptLine>,
    callback: i64,
    request: Option<String>,
    repeats: Vec<ShownRepeat>,
}

/// A callback that repeated the one that caused a record.
#[derive(Debug, Serialize)]
struct ShownRepeat {
    callback: i64,
    received_at: String,
    matched: Matched,
}

impl ShownRepeat {
    fn new(repeat: &Repeat) -> ShownRepeat {
        ShownRepeat {
            callback: repeat.callback.0,
            received_at: time(repeat.received_at),
            matched: repeat.matched,
        }
    }

    fn line(&self) -> String {
        let how = match self.matched {
            Matched::Id => "the same id",
            Matched::Resend => "under a new id",
        };
        format!("repeated by callback {} at {}, {how}", self.callback, self.received_at)
    }
}

impl ShownRevision {
    fn new(revision: &RevisionHistory) -> ShownRevision {
        ShownRevision {
            record: Listed::new(&revision.record, revision.state.clone()),
            attempts: revision.attempts.clone(),
            callback: revision.callback_seq.0,
            request: revision.callback.as_ref().map(request),
            repeats: revision.repeats.iter().map(ShownRepeat::new).collect(),
        }
    }
}

/// What a callback was, without its query and body.
fn request(callback: &StoredCallback) -> String {
    let path = callback.raw.target.split('?').next().unwrap_or_default();
    format!("{} {path}, {} bytes", callback.raw.method, callback.raw.body.len())
}

async fn show(
    archive: &Archive,
    id: RecordId,
    json: bool,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let history = archive.open().await?.history(id).await?;
    let shown: Vec<ShownRevision> = history.iter().map(ShownRevision::new).collect();
    if json {
        serde_json::to_writer_pretty(&mut *out, &shown)?;
        writeln!(out)?;
        return Ok(!shown.is_empty());
    }
    if shown.is_empty() {
        writeln!(out, "there is no record {id}; `records find` lists what there is")?;
    }
    for revision in &shown {
        writeln!(out, "{}", revision.record.line())?;
        let request = revision.request.as_deref().unwrap_or("erased, its time was over");
        writeln!(out, "  callback {}: {request}", revision.callback)?;
        for repeat in &revision.repeats {
            writeln!(out, "  {}", repeat.line())?;
        }
        for attempt in &revision.attempts {
            let status = attempt.status.map(|status| format!(" {status}")).unwrap_or_default();
            writeln!(
                out,
                "  {}  {}  attempt {}  {:?}{status}  {}",
                attempt.started_at.map(time).unwrap_or_default(),
                attempt.lane,
                attempt.attempt,
                attempt.outcome,
                attempt.answer
            )?;
        }
    }
    Ok(!shown.is_empty())
}
