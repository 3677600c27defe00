//! Every call of up to four keys, silences, waits and hang-ups, against a plain model.

use super::bench::*;
use crate::config::conversation::Second;
use crate::config::{Campaign, Conversation};
use crate::dialogue::interpret::tests::campaign;
use crate::dialogue::{Concluded, memory::Heard};
use crate::model::{
    CallStatus, Caller, Channel, Event, EventBody, Invitation, InvitationId, Mark, Matter, Meaning,
    MessageKind, Outcome, RecordId, Revision, Scheme, TargetType,
};
use std::collections::BTreeMap;
use std::time::Duration;

const LINE: &str = "024-8890";
const WAIT: Duration = Duration::from_mins(30);

/// What happens in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A key, or none in time.
    Key(&'static str),
    /// For longer than keys wait for their number.
    Wait,
    HangUp,
}

const STEPS: [Step; 15] = [
    Step::Key("0"),
    Step::Key("1"),
    Step::Key("2"),
    Step::Key("3"),
    Step::Key("4"),
    Step::Key("5"),
    Step::Key("6"),
    Step::Key("7"),
    Step::Key("8"),
    Step::Key("9"),
    Step::Key("*"),
    Step::Key("#"),
    Step::Key(""),
    Step::Wait,
    Step::HangUp,
];

/// From when on the citizen's number is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    WithEveryKey,
    BeforeTheKeys,
    WithTheHangUp,
    Never,
}

/// Who is asked about the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Everybody,
    /// Whoever is invited, which this citizen is.
    TheInvited,
    /// Everybody, and this citizen was invited to rate the case of the call.
    EverybodyAndInvited,
}

/// A call so far, as it is and as it should be.
#[derive(Clone)]
struct Call {
    bench: Bench,
    number: Number,
    second: Second,
    asked: Asked,
    known: bool,
    /// Keys that wait for the number.
    waiting: Vec<&'static str>,
    /// How often the call was rated, what is recorded of it, and whether a complaint was opened.
    times: u8,
    rating: Option<(RecordId, Revision)>,
    complained: bool,
    /// The newest rating is of the case that the invitation names, and any is of the invitation.
    is_of_case: bool,
    of_invitation: bool,
    told: String,
}

fn begin(number: Number, second: Second, asked: Asked) -> Call {
    let conversation = Conversation {
        invited_only: asked == Asked::TheInvited,
        second,
        call_wait: Some(WAIT),
        sender: Some(sender().name),
        ..talkative()
    };
    let campaign = Campaign {
        service_numbers: vec![LINE.to_owned()],
        scheme: Scheme::ASC.with_zero_declining(true),
        conversation: Some(conversation),
        ..campaign()
    };
    let mut bench = Bench::of(campaign, "2026-03-05T10:00:00+08:00");
    let of_call = match asked {
        Asked::Everybody => None,
        Asked::TheInvited => Some(Matter::bare(TargetType::Call)),
        Asked::EverybodyAndInvited => {
            let project_no = Some("case-A".to_owned());
            Some(Matter { project_no, ..Matter::bare(TargetType::Case) })
        }
    };
    if let Some(matter) = of_call {
        let matter = Matter { call_id: Some("c1".to_owned()), ..matter };
        let invitation = invitation("A", LINE, moment("2026-03-08T10:00:00+08:00"));
        bench.invite(Invitation { channel: Channel::Ivr, matter, ..invitation });
    }
    let known = matches!(number, Number::WithEveryKey | Number::BeforeTheKeys);
    if number == Number::BeforeTheKeys {
        let status = bench.heard(answered("c1"));
        assert_eq!(outcomes(&bench.says(status)), [Outcome::Noted]);
    }
    Call {
        bench,
        number,
        second,
        asked,
        known,
        waiting: Vec::new(),
        times: 0,
        rating: None,
        complained: false,
        is_of_case: false,
        of_invitation: false,
        told: format!("{number:?}, {second:?}, {asked:?}"),
    }
}

