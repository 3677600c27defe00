//! `invitations find` and `show`: where invitations stand, and what followed them.

use super::look::{self, Found};
use crate::cli::archive::Archive;
use crate::cli::shown::time;
use crate::dialogue::memory::{self, CallerMemory};
use crate::model::{InvitationId, InvitationState, Meaning, Message, MessageKey, Msisdn};
use crate::store::{MessageState, Operator, StoredMessage};
use anyhow::Context;
use serde::Serialize;
use std::io::Write;

/// Lists invitations that are remembered; numbers are masked.
///
/// Details are remembered until no late rating counts any more; by its id an invitation is known for 30
/// days more.
///
/// Exit code 0: there are some. 1: there are none.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 invitations find --caller 13940000001
  bridge8890 invitations find --project 210100-2026-000123 --json")]
pub(super) struct Find {
    #[command(flatten)]
    archive: Archive,
    #[command(flatten)]
    by: By,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct By {
    /// Of this citizen, in any form.
    #[arg(long, value_name = "NUMBER")]
    caller: Option<String>,
    /// Of this id.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// To rate this case (办件编号); reads all that is remembered.
    #[arg(long, value_name = "PROJECT_NO")]
    project: Option<String>,
}

/// Shows an invitation: where it stands, when the citizen was asked, which record answered it, and what
/// was sent.
///
/// Exit code 0: it is remembered. 1: it is not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bridge8890 invitations show 2026-000123-1")]
pub(super) struct Show {
    #[command(flatten)]
    archive: Archive,
    /// The platform's key of it.
    id: String,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What is shown of an invitation; of one whose details are forgotten only the first fields.
#[derive(Debug, Serialize)]
struct Shown {
    id: String,
    state: &'static str,
    caller: String,
    #[serde(flatten)]
    details: Option<Details>,
}

#[derive(Debug, Serialize)]
struct Details {
    campaign: String,
    account: String,
    channel: crate::model::Channel,
    service_number: Option<String>,
    project_no: Option<String>,
    call_id: Option<String>,
    asked_at: Option<String>,
    expires_at: String,
    re_prompted: bool,
    undelivered: bool,
    /// What it came to: the rating, or the record that there is none.
    record: Option<ShownRecord>,
}

#[derive(Debug, Serialize)]
struct ShownRecord {
    id: String,
    revision: u32,
    level: Option<u8>,
}

#[derive(Debug, Serialize)]
struct ShownMessage {
    id: String,
    kind: &'static str,
    account: String,
    state: MessageState,
    attempts: u32,
    due: Option<String>,
    ended_at: Option<String>,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct Whole {
    #[serde(flatten)]
    shown: Shown,
    messages: Vec<ShownMessage>,
}

/// Lists. Returns whether there are any.
pub(super) async fn find(args: &Find, out: &mut impl Write) -> anyhow::Result<bool> {
    let operator = args.archive.open().await?;
    let found = match &args.by {
        By { caller: Some(caller), .. } => {
            let caller = Msisdn::read(caller, "86").context("--caller")?;
            look::by_caller(&operator, &caller).await?
        }
        By { id: Some(id), .. } => {
            look::by_id(&operator, &InvitationId(id.clone())).await?.into_iter().collect()
        }
        By { project, .. } => {
            look::by_project(&operator, project.as_deref().unwrap_or_default()).await?
        }
    };
    for shown in found.iter().map(Shown::new) {
        match args.json {
            true => writeln!(out, "{}", serde_json::to_string(&shown)?)?,
            false => shown.write(out)?,
        }
    }
    if found.is_empty() && !args.json {
        writeln!(out, "none is remembered")?;
    }
    Ok(!found.is_empty())
}

/// Shows one. Returns whether it is remembered.
pub(super) async fn show(args: &Show, out: &mut impl Write) -> anyhow::Result<bool> {
    let operator = args.archive.open().await?;
    let id = InvitationId(args.id.clone());
    let Some(found) = look::by_id(&operator, &id).await? else {
        if !args.json {
            writeln!(
                out,
                "{id} is not remembered: it never came, was rejected, or ended long ago"
            )?;
        }
        return Ok(false);
    };
    let messages = match &found {
        Found::Whole(whole) => messages(&operator, &whole.1, &id).await?,
        Found::Ended(..) => Vec::new(),
    };
    let whole = Whole { shown: Shown::new(&found), messages };
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&whole)?)?;
        return Ok(true);
    }
    whole.shown.write(out)?;
    for message in &whole.messages {
        message.write(out)?;
    }
    Ok(true)
}

