//! What is said: one kind of item, and where its parts stand.

use super::{CallerField, Field, Segment, Source, TimeField};
use crate::model::{CallStatus, DeliveryStatus};
use std::collections::BTreeMap;
use std::time::Duration;

/// What one kind of item is, and where its parts stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// The kind's name within this dialect, which starts every dedupe key of it.
    pub name: String,
    /// All must hold.
    pub when: Vec<Condition>,
    /// Where in the document its items stand: an array's elements, each of repeated XML elements,
    /// or one object. Empty: the document itself. Rules with a place that is there go before those
    /// without one.
    pub items: Vec<Segment>,
    /// The carrier's id of the message or call.
    pub id: Option<Field>,
    /// The id of the call or conversation, where `id` is another one.
    pub call: Option<Field>,
    /// The citizen.
    pub caller: Option<CallerField>,
    /// The service code or hotline number.
    pub service: Option<Field>,
    /// When it happened.
    pub time: Option<TimeField>,
    /// What we gave the carrier to hand back.
    pub pass_through: Option<Field>,
    /// Where the text belongs, if it is a part of a longer one.
    pub part: Option<PartFields>,
    /// What happened.
    pub kind: RuleKind,
    /// What identifies a repeat; what is missing counts as empty. Empty for ignored kinds only.
    pub dedupe: Vec<DedupePart>,
    /// How long the same answer under a new id is taken for the carrier's resending.
    pub resend_window: Option<Duration>,
}

/// The place of a text in a longer one. What is not there, or no number, makes it a text of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFields {
    /// What all parts of one text have in common.
    pub reference: Field,
    /// How many there are.
    pub total: Field,
    /// Which of them it is, from 1.
    pub number: Field,
}

/// One part of a dedupe key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DedupePart {
    /// A value as it was sent.
    Value(Source),
    /// The event's time, cut down to a multiple of this.
    Time(Duration),
}

/// What must hold for a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Of this value,
    pub source: Source,
    /// this.
    pub test: Test,
}

/// What a value is tested for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is one of these.
    OneOf(Vec<String>),
    /// It is there and not empty, or it is not.
    Present(bool),
}

/// What happened, and the parts that only this kind has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// The citizen sent a text.
    SmsReply {
        /// The text.
        text: Field,
    },
    /// The citizen pressed keys.
    Keypad {
        /// The keys.
        digits: Field,
    },
    /// A call changed its state.
    CallStatus {
        /// What became of it.
        state: Box<StateField<CallStatus>>,
        /// The keys pressed during the call, where the status brings them.
        digits: Option<Box<Field>>,
    },
    /// What became of a message of ours.
    DeliveryReport {
        /// What became of it.
        state: Box<StateField<DeliveryStatus>>,
    },
    /// A recording can be fetched.
    Recording {
        /// Where.
        url: Field,
    },
    /// The citizen refuses further messages.
    OptOut,
    /// Known, kept with the callback, and of no interest.
    Ignored,
}

/// A state and the carrier's word for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateField<T> {
    /// The word or code that decides.
    pub code: Field,
    /// What the words mean; others are unknown.
    pub map: BTreeMap<String, T>,
    /// What is kept as the carrier's own word, where that is another field.
    pub raw: Option<Field>,
}

impl RuleKind {
    /// The names of the kinds in the configuration.
    pub const NAMES: [&'static str; 7] = [
        "sms_reply",
        "ivr_keypad",
        "call_status",
        "delivery_report",
        "recording",
        "opt_out",
        "ignored",
    ];
}
