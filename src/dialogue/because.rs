//! By which rule something was decided, for whoever rehearses a campaign or reads the log. Said in
//! words it names nobody and repeats nothing that a citizen said.

use super::matching::Fit;
use super::often::Turn;
use crate::config::conversation::Second;
use crate::model::{Comment, InvitationId, Level, MessageKind, Rule, Unrated};
use crate::normalize::{Reading, ReadingKind};
use jiff::Timestamp;
use jiff::tz::Offset;
use std::fmt;

/// Times are told by the province's clock.
const CHINA: Offset = Offset::constant(8);

/// A rule that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// No campaign claims the number to which it was said.
    Unclaimed,
    /// An answer was read by the ladder of rules.
    Read {
        /// The kind of answer.
        kind: ReadingKind,
        /// The level, if one was stated.
        level: Option<Level>,
        /// The words apart from the answer.
        comment: Comment,
        /// The rung that decided.
        rule: Rule,
    },
    /// The question what was wrong stands, so a text is its answer and is not read.
    Reason,
    /// It is a part of a longer text.
    Part,
    /// The parts of a text were joined.
    Joined {
        /// Some did not come in time.
        partial: bool,
    },
    /// Keys wait for the number of their call.
    KeysHeld {
        /// Until then.
        until: Timestamp,
    },
    /// Keys waited for the number of their call, or would have.
    KeysReleased {
        /// It came.
        named: bool,
    },
    /// It answers an invitation.
    Matched {
        /// Which; not told in words, since its key is the platform's own.
        invitation: InvitationId,
        /// By what that is known.
        fit: Fit,
        /// How many it could have answered, that one included.
        rivals: u8,
        /// The invitation was over.
        late: bool,
    },
    /// It answers no invitation, and the campaign hears nobody else.
    NotInvited,
    /// What one more rating of the same is.
    Counted {
        /// That.
        turn: Turn,
        /// How many came before.
        before: u8,
        /// What the campaign does with a second.
        second: Second,
    },
    /// A bad rating opens no second complaint.
    Complained,
    /// An invitation with this id is there already.
    Known,
    /// The question of an invitation was put.
    Asked {
        /// Until when an answer counts.
        until: Timestamp,
    },
    /// An invitation ended.
    Ended(Unrated),
    /// A message is put off by quiet hours.
    Quiet {
        /// What would be sent.
        kind: MessageKind,
        /// Until then.
        until: Timestamp,
    },
    /// A message is not sent.
    Silent {
        /// What would be sent.
        kind: MessageKind,
        /// Why not.
        why: Silence,
    },
}

/// Why a message is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The campaign has no words for it.
    NoWording,
    /// No account is named that sends.
    NoSender,
    /// The campaign is gone, or asks nobody.
    NoConversation,
    /// It would be too late by the time it may be sent.
    TooLate,
    /// The citizen refuses messages.
    OptedOut,
    /// The citizen was invited a moment ago.
    InvitedOfLate,
    /// The citizen was sent as much as a day allows.
    EnoughToday,
    /// Too many invitations of the citizen are open.
    TooManyOpen,
    /// It was said before.
    SaidBefore,
    /// The citizen said already what it asks.
    ToldAlready,
    /// There is no invitation whose question could be repeated.
    NothingAsked,
}

impl Because {
    /// How an answer was read.
    pub(super) fn read(reading: &Reading) -> Because {
        Because::Read {
            kind: reading.kind,
            level: reading.level,
            comment: Comment(reading.comment.clone()),
            rule: reading.rule.clone(),
        }
    }
}

