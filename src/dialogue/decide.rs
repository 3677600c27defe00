//! What becomes of whatever happened, by what is remembered.

use super::because::Because;
use super::calls;
use super::campaign::choose_campaign;
use super::known::Known;
use super::memory::{Heard, Memory, MemoryKey, Origin};
use super::news::Fetched;
use super::often;
use super::parts::{self, Joined};
use crate::config::conversation::PARTS_TIMEOUT;
use crate::config::{Account, Campaign};
use crate::model::{
    AccountName, Channel, Event, EventBody, Fetch, Invitation, InvitationId, Mark, Message,
    MessageId, Msisdn, Outcome, Record, RecordId, Step,
};
use crate::normalize::{self, ReadingKind};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What the dialogue is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A carrier said something.
    Said(Box<Heard>),
    /// The same in a call whose next step is ours to say.
    InCall {
        /// What was said.
        heard: Box<Heard>,
        /// The question that it answers; `None`: the call begins, or is over.
        step: Option<Step>,
    },
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
    /// A recording was fetched, or will not be.
    Fetched(Box<Fetched>),
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
    /// The recordings that are to be fetched.
    pub fetches: Vec<Fetch>,
    /// What is remembered now, where that changed.
    pub changes: Vec<Change>,
    /// By which rules, in the order in which they were applied; nothing of it is kept.
    pub because: Vec<Because>,
}

/// What became of an event, or of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// The memories that are needed to decide, beyond those at hand. What is recalled may name
/// others, so ask again until there are none.
#[must_use]
pub fn wanted(happening: &Happening, known: &Known) -> Vec<MemoryKey> {
    let mut keys = Vec::new();
    match happening {
        Happening::Said(heard) | Happening::InCall { heard, .. } => {
            said_by(heard, known, &mut keys);
        }
        Happening::Invited(invitation) => {
            keys.push(MemoryKey::Invitation(invitation.id.clone()));
            keys.push(MemoryKey::Caller(invitation.caller.clone()));
        }
        Happening::Sent { message, .. } | Happening::NotSent(message) => {
            keys.push(MemoryKey::Caller(message.to.clone()));
        }
        Happening::Fetched(fetched) => {
            let Fetched { account, call, .. } = &**fetched;
            keys.push(MemoryKey::Voice { account: account.clone(), call: call.clone() });
        }
        Happening::Due(key) => {
            keys.push(key.clone());
            // What a call asks and what its keys say end together.
            if let MemoryKey::Call { account, call } | MemoryKey::Asking { account, call } = key {
                let (account, call) = (account.clone(), call.clone());
                keys.push(MemoryKey::Call { account: account.clone(), call: call.clone() });
                let caller = known.asking(&account, &call).and_then(|asking| asking.caller.clone());
                keys.push(MemoryKey::Voice { account: account.clone(), call: call.clone() });
                keys.push(MemoryKey::Asking { account, call });
                keys.extend(caller.map(MemoryKey::Caller));
            }
            if let MemoryKey::Caller(number) = key {
                keys.extend(matters(known, number));
            }
        }
    }
    keys.retain(|key| !known.has(key));
    keys
}

fn said_by(heard: &Heard, known: &Known, keys: &mut Vec<MemoryKey>) {
    let (account, event) = (&heard.origin.account, &heard.event);
    if let (EventBody::DeliveryReport { .. }, Some(id)) = (&event.body, &event.message_id) {
        keys.push(MemoryKey::Message { account: account.clone(), id: id.clone() });
    }
    if let Some(call) = calls::call_of(event) {
        keys.push(MemoryKey::Call { account: account.clone(), call: call.clone() });
        keys.push(MemoryKey::Asking { account: account.clone(), call: call.clone() });
        if let Some(number) = known.asking(account, call).and_then(|it| it.caller.clone()) {
            keys.extend(matters(known, &number));
            keys.push(MemoryKey::Caller(number));
        }
        keys.push(MemoryKey::Voice { account: account.clone(), call: call.clone() });
    }
    if let Some(named) = &event.pass_through {
        keys.push(MemoryKey::Invitation(InvitationId(named.clone())));
    }
    if let Some(number) = calls::caller_of(heard, known) {
        keys.extend(matters(known, &number));
        keys.push(MemoryKey::Caller(number));
    }
}

