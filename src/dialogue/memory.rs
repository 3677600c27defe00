//! What the dialogue remembers of callers, calls, messages and invitations, and as what bytes.
//!
//! The first byte is the version of the layout, then postcard. A layout is never changed, only
//! followed by another.

use crate::model::{
    AccountName, CallbackSeq, Event, Invitation, InvitationId, InvitationState, MessageId,
    MessageKey, MessageKind, Msisdn, Record, RecordId, Revision, ServiceNumber, Unrated,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most invitations remembered of one caller; the oldest that ended are forgotten first.
pub const MOST_INVITATIONS: usize = 32;

/// The most ratings remembered of one caller.
pub const MOST_RATINGS: usize = 32;

/// The most messages remembered of one caller.
pub const MOST_MESSAGES: usize = 64;

/// The most questions that wait for words of one caller.
pub const MOST_TALKS: usize = 8;

/// The most unfinished texts of one caller.
pub const MOST_PART_SETS: usize = 8;

/// The most parts of one text.
pub const MOST_PARTS: u8 = 16;

/// The most recordings of one call.
pub const MOST_RECORDINGS: usize = 8;

/// The longest address of a recording, in bytes.
pub const LONGEST_ADDRESS: usize = 2048;

/// The most key presses that wait for the number of their call.
pub const MOST_HELD_KEYS: usize = 8;

const VERSION: u8 = 1;

/// What something is remembered under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemoryKey {
    /// A citizen.
    Caller(Msisdn),
    /// A call, by its carrier's id within the account.
    Call {
        /// Whose call.
        account: AccountName,
        /// Its id.
        call: MessageId,
    },
    /// A message of ours, by its carrier's id within the account.
    Message {
        /// Who sent it.
        account: AccountName,
        /// Its id.
        id: MessageId,
    },
    /// An invitation.
    Invitation(InvitationId),
    /// What we ask in a call.
    Asking {
        /// Whose call.
        account: AccountName,
        /// Its id.
        call: MessageId,
    },
    /// What may be said aloud in a call.
    Voice {
        /// Whose call.
        account: AccountName,
        /// Its id.
        call: MessageId,
    },
    /// A case, or a step of one, whoever rates it.
    Matter {
        /// The case number.
        project_no: String,
        /// The step.
        step: Option<u32>,
    },
}

impl MemoryKey {
    /// The key as text. It may hold a whole telephone number: for the store only.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            MemoryKey::Caller(number) => format!("caller:{}", number.reveal()),
            MemoryKey::Call { account, call } => format!("call:{account}:{call}"),
            MemoryKey::Message { account, id } => format!("message:{account}:{id}"),
            MemoryKey::Invitation(id) => format!("invitation:{id}"),
            MemoryKey::Asking { account, call } => format!("asking:{account}:{call}"),
            MemoryKey::Matter { project_no, step: Some(step) } => {
                format!("matter:{step}:{project_no}")
            }
            MemoryKey::Matter { project_no, step: None } => format!("matter::{project_no}"),
            MemoryKey::Voice { account, call } => format!("voice:{account}:{call}"),
        }
    }

    /// Reads a key's text back; `None` if it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<MemoryKey> {
        let within = |rest: &str| {
            let (account, id) = rest.split_once(':')?;
            Some((AccountName::new(account).ok()?, MessageId(id.to_owned())))
        };
        match text.split_once(':')? {
            ("caller", number) => Some(MemoryKey::Caller(Msisdn::read(number, "86").ok()?)),
            ("call", rest) => within(rest).map(|(account, call)| MemoryKey::Call { account, call }),
            ("asking", rest) => {
                within(rest).map(|(account, call)| MemoryKey::Asking { account, call })
            }
            ("voice", rest) => {
                within(rest).map(|(account, call)| MemoryKey::Voice { account, call })
            }
            ("message", rest) => {
                within(rest).map(|(account, id)| MemoryKey::Message { account, id })
            }
            ("invitation", id) => Some(MemoryKey::Invitation(InvitationId(id.to_owned()))),
            ("matter", rest) => {
                let (step, project_no) = rest.split_once(':')?;
                let step = if step.is_empty() { None } else { Some(step.parse().ok()?) };
                Some(MemoryKey::Matter { project_no: project_no.to_owned(), step })
            }
            _ => None,
        }
    }
}

