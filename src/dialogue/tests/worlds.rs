//! Every conversation of up to four replies about two open invitations, against a plain model.

use super::bench::*;
use crate::config::Conversation;
use crate::config::conversation::{QuietHours, Second};
use crate::model::{
    InvitationId, Level, Mark, Meaning, MessageKind, Outcome, Record, RecordId, Revision,
};
use jiff::Timestamp;
use jiff::civil::time;
use jiff::tz::Offset;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const TEXTS: [&str; 5] = ["1", "4", "没人来修", "？", "TD"];
/// At once; into the night; past the end of the invitations.
const GAPS: [Duration; 3] =
    [Duration::from_mins(1), Duration::from_hours(13), Duration::from_hours(25)];
const VALIDITY: Duration = Duration::from_hours(24);
const LATE: Duration = Duration::from_hours(12);
const PER_DAY: usize = 4;

/// What the plain model knows of an invitation.
#[derive(Debug, Clone)]
struct Question {
    id: &'static str,
    service: String,
    asked_at: Option<Timestamp>,
    rated: u8,
}

impl Question {
    fn ends(&self) -> Option<Timestamp> {
        self.asked_at?.checked_add(VALIDITY).ok()
    }

    fn takes(&self, at: Timestamp) -> bool {
        let last = self.ends().and_then(|ends| ends.checked_add(LATE).ok());
        self.asked_at.is_some_and(|asked| asked <= at) && last.is_some_and(|last| at < last)
    }
}

/// A conversation so far, as it is and as it should be.
#[derive(Clone)]
struct World {
    bench: Bench,
    second: Second,
    questions: Vec<Question>,
    /// The lines on which it was asked what was wrong, and until when.
    whys: Vec<(String, Timestamp)>,
    /// How many messages were looked at.
    seen: usize,
    told: String,
}

fn start(second: Second, extensions: [&str; 2], now: &str) -> World {
    let quiet =
        QuietHours { from: time(22, 0, 0, 0), to: time(7, 0, 0, 0), offset: Offset::constant(8) };
    let conversation = Conversation {
        second,
        validity: VALIDITY,
        late_window: LATE,
        quiet_hours: Some(quiet),
        messages_per_day: u32::try_from(PER_DAY).ok(),
        ..talkative()
    };
    let mut bench = Bench::new(conversation, now);
    let mut questions = Vec::new();
    for (id, extension) in ["A", "B"].into_iter().zip(extensions) {
        let service = format!("{LINE}{extension}");
        bench.invite(invitation(id, &service, moment("2026-03-09T10:00:00+08:00")));
        questions.push(Question { id, service, asked_at: None, rated: 0 });
        bench.after(Duration::from_secs(1));
    }
    World { bench, second, questions, whys: Vec::new(), seen: 0, told: now.to_owned() }
}

impl World {
    /// One more reply, judged.
    fn reply(&mut self, place: usize, text: &'static str, gap: Duration) {
        self.bench.after(gap);
        let at = self.bench.now;
        for question in &mut self.questions {
            let mut sent = self.bench.sent.iter();
            let invite = sent.find(|(_, message)| {
                message.kind == MessageKind::Invite
                    && message.invitation == Some(InvitationId(question.id.to_owned()))
            });
            question.asked_at = invite.map(|(at, _)| *at);
        }
        let service = self.questions[place].service.clone();
        let asks_why = self.asks_why(&service, at);
        let concluded = self.bench.reply(&service, text);
        self.told.push_str(&format!(", {gap:?} {service}: {text}"));
        let told = &self.told;
        let fitting: Vec<usize> = (0..self.questions.len())
            .filter(|place| self.questions[*place].service == service)
            .filter(|place| self.questions[*place].takes(at))
            .collect();
        let digit = matches!(text, "1" | "4");
        let expected = match text {
            "TD" => Outcome::OptOut,
            _ if asks_why => Outcome::Reason,
            "？" => Outcome::Unrecognised,
            "没人来修" => Outcome::Complaint,
            _ if fitting.is_empty() => Outcome::Unmatched,
            _ => {
                let in_time = |place: &&usize| {
                    let question = &self.questions[**place];
                    question.rated == 0 && question.ends().is_some_and(|ends| at < ends)
                };
                let place =
                    *fitting.iter().rev().find(in_time).unwrap_or(&fitting[fitting.len() - 1]);
                let rated = &mut self.questions[place].rated;
                *rated += 1;
                let counts = *rated == 1 || (*rated == 2 && self.second != Second::FirstStands);
                if counts { Outcome::Rated } else { Outcome::Surplus }
            }
        };
        assert_eq!(concluded.outcome, expected, "{told}");
        match expected {
            Outcome::OptOut => self.whys.clear(),
            Outcome::Reason => {
                let newest = self.whys.iter().rposition(|(line, _)| *line == service);
                self.whys.remove(newest.expect("an open question"));
            }
            _ => {}
        }
        if expected == Outcome::Rated {
            self.judge_rating(&concluded.records[0], at, text, fitting.len());
        }
        if expected == Outcome::Reason {
            assert_eq!(concluded.records[0].comment.0, text, "{told}");
        }
        let quiet =
            matches!(expected, Outcome::Unmatched | Outcome::Surplus | Outcome::Unrecognised);
        assert!(!quiet || concluded.records.is_empty(), "{told}");
        assert!(digit || expected != Outcome::Rated, "{told}");
        self.judge_messages();
    }

