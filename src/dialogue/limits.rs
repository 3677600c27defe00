//! When a message may be sent, if at all: quiet hours, opt-out, and how many there may be.

use super::because::Silence;
use super::memory::{CallerMemory, Told};
use crate::config::{Campaign, Conversation};
use crate::model::{InvitationState, Message, MessageKind, Unrated};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use std::time::Duration;

/// Days are counted by the province's clock, unless quiet hours name another.
const CHINA: Offset = Offset::constant(8);

/// No limit per day looks back further.
const TWO_DAYS: Duration = Duration::from_hours(48);

/// The first moment from `now` on when a message of this kind may go to the caller.
///
/// # Errors
/// Why it may not go at all.
pub(super) fn when(
    caller: &CallerMemory,
    conversation: &Conversation,
    kind: MessageKind,
    now: Timestamp,
) -> Result<Timestamp, Silence> {
    if caller.opted_out.is_some() && kind != MessageKind::OptOutConfirmed {
        return Err(Silence::OptedOut);
    }
    let at = conversation.quiet_hours.map_or(now, |quiet| quiet.after(now));
    let too_soon = |told: &Told| match conversation.invite_every {
        Some(every) if told.kind == MessageKind::Invite => {
            told.at.checked_add(every).is_ok_and(|free| at < free)
        }
        _ => false,
    };
    if kind == MessageKind::Invite && caller.messages.iter().any(too_soon) {
        return Err(Silence::InvitedOfLate);
    }
    let today = |told: &&Told| day(conversation, told.at) == day(conversation, at);
    let count = caller.messages.iter().filter(today).count();
    match conversation.messages_per_day {
        Some(most) if count >= usize::try_from(most).unwrap_or(usize::MAX) => {
            Err(Silence::EnoughToday)
        }
        _ => Ok(at),
    }
}

/// How long a message counts.
pub(super) fn counts_for(conversation: &Conversation) -> Duration {
    conversation.invite_every.unwrap_or_default().max(TWO_DAYS)
}

fn day(conversation: &Conversation, at: Timestamp) -> Date {
    conversation.quiet_hours.map_or(CHINA, |quiet| quiet.offset).to_datetime(at).date()
}

/// Whether a message that was to be sent may go out now, by what happened since it was decided.
///
/// # Errors
/// Why not: it is to be reported as not sent.
pub fn may_send(
    message: &Message,
    caller: Option<&CallerMemory>,
    now: Timestamp,
) -> Result<(), Unrated> {
    if now >= message.expires {
        return Err(Unrated::Expired);
    }
    let Some(caller) = caller else { return Ok(()) };
    if caller.opted_out.is_some() && message.kind != MessageKind::OptOutConfirmed {
        return Err(Unrated::OptedOut);
    }
    let over = caller.invitations.iter().any(|asked| {
        Some(&asked.invitation.id) == message.invitation.as_ref()
            && match message.kind {
                MessageKind::Invite => !may_ask(asked.invitation.state),
                MessageKind::Call => asked.invitation.state != InvitationState::Planned,
                _ => false,
            }
    });
    if over { Err(Unrated::NotSent) } else { Ok(()) }
}

/// Whether the question may still be put: also where it was thought to be, or not to be, and an
/// operator knows better.
fn may_ask(state: InvitationState) -> bool {
    use InvitationState::{NotRated, Open, Planned};
    matches!(state, Planned | Open | NotRated(Unrated::NotSent))
}

/// Why a call is not to be put now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNow {
    /// Nor will it be: it is to be reported as not sent.
    Never(Unrated),
    /// Quiet hours hold until then.
    Before(Timestamp),
}

/// Whether a call that was left to whoever dials may be put now: at the time of the actual attempt, not
/// of the plan.
///
/// # Errors
/// [`NotNow`].
pub fn may_call(
    call: &Message,
    caller: Option<&CallerMemory>,
    campaign: Option<&Campaign>,
    now: Timestamp,
) -> Result<(), NotNow> {
    may_send(call, caller, now).map_err(NotNow::Never)?;
    let conversation = campaign.and_then(|campaign| campaign.conversation.as_ref());
    let conversation = conversation.ok_or(NotNow::Never(Unrated::NotSent))?;
    let at = conversation.quiet_hours.map_or(now, |quiet| quiet.after(now)).max(call.not_before);
    if at > now { Err(NotNow::Before(at)) } else { Ok(()) }
}