/// What is remembered under one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Memory {
    /// Of a citizen.
    Caller(CallerMemory),
    /// Of a call.
    Call(CallMemory),
    /// Of a message of ours.
    Message(MessageMemory),
    /// Of an invitation.
    Invitation(InvitationMemory),
    /// Of what we ask in a call.
    Asking(AskingMemory),
    /// Of a case: its rating, from whichever phone it came.
    Matter(Box<Rated>),
    /// Of what is said aloud in a call.
    Voice(VoiceMemory),
}

impl Memory {
    /// The bytes to store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        write(self)
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`UnknownLayout`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Memory, UnknownLayout> {
        read(bytes)
    }
}

/// Bytes that do not hold what was remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "what is held or remembered cannot be opened: its key is gone, or a newer version of the gateway wrote it"
)]
pub struct UnknownLayout;

/// Lays out what is remembered, or an event that is held.
///
/// # Panics
/// If the type cannot be laid out at all: a sequence without a length, or a flattened field.
#[expect(clippy::expect_used, reason = "postcard writes into memory whatever serde derives")]
#[must_use]
pub fn write<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("what is laid out here has a layout")
}

/// Reads what [`write()`] laid out.
///
/// # Errors
/// [`UnknownLayout`].
pub fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, UnknownLayout> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| UnknownLayout),
        _ => Err(UnknownLayout),
    }
}

/// Where an event came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The account.
    pub account: AccountName,
    /// The callback that brought it.
    pub callback: CallbackSeq,
    /// When that arrived; authoritative for every deadline.
    pub received_at: Timestamp,
}

/// An event and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Where from.
    pub origin: Origin,
    /// What was said.
    pub event: Event,
}

/// What is remembered of a citizen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerMemory {
    /// What the citizen was or will be asked, oldest first.
    pub invitations: Vec<Asked>,
    /// Questions that wait for an answer in words, oldest first.
    pub talks: Vec<Talk>,
    /// Longer texts of which parts are missing, oldest first.
    pub parts: Vec<PartSet>,
    /// What we sent or are about to send, oldest first.
    pub messages: Vec<Told>,
    /// Since when the citizen refuses further messages.
    pub opted_out: Option<Timestamp>,
    /// What the citizen rated of late, oldest first.
    pub ratings: Vec<Rated>,
}

/// An invitation and what followed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The invitation.
    pub invitation: Invitation,
    /// The question was repeated.
    pub re_prompted: bool,
    /// The carrier said that the question did not arrive.
    pub undelivered: bool,
    /// What was recorded of its end, which a late rating revises.
    pub ended: Option<(RecordId, Revision)>,
    /// When it is forgotten.
    pub forget_at: Timestamp,
}

impl Asked {
    /// Whether an answer is still awaited.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.invitation.state, InvitationState::Planned | InvitationState::Open)
    }
}

/// The question what was wrong, and the rating it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    /// The rating.
    pub rating: RecordId,
    /// The message that asks.
    pub message: MessageKey,
    /// The number from which it asks; `None`: not known to us.
    pub line: Option<ServiceNumber>,
    /// How long an answer is awaited, once the question was put.
    pub window: Duration,
    /// Since when the question stands; `None` until it is sent.
    pub asked_at: Option<Timestamp>,
    /// When nothing is awaited any more.
    pub until: Timestamp,
}

/// A text of which parts are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSet {
    /// The first that came, whose text is a part only.
    pub first: Heard,
    /// What its parts have in common.
    pub reference: String,
    /// How many there are.
    pub total: u8,
    /// Numbers and texts of those that came, in the order of the text.
    pub parts: Vec<(u8, String)>,
    /// It was read, and is kept to know its parts again.
    pub is_read: bool,
    /// When what is there is read as it is; if it was read, when it is forgotten.
    pub until: Timestamp,
}

