//! What is said to the citizen, and when we are silent.

use super::because::{Because, Silence};
use super::decide::Course;
use super::limits;
use super::matching::{later, same_line};
use super::memory::{Heard, MOST_MESSAGES, MOST_TALKS, Talk, Told};
use crate::config::conversation::Wording;
use crate::config::{Campaign, Conversation};
use crate::model::{
    AccountName, Channel, Content, InvitationId, InvitationState, Level, Matter, Message,
    MessageKey, MessageKind, Msisdn, RecordId, ServiceNumber, Unrated,
};
use jiff::Timestamp;
use std::time::Duration;

/// A word on something that was said is not worth sending later than this.
const MESSAGE_LIFE: Duration = Duration::from_hours(24);

/// To whom something could be said, and about what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occasion<'a> {
    pub(super) number: &'a Msisdn,
    pub(super) campaign: &'a Campaign,
    pub(super) conversation: &'a Conversation,
    /// The account that would send; `None`: none can.
    pub(super) account: Option<&'a AccountName>,
    pub(super) from: Option<&'a ServiceNumber>,
    pub(super) matter: Option<&'a Matter>,
    pub(super) invitation: Option<&'a InvitationId>,
    /// Nothing is said earlier.
    pub(super) earliest: Timestamp,
}

impl<'a> Occasion<'a> {
    /// A word back to whoever said this.
    pub(super) fn after(
        heard: &'a Heard,
        number: &'a Msisdn,
        campaign: &'a Campaign,
        conversation: &'a Conversation,
        channel: Channel,
    ) -> Occasion<'a> {
        let same = (channel == Channel::Sms).then_some(&heard.origin.account);
        let sender = conversation.sender.as_ref();
        Occasion {
            number,
            campaign,
            conversation,
            account: sender.or(same),
            // The number of another account is not this one's to send from.
            from: heard.event.service.as_ref().filter(|_| sender.or(same) == same),
            matter: None,
            invitation: None,
            earliest: heard.origin.received_at,
        }
    }
}

impl Talk {
    /// Whether what is said to this number may be its answer.
    pub(super) fn hears(&self, service: Option<&ServiceNumber>) -> bool {
        match (&self.line, service) {
            (Some(line), Some(service)) => same_line(line, service),
            _ => true,
        }
    }
}

