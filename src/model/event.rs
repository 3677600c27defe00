//! What a carrier said, normalised in form but not yet in meaning.

use super::{MessageId, Msisdn, ServiceNumber};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One thing that a carrier told us. A callback holds any number of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The carrier's id of the message; for calls, the call id. `None` when it sends none.
    pub message_id: Option<MessageId>,
    /// The id of the call or conversation, where `message_id` is another one.
    pub call: Option<MessageId>,
    /// The citizen, whatever the carrier called the field. `None` when the event names nobody.
    pub caller: Option<Caller>,
    /// The service code or hotline number, exactly as delivered.
    pub service: Option<ServiceNumber>,
    /// When it happened by the carrier's clock. `None` when the carrier sends no time: the
    /// time of arrival counts.
    pub occurred_at: Option<Timestamp>,
    /// What identifies a repeat of this event within its account: the carrier's dedupe fields,
    /// joined. It never leaves memory; the store keeps a keyed digest.
    pub dedupe: String,
    /// How long the same answer under a new id is taken for the carrier's resending; `None`: never.
    pub resend_window: Option<Duration>,
    /// What we gave the carrier to hand back (`out_id`, `userData`, …).
    pub pass_through: Option<String>,
    /// Where the text belongs, if it is a part of a longer one.
    pub part: Option<TextPart>,
    /// What happened.
    pub body: EventBody,
}

/// The place of a text in a longer one that the carrier hands over in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPart {
    /// What all parts of one text have in common; the sender uses it again for later texts.
    pub reference: String,
    /// How many parts there are.
    pub total: u8,
    /// Which of them this is, from 1.
    pub number: u8,
}

/// The citizen's number, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Caller {
    /// A telephone number.
    Number(Msisdn),
    /// What the carrier sent where a number was due; kept as given.
    Unreadable(UnreadableCaller),
}

/// Text in place of a number; masked like one, since it may be one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnreadableCaller(pub String);

impl std::fmt::Debug for UnreadableCaller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&super::phone::mask(&self.0))
    }
}

impl Caller {
    /// Reads what the carrier sent; never fails, since an odd number must not cost a rating.
    #[must_use]
    pub fn read(raw: &str, country: &str) -> Caller {
        match Msisdn::read(raw, country) {
            Ok(number) => Caller::Number(number),
            Err(_) => Caller::Unreadable(UnreadableCaller(raw.to_owned())),
        }
    }

    /// The text that identifies the caller, unmasked. For the store and the platform only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        match self {
            Caller::Number(number) => number.reveal(),
            Caller::Unreadable(UnreadableCaller(raw)) => raw,
        }
    }

    /// The caller as it may be shown.
    #[must_use]
    pub fn masked(&self) -> String {
        match self {
            Caller::Number(number) => number.masked(),
            Caller::Unreadable(UnreadableCaller(raw)) => super::phone::mask(raw),
        }
    }
}

/// What happened, by kind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventBody {
    /// The citizen sent a text (MO).
    SmsReply {
        /// The text as sent.
        text: String,
    },
    /// The citizen pressed keys (DTMF) in a call.
    Keypad {
        /// The keys as delivered; empty when the citizen pressed none in time.
        digits: String,
    },
    /// A call changed its state.
    CallStatus {
        /// What became of the call.
        status: CallStatus,
        /// The carrier's own word or code.
        raw: String,
        /// The keys pressed during the call, where the status brings them; kept for whoever joins
        /// a call's events, and no rating by themselves.
        digits: Option<String>,
    },
    /// A recording of the call can be fetched.
    Recording {
        /// Where, as the carrier gave it.
        url: String,
    },
    /// What became of a message of ours (MT).
    DeliveryReport {
        /// What became of it.
        status: DeliveryStatus,
        /// The carrier's own word or code.
        raw: String,
    },
    /// The carrier itself says that the citizen refuses further messages.
    OptOut,
}

impl EventBody {
    /// The kind's name, as metrics and lists show it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            EventBody::SmsReply { .. } => "sms_reply",
            EventBody::Keypad { .. } => "ivr_keypad",
            EventBody::CallStatus { .. } => "call_status",
            EventBody::Recording { .. } => "recording",
            EventBody::DeliveryReport { .. } => "delivery_report",
            EventBody::OptOut => "opt_out",
        }
    }
}

impl std::fmt::Debug for EventBody {
    // Texts and keys are personal data: only the kind and the carrier's codes are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EventBody::CallStatus { status, raw, .. } => {
                write!(f, "call_status({status:?}, {raw})")
            }
            EventBody::DeliveryReport { status, raw } => {
                write!(f, "delivery_report({status:?}, {raw})")
            }
            other => f.write_str(other.kind()),
        }
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// The call was placed.
    Initiated,
    /// The far end is ringing.
    Ringing,
    /// The citizen answered.
    Answered,
    /// The citizen did not answer.
    NoAnswer,
    /// The line was busy.
    Busy,
    /// The call could not be placed.
    Failed,
    /// The call is over.
    Completed,
    /// A code that the carrier's file does not know.
    Unknown,
}

/// What became of a message of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It reached the handset.
    Delivered,
    /// It did not and will not.
    Failed,
    /// On its way.
    Pending,
    /// A code that the carrier's file does not know.
    Unknown,
}