/// A message of ours, sent or about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Our id of it.
    pub message: MessageKey,
    /// Why it is sent.
    pub kind: MessageKind,
    /// When it was sent, or from when it may be.
    pub at: Timestamp,
    /// Whether it was sent.
    pub sent: bool,
    /// When it is forgotten, since no limit counts it any more.
    pub forget_at: Timestamp,
}

/// A rating that counted, by what was rated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rated {
    /// What was rated.
    pub subject: Subject,
    /// Its newest revision.
    pub record: Record,
    /// How many times the subject was rated.
    pub times: u8,
    /// The citizen was thanked.
    pub thanked: bool,
    /// The citizen was asked what was wrong.
    pub reason_asked: bool,
    /// A complaint was opened for it.
    pub complained: bool,
    /// Until when one more is the second.
    pub counts_until: Timestamp,
    /// When it is forgotten.
    pub forget_at: Timestamp,
}

/// What can be rated once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// A call (一次一评).
    Call(String),
    /// A step of a case (一事一评).
    Case {
        /// The case number.
        project_no: String,
        /// The step.
        step: Option<u32>,
    },
    /// Whatever the invitation was about.
    Invitation(InvitationId),
    /// Nobody knows what; the rating stands by itself.
    Unknown(RecordId),
}

impl Subject {
    /// What its rating is remembered under, where that is not for its citizen alone.
    #[must_use]
    pub fn key(&self) -> Option<MemoryKey> {
        match self {
            Subject::Case { project_no, step } => {
                Some(MemoryKey::Matter { project_no: project_no.clone(), step: *step })
            }
            Subject::Call(_) | Subject::Invitation(_) | Subject::Unknown(_) => None,
        }
    }
}

/// What is remembered of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMemory {
    /// The citizen, once an event names one.
    pub caller: Option<Msisdn>,
    /// The invitation that the call puts.
    pub invitation: Option<InvitationId>,
    /// When the citizen answered.
    pub answered_at: Option<Timestamp>,
    /// The rating of the call, where no citizen is known who would remember it.
    pub rated: Option<Box<Rated>>,
    /// Key presses that wait for the call's number, oldest first.
    pub held_keys: Vec<Heard>,
    /// When they are recorded without it.
    pub held_until: Option<Timestamp>,
    /// When all this is forgotten.
    pub forget_at: Timestamp,
}

/// A call in which we ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskingMemory {
    /// The campaign whose questions they are.
    pub campaign: String,
    /// The number that the citizen called, or from which we did.
    pub service: Option<ServiceNumber>,
    /// The citizen, once an event names one.
    pub caller: Option<Msisdn>,
    /// When it is over even if nobody says so; `None`: it is over.
    pub until: Option<Timestamp>,
    /// Why it ended, while keys that wait for its number may still rate.
    pub why: Option<Unrated>,
    /// The first question was answered.
    pub answered: bool,
    /// The rating that counted.
    pub rating: Option<RecordId>,
    /// What was recorded of its end without a rating, which a late rating revises.
    pub ended: Option<(RecordId, Revision)>,
    /// When all this is forgotten.
    pub forget_at: Timestamp,
}

/// What a message that the carrier took was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageMemory {
    /// Our id of it.
    pub message: MessageKey,
    /// To whom it went.
    pub caller: Msisdn,
    /// Why.
    pub kind: MessageKind,
    /// The invitation it belonged to.
    pub invitation: Option<InvitationId>,
    /// When it is forgotten.
    pub forget_at: Timestamp,
}

/// To what a recording of a call belongs: recordings themselves seldom name line or citizen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoiceMemory {
    /// The campaign that the call's number belongs to.
    pub campaign: Option<String>,
    /// That number.
    pub service: Option<ServiceNumber>,
    /// The newest revision of the complaint that the call opened.
    pub complaint: Option<Box<Record>>,
    /// When all this is forgotten.
    pub forget_at: Timestamp,
}

/// Whose an invitation is and where it stands, for whoever knows only its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationMemory {
    /// The citizen.
    pub caller: Msisdn,
    /// Where it stands.
    pub state: InvitationState,
    /// When it is forgotten.
    pub forget_at: Timestamp,
}
