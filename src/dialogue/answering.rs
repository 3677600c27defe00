//! What a citizen's answer becomes: to which question, how often, as which record.

use super::because::Because;
use super::calls::call_of;
use super::decide::{Course, refuses};
use super::integrity;
use super::interpret::{self, Interpretation};
use super::matching::{self, Match, Signs, later};
use super::memory::{Asked, Heard, MOST_RATINGS, Rated, Subject};
use super::often::{self, Turn};
use super::talk::Occasion;
use crate::config::{Campaign, Conversation};
use crate::model::{
    Caller, Channel, Comment, Context, EventBody, InvitationState, Level, Mark, Meaning, Msisdn,
    Outcome, Record, RecordId, Revision, TargetType,
};
use crate::normalize::{self, Reading};
use jiff::Timestamp;
use std::borrow::Cow;

/// An answer, and the question it belongs to.
struct Answered<'a> {
    heard: &'a Heard,
    number: Option<&'a Msisdn>,
    channel: Channel,
    campaign: &'a Campaign,
    conversation: Cow<'a, Conversation>,
    found: Option<(Match, Asked)>,
    marks: Vec<Mark>,
}

impl Course<'_> {
    /// A text or keys of a citizen; without a number where none is known.
    pub(super) fn answer(&mut self, heard: Heard, number: Option<&Msisdn>, marks: Vec<Mark>) {
        let (channel, text) = match &heard.event.body {
            EventBody::SmsReply { text } => (Channel::Sms, text.as_str()),
            EventBody::Keypad { digits } => (Channel::Ivr, digits.as_str()),
            _ => return,
        };
        let asked_by = self.campaign_of(&heard).map(|campaign| &**campaign);
        if channel == Channel::Sms
            && let Some(number) = number
            && let Some(record) = self.reason(&heard, number, asked_by, text, &marks)
        {
            self.because(Because::Reason);
            return self.conclude(Some(heard.origin), Outcome::Reason, vec![record]);
        }
        let found = number.and_then(|number| self.find(&heard, number, asked_by));
        let invited_by = found.as_ref().and_then(|(_, it)| self.campaign(&it.invitation.campaign));
        let Some(campaign) = invited_by.map(|campaign| &**campaign).or(asked_by) else {
            self.because(Because::Unclaimed);
            self.note_answer(&heard, Outcome::Unmatched);
            return self.conclude(Some(heard.origin), Outcome::Unmatched, Vec::new());
        };
        let conversation = match &campaign.conversation {
            Some(conversation) => Cow::Borrowed(conversation),
            None => Cow::Owned(Conversation::default()),
        };
        let reading = normalize::read(channel, campaign.scheme, text);
        self.because(Because::read(&reading));
        if let Some((Match { fit, rivals, late, .. }, asked)) = &found {
            let (invitation, fit) = (asked.invitation.id.clone(), *fit);
            self.because(Because::Matched { invitation, fit, rivals: *rivals, late: *late });
        }
        let heard = &heard;
        let answered = Answered { heard, number, channel, campaign, conversation, found, marks };
        let (outcome, mut records) = self.answered(&answered, reading);
        self.note_answer(heard, outcome);
        self.complained(heard, &mut records);
        self.conclude(Some(heard.origin.clone()), outcome, records);
    }

    /// The invitation that is answered.
    fn find(
        &self,
        heard: &Heard,
        number: &Msisdn,
        campaign: Option<&Campaign>,
    ) -> Option<(Match, Asked)> {
        let caller = self.known.caller(number)?;
        let event = &heard.event;
        let call = call_of(event);
        let put = call.and_then(|call| self.known.call(&heard.origin.account, call));
        let signs = Signs {
            service: event.service.as_ref(),
            campaign: campaign.map(|campaign| campaign.name.as_str()),
            call: call.map(|call| call.0.as_str()),
            pass_through: event.pass_through.as_deref(),
            put: put.and_then(|call| call.invitation.as_ref()),
            at: heard.origin.received_at,
        };
        let late_window = |asked: &Asked| {
            let campaign = self.campaign(&asked.invitation.campaign);
            let conversation = campaign.and_then(|campaign| campaign.conversation.as_ref());
            conversation.map(|conversation| conversation.late_window).unwrap_or_default()
        };
        let found = matching::find(&caller.invitations, &signs, late_window)?;
        Some((found, caller.invitations[found.place].clone()))
    }

    /// The rating with its reason, if this text is one: whatever it says, unless it refuses
    /// further messages.
    fn reason(
        &mut self,
        heard: &Heard,
        number: &Msisdn,
        campaign: Option<&Campaign>,
        text: &str,
        marks: &[Mark],
    ) -> Option<Record> {
        let at = heard.origin.received_at;
        let caller = self.known.caller(number)?;
        let mut talks = caller.talks.iter().rev();
        let talk = talks.find(|talk| {
            talk.hears(heard.event.service.as_ref())
                && at < talk.until
                && talk.asked_at.is_some_and(|asked_at| asked_at <= at)
        })?;
        let rated = caller.ratings.iter().find(|rated| rated.record.id == talk.rating)?;
        if !self.is_newest(rated) {
            return None;
        }
        let campaign =
            campaign.or_else(|| self.campaign(&rated.record.campaign).map(|it| &**it))?;
        let text = text.trim();
        if text.is_empty() || refuses(campaign, text) {
            return None;
        }
        let (question, subject) = (talk.message, rated.subject.clone());
        let mut record = rated.record.clone();
        record.revision = Revision(record.revision.0 + 1);
        record.comment = Comment(text.to_owned());
        record.context.marks.extend_from_slice(marks);
        self.known.change_caller(number, |caller| {
            caller.talks.retain(|talk| talk.message != question);
        });
        self.renew(Some(number), &subject, &record);
        Some(record)
    }

    /// Remembers the newest revision of a rating with its citizen and its case.
    pub(super) fn renew(&mut self, number: Option<&Msisdn>, subject: &Subject, record: &Record) {
        if let Some(number) = number {
            self.known.change_caller(number, |caller| {
                for rated in caller.ratings.iter_mut().filter(|it| it.record.id == record.id) {
                    rated.record = record.clone();
                }
            });
        }
        let of_all = self.known.matter(subject).filter(|it| it.record.id == record.id).cloned();
        if let Some(of_all) = of_all {
            self.known.keep_matter(&Rated { record: record.clone(), ..of_all });
        }
    }

    /// Whether nobody else's rating of the case has taken the place of this one.
    pub(super) fn is_newest(&self, rated: &Rated) -> bool {
        let newest = |of_all: &Rated| {
            let (newest, own) = (&of_all.record, &rated.record);
            newest.id != own.id || newest.revision == own.revision
        };
        rated.subject.key().is_none() || self.known.matter(&rated.subject).is_some_and(newest)
    }

    fn answered(&mut self, answered: &Answered<'_>, reading: Reading) -> (Outcome, Vec<Record>) {
        let level = reading.level;
        let Interpretation { outcome, mut records, .. } = self.interpreted(answered, reading);
        for record in &mut records {
            record.context = answered.context();
            record.caller = answered.caller();
        }
        let invited = answered.found.is_some() || !answered.conversation.invited_only;
        if level.is_some() && !invited {
            self.because(Because::NotInvited);
        }
        let (outcome, records) = match level {
            Some(_) if !invited && outcome == Outcome::OptOut => (outcome, Vec::new()),
            Some(_) if !invited => (Outcome::Unmatched, Vec::new()),
            Some(level) => {
                let words = outcome != Outcome::OptOut;
                let (rated, records) = self.rate(answered, level, records, words);
                (if words { rated } else { outcome }, records)
            }
            None => (outcome, records),
        };
        match (outcome, answered.number) {
            (Outcome::OptOut, Some(number)) => {
                self.opt_out(number, answered.heard, Some(answered.campaign));
            }
            (Outcome::Unrecognised, Some(number)) if answered.channel == Channel::Sms => {
                let expires = answered.found.as_ref().map(|(_, it)| it.invitation.expires_at);
                let expires = expires.unwrap_or(self.now);
                self.ask_again(&answered.occasion(number), expires);
            }
            _ => {}
        }
        (outcome, records)
    }

    fn interpreted(&mut self, answered: &Answered<'_>, reading: Reading) -> Interpretation {
        let plain = interpret::Answer {
            event: &answered.heard.event,
            account: &answered.heard.origin.account,
            campaign: answered.campaign,
            channel: answered.channel,
            received_at: answered.heard.origin.received_at,
        };
        plain.records(reading, || self.record_id())
    }

    /// Counts a rating, and gives what of it is forwarded.
    fn rate(
        &mut self,
        answered: &Answered<'_>,
        level: Level,
        mut records: Vec<Record>,
        words: bool,
    ) -> (Outcome, Vec<Record>) {
        if records.is_empty() {
            return (Outcome::Unrecognised, records);
        }
        let subject = answered.subject(&records[0]);
        let before = self.rated(answered, &subject);
        let second = answered.conversation.second;
        let turn = often::turn(before.as_ref(), second);
        let times = before.as_ref().map_or(0, |before| before.times);
        self.because(Because::Counted { turn, before: times, second });
        if turn == Turn::Surplus {
            return (Outcome::Surplus, Vec::new());
        }
        let marks = self.doubts(answered, &subject);
        let rating = &mut records[0];
        answered.aim(rating);
        rating.context.marks.extend(marks);
        rating.context.assess_number = if before.is_some() { 2 } else { 1 };
        match (&before, turn) {
            (Some(before), Turn::Revision) => {
                rating.id = before.record.id;
                rating.revision = Revision(before.record.revision.0 + 1);
                if rating.comment.0.is_empty() && rating.caller == before.record.caller {
                    rating.comment = before.record.comment.clone();
                }
            }
            (Some(before), _) => rating.context.follows = Some(before.record.id),
            (None, _) => {
                let ended = answered.ended().or_else(|| self.ended_call(answered.heard));
                if let Some((id, Revision(last))) = ended {
                    (rating.id, rating.revision) = (id, Revision(last + 1));
                }
            }
        }
        let id = rating.id;
        let asks_itself = level.is_bad()
            && self.asks_for_reason(&answered.heard.origin.account, call_of(&answered.heard.event));
        let revised = before.as_ref().filter(|_| turn == Turn::Revision);
        if revised.is_some_and(|before| before.complained) && records.len() > 1 {
            self.because(Because::Complained);
            records.truncate(1);
        }
        if let Some(Meaning::Complaint { rating, .. }) =
            records.get_mut(1).map(|complaint| &mut complaint.meaning)
        {
            *rating = Some(id);
        }
        self.remember(answered, subject, before, &records);
        if let Some(number) = answered.number.filter(|_| words && !asks_itself) {
            self.respond(&answered.occasion(number), id, level);
        }
        (Outcome::Rated, records)
    }

    /// The rating that counted for this subject or this call before; that of a case from whichever
    /// phone it came.
    fn rated(&self, answered: &Answered<'_>, subject: &Subject) -> Option<Rated> {
        let at = answered.heard.origin.received_at;
        let of_call = call_of(&answered.heard.event)
            .and_then(|call| self.known.call(&answered.heard.origin.account, call))
            .and_then(|call| call.rated.as_deref());
        let caller = answered.number.and_then(|number| self.known.caller(number));
        // Once its citizen is known, what the call remembers is revised with the citizen.
        let revised = |id: RecordId| of_call.is_some_and(|of_call| of_call.record.id == id);
        let its = |it: &&Rated| {
            revised(it.record.id) || (subject.key().is_none() && it.subject == *subject)
        };
        let of_caller = || caller?.ratings.iter().find(its);
        let before = self.known.matter(subject).or_else(of_caller).or(of_call)?;
        let late = answered.found.as_ref().is_some_and(|(found, _)| found.late);
        (late || at < before.counts_until).then(|| before.clone())
    }

    /// The marks that a rating deserves.
    fn doubts(&self, answered: &Answered<'_>, subject: &Subject) -> Vec<Mark> {
        let at = answered.heard.origin.received_at;
        let Some(number) = answered.number else { return Vec::new() };
        let in_call = call_of(&answered.heard.event)
            .and_then(|call| self.known.call(&answered.heard.origin.account, call));
        let asked_at = match answered.channel {
            Channel::Ivr => in_call.and_then(|call| call.answered_at),
            Channel::Sms => {
                answered.found.as_ref().and_then(|(_, asked)| asked.invitation.attempted_at)
            }
        };
        let nobody = Default::default();
        let caller = self.known.caller(number).unwrap_or(&nobody);
        integrity::marks(&answered.conversation, number, caller, subject, asked_at, at)
    }

    /// Remembers a rating that counted, and that its invitation was answered.
    fn remember(
        &mut self,
        answered: &Answered<'_>,
        subject: Subject,
        before: Option<Rated>,
        records: &[Record],
    ) {
        let Some(record) = records.first().cloned() else { return };
        self.note_rating(answered.heard, record.id);
        let at = answered.heard.origin.received_at;
        let counts_until = before.as_ref().map_or(answered.counts_until(), |it| it.counts_until);
        let window = answered.conversation.many_cases.map(|many| many.window).unwrap_or_default();
        let talk_window = answered.conversation.reason_window;
        let forget_at = later(counts_until, talk_window)
            .max(later(at, window))
            .max(answered.forget_at())
            .max(before.as_ref().map_or(Timestamp::MIN, |before| before.forget_at));
        // What was said to whoever rated the case before was not said to this citizen.
        let own = match (&before, answered.number.and_then(|number| self.known.caller(number))) {
            (Some(_), Some(caller)) => {
                caller.ratings.iter().find(|it| it.subject == subject || it.record.id == record.id)
            }
            _ => None,
        };
        let rated = Rated {
            times: before.as_ref().map_or(0, |before| before.times).saturating_add(1),
            thanked: own.is_some_and(|own| own.thanked),
            reason_asked: own.is_some_and(|own| own.reason_asked),
            complained: records.len() > 1 || before.is_some_and(|before| before.complained),
            subject,
            record,
            counts_until,
            forget_at,
        };
        self.known.keep_matter(&rated);
        let Some(number) = answered.number else {
            let event = &answered.heard.event;
            if let Some(call) = call_of(event) {
                self.known.change_call(&answered.heard.origin.account, call, |memory| {
                    memory.forget_at = memory.forget_at.max(forget_at);
                    memory.rated = Some(Box::new(rated));
                });
            }
            return;
        };
        self.known.change_caller(number, |caller| {
            let same = |it: &Rated| it.subject == rated.subject || it.record.id == rated.record.id;
            caller.ratings.retain(|it| !same(it));
            if caller.ratings.len() >= MOST_RATINGS {
                caller.ratings.remove(0);
            }
            // The question is settled by a level that needs no reason.
            let settled = matches!(rated.record.meaning,
                Meaning::Rating { level, .. } if !level.is_bad());
            caller.talks.retain(|talk| talk.rating != rated.record.id || !settled);
            caller.ratings.push(rated);
            if let Some((found, _)) = &answered.found
                && let Some(asked) = caller.invitations.get_mut(found.place)
            {
                asked.invitation.state = InvitationState::Rated;
                asked.invitation.attempted_at.get_or_insert(at);
            }
        });
    }
}

