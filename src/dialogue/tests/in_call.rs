//! Calls in which we ask: every sequence of keys, silence and hanging up, against a plain model.

use super::bench::{Bench, answered, event, moment, number};
use crate::config::{CallFlow, MessageOffer, Prompt, ReasonMenu};
use crate::dialogue::Happening;
use crate::dialogue::flow::{Next, next};
use crate::model::{
    CallStatus, Event, EventBody, Level, Meaning, MessageId, OptionCode, Question, Revision, Step,
    Unrated,
};
use std::collections::BTreeMap;
use std::time::Duration;

const CALL: &str = "call-1";

fn flow() -> CallFlow {
    let say = |words: &str| Prompt::Say(words.to_owned());
    let codes =
        |codes: &[&str]| codes.iter().map(|code| OptionCode::read(code).expect("a code")).collect();
    CallFlow {
        greeting: Some(say("您好")),
        rating: say("请评价"),
        reason: Some(ReasonMenu {
            ask: say("原因"),
            keys: BTreeMap::from([(1, codes(&["214", "115"])), (2, Vec::new())]),
        }),
        message: Some(MessageOffer {
            ask: say("留言请按1"),
            key: 1,
            record: say("请留言"),
            longest: Duration::from_secs(60),
        }),
        wrong_key: Some(say("按键有误")),
        silence: Some(say("没有收到按键")),
        busy: Some(say("系统繁忙")),
        thanks: Some(say("谢谢")),
        goodbye: Some(say("再见")),
        wait: Duration::from_secs(6),
        repeats: 1,
        longest: Duration::from_mins(10),
    }
}

/// What a citizen does at a question; silence is no key.
const ACTS: [&str; 14] =
    ["", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#", "hang up"];

/// What a call comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Rated { level: u8, chosen: Option<&'static str>, spoke: bool },
    Not(Unrated),
}

/// The rules in plain words: 1 is the best of five, 0 declines, each question is put twice.
fn expected(acts: &[&str]) -> End {
    let mut acts = acts.iter().copied();
    let mut level = 0;
    for put in 1..=2 {
        match acts.next() {
            None | Some("hang up") => return End::Not(Unrated::HungUp),
            Some("0") => return End::Not(Unrated::Declined),
            Some(key @ ("1" | "2" | "3" | "4" | "5")) => {
                level = 6 - key.parse::<u8>().expect("a digit");
                break;
            }
            Some("") if put == 2 => return End::Not(Unrated::Silent),
            Some(_) if put == 2 => return End::Not(Unrated::Invalid),
            Some(_) => {}
        }
    }
    let end = |chosen, spoke| End::Rated { level, chosen, spoke };
    if level > 2 {
        return end(None, false);
    }
    let mut chosen = None;
    for _ in 0..2 {
        match acts.next() {
            None | Some("hang up") => return end(None, false),
            Some("1") => {
                chosen = Some(if level == 2 { "214" } else { "115" });
                break;
            }
            Some("2") => break,
            Some(_) => {}
        }
    }
    end(chosen, acts.next() == Some("1"))
}

/// A call as its carrier tells it.
#[derive(Clone)]
struct Call {
    bench: Bench,
    /// What was asked last; `None` once it is over.
    step: Option<Step>,
    acts: Vec<&'static str>,
    /// How often each question was put.
    put: BTreeMap<&'static str, usize>,
}

impl Call {
    fn begin() -> Call {
        let bench = Bench::asking(flow(), "2026-03-05T10:00:00+08:00").recording();
        let mut call = Call { bench, step: None, acts: Vec::new(), put: BTreeMap::new() };
        call.hears(answered(CALL), None);
        assert_eq!(call.step, Some(Step::first(Question::Rating)));
        call
    }

    /// Tells what was said after a question, and goes on to the next.
    fn hears(&mut self, event: Event, step: Option<Step>) {
        let flow = flow();
        let next = next(&flow, &self.bench.campaign(), step, &event.body);
        let heard = Box::new(self.bench.heard(event));
        self.bench.happens(Happening::InCall { heard, step });
        self.step = match next {
            Next::Ask { step, .. } | Next::Record { step, .. } => Some(step),
            Next::End { .. } => None,
        };
        if let Some(step) = self.step {
            *self.put.entry(step.question.name()).or_default() += 1;
        }
    }

    fn does(&mut self, act: &'static str) {
        self.acts.push(act);
        let step = self.step;
        if act == "hang up" {
            return self.hangs_up();
        }
        let body = match step.map(|step| step.question) {
            Some(Question::Message) => EventBody::Recording { url: "https://x/1".to_owned() },
            _ => EventBody::Keypad { digits: act.to_owned() },
        };
        self.hears(of_call(body), step);
    }

