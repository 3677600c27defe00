//! Marks for whoever judges ratings; a rating is never altered by them.

use super::memory::{CallerMemory, Subject};
use crate::config::Conversation;
use crate::model::{Mark, Msisdn};
use jiff::Timestamp;
use std::time::Duration;

/// The marks that a rating by this caller deserves. `asked_at` is when the question was put.
pub(super) fn marks(
    conversation: &Conversation,
    number: &Msisdn,
    caller: &CallerMemory,
    subject: &Subject,
    asked_at: Option<Timestamp>,
    at: Timestamp,
) -> Vec<Mark> {
    let mut marks = Vec::new();
    if let (Some(fastest), Some(asked_at)) = (conversation.fastest_answer, asked_at)
        && since(asked_at, at).is_some_and(|passed| passed < fastest)
    {
        marks.push(Mark::TooFast);
    }
    if let Some(many) = conversation.many_cases {
        let recent = |moment| since(moment, at).is_some_and(|passed| passed < many.window);
        let others = caller
            .ratings
            .iter()
            .filter(|rated| rated.subject != *subject && recent(rated.record.received_at));
        let cases = u8::try_from(others.count() + 1).unwrap_or(u8::MAX);
        if cases >= many.count {
            marks.push(Mark::ManyCases(cases));
        }
    }
    if conversation.staff_numbers.contains(number) {
        marks.push(Mark::StaffLine);
    }
    marks
}

/// How long before `at` a moment was; `None` if it was not.
fn since(moment: Timestamp, at: Timestamp) -> Option<Duration> {
    at.duration_since(moment).try_into().ok()
}
