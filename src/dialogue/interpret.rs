//! An event in, its outcome and records out.

use super::because::Because;
use super::campaign::area;
use crate::config::{Account, Campaign};
use crate::model::{
    AccountName, Channel, Comment, ComplaintKind, Context, Event, EventBody, Level, Meaning,
    Outcome, Record, RecordId, Revision, Rule, Tag, Target, TargetType,
};
use crate::normalize::{self, Reading, ReadingKind};
use jiff::Timestamp;

/// What an event came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpretation {
    /// What became of it.
    pub outcome: Outcome,
    /// What was made of it: nothing, a rating, a complaint, or a bad rating and its complaint.
    pub records: Vec<Record>,
    /// How it was read, if it was an answer.
    pub because: Option<Because>,
}

impl Interpretation {
    fn only(outcome: Outcome) -> Interpretation {
        Interpretation { outcome, records: Vec::new(), because: None }
    }
}

/// What an event of this account means, if this campaign asked. `received_at` is the time of
/// arrival; `new_id` is called once for each record.
///
/// An answer without a campaign is unmatched, whatever it says: the same digit is praise in one
/// scheme and a complaint in the other.
#[must_use]
pub fn interpret(
    event: &Event,
    account: &Account,
    campaign: Option<&Campaign>,
    received_at: Timestamp,
    new_id: impl FnMut() -> RecordId,
) -> Interpretation {
    let (channel, text) = match &event.body {
        EventBody::SmsReply { text } => (Channel::Sms, text),
        EventBody::Keypad { digits } => (Channel::Ivr, digits),
        EventBody::OptOut => return Interpretation::only(Outcome::OptOut),
        EventBody::CallStatus { .. }
        | EventBody::Recording { .. }
        | EventBody::DeliveryReport { .. } => return Interpretation::only(Outcome::Noted),
    };
    let Some(campaign) = campaign else {
        let unmatched = Interpretation::only(Outcome::Unmatched);
        return Interpretation { because: Some(Because::Unclaimed), ..unmatched };
    };
    let reading = normalize::read(channel, campaign.scheme, text);
    let because = Some(Because::read(&reading));
    let answer = Answer { event, account: &account.name, campaign, channel, received_at };
    Interpretation { because, ..answer.records(reading, new_id) }
}

/// A citizen's answer to a campaign, before what it says is known.
pub(super) struct Answer<'a> {
    pub(super) event: &'a Event,
    pub(super) account: &'a AccountName,
    pub(super) campaign: &'a Campaign,
    pub(super) channel: Channel,
    pub(super) received_at: Timestamp,
}

impl Answer<'_> {
    /// What is recorded of an answer that was read like this.
    pub(super) fn records(
        &self,
        reading: Reading,
        new_id: impl FnMut() -> RecordId,
    ) -> Interpretation {
        let outcome = match reading.kind {
            ReadingKind::Rated => Outcome::Rated,
            ReadingKind::Complaint => Outcome::Complaint,
            ReadingKind::Unsubscribe => Outcome::OptOut,
            ReadingKind::Declined => return Interpretation::only(Outcome::Declined),
            ReadingKind::Unrecognised => return Interpretation::only(Outcome::Unrecognised),
        };
        let tags = reading.tags();
        let records = match reading.level {
            Some(level) => self.rating(level, reading.comment, &reading.rule, tags, new_id),
            // Somebody who opts out with a grievance is heard as well.
            None if outcome == Outcome::Complaint || !reading.comment.is_empty() => {
                let opened = self.complaint(ComplaintKind::Grievance, None, tags);
                vec![self.record(opened, reading.comment, reading.rule, new_id)]
            }
            None => Vec::new(),
        };
        Interpretation { outcome, records, because: None }
    }

    /// The rating, and the complaint that a bad one opens. The words stay with the rating.
    fn rating(
        &self,
        level: Level,
        comment: String,
        rule: &Rule,
        tags: Vec<Tag>,
        mut new_id: impl FnMut() -> RecordId,
    ) -> Vec<Record> {
        let rated = Meaning::Rating { level, target: self.target(), scheme: self.campaign.scheme };
        let rating = self.record(rated, comment, rule.clone(), &mut new_id);
        if !level.is_bad() {
            return vec![rating];
        }
        let opened = self.complaint(ComplaintKind::BadRating, Some(rating.id), tags);
        let complaint = self.record(opened, String::new(), rule.clone(), new_id);
        vec![rating, complaint]
    }

    /// The complaint that something said aloud opens: its words are in the recording.
    pub(super) fn spoken(&self, new_id: impl FnMut() -> RecordId) -> Record {
        let opened = self.complaint(ComplaintKind::Grievance, None, Vec::new());
        self.record(opened, String::new(), Rule("voice".into()), new_id)
    }

    fn complaint(&self, kind: ComplaintKind, rating: Option<RecordId>, tags: Vec<Tag>) -> Meaning {
        let deadlines = self.campaign.complaints.deadlines(self.received_at);
        Meaning::Complaint {
            kind,
            rating,
            deadlines: Some(deadlines),
            tags,
            recordings: Vec::new(),
        }
    }

    /// What was rated. Only a key press names the call it rates: the id of a text is its own.
    fn target(&self) -> Target {
        let reference = match (self.campaign.target, self.channel) {
            (TargetType::Call, Channel::Ivr) => self.event.message_id.as_ref(),
            (TargetType::Call, Channel::Sms) | (TargetType::Case, _) => None,
        };
        Target { target_type: self.campaign.target, reference: reference.map(ToString::to_string) }
    }

    fn record(
        &self,
        meaning: Meaning,
        comment: String,
        rule: Rule,
        mut new_id: impl FnMut() -> RecordId,
    ) -> Record {
        Record {
            id: new_id(),
            revision: Revision::FIRST,
            meaning,
            account: self.account.clone(),
            channel: self.channel,
            campaign: self.campaign.name.clone(),
            brand: self.campaign.brand,
            area: self.event.service.as_ref().and_then(|it| area(self.campaign, it)).cloned(),
            channel_code: match self.channel {
                Channel::Sms => self.campaign.sms_channel_code,
                Channel::Ivr => self.campaign.ivr_channel_code,
            },
            caller: self.event.caller.clone(),
            service: self.event.service.clone(),
            message_id: self.event.message_id.clone(),
            occurred_at: self.event.occurred_at,
            received_at: self.received_at,
            comment: Comment(comment),
            rule,
            context: Context::default(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