    fn hangs_up(&mut self) {
        let status = CallStatus::Completed;
        let body = EventBody::CallStatus { status, raw: String::new(), digits: None };
        let heard = Box::new(self.bench.heard(of_call(body)));
        self.bench.happens(Happening::Said(heard));
        self.step = None;
    }

    fn came_to(&self) -> Vec<End> {
        let newest = |meaning: fn(&Meaning) -> bool| {
            let mut newest = BTreeMap::new();
            for record in self.bench.records().filter(|record| meaning(&record.meaning)) {
                let last = newest.insert(record.id, record);
                let before = last.map_or(Revision(0), |last| last.revision);
                assert_eq!(record.revision, Revision(before.0 + 1), "{:?}", self.acts);
            }
            newest.into_values()
        };
        let spoke = self.acts.len() > 1 && self.put.contains_key("message");
        let ends = newest(|meaning| !matches!(meaning, Meaning::Complaint { .. }));
        ends.map(|record| match &record.meaning {
            Meaning::Rating { level, target, .. } => {
                assert_eq!(target.reference.as_deref(), Some(CALL));
                let chosen = record.chosen().map(|code| code.to_string());
                let chosen = ["214", "115"].into_iter().find(|it| Some(*it) == chosen.as_deref());
                End::Rated { level: level.number(), chosen, spoke }
            }
            Meaning::NotRated { why, target } => {
                assert_eq!(target.reference.as_deref(), Some(CALL));
                End::Not(*why)
            }
            Meaning::Complaint { .. } => unreachable!("these are left out"),
        })
        .collect()
    }

    fn complaints(&self) -> usize {
        let complaint = |meaning: &Meaning| matches!(meaning, Meaning::Complaint { .. });
        let first = |record: &&crate::model::Record| record.revision == Revision::FIRST;
        self.bench.records().filter(first).filter(|record| complaint(&record.meaning)).count()
    }
}

/// Something of the call, from a carrier that names the citizen each time.
fn of_call(body: EventBody) -> Event {
    let call = Some(MessageId(CALL.to_owned()));
    Event { message_id: call, service: number("024-8890"), ..event(body) }
}

fn check(call: &Call) {
    let expected = expected(&call.acts);
    // However the carrier tells the end: by itself, or not at all.
    let (mut told, mut untold) = (call.clone(), call.clone());
    told.hangs_up();
    told.bench.after(Duration::from_hours(1));
    untold.bench.after(Duration::from_hours(1));
    for ended in [told, untold] {
        assert_eq!(ended.came_to(), [expected], "{:?}", ended.acts);
        let bad = matches!(expected, End::Rated { level: 1 | 2, .. });
        assert_eq!(ended.complaints(), usize::from(bad), "{:?}", ended.acts);
        assert!(ended.put.values().all(|put| *put <= 2), "{:?}: {:?}", ended.acts, ended.put);
        let mut forgotten = ended.bench;
        forgotten.after(Duration::from_hours(24 * 40));
        assert_eq!(forgotten.remembered(), [""; 0], "{:?}", ended.acts);
    }
}

fn walk(call: &Call, left: usize, checked: &mut usize) {
    check(call);
    *checked += 1;
    if call.step.is_none() || left == 0 {
        return;
    }
    for act in ACTS {
        let mut call = call.clone();
        call.does(act);
        walk(&call, left - 1, checked);
    }
}

#[test]
fn every_call_of_up_to_four_keys_ends_in_one_outcome() {
    let mut checked = 0;
    walk(&Call::begin(), 4, &mut checked);
    assert!(checked > 1000, "{checked}");
}

#[test]
fn a_key_after_the_end_revises_what_was_recorded_of_it() {
    let mut call = Call::begin();
    let step = call.step;
    call.hangs_up();
    call.hears(of_call(EventBody::Keypad { digits: "1".to_owned() }), step);
    let records: Vec<_> = call.bench.records().collect();
    let [ended, rated] = records[..] else { panic!("{records:?}") };
    assert_eq!((ended.id, Revision(2)), (rated.id, rated.revision));
    assert!(matches!(rated.meaning, Meaning::Rating { level: Level::VerySatisfied, .. }));
}