    /// Whether a question what was wrong is open on this line.
    fn asks_why(&mut self, service: &str, at: Timestamp) -> bool {
        for (sent_at, message) in &self.bench.sent[self.seen..] {
            if message.kind == MessageKind::AskReason {
                let line = message.from.clone().expect("a line").0;
                self.whys
                    .push((line, sent_at.checked_add(Duration::from_hours(24)).expect("a time")));
            }
        }
        self.seen = self.bench.sent.len();
        self.whys.retain(|(_, ends)| at < *ends);
        self.whys.iter().any(|(line, _)| line == service)
    }

    fn judge_rating(&self, record: &Record, at: Timestamp, text: &str, fitting: usize) {
        let told = &self.told;
        let Meaning::Rating { level, target, .. } = &record.meaning else { panic!("{told}") };
        let said = if text == "1" { Level::VerySatisfied } else { Level::Dissatisfied };
        assert_eq!(*level, said, "{told}");
        let id = record.context.invitation.clone().expect("an invitation").0;
        assert_eq!(target.reference, Some(format!("case-{id}")), "{told}");
        let question = self.questions.iter().find(|question| question.id == id).expect("asked");
        assert!(question.takes(at), "never asked, or too late: {told}");
        let late = question.ends().is_some_and(|ends| at >= ends);
        assert_eq!(record.context.marks.contains(&Mark::Late), late, "{told}");
        let doubtful = record.context.marks.contains(&Mark::Ambiguous(2));
        let all_in_time = self.questions.iter().all(|it| it.ends().is_some_and(|ends| at < ends));
        if fitting == 1 {
            assert!(!doubtful, "{told}");
        } else if all_in_time {
            assert!(doubtful, "{told}");
        }
    }

    /// Never more than is allowed, never at night, never to whoever refused.
    fn judge_messages(&self) {
        let told = &self.told;
        let china = Offset::constant(8);
        let mut days: BTreeMap<_, usize> = BTreeMap::new();
        for (at, message) in &self.bench.sent {
            let local = china.to_datetime(*at);
            assert!((7..22).contains(&local.hour()), "{told}");
            *days.entry(local.date()).or_default() += 1;
            let refused = self.bench.memory().and_then(|memory| memory.opted_out);
            let last = message.kind == MessageKind::OptOutConfirmed;
            assert!(last || refused.is_none_or(|refused| *at <= refused), "{told}");
        }
        assert!(days.values().all(|count| *count <= PER_DAY), "{told}");
        let sent = |kind| self.bench.sent_of(kind);
        assert!(sent(MessageKind::OptOutConfirmed) <= 1, "{told}");
        assert!(sent(MessageKind::RePrompt) <= 2 && sent(MessageKind::ThankYou) <= 2, "{told}");
    }

    /// What must hold when all is over.
    fn judge_end(mut self) {
        self.bench.after(Duration::from_hours(24 * 60));
        let told = &self.told;
        let mut newest: BTreeMap<RecordId, Revision> = BTreeMap::new();
        let mut counted: BTreeMap<String, BTreeSet<RecordId>> = BTreeMap::new();
        let mut ended: BTreeSet<String> = BTreeSet::new();
        for record in self.bench.records() {
            let last = newest.insert(record.id, record.revision);
            assert_eq!(record.revision.0, last.map_or(1, |last| last.0 + 1), "{told}");
            let Some(id) = &record.context.invitation else { continue };
            if matches!(record.meaning, Meaning::Complaint { .. }) {
                continue;
            }
            ended.insert(id.0.clone());
            if record.context.follows.is_none() {
                counted.entry(id.0.clone()).or_default().insert(record.id);
            }
        }
        assert!(counted.values().all(|ids| ids.len() == 1), "a case counted twice: {told}");
        assert_eq!(ended.len(), self.questions.len(), "an invitation without an end: {told}");
        let left = self.bench.memory().map(|memory| memory.opted_out.is_some());
        assert!(left.unwrap_or(true), "{told}");
    }
}

/// Walks all conversations that go on for `depth` more replies, and counts them.
fn walk(world: &World, texts: &[&'static str], depth: usize) -> usize {
    world.clone().judge_end();
    if depth == 0 {
        return 1;
    }
    let lines: usize = if world.questions[0].service == world.questions[1].service { 1 } else { 2 };
    let mut walked = 1;
    for place in 0..lines {
        for &text in texts {
            for gap in GAPS {
                let mut next = world.clone();
                next.reply(place, text, gap);
                walked += walk(&next, texts, depth - 1);
            }
        }
    }
    walked
}

#[test]
fn every_short_conversation_keeps_the_rules() {
    for second in [Second::FirstStands, Second::LastStands, Second::FollowUp] {
        for now in ["2026-03-05T10:00:00+08:00", "2026-03-06T06:58:30+08:00"] {
            walk(&start(second, ["", ""], now), &TEXTS, 2);
            walk(&start(second, ["1", "2"], now), &TEXTS, 2);
        }
    }
}

#[test]
fn every_conversation_of_four_replies_keeps_the_rules() {
    // The first reply may come before the questions are put.
    let world = start(Second::LastStands, ["", ""], "2026-03-06T06:58:30+08:00");
    let walked = walk(&world, &["1", "4", "？", "TD"], 4);
    assert_eq!(walked, (0..=4).map(|depth| 12_usize.pow(depth)).sum::<usize>());
}