impl Call {
    fn step(&mut self, step: Step) {
        self.told.push_str(&format!(", {step:?}"));
        self.bench.after(Duration::from_secs(1));
        match step {
            Step::Key(key) => {
                let with_number = self.number == Number::WithEveryKey;
                let caller = with_number.then(|| Caller::Number(citizen()));
                let concluded = self.says(Event { caller, ..keys("c1", key) });
                self.waiting.push(key);
                self.judge(&concluded, self.known);
            }
            Step::HangUp => {
                let status = CallStatus::Completed;
                let body = EventBody::CallStatus { status, raw: String::new(), digits: None };
                let with_number = self.number != Number::Never;
                let caller = with_number.then(|| Caller::Number(citizen()));
                let concluded = self.says(Event { caller, body, ..answered("c1") });
                assert_eq!(concluded[0].outcome, Outcome::Noted, "{}", self.told);
                self.known |= with_number;
                self.judge(&concluded[1..], self.known);
            }
            Step::Wait => self.wait(),
        }
    }

    fn says(&mut self, event: Event) -> Vec<Concluded> {
        let heard: Heard = self.bench.heard(event);
        let concluded = self.bench.says(heard);
        self.bench.until(self.bench.now);
        concluded
    }

    /// Keys that nobody claims are answers without a number.
    fn wait(&mut self) {
        let before = self.bench.concluded.len();
        self.bench.after(WAIT);
        let mut concluded = self.bench.concluded[before..].to_vec();
        concluded.retain(|it| it.origin.is_some());
        self.judge(&concluded, !self.waiting.is_empty());
    }

    /// Judges what became of the keys that waited, or that nothing did.
    fn judge(&mut self, concluded: &[Concluded], released: bool) {
        let keys = if released { std::mem::take(&mut self.waiting) } else { Vec::new() };
        assert_eq!(concluded.len(), keys.len(), "{}", self.told);
        for (concluded, key) in concluded.iter().zip(keys) {
            self.judge_key(concluded, key);
        }
    }

    fn judge_key(&mut self, concluded: &Concluded, key: &str) {
        let told = &self.told;
        let expected = match key {
            "0" => Outcome::Declined,
            "1" | "2" | "3" | "4" | "5" if self.is_for_the_invited() => Outcome::Unmatched,
            "1" | "2" | "3" | "4" | "5" => {
                self.times += 1;
                let counts = match (self.times, self.second) {
                    (1, _) | (2, Second::LastStands) => true,
                    // A call is rated once, a case may be followed up.
                    (2, Second::FollowUp) => self.is_of_case,
                    _ => false,
                };
                if counts { Outcome::Rated } else { Outcome::Surplus }
            }
            _ => Outcome::Unrecognised,
        };
        assert_eq!(concluded.outcome, expected, "{told}");
        if expected != Outcome::Rated {
            assert_eq!(concluded.records, [], "{told}");
            return;
        }
        let rating = &concluded.records[0];
        let Meaning::Rating { level, target, .. } = &rating.meaning else { panic!("{told}") };
        assert_eq!(
            level.number().to_string(),
            (6 - key.parse::<u8>().expect("a digit")).to_string()
        );
        let of_invitation = self.known && self.asked != Asked::Everybody;
        let of_case = self.known && self.asked == Asked::EverybodyAndInvited;
        let aim = match of_case {
            true => (TargetType::Case, Some("case-A")),
            false => (TargetType::Call, Some("c1")),
        };
        assert_eq!((target.target_type, target.reference.as_deref()), aim, "{told}");
        assert_eq!(rating.context.assess_number, self.times, "{told}");
        assert_eq!(rating.caller.is_some(), self.known, "{told}");
        let marks: &[Mark] = if self.known { &[] } else { &[Mark::NoCaller] };
        assert_eq!(rating.context.marks, marks, "{told}");
        let invitation = of_invitation.then(|| InvitationId("A".to_owned()));
        assert_eq!(rating.context.invitation, invitation, "{told}");
        let found = (rating.id, rating.revision);
        let first = self.rating.filter(|_| self.second == Second::FollowUp);
        assert_eq!(rating.context.follows, first.map(|(id, _)| id), "{told}");
        match self.rating.filter(|_| first.is_none()) {
            None => assert_eq!(rating.revision, Revision::FIRST, "{told}"),
            Some((id, Revision(last))) => assert_eq!(found, (id, Revision(last + 1)), "{told}"),
        }
        let opens = level.is_bad() && (!self.complained || first.is_some());
        assert_eq!(concluded.records.len(), if opens { 2 } else { 1 }, "{told}");
        self.rating = Some(found);
        self.complained |= opens;
        self.of_invitation |= of_invitation;
        self.is_of_case = of_case;
    }

