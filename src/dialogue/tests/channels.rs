//! Every exchange of up to four replies, by text and by key, swapped, late and repeated, about two
//! open invitations, against a plain model.

use super::bench::*;
use crate::config::Conversation;
use crate::config::conversation::Second;
use crate::dialogue::Concluded;
use crate::model::{
    Caller, Event, Invitation, InvitationId, Level, Mark, Matter, Meaning, MessageKind, Outcome,
    Record, RecordId, Revision,
};
use jiff::Timestamp;
use std::time::Duration;

const VALIDITY: Duration = Duration::from_hours(24);
const LATE: Duration = Duration::from_hours(12);
/// At once, and past the end of the invitations.
const GAPS: [Duration; 2] = [Duration::from_mins(1), Duration::from_hours(25)];

/// How a reply comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Text,
    /// In the call that the invitation is about.
    Key,
}

/// What the plain model knows of an invitation.
#[derive(Debug, Clone)]
struct Question {
    id: &'static str,
    line: String,
    asked_at: Timestamp,
    times: u8,
    /// What was recorded of it last.
    last: Option<(RecordId, Revision)>,
}

impl Question {
    fn is_late(&self, at: Timestamp) -> bool {
        at >= self.asked_at + VALIDITY
    }

    fn takes(&self, at: Timestamp) -> bool {
        at < self.asked_at + VALIDITY + LATE
    }
}

/// An exchange so far, as it is and as it should be.
#[derive(Clone)]
struct Exchange {
    bench: Bench,
    second: Second,
    questions: Vec<Question>,
    told: String,
}

fn begin(second: Second, extensions: [&str; 2]) -> Exchange {
    let mut conversation = Conversation {
        second,
        validity: VALIDITY,
        late_window: LATE,
        sender: Some(sender().name),
        ..talkative()
    };
    // What is asked after a bad rating is looked at elsewhere.
    conversation.wordings.retain(|(kind, _)| *kind != MessageKind::AskReason);
    let mut bench = Bench::new(conversation, "2026-03-05T10:00:00+08:00");
    let mut questions = Vec::new();
    for (id, extension) in ["A", "B"].into_iter().zip(extensions) {
        let line = format!("{LINE}{extension}");
        let asked = invitation(id, &line, moment("2026-03-09T10:00:00+08:00"));
        let matter = Matter { call_id: Some(format!("call-{id}")), ..asked.matter };
        bench.invite(Invitation { matter, ..asked });
        questions.push(Question { id, line, asked_at: bench.now, times: 0, last: None });
        bench.after(Duration::from_secs(1));
    }
    Exchange { bench, second, questions, told: format!("{second:?}, {extensions:?}") }
}

impl Exchange {
    /// One more reply, judged.
    fn reply(&mut self, place: usize, by: By, answer: &'static str, gap: Duration) {
        self.bench.after(gap);
        self.told.push_str(&format!(", {gap:?} {by:?} {answer} to {}", self.questions[place].id));
        self.see_ends();
        let (concluded, of) = match by {
            By::Text => {
                let line = self.questions[place].line.clone();
                (self.bench.reply(&line, answer), self.asked_on(&line))
            }
            By::Key => {
                let call = format!("call-{}", self.questions[place].id);
                let caller = Some(Caller::Number(citizen()));
                let pressed = self.bench.heard(Event { caller, ..keys(&call, answer) });
                let concluded = self.bench.says(pressed).remove(0);
                self.bench.until(self.bench.now);
                let takes = self.questions[place].takes(self.bench.now);
                (concluded, if takes { vec![place] } else { Vec::new() })
            }
        };
        self.judge(&concluded, &of, answer);
    }

    /// The invitations that a text on this line may answer, the likeliest last.
    fn asked_on(&self, line: &str) -> Vec<usize> {
        let at = self.bench.now;
        let question = |place: &usize| &self.questions[*place];
        let on_line = (0..self.questions.len())
            .filter(|place| question(place).line == line && question(place).takes(at));
        let awaited = |place: &usize| question(place).times == 0 && !question(place).is_late(at);
        let (awaited, others): (Vec<_>, Vec<_>) = on_line.partition(awaited);
        [others, awaited].concat()
    }