#[test]
fn keys_that_wait_for_their_number_are_awaited_at_the_end_too() {
    let mut call = Call::begin();
    let step = call.step;
    call.bench = Bench::asking(flow(), "2026-03-05T10:00:00+08:00").recording();
    let nameless = |body| Event { caller: None, ..of_call(body) };
    call.hears(nameless(EventBody::Keypad { digits: "1".to_owned() }), step);
    let status = CallStatus::Completed;
    let over = EventBody::CallStatus { status, raw: String::new(), digits: None };
    let heard = Box::new(call.bench.heard(nameless(over)));
    call.bench.happens(Happening::Said(heard));
    assert_eq!(call.bench.records().count(), 0);
    call.bench.until(moment("2026-03-05T11:00:00+08:00"));
    assert_eq!(call.came_to(), [End::Rated { level: 5, chosen: None, spoke: false }]);
}

#[test]
fn a_call_that_asks_for_the_reason_sends_no_message_for_it() {
    let mut call = Call::begin();
    call.does("5");
    call.hangs_up();
    call.bench.after(Duration::from_hours(1));
    assert!(call.bench.sent.is_empty());
}

#[test]
fn a_key_for_a_later_question_is_no_rating_even_if_the_campaign_asks_no_more() {
    let mut call = Call::begin();
    call.does("5");
    let step = call.step;
    call.bench.asks_no_more();
    let heard = Box::new(call.bench.heard(of_call(EventBody::Keypad { digits: "1".to_owned() })));
    call.bench.happens(Happening::InCall { heard, step });
    let levels = call.bench.records().filter_map(|record| match &record.meaning {
        Meaning::Rating { level, .. } => Some(*level),
        _ => None,
    });
    assert_eq!(levels.collect::<Vec<_>>(), [Level::VeryDissatisfied]);
}

#[test]
fn without_a_number_the_reason_is_the_ratings_and_the_end_is_what_it_was() {
    let nameless = |body| Event { caller: None, ..of_call(body) };
    let key = |digits: &str| nameless(EventBody::Keypad { digits: digits.to_owned() });
    let mut call = Call::begin();
    call.bench = Bench::asking(flow(), "2026-03-05T10:00:00+08:00").recording();
    call.hears(key("5"), call.step);
    call.hears(key("1"), call.step);
    call.bench.after(Duration::from_hours(1));
    let end = End::Rated { level: 1, chosen: Some("115"), spoke: false };
    assert_eq!(call.came_to(), [end]);

    let mut declined = Call::begin();
    declined.bench = Bench::asking(flow(), "2026-03-05T10:00:00+08:00").recording();
    declined.hears(key("0"), declined.step);
    declined.bench.after(Duration::from_hours(1));
    assert_eq!(declined.came_to(), [End::Not(Unrated::Declined)]);
}

#[test]
fn the_end_of_a_call_and_of_its_invitation_are_one_record() {
    let begins = "2026-03-05T10:00:00+08:00";
    let put = |bench: &mut Bench| {
        let mut asked =
            super::bench::invitation("i-1", "024-8890", moment("2026-03-06T10:00:00+08:00"));
        asked.channel = crate::model::Channel::Ivr;
        bench.invite(asked);
    };
    let of_it = |event| Event { pass_through: Some("i-1".to_owned()), ..event };
    let mut call = Call::begin();
    call.bench = Bench::asking(flow(), begins).recording();
    put(&mut call.bench);
    call.hears(of_it(answered(CALL)), None);
    call.hangs_up();
    call.bench.after(Duration::from_hours(24 * 5));
    let records: Vec<_> = call.bench.records().collect();
    let whys = records.iter().map(|record| match &record.meaning {
        Meaning::NotRated { why, .. } => *why,
        other => panic!("{other:?}"),
    });
    assert_eq!(whys.collect::<Vec<_>>(), [Unrated::HungUp, Unrated::Expired]);
    assert!(records.iter().all(|record| record.id == records[0].id), "{records:?}");

    let mut declined = Call::begin();
    declined.bench = Bench::asking(flow(), begins).recording();
    put(&mut declined.bench);
    declined.hears(of_it(answered(CALL)), None);
    let zero = of_it(of_call(EventBody::Keypad { digits: "0".to_owned() }));
    declined.hears(zero, declined.step);
    declined.bench.after(Duration::from_hours(24 * 5));
    assert_eq!(declined.bench.records().count(), 1, "whoever declines is not awaited");
}

#[test]
fn a_call_that_nobody_answered_was_not_asked_and_comes_to_nothing() {
    let mut call = Call::begin();
    call.bench = Bench::asking(flow(), "2026-03-05T10:00:00+08:00").recording();
    let status = CallStatus::Busy;
    let busy = EventBody::CallStatus { status, raw: String::new(), digits: None };
    call.hears(of_call(busy), None);
    call.bench.after(Duration::from_hours(1));
    assert_eq!(call.bench.records().count(), 0);
}