/// What was or will be sent to the citizen for this invitation, oldest first.
async fn messages(
    operator: &Operator,
    caller: &CallerMemory,
    id: &InvitationId,
) -> anyhow::Result<Vec<ShownMessage>> {
    let keys: Vec<MessageKey> = caller.messages.iter().map(|told| told.message).collect();
    let stored = operator.messages(&keys).await?;
    let own = |stored: &StoredMessage| {
        let message = memory::read::<Message>(&stored.bytes.as_ref()?.0).ok()?;
        (message.invitation.as_ref() == Some(id)).then(|| ShownMessage::new(stored, &message))
    };
    Ok(stored.iter().filter_map(own).collect())
}

impl Shown {
    fn new(found: &Found) -> Shown {
        let (asked, caller) = match found {
            Found::Whole(whole) => &**whole,
            Found::Ended(id, memory) => {
                let (state, caller) = (state(memory.state), memory.caller.masked());
                return Shown { id: id.to_string(), state, caller, details: None };
            }
        };
        let invitation = &asked.invitation;
        let answers = |record: &crate::model::Record| {
            record.context.invitation.as_ref() == Some(&invitation.id)
        };
        let rated = caller.ratings.iter().rev().map(|rated| &rated.record).find(|it| answers(it));
        let rated = rated.map(|record| ShownRecord {
            id: record.id.to_string(),
            revision: record.revision.0,
            level: match record.meaning {
                Meaning::Rating { level, .. } => Some(level.number()),
                _ => None,
            },
        });
        let ended = asked.ended.map(|(id, revision)| ShownRecord {
            id: id.to_string(),
            revision: revision.0,
            level: None,
        });
        Shown {
            id: invitation.id.to_string(),
            state: state(invitation.state),
            caller: invitation.caller.masked(),
            details: Some(Details {
                campaign: invitation.campaign.clone(),
                account: invitation.account.to_string(),
                channel: invitation.channel,
                service_number: invitation.service.as_ref().map(ToString::to_string),
                project_no: invitation.matter.project_no.clone(),
                call_id: invitation.matter.call_id.clone(),
                asked_at: invitation.attempted_at.map(time),
                expires_at: time(invitation.expires_at),
                re_prompted: asked.re_prompted,
                undelivered: asked.undelivered,
                record: rated.or(ended),
            }),
        }
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Shown { id, state, caller, details } = self;
        write!(out, "{id}  {state}  {caller}")?;
        let Some(details) = details else { return writeln!(out) };
        let Details { campaign, account, expires_at, .. } = details;
        let project_no = details.project_no.as_deref().unwrap_or("no case");
        writeln!(out, "  {campaign}  {account}  {project_no}")?;
        match &details.asked_at {
            Some(asked_at) => writeln!(out, "    asked {asked_at}, valid until {expires_at}")?,
            None => writeln!(out, "    not asked yet, of use until {expires_at}")?,
        }
        if details.undelivered {
            writeln!(out, "    the carrier says that the question did not arrive")?;
        }
        match &details.record {
            Some(ShownRecord { id, revision, level: Some(level) }) => {
                writeln!(out, "    rated {level} by record {id} r{revision}")
            }
            Some(ShownRecord { id, revision, level: None }) => {
                writeln!(out, "    not rated, told by record {id} r{revision}")
            }
            None => Ok(()),
        }
    }
}

impl ShownMessage {
    fn new(stored: &StoredMessage, message: &Message) -> ShownMessage {
        ShownMessage {
            id: stored.id.to_string(),
            kind: message.kind.name(),
            account: message.account.to_string(),
            state: stored.state,
            attempts: stored.attempts,
            due: (stored.state == MessageState::Waiting).then(|| time(stored.due)),
            ended_at: stored.ended_at.map(time),
            reason: stored.reason.clone(),
        }
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let ShownMessage { id, kind, account, .. } = self;
        let state = match self.state {
            MessageState::Waiting => "waits until",
            MessageState::Sent => "sent",
            MessageState::Dropped => "dropped",
            MessageState::Dead => "given up",
        };
        let at = self.due.as_ref().or(self.ended_at.as_ref()).map_or("", String::as_str);
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        writeln!(out, "    {id}  {kind} by {account}, {state} {at}{reason}")
    }
}

/// The name of a state, with the reason of one that ended unrated.
fn state(state: InvitationState) -> &'static str {
    match state {
        InvitationState::Planned => "planned",
        InvitationState::Open => "open",
        InvitationState::Rated => "rated",
        InvitationState::NotRated(why) => why.name(),
    }
}