/// The cases that a citizen may rate, or has just rated.
fn matters(known: &Known, number: &Msisdn) -> impl Iterator<Item = MemoryKey> {
    let caller = known.caller(number);
    let asked = caller.into_iter().flat_map(|caller| &caller.invitations);
    let asked = asked.map(|asked| &asked.invitation);
    let asked = asked.filter_map(|it| often::subject(&it.matter, &it.id).key());
    let rated = caller.into_iter().flat_map(|caller| &caller.ratings);
    asked.chain(rated.filter_map(|rated| rated.subject.key()))
}

/// Whether an event of this campaign can be understood only with what is remembered.
#[must_use]
pub fn needs_memory(event: &Event, campaign: Option<&Campaign>, rules: Rules<'_>) -> bool {
    if event.part.as_ref().is_some_and(|part| part.total > 1) {
        return true;
    }
    let converses = |campaign: &Campaign| campaign.conversation.is_some();
    if !rules.campaigns.iter().any(|campaign| campaign.remembers_calls()) {
        return false;
    }
    // A number that no campaign claims may be one from which somebody was invited.
    let concerned = campaign.is_none_or(converses);
    match &event.body {
        EventBody::SmsReply { text } => {
            concerned || campaign.is_some_and(|campaign| refuses(campaign, text))
        }
        EventBody::Keypad { .. } | EventBody::CallStatus { .. } | EventBody::Recording { .. } => {
            campaign.is_none_or(Campaign::remembers_calls)
        }
        EventBody::DeliveryReport { .. } => event.message_id.is_some(),
        EventBody::OptOut => true,
    }
}

/// Whether a text refuses further messages.
pub(super) fn refuses(campaign: &Campaign, text: &str) -> bool {
    let reading = normalize::read(Channel::Sms, campaign.scheme, text);
    reading.kind == ReadingKind::Unsubscribe
}

/// Decides. `known` holds what [`wanted`] asked for, and afterwards what is remembered then, so that
/// it may serve for the next happening.
pub fn decide(
    happening: Happening,
    known: &mut Known,
    rules: Rules<'_>,
    now: Timestamp,
    new_id: &mut dyn FnMut() -> Uuid,
) -> Decision {
    known.begin();
    let mut course = Course { known, rules, now, new_id, decision: Decision::default() };
    match happening {
        Happening::Said(heard) => course.said(*heard),
        Happening::InCall { heard, step } => course.in_call(*heard, step),
        Happening::Invited(invitation) => course.invited(*invitation),
        Happening::Sent { message, carrier_id, at } => course.sent(&message, carrier_id, at),
        Happening::NotSent(message) => course.not_sent(&message),
        Happening::Fetched(fetched) => course.fetched(*fetched),
        Happening::Due(key) => course.due(&key),
    }
    let mut decision = course.decision;
    decision.changes = known.changes();
    decision
}

/// A decision in the making.
pub(super) struct Course<'a> {
    pub(super) known: &'a mut Known,
    pub(super) rules: Rules<'a>,
    pub(super) now: Timestamp,
    pub(super) new_id: &'a mut dyn FnMut() -> Uuid,
    pub(super) decision: Decision,
}

impl<'a> Course<'a> {
    pub(super) fn said(&mut self, heard: Heard) {
        let number = calls::caller_of(&heard, self.known);
        match &heard.event.body {
            EventBody::DeliveryReport { status, .. } => {
                self.delivered(&heard, *status);
                self.conclude(Some(heard.origin), Outcome::Noted, Vec::new());
            }
            EventBody::Recording { .. } => {
                if !self.has_call(&heard) {
                    return self.conclude(Some(heard.origin), Outcome::Noted, Vec::new());
                }
                self.learn(&heard, number.as_ref());
                self.release(&heard, number.as_ref());
                let (outcome, complaint) = match self.recorded(&heard, number.as_ref()) {
                    Some((outcome, complaint)) => (outcome, vec![complaint]),
                    None => (Outcome::Noted, Vec::new()),
                };
                self.conclude(Some(heard.origin), outcome, complaint);
            }
            EventBody::CallStatus { .. } => {
                self.learn(&heard, number.as_ref());
                self.conclude(Some(heard.origin.clone()), Outcome::Noted, Vec::new());
                self.release(&heard, number.as_ref());
                self.hung_up(&heard);
            }
            EventBody::Keypad { .. } => {
                self.learn(&heard, number.as_ref());
                self.release(&heard, number.as_ref());
                match number {
                    None => self.hold_keys(heard),
                    Some(number) => self.answer(heard, Some(&number), Vec::new()),
                }
            }
            EventBody::SmsReply { .. } => self.text(heard, number.as_ref()),
            EventBody::OptOut => {
                if let Some(number) = &number {
                    self.opt_out(number, &heard, None);
                }
                self.conclude(Some(heard.origin), Outcome::OptOut, Vec::new());
            }
        }
    }

