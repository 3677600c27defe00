//! `messages`: those to citizens that were given up, why, and putting them back.

use super::archive::Archive;
use super::shown::time;
use crate::clock::Clock;
use crate::dialogue::memory;
use crate::model::{Message, MessageKey};
use crate::store::{DeadMessage, Operator};
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// How many are put back in one transaction, so that a serving gateway is not held up.
const STEP: usize = 500;

/// Shows messages to citizens that were given up, and puts them back.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists messages that were given up, newest first; numbers are masked and texts are not shown.
    ///
    /// Exit code 0: there are some. 1: there are none.
    Dead {
        #[command(flatten)]
        archive: Archive,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// One JSON object a line instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Puts messages that were given up back into their queue, with their attempts forgotten.
    ///
    /// One of class `unknown` may have reached its citizen, who then gets it twice: name it only when
    /// the carrier says that it was not sent. What has expired is dropped, not sent.
    ///
    /// Exit code 0: some were put back. 1: there were none.
    #[command(after_help = "\
Examples:
  bridge8890 messages replay 01a20c8b-b71c-7ac3-8e19-8a9be3ab2476
  bridge8890 messages replay --class rejected")]
    Replay(Replay),
}

#[derive(Debug, clap::Args)]
struct Replay {
    #[command(flatten)]
    archive: Archive,
    /// Their ids in the list.
    #[arg(required_unless_present = "class")]
    ids: Vec<uuid::Uuid>,
    /// All of this class: rejected, attempts, age or unknown.
    #[arg(long, value_name = "CLASS", conflicts_with = "ids")]
    class: Option<String>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct ShownMessage {
    id: String,
    account: String,
    class: String,
    reason: String,
    died_at: String,
    attempts: u32,
    waited_since: String,
    expires: String,
    /// `None`, like the kind and the campaign, of one that cannot be read.
    to: Option<String>,
    kind: Option<&'static str>,
    campaign: Option<String>,
}

impl ShownMessage {
    fn new(dead: &DeadMessage) -> ShownMessage {
        let bytes = dead.bytes.as_ref();
        let message = bytes.and_then(|bytes| memory::read::<Message>(&bytes.0).ok());
        ShownMessage {
            id: dead.id.to_string(),
            account: dead.lane.clone(),
            class: dead.class.clone(),
            reason: dead.reason.clone(),
            died_at: time(dead.died_at),
            attempts: dead.attempts,
            waited_since: time(dead.queued_at),
            expires: time(dead.expires),
            to: message.as_ref().map(|message| message.to.masked()),
            kind: message.as_ref().map(|message| message.kind.name()),
            campaign: message.map(|message| message.campaign),
        }
    }
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let found = match &args.what {
        What::Dead { archive, limit, json } => {
            list(&archive.open().await?.dead_messages(*limit).await?, *json, out)?
        }
        What::Replay(args) => replay(args, out).await?,
    };
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(messages: &[DeadMessage], json: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    for dead in messages {
        let shown = ShownMessage::new(dead);
        if json {
            writeln!(out, "{}", serde_json::to_string(&shown)?)?;
            continue;
        }
        let ShownMessage { id, account, class, reason, died_at, attempts, expires, .. } = &shown;
        writeln!(out, "{id}  {died_at}  {account}  {class} after {attempts} attempts: {reason}")?;
        match (&shown.kind, &shown.campaign, &shown.to) {
            (Some(kind), Some(campaign), Some(to)) => {
                writeln!(out, "    {kind} of {campaign} to {to}, of use until {expires}")?;
            }
            _ => writeln!(out, "    it cannot be read")?,
        }
    }
    if messages.is_empty() && !json {
        writeln!(out, "no message was given up")?;
    }
    Ok(!messages.is_empty())
}

async fn replay(args: &Replay, out: &mut impl Write) -> anyhow::Result<bool> {
    let operator = args.archive.open().await?;
    let chosen = match &args.class {
        Some(class) => of_class(&operator, class).await?,
        None => args.ids.iter().copied().map(MessageKey).collect(),
    };
    let mut moved = 0;
    for step in chosen.chunks(STEP) {
        moved += operator.replay_messages(step, Clock::system().now()).await?;
    }
    if args.json {
        let report = serde_json::json!({"chosen": chosen.len(), "replayed": moved});
        writeln!(out, "{report}")?;
    } else {
        writeln!(out, "{moved} put back into the queue")?;
    }
    Ok(moved > 0)
}

async fn of_class(operator: &Operator, class: &str) -> anyhow::Result<Vec<MessageKey>> {
    let mut dead = operator.dead_messages(u32::MAX).await?;
    dead.retain(|message| message.class == class);
    Ok(dead.into_iter().map(|message| message.id).collect())
}
