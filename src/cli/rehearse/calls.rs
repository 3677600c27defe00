//! Calls of a rehearsal: answered, keys pressed, over.

use super::player::{Fault, Player};
use super::stage::Scene;
use crate::model::{CallStatus, Event, EventBody, MessageId, Msisdn};

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
        self.current = Some(Call { id: MessageId(format!("call-{}", self.count)), puts });
    }
}

/// A call under way.
#[derive(Debug, Clone)]
struct Call {
    /// The carrier's id of it.
    id: MessageId,
    /// The invitation that it puts, as the carrier hands it back.
    puts: Option<String>,
}

impl Player<'_> {
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

    /// The call is over.
    pub(super) fn hang_up(&mut self) -> Result<Vec<Scene>, Fault> {
        let scenes = self.in_call(status(CallStatus::Completed))?;
        self.calls.current = None;
        Ok(scenes)
    }

    fn in_call(&mut self, body: EventBody) -> Result<Vec<Scene>, Fault> {
        let line = self.lines.calls.clone().ok_or(Fault::NoLine("keys"))?;
        let Call { id, puts } = self.calls.current.clone().ok_or(Fault::NoCall)?;
        let event = self.event(id, &line, body);
        Ok(self.stage.hear(&line.account, Event { pass_through: puts, ..event }))
    }
}

fn status(status: CallStatus) -> EventBody {
    EventBody::CallStatus { status, raw: String::new(), digits: None }
}