    /// A text, or a part of one. Parts of somebody whose number cannot be read are not joined.
    fn text(&mut self, heard: Heard, number: Option<&Msisdn>) {
        let is_part = parts::part_of(&heard).is_some();
        let Some(joining) = number.filter(|_| is_part) else {
            let marks = if is_part { vec![Mark::Partial] } else { Vec::new() };
            return self.answer(heard, number, marks);
        };
        let timeout = self.parts_timeout(&heard);
        let origin = heard.origin.clone();
        let ready = self
            .known
            .change_caller(joining, |caller| parts::add(&mut caller.parts, heard, timeout));
        self.because(Because::Part);
        // The text is concluded by its first part, and this one by what became of it.
        self.conclude(Some(origin), Outcome::Part, Vec::new());
        self.read_joined(ready, joining);
    }

    fn read_joined(&mut self, ready: Vec<Joined>, number: &Msisdn) {
        for Joined { heard, partial } in ready {
            self.because(Because::Joined { partial });
            let marks = if partial { vec![Mark::Partial] } else { Vec::new() };
            self.answer(heard, Some(number), marks);
        }
    }

    fn due(&mut self, key: &MemoryKey) {
        match key {
            MemoryKey::Caller(number) => self.caller_due(number),
            MemoryKey::Call { account, call } => self.call_due(account, call),
            MemoryKey::Asking { account, call } => self.asking_due(account, call),
            MemoryKey::Message { .. }
            | MemoryKey::Invitation(_)
            | MemoryKey::Matter { .. }
            | MemoryKey::Voice { .. } => {
                let due = self.known.get(key).and_then(Memory::due);
                if due.is_some_and(|due| due <= self.now) {
                    self.known.recall(key.clone(), None);
                }
            }
        }
    }

    fn caller_due(&mut self, number: &Msisdn) {
        let now = self.now;
        let sets = self.known.caller(number).map(|caller| caller.parts.clone());
        let timeout = |course: &Self| {
            let overdue = sets.iter().flatten().find(|set| set.until <= now);
            overdue.map(|set| course.parts_timeout(&set.first)).unwrap_or_default()
        };
        let timeout = timeout(self);
        let ready =
            self.known.change_caller(number, |caller| parts::due(&mut caller.parts, now, timeout));
        self.read_joined(ready, number);
        self.expire(number);
        self.known.change_caller(number, |caller| {
            caller.talks.retain(|talk| now < talk.until);
            caller.messages.retain(|told| now < told.forget_at);
            caller.ratings.retain(|rated| now < rated.forget_at);
            caller.invitations.retain(|asked| asked.is_open() || now < asked.forget_at);
        });
    }

    /// What became of an event or an invitation.
    pub(super) fn conclude(
        &mut self,
        origin: Option<Origin>,
        outcome: Outcome,
        records: Vec<Record>,
    ) {
        self.decision.concluded.push(Concluded { origin, outcome, records });
    }

    /// Says by which rule.
    pub(super) fn because(&mut self, because: Because) {
        self.decision.because.push(because);
    }

    /// The campaign of the number to which something was said.
    pub(super) fn campaign_of(&self, heard: &Heard) -> Option<&'a Arc<Campaign>> {
        let Rules { campaigns, accounts } = self.rules;
        let account = accounts.get(&heard.origin.account)?;
        choose_campaign(campaigns, account, heard.event.service.as_ref())
    }

    /// The campaign of this name.
    pub(super) fn campaign(&self, name: &str) -> Option<&'a Arc<Campaign>> {
        self.rules.campaigns.iter().find(|campaign| campaign.name == name)
    }

    fn parts_timeout(&self, heard: &Heard) -> Duration {
        let campaign = self.campaign_of(heard);
        let conversation = campaign.and_then(|campaign| campaign.conversation.as_ref());
        conversation.map_or(PARTS_TIMEOUT, |conversation| conversation.parts_timeout)
    }

    /// A fresh record id.
    pub(super) fn record_id(&mut self) -> RecordId {
        RecordId((self.new_id)())
    }
}