impl Answered<'_> {
    fn caller(&self) -> Option<Caller> {
        let known = || self.heard.event.caller.clone();
        self.number.map(|number| Caller::Number(number.clone())).or_else(known)
    }

    fn context(&self) -> Context {
        let mut context = Context { marks: self.marks.clone(), ..Context::default() };
        if let Some((found, asked)) = &self.found {
            context.invitation = Some(asked.invitation.id.clone());
            context.matter = Some(asked.invitation.matter.clone());
            context.marks.extend(found.late.then_some(Mark::Late));
            context.marks.extend((found.rivals > 1).then_some(Mark::Ambiguous(found.rivals)));
        }
        context
    }

    fn subject(&self, rating: &Record) -> Subject {
        match (&self.found, call_of(&self.heard.event)) {
            (Some((_, asked)), _) => often::subject(&asked.invitation.matter, &asked.invitation.id),
            (None, Some(call)) => Subject::Call(call.0.clone()),
            (None, None) => Subject::Unknown(rating.id),
        }
    }

    /// What was rated is what was asked; without an invitation only a key press names its call.
    fn aim(&self, rating: &mut Record) {
        let Meaning::Rating { target, .. } = &mut rating.meaning else { return };
        if let Some((_, asked)) = &self.found {
            let matter = &asked.invitation.matter;
            target.target_type = matter.target_type;
            target.reference = matter.reference().map(str::to_owned);
        }
        if target.target_type == TargetType::Call && target.reference.is_none() {
            target.reference = call_of(&self.heard.event).map(|call| call.0.clone());
        }
    }

    fn ended(&self) -> Option<(RecordId, Revision)> {
        self.found.as_ref().and_then(|(_, asked)| asked.ended)
    }

    fn counts_until(&self) -> Timestamp {
        match &self.found {
            Some((found, asked)) if !found.late => asked.invitation.expires_at,
            _ => later(self.heard.origin.received_at, self.conversation.validity),
        }
    }

    fn forget_at(&self) -> Timestamp {
        self.found.as_ref().map_or(Timestamp::MIN, |(_, asked)| asked.forget_at)
    }

    fn occasion<'o>(&'o self, number: &'o Msisdn) -> Occasion<'o> {
        let found = self.found.as_ref().map(|(_, asked)| &asked.invitation);
        let Answered { heard, campaign, conversation, channel, .. } = self;
        Occasion {
            matter: found.map(|invitation| &invitation.matter),
            invitation: found.map(|invitation| &invitation.id),
            ..Occasion::after(heard, number, campaign, conversation, *channel)
        }
    }
}
