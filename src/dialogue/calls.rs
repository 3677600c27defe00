//! Calls: whose they are, which question they put, and keys that came before the number.

use super::because::Because;
use super::decide::Course;
use super::known::Known;
use super::matching::later;
use super::memory::{CallMemory, Heard, MOST_HELD_KEYS};
use crate::model::{
    AccountName, CallStatus, Caller, Channel, Event, EventBody, InvitationId, InvitationState,
    Mark, MessageId, Msisdn,
};
use jiff::Timestamp;
use std::time::Duration;

/// How long a call is remembered where its campaign names no validity.
pub(super) const KEPT: Duration = Duration::from_hours(24);

/// The call that an event is about, if it is about one.
pub(super) fn call_of(event: &Event) -> Option<&MessageId> {
    match &event.body {
        EventBody::Keypad { .. } | EventBody::CallStatus { .. } | EventBody::Recording { .. } => {
            event.call.as_ref().or(event.message_id.as_ref())
        }
        EventBody::SmsReply { .. } | EventBody::DeliveryReport { .. } | EventBody::OptOut => None,
    }
}

/// Whose an event is: by itself, by its call, by the message it reports on, or by the invitation
/// that it names.
pub(super) fn caller_of(heard: &Heard, known: &Known) -> Option<Msisdn> {
    let (account, event) = (&heard.origin.account, &heard.event);
    if let EventBody::DeliveryReport { .. } = event.body {
        let id = event.message_id.as_ref()?;
        return known.message(account, id).map(|message| message.caller.clone());
    }
    if let Some(Caller::Number(number)) = &event.caller {
        return Some(number.clone());
    }
    let of_call = || known.call(account, call_of(event)?)?.caller.clone();
    let of_invitation = || {
        let named = InvitationId(event.pass_through.clone()?);
        known.invitation(&named).map(|invitation| invitation.caller.clone())
    };
    of_call().or_else(of_invitation)
}

impl Course<'_> {
    /// Keeps what an event tells of its call.
    pub(super) fn learn(&mut self, heard: &Heard, number: Option<&Msisdn>) {
        let Some(call) = call_of(&heard.event) else { return };
        let at = heard.origin.received_at;
        let named = self.put_by(heard, number);
        let validity = self.campaign_of(heard).and_then(|it| it.conversation.as_ref());
        let forget_at = later(at, validity.map_or(KEPT, |it| it.validity.max(KEPT)));
        self.known.change_call(&heard.origin.account, call, |memory| {
            if memory.caller.is_none() {
                memory.caller = number.cloned();
            }
            if memory.invitation.is_none() {
                memory.invitation.clone_from(&named);
            }
            if memory.answered_at.is_none() && is_answered(&heard.event) {
                memory.answered_at = Some(at);
            }
            memory.forget_at = memory.forget_at.max(forget_at);
        });
        self.learn_line(heard, call, forget_at);
        if let (Some(number), Some(named)) = (number, named) {
            self.put(number, &named, at);
        }
    }

    /// The invitation that a call puts: the one that it names.
    fn put_by(&self, heard: &Heard, number: Option<&Msisdn>) -> Option<InvitationId> {
        let caller = self.known.caller(number?)?;
        let handed = heard.event.pass_through.as_deref();
        let call = call_of(&heard.event).map(|call| call.0.as_str());
        let mut asked = caller.invitations.iter().rev().map(|asked| &asked.invitation);
        let found = asked.find(|it| {
            let names = [handed, call];
            let own = [Some(it.id.0.as_str()), it.matter.pass_through.as_deref()];
            it.channel == Channel::Ivr
                && (own.iter().flatten().any(|own| names.contains(&Some(*own)))
                    || (call.is_some() && it.matter.call_id.as_deref() == call))
        });
        found.map(|it| it.id.clone())
    }

    /// The question of an invitation was put in a call.
    fn put(&mut self, number: &Msisdn, id: &InvitationId, at: Timestamp) {
        let planned = self.known.caller(number).is_some_and(|caller| {
            caller.invitations.iter().any(|asked| {
                asked.invitation.id == *id && asked.invitation.state == InvitationState::Planned
            })
        });
        if planned {
            self.attempted(number, id, at);
        }
    }

    /// Keys wait for the number of their call; without a campaign that waits they do not.
    pub(super) fn hold_keys(&mut self, heard: Heard) {
        let campaign = self.campaign_of(&heard);
        let wait = campaign.and_then(|campaign| campaign.conversation.as_ref()?.call_wait);
        let (Some(wait), Some(call)) = (wait, call_of(&heard.event).cloned()) else {
            self.because(Because::KeysReleased { named: false });
            return self.answer(heard, None, vec![Mark::NoCaller]);
        };
        self.because(Because::KeysHeld { until: later(heard.origin.received_at, wait) });
        let account = heard.origin.account.clone();
        let until = later(heard.origin.received_at, wait);
        let too_many = self.known.change_call(&account, &call, |memory| {
            let too_many = memory.held_keys.len() >= MOST_HELD_KEYS;
            let oldest = too_many.then(|| memory.held_keys.remove(0));
            memory.held_keys.push(heard);
            memory.held_until.get_or_insert(until);
            oldest
        });
        if let Some(oldest) = too_many {
            self.because(Because::KeysReleased { named: false });
            self.answer(oldest, None, vec![Mark::NoCaller]);
        }
    }

    /// Keys that waited for this number are answers now.
    pub(super) fn release(&mut self, heard: &Heard, number: Option<&Msisdn>) {
        let (Some(number), Some(call)) = (number, call_of(&heard.event)) else { return };
        for keys in self.take_keys(&heard.origin.account, call) {
            self.because(Because::KeysReleased { named: true });
            self.answer(keys, Some(number), Vec::new());
        }
    }

    /// The number did not come in time, or the call is long over.
    pub(super) fn call_due(&mut self, account: &AccountName, call: &MessageId) {
        let Some(memory) = self.known.call(account, call) else { return };
        let CallMemory { held_until, forget_at, .. } = *memory;
        if held_until.is_some_and(|until| until <= self.now) {
            for keys in self.take_keys(account, call) {
                self.because(Because::KeysReleased { named: false });
                self.answer(keys, None, vec![Mark::NoCaller]);
            }
        }
        if forget_at <= self.now {
            self.known.forget_call(account, call);
        }
    }

    pub(super) fn take_keys(&mut self, account: &AccountName, call: &MessageId) -> Vec<Heard> {
        if self.known.call(account, call).is_none() {
            return Vec::new();
        }
        self.known.change_call(account, call, |memory| {
            memory.held_until = None;
            std::mem::take(&mut memory.held_keys)
        })
    }
}

fn is_answered(event: &Event) -> bool {
    matches!(event.body, EventBody::CallStatus { status: CallStatus::Answered, .. })
}
