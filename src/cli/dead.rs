//! `dead`: what was given up, why, and putting it back.

use super::archive::Archive;
use super::shown::{Shown, time};
use crate::clock::Clock;
use crate::model::RecordSeq;
use crate::store::{DeadLetter, RecordState};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// How many are put back in one transaction, so that a serving gateway is not held up.
const STEP: usize = 500;

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
    /// Exit code 0: there are some. 1: there are none.
    List {
        #[command(flatten)]
        archive: Archive,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// One JSON object a line instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Shows one dead letter with its last answer.
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
    /// Puts dead letters back into their queue, with their attempts forgotten.
    ///
    /// They go out under the same idempotency keys. A gateway that serves notices within a second.
    ///
    /// Exit code 0: some were put back. 1: there were none.
    #[command(after_help = "\
Examples:
  bridge8890 dead replay 42 43
  bridge8890 dead replay --class rejected --dry-run
  bridge8890 dead replay --all")]
    Replay(Replay),
}

#[derive(Debug, clap::Args)]
struct Replay {
    #[command(flatten)]
    archive: Archive,
    /// Their numbers in the list.
    #[arg(required_unless_present_any = ["class", "all"])]
    numbers: Vec<i64>,
    /// All of this class: rejected, attempts or age.
    #[arg(long, value_name = "CLASS", conflicts_with = "numbers")]
    class: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with_all = ["numbers", "class"])]
    all: bool,
    /// Only say how many it would be.
    #[arg(long)]
    dry_run: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct ShownLetter {
    number: i64,
    lane: String,
    class: String,
    reason: String,
    died_at: String,
    attempts: u32,
    waited_since: String,
    record: Shown,
}

impl ShownLetter {
    fn new(letter: &DeadLetter) -> ShownLetter {
        let state = RecordState::Dead { class: letter.class.clone() };
        ShownLetter {
            number: letter.seq.0,
            lane: letter.lane.clone(),
            class: letter.class.clone(),
            reason: letter.reason.clone(),
            died_at: time(letter.died_at),
            attempts: letter.attempts,
            waited_since: time(letter.queued_at),
            record: Shown::new(&letter.record, state),
        }
    }
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let found = match &args.what {
        What::List { archive, limit, json } => {
            let letters = archive.open().await?.dead_letters(*limit).await?;
            list(&letters, *json, out)?
        }
        What::Show { archive, number, json } => {
            let mut letters = archive.open().await?.dead_letters(u32::MAX).await?;
            letters.retain(|letter| letter.seq.0 == *number);
            list(&letters, *json, out)?
        }
        What::Replay(args) => replay(args, out).await?,
    };
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(letters: &[DeadLetter], json: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    for letter in letters {
        let shown = ShownLetter::new(letter);
        if json {
            writeln!(out, "{}", serde_json::to_string(&shown)?)?;
            continue;
        }
        let ShownLetter { number, lane, class, reason, died_at, attempts, .. } = &shown;
        writeln!(out, "{number}  {died_at}  {lane}  {class} after {attempts} attempts: {reason}")?;
        writeln!(out, "    {}", shown.record.line())?;
    }
    if letters.is_empty() && !json {
        writeln!(out, "no dead letter")?;
    }
    Ok(!letters.is_empty())
}

async fn replay(args: &Replay, out: &mut impl Write) -> anyhow::Result<bool> {
    let operator = args.archive.open().await?;
    let wanted = |letter: &&DeadLetter| {
        args.all
            || args.class.as_ref().is_some_and(|class| *class == letter.class)
            || args.numbers.contains(&letter.seq.0)
    };
    let letters = operator.dead_letters(u32::MAX).await?;
    let chosen: Vec<RecordSeq> = letters.iter().filter(wanted).map(|letter| letter.seq).collect();
    let mut moved = 0;
    if !args.dry_run {
        let bar = ProgressBar::new(chosen.len() as u64).with_style(ProgressStyle::default_bar());
        for step in chosen.chunks(STEP) {
            moved += operator.replay(step, Clock::system().now()).await?;
            bar.inc(step.len() as u64);
        }
        bar.finish_and_clear();
    }
    if args.json {
        let report = serde_json::json!({"chosen": chosen.len(), "replayed": moved});
        writeln!(out, "{report}")?;
    } else if args.dry_run {
        writeln!(out, "{} would be put back", chosen.len())?;
    } else {
        writeln!(out, "{moved} put back into the queue")?;
    }
    Ok(!chosen.is_empty())
}