impl Course<'_> {
    /// Has something said, when that is allowed, unless it is too late by then.
    ///
    /// # Errors
    /// Why nothing is said.
    pub(super) fn tell(
        &mut self,
        kind: MessageKind,
        occasion: &Occasion<'_>,
        expires: Timestamp,
    ) -> Result<MessageKey, Silence> {
        let told = self.draft(kind, occasion, expires);
        if let Err(why) = told {
            self.because(Because::Silent { kind, why });
        }
        told
    }

    /// The same, for whoever says why by itself.
    pub(super) fn draft(
        &mut self,
        kind: MessageKind,
        occasion: &Occasion<'_>,
        expires: Timestamp,
    ) -> Result<MessageKey, Silence> {
        let Occasion { number, conversation, account, .. } = *occasion;
        let wording = conversation.wording(kind).ok_or(Silence::NoWording)?;
        let sender = account.filter(|account| self.can_send(account));
        let account = sender.ok_or(Silence::NoSender)?;
        let content = written(wording, occasion.matter);
        let nobody = Default::default();
        let caller = self.known.caller(number).unwrap_or(&nobody);
        let earliest = occasion.earliest.max(self.now);
        let not_before = limits::when(caller, conversation, kind, earliest)?;
        self.put_off(kind, earliest, not_before);
        if not_before >= expires {
            return Err(Silence::TooLate);
        }
        let key = MessageKey((self.new_id)());
        self.note(key, kind, occasion, not_before);
        self.decision.messages.push(Message {
            key,
            account: account.clone(),
            from: occasion.from.cloned(),
            to: number.clone(),
            content,
            kind,
            campaign: occasion.campaign.name.clone(),
            invitation: occasion.invitation.cloned(),
            not_before,
            expires,
        });
        Ok(key)
    }

    /// Says so where quiet hours put a message off.
    pub(super) fn put_off(&mut self, kind: MessageKind, earliest: Timestamp, until: Timestamp) {
        if until > earliest {
            self.because(Because::Quiet { kind, until });
        }
    }

    fn can_send(&self, account: &AccountName) -> bool {
        self.rules.accounts.get(account).is_some_and(|account| account.send.is_some())
    }

    /// Leaves a call to whoever dials, from this time on.
    pub(super) fn offer(
        &mut self,
        occasion: &Occasion<'_>,
        account: &AccountName,
        (not_before, expires): (Timestamp, Timestamp),
    ) {
        let key = MessageKey((self.new_id)());
        self.note(key, MessageKind::Invite, occasion, not_before);
        self.decision.messages.push(Message {
            key,
            account: account.clone(),
            from: occasion.from.cloned(),
            to: occasion.number.clone(),
            content: Content::Text(String::new()),
            kind: MessageKind::Call,
            campaign: occasion.campaign.name.clone(),
            invitation: occasion.invitation.cloned(),
            not_before,
            expires,
        });
    }

    fn note(
        &mut self,
        message: MessageKey,
        kind: MessageKind,
        occasion: &Occasion<'_>,
        at: Timestamp,
    ) {
        let forget_at = later(at, limits::counts_for(occasion.conversation));
        self.known.change_caller(occasion.number, |caller| {
            if caller.messages.len() >= MOST_MESSAGES {
                caller.messages.remove(0);
            }
            caller.messages.push(Told { message, kind, at, sent: false, forget_at });
        });
    }

    /// The word on a rating: thanks for a good one, and of a bad one the question why.
    pub(super) fn respond(&mut self, occasion: &Occasion<'_>, rating: RecordId, level: Level) {
        let caller = self.known.caller(occasion.number);
        let mut ratings = caller.into_iter().flat_map(|caller| &caller.ratings);
        let Some(rated) = ratings.find(|rated| rated.record.id == rating) else { return };
        let (thanked, asked) = (rated.thanked, rated.reason_asked);
        let wordless = rated.record.comment.0.is_empty();
        let expires = later(self.now, MESSAGE_LIFE);
        let (kind, needless) = match level.is_bad() {
            false => (MessageKind::ThankYou, thanked.then_some(Silence::SaidBefore)),
            true if asked => (MessageKind::AskReason, Some(Silence::SaidBefore)),
            true => (MessageKind::AskReason, (!wordless).then_some(Silence::ToldAlready)),
        };
        if let Some(why) = needless {
            return self.because(Because::Silent { kind, why });
        }
        let told = self.tell(kind, occasion, expires);
        let Ok(message) = told else { return };
        let window = occasion.conversation.reason_window;
        self.known.change_caller(occasion.number, |caller| {
            let mut ratings = caller.ratings.iter_mut();
            if let Some(rated) = ratings.find(|rated| rated.record.id == rating) {
                rated.thanked |= !level.is_bad();
                rated.reason_asked |= level.is_bad();
            }
            if level.is_bad() {
                let until = later(expires, window);
                if caller.talks.len() >= MOST_TALKS {
                    caller.talks.remove(0);
                }
                let line = occasion.from.cloned();
                caller.talks.push(Talk { rating, message, line, window, asked_at: None, until });
            }
        });
    }

    /// Repeats the question once, since the answer could not be read.
    pub(super) fn ask_again(&mut self, occasion: &Occasion<'_>, expires: Timestamp) {
        let kind = MessageKind::RePrompt;
        let caller = self.known.caller(occasion.number);
        let mut asked = caller.into_iter().flat_map(|caller| &caller.invitations);
        let asked = asked.find(|it| Some(&it.invitation.id) == occasion.invitation && it.is_open());
        let needless = match asked {
            None => Some(Silence::NothingAsked),
            Some(asked) => asked.re_prompted.then_some(Silence::SaidBefore),
        };
        if let Some(why) = needless {
            return self.because(Because::Silent { kind, why });
        }
        let (Some(id), Ok(_)) = (occasion.invitation, self.tell(kind, occasion, expires)) else {
            return;
        };
        self.known.change_caller(occasion.number, |caller| {
            for asked in caller.invitations.iter_mut().filter(|it| it.invitation.id == *id) {
                asked.re_prompted = true;
            }
        });
    }

    /// The citizen wants no further messages: what was planned is not sent, and at most this is
    /// confirmed.
    pub(super) fn opt_out(
        &mut self,
        number: &Msisdn,
        heard: &Heard,
        invited_by: Option<&Campaign>,
    ) {
        let before = self.known.change_caller(number, |caller| {
            caller.talks.clear();
            let since = heard.origin.received_at;
            let before = caller.opted_out;
            caller.opted_out = before.or(Some(since));
            before
        });
        let caller = self.known.caller(number);
        let planned: Vec<InvitationId> = caller
            .into_iter()
            .flat_map(|caller| &caller.invitations)
            .map(|asked| &asked.invitation)
            .filter(|invitation| invitation.state == InvitationState::Planned)
            .map(|invitation| invitation.id.clone())
            .collect();
        for id in planned {
            self.end(number, &id, Unrated::OptedOut, |_| true);
        }
        let campaign = invited_by.or_else(|| self.campaign_of(heard).map(|it| &**it));
        if let (None, Some(campaign)) = (before, campaign)
            && let Some(conversation) = &campaign.conversation
        {
            let occasion = Occasion::after(heard, number, campaign, conversation, Channel::Sms);
            let expires = later(self.now, MESSAGE_LIFE);
            // Not being told is no reason to tell again.
            self.tell(MessageKind::OptOutConfirmed, &occasion, expires).ok();
        } else if before.is_some() {
            let (kind, why) = (MessageKind::OptOutConfirmed, Silence::SaidBefore);
            self.because(Because::Silent { kind, why });
        }
    }
}

/// A wording with what is known of the matter in it.
fn written(wording: &Wording, matter: Option<&Matter>) -> Content {
    match wording {
        Wording::Text(text) => Content::Text(filled(text, matter)),
        Wording::Template { code, parameters } => Content::Template {
            code: code.clone(),
            parameters: parameters
                .iter()
                .map(|(name, value)| (name.clone(), filled(value, matter)))
                .collect(),
        },
    }
}

fn filled(text: &str, matter: Option<&Matter>) -> String {
    let value = |name: &str| {
        let matter = matter?;
        match name {
            "project_no" => matter.project_no.as_deref(),
            "task_name" => matter.task_name.as_deref(),
            "department" => matter.department.as_deref(),
            "handler" => matter.handler.as_deref(),
            "call_id" => matter.call_id.as_deref(),
            _ => None,
        }
    };
    // One pass, so that what is put in is not read as a name again.
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}') {
            Some((name, rest)) => {
                filled.push_str(value(name).unwrap_or_default());
                filled.push_str(rest);
            }
            None => filled.push_str(part),
        }
    }
    filled
}
