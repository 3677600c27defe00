//! Calls of a rehearsal: answered, keys pressed, over.

use super::player::{Fault, Player};
use super::stage::{Scene, What};
use crate::config::{CallFlow, Campaign};
use crate::dialogue::choose_campaign;
use crate::dialogue::flow::{self, Next};
use crate::model::{
    AccountName, CallStatus, Event, EventBody, MessageId, Msisdn, Question, ServiceNumber, Step,
};

/// The call under way, and what the next one is for.
#[derive(Debug, Default)]
pub(super) struct Calls {
    current: Option<Call>,
    count: usize,
    /// Whose questions are to be put in calls, and what the carrier is then given to hand back.
    pub(super) to_put: Vec<(Msisdn, String)>,
}

impl Calls {
    /// Begins a call to a citizen, which puts the newest question there is.
    fn begin(&mut self, citizen: Option<&Msisdn>) {
        let its = |(number, _): &(Msisdn, String)| citizen.is_none_or(|citizen| citizen == number);
        let newest = self.to_put.iter().rposition(its);
        let puts = newest.map(|place| self.to_put.remove(place).1);
        self.count += 1;
        self.current =
            Some(Call { id: MessageId(format!("call-{}", self.count)), puts, step: None });
    }
}

/// A call under way.
#[derive(Debug, Clone)]
struct Call {
    /// The carrier's id of it.
    id: MessageId,
    /// The invitation that it puts, as the carrier hands it back.
    puts: Option<String>,
    /// The question that stands, if the steps are ours.
    step: Option<Step>,
}

impl<'a> Player<'a> {
    /// A call reaches the citizen, who answers it.
    pub(super) fn answer_call(&mut self) -> Result<Vec<Scene>, Fault> {
        if self.lines.calls.is_none() {
            return Err(Fault::NoLine("keys"));
        }
        self.calls.begin(self.citizen.as_ref());
        self.in_call(status(CallStatus::Answered))
    }

    /// The citizen presses keys, in a new call if there is none.
    pub(super) fn press(&mut self, digits: String) -> Result<Vec<Scene>, Fault> {
        let mut scenes = match self.calls.current {
            Some(_) => Vec::new(),
            None => self.answer_call()?,
        };
        scenes.extend(self.in_call(EventBody::Keypad { digits })?);
        Ok(scenes)
    }

    /// The citizen leaves a message.
    pub(super) fn speak(&mut self) -> Result<Vec<Scene>, Fault> {
        let Call { id, step, .. } = self.calls.current.as_ref().ok_or(Fault::NoCall)?;
        if step.is_none_or(|step| step.question != Question::Message) {
            return Err(Fault::NoMessage);
        }
        let url = format!("https://carrier.example/{id}.wav");
        self.in_call(EventBody::Recording { url })
    }

    /// The call is over.
    pub(super) fn hang_up(&mut self) -> Result<Vec<Scene>, Fault> {
        let (account, event, _) = self.of_call(status(CallStatus::Completed))?;
        self.calls.current = None;
        Ok(self.stage.hear(&account, event))
    }

    fn in_call(&mut self, body: EventBody) -> Result<Vec<Scene>, Fault> {
        let (account, event, step) = self.of_call(body)?;
        let Some((campaign, flow)) = self.asks_in_calls(&account, event.service.as_ref()) else {
            return Ok(self.stage.hear(&account, event));
        };
        let (step, what) = match flow::next(flow, campaign, step, &event.body) {
            Next::Ask { step, say, .. } | Next::Record { step, say, .. } => {
                (Some(step), What::Asks(say.into_iter().cloned().collect()))
            }
            Next::End { say, .. } => (None, What::Says(say.into_iter().cloned().collect())),
        };
        let answered =
            self.calls.current.as_mut().map(|call| std::mem::replace(&mut call.step, step));
        let mut scenes = self.stage.hear_in_call(&account, event, answered.flatten());
        scenes.push(self.stage.speaks(what));
        if step.is_none() {
            // The carrier hangs up, and tells.
            scenes.extend(self.hang_up()?);
        }
        Ok(scenes)
    }

    /// Something of the call under way, and the question that stands in it.
    fn of_call(&self, body: EventBody) -> Result<(AccountName, Event, Option<Step>), Fault> {
        let line = self.lines.calls.as_ref().ok_or(Fault::NoLine("keys"))?;
        let Call { id, puts, step } = self.calls.current.clone().ok_or(Fault::NoCall)?;
        let event = Event { pass_through: puts, ..self.event(id, line, body) };
        Ok((line.account.clone(), event, step))
    }

    /// What is asked in a call, if its carrier asks us for the steps.
    fn asks_in_calls(
        &self,
        account: &AccountName,
        service: Option<&ServiceNumber>,
    ) -> Option<(&'a Campaign, &'a CallFlow)> {
        let account = self.config.accounts.get(account)?;
        account.dialect.routes.iter().find(|route| route.steps.is_some())?;
        let campaign = choose_campaign(&self.config.campaigns, account, service)?;
        Some((campaign, campaign.call.as_ref()?))
    }
}

fn status(status: CallStatus) -> EventBody {
    EventBody::CallStatus { status, raw: String::new(), digits: None }
}
