//! Invitations: taken, put, and ended without an answer.

use super::because::{Because, Silence};
use super::campaign::area;
use super::decide::Course;
use super::known::KEPT;
use super::limits;
use super::matching::later;
use super::memory::{
    Asked, Heard, InvitationMemory, MOST_INVITATIONS, Memory, MemoryKey, MessageMemory,
};
use super::talk::Occasion;
use crate::model::{
    Caller, Channel, Comment, Context, DeliveryStatus, Invitation, InvitationId, InvitationState,
    Meaning, Message, MessageId, MessageKind, Msisdn, Outcome, Record, RecordId, Revision, Rule,
    Target, Unrated,
};
use jiff::Timestamp;

impl Course<'_> {
    /// The platform asks us to invite. A key that is known is the same invitation again.
    pub(super) fn invited(&mut self, mut invitation: Invitation) {
        if self.known.invitation(&invitation.id).is_some() {
            return self.because(Because::Known);
        }
        invitation.state = InvitationState::Planned;
        invitation.attempted_at = None;
        if let Err(why) = self.plan(&invitation) {
            self.because(Because::Silent { kind: MessageKind::Invite, why });
            self.refuse(invitation, why.into());
        }
    }

    fn plan(&mut self, invitation: &Invitation) -> Result<(), Silence> {
        let campaign = self.campaign(&invitation.campaign).ok_or(Silence::NoConversation)?;
        let conversation = campaign.conversation.as_ref().ok_or(Silence::NoConversation)?;
        let number = &invitation.caller;
        let caller = self.known.caller(number).cloned().unwrap_or_default();
        let open = caller.invitations.iter().filter(|asked| asked.is_open()).count();
        if open >= MOST_INVITATIONS {
            return Err(Silence::TooManyOpen);
        }
        let earliest = invitation.send_at.unwrap_or(self.now).max(self.now);
        let at = limits::when(&caller, conversation, MessageKind::Invite, earliest)?;
        if at >= invitation.expires_at {
            return Err(Silence::TooLate);
        }
        let forget_at = later(invitation.expires_at, conversation.late_window);
        let occasion = Occasion {
            number,
            campaign,
            conversation,
            account: Some(&invitation.account),
            from: invitation.service.as_ref(),
            matter: Some(&invitation.matter),
            invitation: Some(&invitation.id),
            earliest,
        };
        match invitation.channel {
            Channel::Sms => {
                self.draft(MessageKind::Invite, &occasion, invitation.expires_at)?;
            }
            Channel::Ivr => {
                self.put_off(MessageKind::Invite, earliest, at);
                self.offer(&occasion, &invitation.account, (at, invitation.expires_at));
            }
        }
        self.known.change_caller(number, |caller| {
            if caller.invitations.len() >= MOST_INVITATIONS
                && let Some(ended) = caller.invitations.iter().position(|it| !it.is_open())
            {
                caller.invitations.remove(ended);
            }
            caller.invitations.push(Asked {
                invitation: invitation.clone(),
                re_prompted: false,
                undelivered: false,
                ended: None,
                forget_at,
            });
        });
        Ok(())
    }

    /// The citizen will not be asked.
    fn refuse(&mut self, invitation: Invitation, why: Unrated) {
        let id = self.record_id();
        let record = self.unrated(&invitation, why, id, Revision::FIRST);
        self.conclude(None, Outcome::NotRated, vec![record]);
        let memory = InvitationMemory {
            caller: invitation.caller,
            state: InvitationState::NotRated(why),
            forget_at: later(self.now, KEPT),
        };
        let key = MemoryKey::Invitation(invitation.id);
        self.known.recall(key, Some(Memory::Invitation(memory)));
    }

    /// A carrier took a message.
    pub(super) fn sent(&mut self, message: &Message, carrier_id: Option<MessageId>, at: Timestamp) {
        if let Some(id) = carrier_id {
            let memory = MessageMemory {
                message: message.key,
                caller: message.to.clone(),
                kind: message.kind,
                invitation: message.invitation.clone(),
                forget_at: later(at, KEPT),
            };
            let key = MemoryKey::Message { account: message.account.clone(), id };
            self.known.recall(key, Some(Memory::Message(memory)));
        }
        self.known.change_caller(&message.to, |caller| {
            if let Some(told) = caller.messages.iter_mut().find(|it| it.message == message.key) {
                (told.sent, told.at) = (true, at);
            }
            if let Some(talk) = caller.talks.iter_mut().find(|it| it.message == message.key) {
                (talk.asked_at, talk.until) = (Some(at), later(at, talk.window));
            }
        });
        if let (MessageKind::Invite | MessageKind::Call, Some(id)) =
            (message.kind, &message.invitation)
        {
            self.attempted(&message.to, id, at);
        }
    }

    /// The question was put: from now on the invitation is valid. What was asked before on the same
    /// line is answered no more, since the next answer is to the newest question.
    pub(super) fn attempted(&mut self, number: &Msisdn, id: &InvitationId, at: Timestamp) {
        let campaigns = self.rules.campaigns;
        let until = self.known.change_caller(number, |caller| {
            let asked = caller.invitations.iter_mut().find(|it| it.invitation.id == *id)?;
            let invitation = &mut asked.invitation;
            match invitation.state {
                InvitationState::Planned | InvitationState::NotRated(Unrated::NotSent) => {}
                _ => return None,
            }
            let campaign = campaigns.iter().find(|campaign| campaign.name == invitation.campaign);
            let conversation = campaign.and_then(|it| it.conversation.clone()).unwrap_or_default();
            invitation.state = InvitationState::Open;
            invitation.attempted_at = Some(at);
            let validity = invitation.valid_for.unwrap_or(conversation.validity);
            invitation.expires_at = later(at, validity);
            asked.forget_at = later(invitation.expires_at, conversation.late_window);
            let line = invitation.service.clone();
            let until = invitation.expires_at;
            caller.talks.retain(|talk| talk.asked_at.is_none() || !talk.hears(line.as_ref()));
            Some(until)
        });
        if let Some(until) = until {
            self.because(Because::Asked { until });
        }
    }

    /// A message will not be sent.
    pub(super) fn not_sent(&mut self, message: &Message) {
        self.known.change_caller(&message.to, |caller| {
            // A call that was put without us was put all the same.
            let put = message.kind == MessageKind::Call
                && caller.invitations.iter().any(|asked| {
                    Some(&asked.invitation.id) == message.invitation.as_ref()
                        && asked.invitation.attempted_at.is_some()
                });
            caller.messages.retain(|told| told.message != message.key || told.sent || put);
            caller.talks.retain(|talk| talk.message != message.key || talk.asked_at.is_some());
        });
        if let (MessageKind::Invite | MessageKind::Call, Some(id)) =
            (message.kind, &message.invitation)
        {
            let opted_out =
                self.known.caller(&message.to).is_some_and(|caller| caller.opted_out.is_some());
            let why = if opted_out { Unrated::OptedOut } else { Unrated::NotSent };
            self.end(&message.to, id, why, |asked| {
                asked.invitation.state == InvitationState::Planned
            });
        }
    }

    /// What a carrier says became of a message.
    pub(super) fn delivered(&mut self, heard: &Heard, status: DeliveryStatus) {
        let id = heard.event.message_id.as_ref();
        let message = id.and_then(|id| self.known.message(&heard.origin.account, id)).cloned();
        let Some(MessageMemory { caller, kind: MessageKind::Invite, invitation, .. }) = message
        else {
            return;
        };
        self.known.change_caller(&caller, |memory| {
            let mut asked = memory.invitations.iter_mut();
            if let Some(asked) = asked.find(|it| Some(&it.invitation.id) == invitation.as_ref()) {
                match status {
                    DeliveryStatus::Failed => asked.undelivered = true,
                    DeliveryStatus::Delivered => asked.undelivered = false,
                    DeliveryStatus::Pending | DeliveryStatus::Unknown => {}
                }
            }
        });
    }

    /// Ends the invitations whose time has come.
    pub(super) fn expire(&mut self, number: &Msisdn) {
        let now = self.now;
        let Some(caller) = self.known.caller(number) else { return };
        let over = caller
            .invitations
            .iter()
            .filter(|asked| asked.is_open() && asked.invitation.expires_at <= now);
        let why = |asked: &Asked| match asked.invitation.state {
            InvitationState::Planned => Unrated::NotSent,
            _ if asked.undelivered => Unrated::Undelivered,
            _ => Unrated::Expired,
        };
        let over: Vec<(InvitationId, Unrated)> =
            over.map(|asked| (asked.invitation.id.clone(), why(asked))).collect();
        for (id, why) in over {
            self.end(number, &id, why, |_| true);
        }
    }

    /// Ends an invitation for which this holds without a rating, and records that.
    pub(super) fn end(
        &mut self,
        number: &Msisdn,
        id: &InvitationId,
        why: Unrated,
        holds: impl Fn(&Asked) -> bool,
    ) {
        let asked = self.known.caller(number).and_then(|caller| {
            caller.invitations.iter().find(|it| it.invitation.id == *id && holds(it))
        });
        let Some(Asked { invitation, ended, .. }) = asked.cloned() else { return };
        let (record_id, revision) = match ended {
            Some((id, Revision(last))) => (id, Revision(last + 1)),
            None => (self.record_id(), Revision::FIRST),
        };
        self.because(Because::Ended(why));
        let record = self.unrated(&invitation, why, record_id, revision);
        self.conclude(None, Outcome::NotRated, vec![record]);
        self.known.change_caller(number, |caller| {
            if let Some(asked) = caller.invitations.iter_mut().find(|it| it.invitation.id == *id) {
                asked.invitation.state = InvitationState::NotRated(why);
                asked.ended = Some((record_id, revision));
            }
        });
    }

    fn unrated(
        &self,
        invitation: &Invitation,
        why: Unrated,
        id: RecordId,
        revision: Revision,
    ) -> Record {
        let campaign = self.campaign(&invitation.campaign);
        let code = match invitation.channel {
            Channel::Sms => campaign.and_then(|campaign| campaign.sms_channel_code),
            Channel::Ivr => campaign.and_then(|campaign| campaign.ivr_channel_code),
        };
        let target = Target {
            target_type: invitation.matter.target_type,
            reference: invitation.matter.reference().map(str::to_owned),
        };
        Record {
            id,
            revision,
            meaning: Meaning::NotRated { why, target },
            account: invitation.account.clone(),
            channel: invitation.channel,
            campaign: invitation.campaign.clone(),
            brand: campaign.map(|campaign| campaign.brand).unwrap_or_default(),
            channel_code: code,
            area: campaign
                .zip(invitation.service.as_ref())
                .and_then(|(campaign, service)| area(campaign, service))
                .cloned(),
            caller: Some(Caller::Number(invitation.caller.clone())),
            service: invitation.service.clone(),
            message_id: None,
            occurred_at: None,
            received_at: self.now,
            comment: Comment::default(),
            rule: Rule("invitation".into()),
            context: Context {
                invitation: Some(invitation.id.clone()),
                matter: Some(invitation.matter.clone()),
                ..Context::default()
            },
        }
    }
}
