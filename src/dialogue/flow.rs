//! What is said next in a call, by nothing but the question that stands and what was just heard.
//!
//! No memory is asked, so a call goes on while the store is slow, and any node can answer any step.

use crate::config::{CallFlow, Campaign, Prompt};
use crate::model::{CallStatus, Channel, EventBody, Level, Question, Step, Unrated};
use crate::normalize::{self, ReadingKind};
use std::time::Duration;

/// The next step of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'f> {
    /// A question is put, and keys are awaited.
    Ask {
        /// Where the call stands then.
        step: Step,
        /// What is said, in order; a key ends it.
        say: Vec<&'f Prompt>,
        /// The most keys.
        digits: u8,
        /// How long they are awaited.
        wait: Duration,
    },
    /// The citizen leaves a message.
    Record {
        /// Where the call stands then.
        step: Step,
        /// What is said before the tone.
        say: Vec<&'f Prompt>,
        /// How long it may be.
        longest: Duration,
        /// What is said after it, where the carrier wants that beforehand.
        after: Vec<&'f Prompt>,
    },
    /// It is over.
    End {
        /// What is said.
        say: Vec<&'f Prompt>,
        /// Why nothing was rated; `None` if something was, or if that is not known here.
        unrated: Option<Unrated>,
    },
}

/// What keys say at the first question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rated {
    At(Level),
    Declined,
    Silent,
    Wrong,
}

/// The next step after this was heard; without a step the call begins.
#[must_use]
pub fn next<'f>(
    flow: &'f CallFlow,
    campaign: &Campaign,
    step: Option<Step>,
    heard: &EventBody,
) -> Next<'f> {
    let talk = Talk { flow, digits: most_digits(campaign) };
    let step = match (heard, step) {
        (EventBody::CallStatus { status, .. }, _) if is_over(*status) => return silent_end(),
        (EventBody::Recording { .. }, _) => return talk.over(),
        (_, Some(step)) => step,
        (_, None) => return talk.begin(),
    };
    let keys = match heard {
        EventBody::Keypad { digits } => digits.as_str(),
        _ => "",
    };
    match step.question {
        Question::Rating => match rated(campaign, keys) {
            Rated::At(level) if level.is_bad() => talk.after_rating(),
            Rated::At(_) => talk.over(),
            Rated::Declined => talk.leave(Unrated::Declined),
            Rated::Silent => talk.repeat(step, flow.silence.as_ref(), Unrated::Silent),
            Rated::Wrong => talk.repeat(step, flow.wrong_key.as_ref(), Unrated::Invalid),
        },
        Question::Reason => match (reason_key(flow, keys), step.repeats < flow.repeats) {
            (None, true) if keys.is_empty() => talk.ask(step.again(), flow.silence.as_ref()),
            (None, true) => talk.ask(step.again(), flow.wrong_key.as_ref()),
            _ => talk.after_reason(),
        },
        Question::Offer => match &flow.message {
            Some(offer) if key(keys) == Some(offer.key) => talk.record(),
            _ => talk.over(),
        },
        Question::Message => talk.over(),
    }
}

/// The next step when what was heard could not be stored in time: the question is put again, so
/// that its answer is not lost.
#[must_use]
pub fn again<'f>(flow: &'f CallFlow, campaign: &Campaign, step: Option<Step>) -> Next<'f> {
    let talk = Talk { flow, digits: most_digits(campaign) };
    match step {
        None => talk.begin(),
        Some(Step { question: Question::Message, .. }) => talk.end(flow.goodbye.as_ref(), None),
        Some(step) if step.repeats < flow.repeats => talk.ask(step.again(), flow.busy.as_ref()),
        Some(_) => talk.end(flow.goodbye.as_ref(), None),
    }
}

/// The key that names a reason, if these keys are one of the menu's.
#[must_use]
pub(super) fn reason_key(flow: &CallFlow, keys: &str) -> Option<u8> {
    let menu = flow.reason.as_ref()?;
    key(keys).filter(|key| menu.keys.contains_key(key))
}

/// Whether a call in this state is at its end.
#[must_use]
pub(super) fn is_over(status: CallStatus) -> bool {
    matches!(
        status,
        CallStatus::Completed | CallStatus::Busy | CallStatus::NoAnswer | CallStatus::Failed
    )
}

fn rated(campaign: &Campaign, keys: &str) -> Rated {
    let reading = normalize::read(Channel::Ivr, campaign.scheme, keys);
    match reading.level {
        Some(level) => Rated::At(level),
        None if reading.kind == ReadingKind::Declined => Rated::Declined,
        None if keys.is_empty() => Rated::Silent,
        None => Rated::Wrong,
    }
}

/// One key, perhaps ended by `#`.
fn key(keys: &str) -> Option<u8> {
    match keys.strip_suffix('#').unwrap_or(keys).as_bytes() {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        _ => None,
    }
}

fn most_digits(campaign: &Campaign) -> u8 {
    if campaign.scheme.highest() > 9 { 2 } else { 1 }
}

fn silent_end<'f>() -> Next<'f> {
    Next::End { say: Vec::new(), unrated: None }
}

/// A call of a campaign.
struct Talk<'f> {
    flow: &'f CallFlow,
    /// The most keys that a rating has.
    digits: u8,
}

impl<'f> Talk<'f> {
    fn begin(&self) -> Next<'f> {
        self.ask(Step::first(Question::Rating), self.flow.greeting.as_ref())
    }

    fn after_rating(&self) -> Next<'f> {
        match self.flow.reason {
            Some(_) => self.ask(Step::first(Question::Reason), None),
            None => self.after_reason(),
        }
    }

    fn after_reason(&self) -> Next<'f> {
        match self.flow.message {
            Some(_) => self.ask(Step::first(Question::Offer), None),
            None => self.over(),
        }
    }

    fn ask(&self, step: Step, before: Option<&'f Prompt>) -> Next<'f> {
        let question = match step.question {
            Question::Rating => Some(&self.flow.rating),
            Question::Reason => self.flow.reason.as_ref().map(|menu| &menu.ask),
            Question::Offer => self.flow.message.as_ref().map(|offer| &offer.ask),
            Question::Message => None,
        };
        // The campaign asks this no more.
        let Some(question) = question else { return self.over() };
        Next::Ask {
            step,
            say: before.into_iter().chain([question]).collect(),
            digits: if step.question == Question::Rating { self.digits } else { 1 },
            wait: self.flow.wait,
        }
    }

    fn record(&self) -> Next<'f> {
        let Some(offer) = &self.flow.message else { return self.over() };
        Next::Record {
            step: Step::first(Question::Message),
            say: vec![&offer.record],
            longest: offer.longest,
            after: self.flow.thanks.iter().collect(),
        }
    }

    fn repeat(&self, step: Step, before: Option<&'f Prompt>, at_last: Unrated) -> Next<'f> {
        match step.repeats < self.flow.repeats {
            true => self.ask(step.again(), before),
            false => self.leave(at_last),
        }
    }

    fn leave(&self, why: Unrated) -> Next<'f> {
        self.end(self.flow.goodbye.as_ref(), Some(why))
    }

    fn over(&self) -> Next<'f> {
        self.end(self.flow.thanks.as_ref(), None)
    }

    fn end(&self, say: Option<&'f Prompt>, unrated: Option<Unrated>) -> Next<'f> {
        Next::End { say: say.into_iter().collect(), unrated }
    }
}
