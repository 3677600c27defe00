//! The next step of a call, for carriers that ask us for it.
//!
//! What it is depends on the question that was answered and on the campaign alone; the store is asked
//! for nothing but to keep the answer. Where it does not do so in time, the question is put again.

use super::Intake;
use crate::carrier::{self, Answer, Call, Decoded, Denied, Reply, Turn};
use crate::config::dialect::Steps;
use crate::config::{Account, CallFlow, Campaign};
use crate::dialogue::{choose_campaign, flow};
use crate::model::{Event, EventBody, Question, ServiceNumber};
use crate::store::Unwell;
use std::sync::Arc;
use tokio::time::timeout;

impl Intake {
    /// As [`Intake::accept`], within the time that the carrier grants, and the step that follows in
    /// its words; no step where no campaign asks anything, or the request is not believed.
    pub async fn accept_in_call(
        &self,
        account: &Arc<Account>,
        call: &Call<'_>,
        steps: &Steps,
    ) -> (Answer, Option<Reply>) {
        let now = self.now();
        let verified = match self.believe(account, call, now) {
            Ok(verified) => verified,
            Err(denied) => return (Answer::Refused(denied), None),
        };
        let decoded = carrier::decode(call, account);
        // What is not stored by then may be stored still: the same call then has one rating twice.
        let kept = timeout(steps.within, self.keep(account, call, verified, &decoded, now)).await;
        let answer = kept.unwrap_or(Answer::Busy(Unwell::Behind.retry_after()));
        let next = self.next_step(account, call, &decoded, &answer);
        (answer, next)
    }

    /// What is said to a call whose request was not even read: the question again.
    #[must_use]
    pub fn unheard(&self, account: &Account, call: &Call<'_>) -> Option<Reply> {
        let step = carrier::turn(call)?.step;
        let campaigns = self.campaigns();
        let (campaign, flow) = asking(&campaigns, account, None)?;
        carrier::tell(call, &flow::again(flow, campaign, step))
    }

    fn next_step(
        &self,
        account: &Account,
        call: &Call<'_>,
        decoded: &Decoded,
        answer: &Answer,
    ) -> Option<Reply> {
        let step = decoded.turn?.step;
        let heard = decoded.events.iter().find(|event| is_of_call(event));
        let campaigns = self.campaigns();
        let service = heard.and_then(|event| event.service.as_ref());
        let (campaign, flow) = asking(&campaigns, account, service)?;
        let next = match (answer, heard) {
            (Answer::Accepted | Answer::Duplicate, Some(event)) => {
                flow::next(flow, campaign, step, &event.body)
            }
            (Answer::Refused(Denied::Replayed) | Answer::Busy(_), _) | (_, None) => {
                flow::again(flow, campaign, step)
            }
            (Answer::Refused(_), _) => return None,
        };
        carrier::tell(call, &next)
    }
}

/// The turn in which an event was said, if its campaign asks in calls. The answer to a later question
/// keeps it even if the campaign asks no more: it is no rating.
pub(super) fn turn_of(
    event: &Event,
    turn: Option<Turn>,
    campaign: Option<&Campaign>,
) -> Option<Turn> {
    let asks = campaign.is_some_and(|campaign| campaign.call.is_some());
    let later = |turn: &Turn| turn.step.is_some_and(|step| step.question != Question::Rating);
    turn.filter(|turn| is_of_call(event) && (asks || later(turn)))
}

fn is_of_call(event: &Event) -> bool {
    matches!(
        event.body,
        EventBody::Keypad { .. } | EventBody::CallStatus { .. } | EventBody::Recording { .. }
    )
}

fn asking<'c>(
    campaigns: &'c [Arc<Campaign>],
    account: &Account,
    service: Option<&ServiceNumber>,
) -> Option<(&'c Campaign, &'c CallFlow)> {
    let campaign = choose_campaign(campaigns, account, service)?;
    Some((campaign, campaign.call.as_ref()?))
}
