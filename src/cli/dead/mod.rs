//! `dead`: what was given up, why, and putting it back.

mod filter;
mod rate;
mod replay;
mod shown;

use super::archive::Archive;
use super::shown::time;
use crate::store::{DeadOrder, ReplayEntry};
use filter::{Filter, KEYS_EXPLAINED, Letters};
use serde::Serialize;
use shown::ShownLetter;
use std::io::Write;
use std::process::ExitCode;

/// Shows what was given up, and puts it back.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists dead letters, newest first.
    ///
    /// They lie in two bins: `ours`, where the gateway, its configuration or the way to the
    /// platform must be mended, and `theirs`, where the platform refused the record.
    ///
    /// Exit code 0: there are some. 1: there are none.
    #[command(after_help = format!("\
Examples:
  bridge8890 dead list --where bin=ours
  bridge8890 dead list --where lane=platform,class=rejected,reason=campaign --json

{KEYS_EXPLAINED}"))]
    List {
        #[command(flatten)]
        archive: Archive,
        #[command(flatten)]
        filter: Filter,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        /// One JSON object a line instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Shows one dead letter with its last answer; one of each destination that gave the record up.
    ///
    /// Exit code 0: it is there. 1: it is not.
    Show {
        #[command(flatten)]
        archive: Archive,
        /// Its number in the list.
        number: i64,
        /// One JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
    Replay(replay::Args),
    /// Lists who put dead letters back, when, how many and by which filter; newest first.
    ///
    /// Exit code 0: somebody did. 1: nobody did.
    Replays {
        #[command(flatten)]
        archive: Archive,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// One JSON object a line instead of text.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let found = match &args.what {
        What::List { archive, filter, limit, json } => {
            let operator = archive.open().await?;
            let letters = Letters::new(&operator, filter, &[], DeadOrder::Newest);
            list(letters, (*limit, *json), out).await?
        }
        What::Show { archive, number, json } => {
            let (operator, filter) = (archive.open().await?, Filter::default());
            let letters = Letters::new(&operator, &filter, &[*number], DeadOrder::Newest);
            list(letters, (usize::MAX, *json), out).await?
        }
        What::Replay(args) => replay::run(args, out).await?,
        What::Replays { archive, limit, json } => {
            replays(&archive.open().await?.replays(*limit).await?, *json, out)?
        }
    };
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn list(
    mut letters: Letters<'_>,
    (limit, json): (usize, bool),
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let mut listed = 0;
    while let Some(page) = letters.next_page().await? {
        for letter in page.iter().take(limit - listed) {
            let shown = ShownLetter::new(letter);
            match json {
                true => writeln!(out, "{}", serde_json::to_string(&shown)?)?,
                false => shown.write(out)?,
            }
            listed += 1;
        }
        if listed == limit {
            break;
        }
    }
    if listed == 0 && !json {
        writeln!(out, "no dead letter")?;
    }
    Ok(listed > 0)
}

#[derive(Debug, Serialize)]
struct ShownReplay<'a> {
    run: i64,
    operator: &'a str,
    filter: &'a str,
    started_at: String,
    last_at: String,
    replayed: u64,
    superseded: u64,
}

fn replays(entries: &[ReplayEntry], json: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    for ReplayEntry { run, operator, filter, started_at, last_at, replayed } in entries {
        let (started_at, last_at) = (time(*started_at), time(*last_at));
        let (replayed, superseded) = (replayed.queued, replayed.superseded);
        if json {
            let run = run.0;
            let shown =
                ShownReplay { run, operator, filter, started_at, last_at, replayed, superseded };
            writeln!(out, "{}", serde_json::to_string(&shown)?)?;
            continue;
        }
        writeln!(
            out,
            "run {}  {started_at} to {last_at}  {operator}  {replayed} put back, {superseded} \
             superseded  {filter}",
            run.0
        )?;
    }
    if entries.is_empty() && !json {
        writeln!(out, "nobody has put any back")?;
    }
    Ok(!entries.is_empty())
}
