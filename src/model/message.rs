//! A text of ours to a citizen (MT).

use super::{AccountName, InvitationId, MessageKey, Msisdn, ServiceNumber};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One text to one citizen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Our id of it.
    pub key: MessageKey,
    /// The account that sends it.
    pub account: AccountName,
    /// The number it is sent from, extension included; `None`: the account's own.
    pub from: Option<ServiceNumber>,
    /// The citizen.
    pub to: Msisdn,
    /// What it says.
    pub content: Content,
    /// Why it is sent.
    pub kind: MessageKind,
    /// The campaign whose words these are.
    pub campaign: String,
    /// The invitation it belongs to.
    pub invitation: Option<InvitationId>,
    /// Not to be sent earlier.
    pub not_before: Timestamp,
    /// Not worth sending from then on.
    pub expires: Timestamp,
}

/// What a message says. It may name a case, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// The text itself.
    Text(String),
    /// A template registered with the carrier.
    Template {
        /// The carrier's code of it.
        code: String,
        /// Names and values, in the template's order.
        parameters: Vec<(String, String)>,
    },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Text(text) => write!(f, "Text({} characters)", text.chars().count()),
            Content::Template { code, parameters } => {
                write!(f, "Template({code}, {} parameters)", parameters.len())
            }
        }
    }
}

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// It asks for a rating.
    Invite,
    /// It thanks for one.
    ThankYou,
    /// It asks what was wrong.
    AskReason,
    /// It repeats the question, since the answer could not be read.
    RePrompt,
    /// It confirms that no more will come.
    OptOutConfirmed,
    /// It is no text: a call that asks for a rating, put by whoever dials.
    Call,
}

impl MessageKind {
    /// The name, as in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MessageKind::Invite => "invite",
            MessageKind::ThankYou => "thank_you",
            MessageKind::AskReason => "ask_reason",
            MessageKind::RePrompt => "re_prompt",
            MessageKind::OptOutConfirmed => "opt_out_confirmed",
            MessageKind::Call => "call",
        }
    }
}