impl From<Silence> for Unrated {
    fn from(why: Silence) -> Unrated {
        match why {
            Silence::OptedOut => Unrated::OptedOut,
            Silence::InvitedOfLate | Silence::EnoughToday | Silence::TooManyOpen => {
                Unrated::TooOften
            }
            _ => Unrated::NotSent,
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Because::Unclaimed => f.write_str("no campaign claims the number that it came to"),
            Because::Read { kind, level, rule, .. } => {
                write!(f, "read as {}", kind.name())?;
                if let Some(level) = level {
                    write!(f, " {} {level}", level.number())?;
                }
                write!(f, " by rule {rule}")
            }
            Because::Reason => f.write_str("the answer to ask_reason: taken as it is"),
            Because::Part => f.write_str("a part of a longer text: read with the others"),
            Because::Joined { partial: false } => f.write_str("all parts are there"),
            Because::Joined { partial: true } => {
                f.write_str("parts are missing, and parts_timeout is over")
            }
            Because::KeysHeld { until } => {
                write!(f, "keys without a number wait for it (call_wait) until {}", at(*until))
            }
            Because::KeysReleased { named: true } => f.write_str("the number of the call is known"),
            Because::KeysReleased { named: false } => {
                f.write_str("nobody knows the number of the call, and call_wait is over")
            }
            Because::Matched { fit, rivals, late, .. } => matched(f, *fit, *rivals, *late),
            Because::NotInvited => {
                f.write_str("answers no invitation, and only who is invited counts (invited_only)")
            }
            Because::Counted { turn, before, second } => {
                f.write_str(counted(*turn, *before, *second))
            }
            Because::Complained => f.write_str("the complaint of the former rating stands"),
            Because::Known => f.write_str("this invitation is known already"),
            Because::Asked { until } => {
                write!(f, "the question is put: an answer counts until {}", at(*until))
            }
            Because::Ended(why) => write!(f, "the invitation ends: {}", why.name()),
            Because::Quiet { kind, until } => {
                write!(f, "{} waits for the end of quiet_hours, {}", kind.name(), at(*until))
            }
            Because::Silent { kind, why } => write!(f, "no {}: {why}", kind.name()),
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Silence::NoWording => "the conversation has no words for it",
            Silence::NoSender => "no account sends for it",
            Silence::NoConversation => "the campaign has no conversation",
            Silence::TooLate => "it could only be sent when it is of no use",
            Silence::OptedOut => "the citizen refuses messages",
            Silence::InvitedOfLate => "the citizen was invited within invite_every",
            Silence::EnoughToday => "messages_per_day are sent",
            Silence::TooManyOpen => "too many invitations of the citizen are open",
            Silence::SaidBefore => "it was said before",
            Silence::ToldAlready => "the citizen said why",
            Silence::NothingAsked => "no question is open",
        })
    }
}

fn at(moment: Timestamp) -> impl fmt::Display {
    CHINA.to_datetime(moment).strftime("%Y-%m-%d %H:%M:%S")
}

fn matched(f: &mut fmt::Formatter<'_>, fit: Fit, rivals: u8, late: bool) -> fmt::Result {
    f.write_str(match fit {
        Fit::Named => "answers the invitation that it names",
        Fit::Number => "answers the invitation from this number",
        Fit::Extension => "answers the invitation from this number but for the extension",
        Fit::Campaign => "answers the invitation of this campaign",
    })?;
    if rivals > 1 {
        write!(f, ", the newest of {rivals} that fit")?;
    }
    if late {
        f.write_str(", after its end but within late_window")?;
    }
    Ok(())
}

fn counted(turn: Turn, before: u8, second: Second) -> &'static str {
    match (turn, second) {
        (Turn::First, _) => "the first rating of it",
        (Turn::Revision, _) => "the second rating of it: the last stands, so the first is revised",
        (Turn::FollowUp, _) => "the second rating of it: a follow-up (追评) of the first",
        (Turn::Surplus, _) if before > 1 => "rated twice before: kept, and not forwarded",
        (Turn::Surplus, Second::FollowUp) => "a call is rated once: kept, and not forwarded",
        (Turn::Surplus, _) => "the second rating of it: the first stands, so it is not forwarded",
    }
}