    /// An invitation that nobody answered in time was recorded as not rated.
    fn see_ends(&mut self) {
        let at = self.bench.now;
        for question in &mut self.questions {
            if question.last.is_none() && question.is_late(at) {
                let of_question = |record: &&Record| of_invitation(record) == Some(question.id);
                let ended: Vec<_> = self.bench.records().filter(of_question).collect();
                let [Record { id, revision, meaning: Meaning::NotRated { .. }, .. }] = ended[..]
                else {
                    panic!("{ended:?}: {}", self.told)
                };
                question.last = Some((*id, *revision));
            }
        }
    }

    fn judge(&mut self, concluded: &Concluded, of: &[usize], answer: &str) {
        let (told, at) = (&self.told, self.bench.now);
        let Some(place) = of.last() else {
            assert_eq!(
                (concluded.outcome, &concluded.records[..]),
                (Outcome::Unmatched, &[][..]),
                "{told}"
            );
            return;
        };
        let late = self.questions[*place].is_late(at);
        let rivals = of.iter().filter(|rival| late || !self.questions[**rival].is_late(at)).count();
        let question = &mut self.questions[*place];
        question.times += 1;
        let counts =
            question.times == 1 || (question.times == 2 && self.second != Second::FirstStands);
        if !counts {
            assert_eq!(
                (concluded.outcome, &concluded.records[..]),
                (Outcome::Surplus, &[][..]),
                "{told}"
            );
            return;
        }
        assert_eq!(concluded.outcome, Outcome::Rated, "{told}");
        let rating = &concluded.records[0];
        let Meaning::Rating { level, target, .. } = &rating.meaning else { panic!("{told}") };
        let said = if answer == "1" { Level::VerySatisfied } else { Level::Dissatisfied };
        assert_eq!(*level, said, "{told}");
        assert_eq!(of_invitation(rating), Some(question.id), "{told}");
        assert_eq!(target.reference, Some(format!("case-{}", question.id)), "{told}");
        assert_eq!(rating.context.assess_number, question.times, "{told}");
        let mut marks = Vec::new();
        marks.extend(late.then_some(Mark::Late));
        marks.extend((rivals > 1).then_some(Mark::Ambiguous(2)));
        assert_eq!(rating.context.marks, marks, "{told}");
        let found = (rating.id, rating.revision);
        let follows =
            question.last.filter(|_| question.times == 2 && self.second == Second::FollowUp);
        assert_eq!(rating.context.follows, follows.map(|(id, _)| id), "{told}");
        match question.last.filter(|_| follows.is_none()) {
            Some((id, Revision(last))) => assert_eq!(found, (id, Revision(last + 1)), "{told}"),
            None => assert_eq!(rating.revision, Revision::FIRST, "{told}"),
        }
        question.last = Some(found);
    }

    /// What must hold when all is over.
    fn judge_end(mut self) {
        self.bench.after(Duration::from_hours(24 * 365));
        self.see_ends();
        for question in &self.questions {
            let of_question =
                self.bench.records().filter(|it| of_invitation(it) == Some(question.id));
            let ends = of_question.filter(|it| matches!(it.meaning, Meaning::NotRated { .. }));
            assert!(ends.count() <= 1 && question.last.is_some(), "{}", self.told);
        }
        assert_eq!(self.bench.remembered(), [""; 0], "{}", self.told);
    }
}

fn of_invitation(record: &Record) -> Option<&str> {
    record.context.invitation.as_ref().map(|InvitationId(id)| id.as_str())
}

/// Walks all exchanges of up to `depth` more replies, and counts them.
fn walk(exchange: &Exchange, answers: &[&'static str], depth: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    exchange.clone().judge_end();
    let mut walked = 1;
    for place in 0..exchange.questions.len() {
        for by in [By::Text, By::Key] {
            for &answer in answers {
                for gap in GAPS {
                    let mut next = exchange.clone();
                    next.reply(place, by, answer, gap);
                    walked += walk(&next, answers, depth - 1);
                }
            }
        }
    }
    walked
}

#[test]
fn every_reply_of_a_short_exchange_ends_at_the_invitation_that_it_answers() {
    for second in [Second::FirstStands, Second::LastStands, Second::FollowUp] {
        for extensions in [["", ""], ["1", "2"]] {
            walk(&begin(second, extensions), &["1", "4"], 3);
        }
    }
}

#[test]
fn every_reply_of_a_longer_exchange_ends_at_the_invitation_that_it_answers() {
    for extensions in [["", ""], ["1", "2"]] {
        let walked = walk(&begin(Second::LastStands, extensions), &["4"], 4);
        assert_eq!(walked, (0..=4).map(|depth| 8_usize.pow(depth)).sum::<usize>());
    }
}
