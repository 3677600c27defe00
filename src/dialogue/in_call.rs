//! A call in which we ask, from its first question to the one outcome that it ends in.

use super::calls::{self, call_of};
use super::campaign::area;
use super::decide::Course;
use super::flow::{self, Next, is_over};
use super::matching::later;
use super::memory::{AskingMemory, Heard, Memory, MemoryKey, Rated};
use crate::config::{CallFlow, Campaign};
use crate::model::{
    AccountName, Caller, Channel, Comment, Context, EventBody, InvitationState, Mark, Matter,
    Meaning, MessageId, Msisdn, Outcome, Question, Record, RecordId, Revision, Rule, Step, Target,
    TargetType, Unrated,
};
use std::time::Duration;

/// How much longer than for their number a call waits for what its keys say.
const AFTER_HELD_KEYS: Duration = Duration::from_secs(1);

impl Course<'_> {
    /// Something was said in a call whose next step is ours.
    pub(super) fn in_call(&mut self, heard: Heard, step: Option<Step>) {
        let asked = self.campaign_of(&heard).and_then(|it| Some((&**it, it.call.as_ref()?)));
        let question = step.map(|step| step.question);
        let (Some((campaign, flow)), Some(call)) = (asked, call_of(&heard.event).cloned()) else {
            // The campaign asks no more: what answers a later question is no rating all the same.
            let rates = question.is_none_or(|question| question == Question::Rating);
            return match heard.event.body {
                EventBody::Keypad { .. } if !rates => {
                    self.conclude(Some(heard.origin), Outcome::Noted, Vec::new());
                }
                _ => self.said(heard),
            };
        };
        let account = heard.origin.account.clone();
        let next = flow::next(flow, campaign, step, &heard.event.body);
        // A call that nobody answered was never asked anything.
        if !matches!(heard.event.body, EventBody::CallStatus { status, .. } if is_over(status)) {
            self.begin(&heard, &call, campaign, flow);
        }
        match (&heard.event.body, question) {
            (EventBody::Keypad { digits }, Some(Question::Reason)) => {
                self.reason_by_key(&heard, &call, flow, digits);
            }
            (EventBody::Keypad { .. }, Some(Question::Offer | Question::Message)) => {
                self.conclude(Some(heard.origin), Outcome::Noted, Vec::new());
            }
            _ => self.said(heard),
        }
        if let Next::End { unrated: Some(why), .. } = next {
            self.over(&account, &call, why);
        }
    }

    /// What became of keys, which may answer the first question of their call.
    pub(super) fn note_answer(&mut self, heard: &Heard, outcome: Outcome) {
        let counts = matches!(outcome, Outcome::Rated | Outcome::Surplus | Outcome::Unmatched);
        if let (true, Some(call)) = (counts, call_of(&heard.event)) {
            let account = &heard.origin.account;
            self.known.change_asking(account, call, |asking| asking.answered = true);
        }
    }

    /// The first that is heard of a call opens it.
    fn begin(&mut self, heard: &Heard, call: &MessageId, campaign: &Campaign, flow: &CallFlow) {
        let account = &heard.origin.account;
        let caller = calls::caller_of(heard, self.known);
        if self.known.asking(account, call).is_none() {
            let until = later(heard.origin.received_at, flow.longest);
            let asking = AskingMemory {
                campaign: campaign.name.clone(),
                service: heard.event.service.clone(),
                caller: None,
                until: Some(until),
                why: None,
                answered: false,
                rating: None,
                ended: None,
                forget_at: later(until, calls::KEPT),
            };
            let key = MemoryKey::Asking { account: account.clone(), call: call.clone() };
            self.known.recall(key, Some(Memory::Asking(asking)));
        }
        self.known
            .change_asking(account, call, |asking| asking.caller = asking.caller.take().or(caller));
    }

    /// The carrier says that a call ended.
    pub(super) fn hung_up(&mut self, heard: &Heard) {
        if let EventBody::CallStatus { status, .. } = heard.event.body
            && is_over(status)
            && let Some(call) = call_of(&heard.event)
        {
            self.over(&heard.origin.account, call, Unrated::HungUp);
        }
    }

    /// A call whose end nobody told is over by now, or is forgotten.
    pub(super) fn asking_due(&mut self, account: &AccountName, call: &MessageId) {
        let Some(asking) = self.known.asking(account, call) else { return };
        let (until, forget_at) = (asking.until, asking.forget_at);
        let why = asking.why.unwrap_or(Unrated::HungUp);
        if until.is_some_and(|until| until <= self.now) {
            self.over(account, call, why);
        } else if until.is_none() && forget_at <= self.now {
            let key = MemoryKey::Asking { account: account.clone(), call: call.clone() };
            self.known.recall(key, None);
        }
    }

    /// A rating of this call counted.
    pub(super) fn note_rating(&mut self, heard: &Heard, rating: RecordId) {
        if let Some(call) = call_of(&heard.event) {
            let account = &heard.origin.account;
            self.known.change_asking(account, call, |asking| asking.rating = Some(rating));
        }
    }

    /// What was recorded when this call ended without a rating.
    pub(super) fn ended_call(&self, heard: &Heard) -> Option<(RecordId, Revision)> {
        self.known.asking(&heard.origin.account, call_of(&heard.event)?)?.ended
    }

    /// Whether a call itself asks what was wrong, so that no message does.
    pub(super) fn asks_for_reason(&self, account: &AccountName, call: Option<&MessageId>) -> bool {
        let asking = call.and_then(|call| self.known.asking(account, call));
        let campaign = asking.and_then(|asking| self.campaign(&asking.campaign));
        campaign.and_then(|campaign| campaign.call.as_ref()?.reason.as_ref()).is_some()
    }

    /// The key of a reason completes the rating of its call.
    fn reason_by_key(&mut self, heard: &Heard, call: &MessageId, flow: &CallFlow, keys: &str) {
        let account = &heard.origin.account;
        let number = calls::caller_of(heard, self.known);
        self.learn(heard, number.as_ref());
        self.release(heard, number.as_ref());
        // The rating is not held for a number any longer: its reason is here.
        for keys in self.take_keys(account, call) {
            self.answer(keys, None, vec![Mark::NoCaller]);
        }
        let chosen = flow::reason_key(flow, keys);
        let (Some(key), Some(menu)) = (chosen, &flow.reason) else {
            return self.conclude(Some(heard.origin.clone()), Outcome::Unrecognised, Vec::new());
        };
        let reasoned = self.rated_in(account, call).and_then(|rated| {
            let Meaning::Rating { level, .. } = rated.record.meaning else { return None };
            let mut record = rated.record.clone();
            record.revision = Revision(record.revision.0 + 1);
            record.context.marks.retain(|mark| !matches!(mark, Mark::Chose(_)));
            record.context.marks.push(Mark::Chose(menu.reason(key, level)?));
            Some((rated.subject.clone(), record))
        });
        let Some((subject, record)) = reasoned else {
            return self.conclude(Some(heard.origin.clone()), Outcome::Noted, Vec::new());
        };
        let caller = self.known.asking(account, call).and_then(|asking| asking.caller.clone());
        self.renew(caller.as_ref(), &subject, &record);
        if self.known.call(account, call).is_some_and(|memory| memory.rated.is_some()) {
            self.known.change_call(account, call, |memory| {
                if let Some(rated) = memory.rated.as_deref_mut() {
                    rated.record = record.clone();
                }
            });
        }
        self.conclude(Some(heard.origin.clone()), Outcome::Reason, vec![record]);
    }

    /// The rating of a call, as the citizen or else the call remembers it.
    fn rated_in(&self, account: &AccountName, call: &MessageId) -> Option<&Rated> {
        let asking = self.known.asking(account, call)?;
        let caller = asking.caller.as_ref().and_then(|number| self.known.caller(number));
        let ratings = caller.into_iter().flat_map(|caller| &caller.ratings);
        let of_call = self.known.call(account, call).and_then(|memory| memory.rated.as_deref());
        let mut all = ratings.chain(of_call).filter(|rated| self.is_newest(rated));
        all.find(|rated| Some(rated.record.id) == asking.rating)
    }

    /// Ends a call; where nothing was rated in it, that is its outcome.
    fn over(&mut self, account: &AccountName, call: &MessageId, why: Unrated) {
        let Some(asking) = self.known.asking(account, call).cloned() else { return };
        if asking.until.is_none() {
            return;
        }
        // Keys that wait for the call's number may be its rating.
        let held_until = self.known.call(account, call).and_then(|memory| memory.held_until);
        if let Some(held_until) = held_until {
            let until = later(held_until, AFTER_HELD_KEYS);
            return self.known.change_asking(account, call, |asking| {
                asking.until = Some(until);
                asking.why.get_or_insert(why);
            });
        }
        let unrated = !asking.answered && asking.rating.is_none();
        let ended = unrated.then(|| self.unrated_call(account, call, &asking, why)).flatten();
        let outcome = ended.as_ref().map(|record| (record.id, record.revision));
        self.known.change_asking(account, call, |asking| {
            (asking.until, asking.ended) = (None, outcome);
        });
        if let Some(record) = ended {
            self.ended_unrated(asking.caller.as_ref(), &record, why);
            self.conclude(None, Outcome::NotRated, vec![record]);
        }
    }

    /// What ended a call is recorded of the invitation that it put: a late rating, or the end of its
    /// validity, is the next revision. Whoever declines is not awaited any more.
    fn ended_unrated(&mut self, caller: Option<&Msisdn>, record: &Record, why: Unrated) {
        let (Some(number), Some(id)) = (caller, &record.context.invitation) else { return };
        self.known.change_caller(number, |caller| {
            let mut asked = caller.invitations.iter_mut();
            let Some(asked) = asked.find(|it| it.invitation.id == *id) else { return };
            asked.ended = Some((record.id, record.revision));
            if why == Unrated::Declined && asked.is_open() {
                asked.invitation.state = InvitationState::NotRated(why);
            }
        });
    }

    /// What is recorded of a call without a rating.
    fn unrated_call(
        &mut self,
        account: &AccountName,
        call: &MessageId,
        asking: &AskingMemory,
        why: Unrated,
    ) -> Option<Record> {
        let campaign = self.campaign(&asking.campaign)?;
        let number = asking.caller.clone();
        let invitation = self.known.call(account, call).and_then(|it| it.invitation.clone());
        let asked = number.as_ref().zip(invitation.as_ref()).and_then(|(number, id)| {
            let mut asked = self.known.caller(number)?.invitations.iter();
            asked.find(|it| it.invitation.id == *id).cloned()
        });
        let (id, revision) = match asked.as_ref().and_then(|asked| asked.ended) {
            Some((id, Revision(last))) => (id, Revision(last + 1)),
            None => (self.record_id(), Revision::FIRST),
        };
        let matter = asked.map(|asked| asked.invitation.matter);
        Some(Record {
            id,
            revision,
            meaning: Meaning::NotRated { why, target: target(campaign, matter.as_ref(), call) },
            account: account.clone(),
            channel: Channel::Ivr,
            campaign: campaign.name.clone(),
            brand: campaign.brand,
            channel_code: campaign.ivr_channel_code,
            area: asking.service.as_ref().and_then(|it| area(campaign, it)).cloned(),
            caller: number.map(Caller::Number),
            service: asking.service.clone(),
            message_id: Some(call.clone()),
            occurred_at: None,
            received_at: self.now,
            comment: Comment::default(),
            rule: Rule("call".into()),
            context: Context { invitation, matter, ..Context::default() },
        })
    }
}

/// What was to be rated: what the invitation says, else the call where calls are rated.
fn target(campaign: &Campaign, matter: Option<&Matter>, call: &MessageId) -> Target {
    let target_type = matter.map_or(campaign.target, |matter| matter.target_type);
    let named = matter.and_then(|matter| matter.reference().map(str::to_owned));
    let itself = || (target_type == TargetType::Call).then(|| call.0.clone());
    Target { target_type, reference: named.or_else(itself) }
}