    /// Whether a key comes from nobody of whom it is known that they were invited, though only those
    /// are asked.
    fn is_for_the_invited(&self) -> bool {
        self.asked == Asked::TheInvited && !self.known
    }

    /// What must hold when all is over.
    fn judge_end(mut self) {
        self.wait();
        self.bench.after(hours(24 * 365));
        let told = &self.told;
        let mut newest: BTreeMap<RecordId, u32> = BTreeMap::new();
        for record in self.bench.records() {
            let last = newest.entry(record.id).or_default();
            *last += 1;
            assert_eq!(record.revision, Revision(*last), "{told}");
        }
        let is_end = |meaning: &Meaning| matches!(meaning, Meaning::NotRated { .. });
        let ended = self.bench.records().filter(|record| is_end(&record.meaning)).count();
        assert_eq!(
            ended,
            usize::from(self.asked != Asked::Everybody && !self.of_invitation),
            "{told}"
        );
        let sent = |kind| self.bench.sent_of(kind);
        assert!(sent(MessageKind::ThankYou) <= 1 && sent(MessageKind::AskReason) <= 1, "{told}");
        assert_eq!(
            sent(MessageKind::ThankYou) + sent(MessageKind::AskReason),
            self.bench.sent.len()
        );
        assert_eq!(self.bench.remembered(), [""; 0], "{told}");
    }
}

/// Walks all calls in which up to `depth` more of these steps follow, and counts them.
fn walk(call: &Call, steps: &[Step], depth: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    call.clone().judge_end();
    let next = steps.iter().map(|step| {
        let mut next = call.clone();
        next.step(*step);
        walk(&next, steps, depth - 1)
    });
    1 + next.sum::<usize>()
}

/// Calls of every kind.
fn kinds() -> impl Iterator<Item = Call> {
    use Number::{BeforeTheKeys, Never, WithEveryKey, WithTheHangUp};
    let seconds = [Second::FirstStands, Second::LastStands, Second::FollowUp];
    [WithEveryKey, BeforeTheKeys, WithTheHangUp, Never].into_iter().flat_map(move |number| {
        seconds.into_iter().flat_map(move |second| {
            [Asked::Everybody, Asked::TheInvited, Asked::EverybodyAndInvited]
                .map(|asked| begin(number, second, asked))
        })
    })
}

#[test]
fn every_key_of_a_short_call_of_any_kind_has_one_outcome() {
    for call in kinds() {
        walk(&call, &STEPS, 2);
    }
}

#[test]
fn every_long_call_of_any_kind_is_rated_as_often_as_allowed() {
    let steps = [Step::Key("1"), Step::Key("5"), Step::Wait, Step::HangUp];
    for call in kinds() {
        walk(&call, &steps, 5);
    }
}

fn every_call_of_four(number: Number, asked: Asked) {
    let walked = walk(&begin(number, Second::LastStands, asked), &STEPS, 4);
    assert_eq!(walked, (0..=4).map(|depth| 15_usize.pow(depth)).sum::<usize>());
}

#[test]
fn every_call_of_four_steps_whose_number_is_known_keeps_the_rules() {
    every_call_of_four(Number::BeforeTheKeys, Asked::TheInvited);
}

#[test]
fn every_call_of_four_steps_whose_number_comes_last_keeps_the_rules() {
    every_call_of_four(Number::WithTheHangUp, Asked::Everybody);
}
