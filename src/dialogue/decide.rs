//! What becomes of whatever happened, by what is remembered.

use super::memory::{Heard, Memory, MemoryKey, Origin};
use crate::config::{Account, Campaign};
use crate::model::{AccountName, Invitation, Message, MessageId, Outcome, Record};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the dialogue is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A carrier said something.
    Said(Box<Heard>),
    /// The platform asks us to invite somebody.
    Invited(Box<Invitation>),
    /// A carrier took a message of ours.
    Sent {
        /// The message.
        message: Box<Message>,
        /// The carrier's id of it, by which its delivery report is known.
        carrier_id: Option<MessageId>,
        /// When it was handed over.
        at: Timestamp,
    },
    /// A message of ours will not be sent.
    NotSent(Box<Message>),
    /// The wake time of a memory has come.
    Due(MemoryKey),
}

/// By which rules it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The campaigns.
    pub campaigns: &'a [Arc<Campaign>],
    /// The accounts.
    pub accounts: &'a BTreeMap<AccountName, Arc<Account>>,
}

/// What is to be kept, sent and remembered, all of it or nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What became of each event that is concluded by this; and of invitations that ended.
    pub concluded: Vec<Concluded>,
    /// What is to be sent.
    pub messages: Vec<Message>,
    /// What is remembered now, where that changed.
    pub changes: Vec<Change>,
}

/// What became of an event, or of an invitation.
#[derive(Debug, PartialEq, Eq)]
pub struct Concluded {
    /// Where the event came from; `None` for an invitation that ended.
    pub origin: Option<Origin>,
    /// What became of it.
    pub outcome: Outcome,
    /// What is forwarded.
    pub records: Vec<Record>,
}

/// A memory that changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// Its key.
    pub key: MemoryKey,
    /// What it is now, and when it is due; `None`: it is forgotten.
    pub to: Option<(Memory, Option<Timestamp>)>,
}
