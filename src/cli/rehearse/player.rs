//! Plays lines: each becomes what a carrier or the platform would have said.

use super::calls::Calls;
use super::lines::{Line, Lines};
use super::stage::{Scene, Stage};
use super::typed::{Cue, Unplayable};
use crate::config::{Areas, Campaign, Config};
use crate::intake::invitations::{self, Premises, Problem};
use crate::model::{
    Caller, Channel, Event, EventBody, MessageId, Msisdn, ServiceNumber, TargetType, TextPart,
};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Why a line cannot be played.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Unplayable(#[from] Unplayable),
    #[error("no account of the configuration brings {0} to this campaign; name one with --account")]
    NoLine(&'static str),
    #[error("not a telephone number; write it as it is dialled in the country, or in E.164")]
    NotANumber,
    #[error("no text was sent yet")]
    NothingSent,
    #[error("there is no call; /call or /keys begins one")]
    NoCall,
    #[error("no message is asked for; the call offers it after a bad rating, if the campaign does")]
    NoMessage,
    #[error("the invitation is rejected: {}", told(.0))]
    Rejected(Vec<Problem>),
}

fn told(problems: &[Problem]) -> String {
    let problem = |it: &Problem| format!("{} {}; {}", it.field, it.wrong, it.right);
    problems.iter().map(problem).collect::<Vec<_>>().join(". ")
}

/// A rehearsal that goes on.
pub(super) struct Player<'a> {
    pub(super) config: &'a Config,
    campaign: &'a Campaign,
    pub(super) lines: Lines,
    begins: Timestamp,
    pub(super) stage: Stage<'a>,
    /// `None`: the number is withheld.
    pub(super) citizen: Option<Msisdn>,
    /// `None`: those of the lines.
    service: Option<ServiceNumber>,
    texts: usize,
    invitations: usize,
    pub(super) calls: Calls,
}

impl<'a> Player<'a> {
    /// At the beginning.
    pub(super) fn new(
        config: &'a Config,
        campaign: &'a Campaign,
        lines: Lines,
        citizen: Option<Msisdn>,
        begins: Timestamp,
    ) -> Player<'a> {
        Player {
            config,
            campaign,
            lines,
            begins,
            stage: Stage::new(config, begins),
            citizen,
            service: None,
            texts: 0,
            invitations: 0,
            calls: Calls::default(),
        }
    }

    /// Who is speaking, masked.
    pub(super) fn speaker(&self) -> String {
        self.citizen.as_ref().map_or_else(|| "withheld".to_owned(), Msisdn::masked)
    }

    /// Plays a cue, and gives what happens.
    ///
    /// # Errors
    /// [`Fault`]; nothing has happened then.
    pub(super) fn play(&mut self, cue: Cue) -> Result<Vec<Scene>, Fault> {
        match cue {
            Cue::Text(text) => self.text(text, None),
            Cue::Part { number, total, text } => {
                // Nobody texts in two pieces at once here, so that one reference will do.
                let part = TextPart { reference: "1".to_owned(), total, number };
                self.text(text, Some(part))
            }
            Cue::Invite(fields) => self.invite(fields),
            Cue::Call => self.answer_call(),
            Cue::Keys(digits) => self.press(digits),
            Cue::Speak => self.speak(),
            Cue::HangUp => self.hang_up(),
            Cue::Report(status) => {
                self.report(EventBody::DeliveryReport { status, raw: String::new() })
            }
            Cue::Wait(passed) => Ok(self.stage.pass(passed)),
            Cue::From(number) => {
                let number = number.map(|number| Msisdn::read(&number, "86")).transpose();
                self.citizen = number.map_err(|_| Fault::NotANumber)?;
                Ok(Vec::new())
            }
            Cue::To(number) => {
                self.service = number.map(ServiceNumber);
                Ok(Vec::new())
            }
            Cue::New => {
                let (lines, citizen) = (self.lines.clone(), self.citizen.take());
                *self = Player::new(self.config, self.campaign, lines, citizen, self.begins);
                Ok(Vec::new())
            }
        }
    }

    fn text(&mut self, text: String, part: Option<TextPart>) -> Result<Vec<Scene>, Fault> {
        let line = self.lines.texts.clone().ok_or(Fault::NoLine("texts"))?;
        self.texts += 1;
        let id = MessageId(format!("reply-{}", self.texts));
        let event = self.event(id, &line, EventBody::SmsReply { text });
        Ok(self.stage.hear(&line.account, Event { part, ..event }))
    }

    fn report(&mut self, body: EventBody) -> Result<Vec<Scene>, Fault> {
        let (account, id) = self.stage.last_sent().cloned().ok_or(Fault::NothingSent)?;
        let line = Line { account, service: None };
        let event = self.event(id, &line, body);
        Ok(self.stage.hear(&line.account, event))
    }

    pub(super) fn event(&self, id: MessageId, line: &Line, body: EventBody) -> Event {
        Event {
            message_id: Some(id),
            call: None,
            caller: self.citizen.clone().map(Caller::Number),
            service: self.service.clone().or_else(|| line.service.clone()),
            occurred_at: None,
            dedupe: String::new(),
            resend_window: None,
            pass_through: None,
            part: None,
            body,
        }
    }

    fn invite(&mut self, mut item: Map<String, Value>) -> Result<Vec<Scene>, Fault> {
        self.fill(&mut item);
        let premises = Premises {
            campaigns: &self.config.campaigns,
            accounts: &self.config.accounts,
            areas: Areas::liaoning(),
            now: self.stage.now(),
        };
        let invitation = invitations::read(&item, premises).map_err(Fault::Rejected)?;
        self.invitations += 1;
        if invitation.channel == Channel::Ivr {
            let given = invitation.matter.pass_through.clone();
            let named = given.unwrap_or_else(|| invitation.id.0.clone());
            self.calls.to_put.push((invitation.caller.clone(), named));
        }
        Ok(self.stage.invite(invitation))
    }

    /// What an item leaves out is as this citizen would be asked by this campaign.
    fn fill(&self, item: &mut Map<String, Value>) {
        let by_call = item.get("channel").is_some_and(|channel| channel == "ivr");
        let line = if by_call { &self.lines.calls } else { &self.lines.texts }.as_ref();
        let service = self.service.as_ref().or(line.and_then(|line| line.service.as_ref()));
        let sender = self.campaign.conversation.as_ref().and_then(|it| it.sender.as_ref());
        let account = line.filter(|_| by_call || sender.is_none()).map(|line| &line.account);
        let is_case = self.campaign.target == TargetType::Case;
        let number = self.invitations + 1;
        let defaults = [
            ("id", Some(format!("invitation-{number}"))),
            ("campaign", Some(self.campaign.name.clone())),
            ("mobile", self.citizen.as_ref().map(|number| number.reveal().to_owned())),
            ("channel", Some("sms".to_owned())),
            ("projectNo", is_case.then(|| format!("case-{number}"))),
            ("senderNumber", service.map(|service| service.0.clone())),
            ("account", account.map(ToString::to_string)),
        ];
        for (name, value) in defaults {
            if let Some(value) = value {
                item.entry(name).or_insert(Value::String(value));
            }
        }
    }
}
