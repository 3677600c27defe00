//! What is said to the citizen, and when we are silent.

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
    ) -> Result<MessageKey, Unrated> {
        let Occasion { number, conversation, account, .. } = *occasion;
        let (Some(wording), Some(account)) = (conversation.wording(kind), account) else {
            return Err(Unrated::NotSent);
        };
        if !self.can_send(account) {
            return Err(Unrated::NotSent);
        }
        let content = written(wording, occasion.matter);
        let nobody = Default::default();
        let caller = self.known.caller(number).unwrap_or(&nobody);
        let not_before = limits::when(caller, conversation, kind, occasion.earliest.max(self.now))?;
        if not_before >= expires {
            return Err(Unrated::NotSent);
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
        let told = match level.is_bad() {
            false if !thanked => self.tell(MessageKind::ThankYou, occasion, expires),
            true if wordless && !asked => self.tell(MessageKind::AskReason, occasion, expires),
            _ => return,
        };
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
        let Some(id) = occasion.invitation else { return };
        let caller = self.known.caller(occasion.number);
        let mut asked = caller.into_iter().flat_map(|caller| &caller.invitations);
        let waits = asked.any(|it| it.invitation.id == *id && it.is_open() && !it.re_prompted);
        if !waits || self.tell(MessageKind::RePrompt, occasion, expires).is_err() {
            return;
        }
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
