//! The decision (E): from what the words and digits say to a reading.

use super::digits::{self, Says};
use super::free::{self, Judgement};
use super::levels::{self, Phrase, Sense};
use super::text::Text;
use super::words::Words;
use super::{Reading, ReadingKind, comment};
use crate::model::{Level, Scheme};
use std::ops::Range;

/// Reads a cleaned reply that asks for nothing else.
pub(super) fn decide(words: &Words, scheme: Scheme, text: &Text) -> Reading {
    let said = Said::find(words, scheme, text);
    match said.verdict(words, text) {
        Verdict::Level(level, rule) => Reading {
            level: Some(level),
            comment: comment::cut(words, text, &said.answers()),
            ..Reading::bare(ReadingKind::Rated, rule)
        },
        Verdict::Menu => Reading::bare(ReadingKind::Unrecognised, "E1"),
        Verdict::Declined => match said.free(words, text, None) {
            plea if plea.kind == ReadingKind::Complaint => plea,
            _ => Reading::bare(ReadingKind::Declined, "C6"),
        },
        Verdict::Conflict(rule) | Verdict::Nothing(Some(rule)) => {
            said.free(words, text, Some(rule))
        }
        Verdict::Nothing(None) => match said.across_clauses(words, scheme, text) {
            Some(level) => {
                Reading { level: Some(level), ..Reading::bare(ReadingKind::Rated, "D6") }
            }
            None => said.free(words, text, None),
        },
    }
}

/// Whether a text is nothing but an answer, or a digit (A4).
pub(super) fn is_answer(words: &Words, scheme: Scheme, text: &Text) -> bool {
    if let [only] = text.marks[..] {
        return only.is_numeric() || "零一二两三四五六七八九十壹贰叁肆伍".contains(only);
    }
    let joined = text.joined();
    let said = Said::find(words, scheme, &joined);
    said.is_whole(words, &joined)
}

/// All that the words and digits of one reply say.
struct Said {
    /// The level words, stars included, in order.
    phrases: Vec<Phrase>,
    digits: Vec<digits::Digit>,
    /// A question made the level words void.
    asked: bool,
    barred: Option<&'static str>,
    negated: bool,
}

enum Verdict {
    /// A level was clearly stated.
    Level(Level, &'static str),
    /// The menu was sent back.
    Menu,
    /// Nothing but a 0 was said, which declines.
    Declined,
    /// Two things were said that do not go together.
    Conflict(&'static str),
    /// Nothing that counts, and the rule that said so, if it was not for lack of words.
    Nothing(Option<&'static str>),
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Side {
    Bad,
    Middle,
    Good,
}

fn side(level: Level) -> Side {
    match level {
        Level::VeryDissatisfied | Level::Dissatisfied => Side::Bad,
        Level::Fair => Side::Middle,
        Level::Satisfied | Level::VerySatisfied => Side::Good,
    }
}

impl Said {
    fn find(words: &Words, scheme: Scheme, text: &Text) -> Said {
        let mut levels = levels::find(words, scheme, text);
        let found = digits::find(words, text, scheme, &levels.phrases);
        let asked = levels.asked();
        let mut phrases = std::mem::take(&mut levels.phrases);
        if !found.stars.is_empty() {
            phrases.extend(found.stars);
            phrases.sort_by_key(|phrase| phrase.range.start);
        }
        let levels::Found { barred, negated, .. } = levels;
        Said { phrases, digits: found.digits, asked, barred, negated }
    }

    /// The level words that count.
    fn stated(&self) -> impl Iterator<Item = (Level, &Phrase)> {
        self.phrases.iter().filter(|_| !self.asked).filter_map(|phrase| match phrase.sense {
            Sense::Stated(level) => Some((level, phrase)),
            Sense::Denied | Sense::Asked => None,
        })
    }

    fn verdict(&self, words: &Words, text: &Text) -> Verdict {
        let word = match self.word() {
            Ok(word) => word,
            Err(verdict) => return verdict,
        };
        if self.digits.iter().any(|digit| digit.says == Says::Decline) {
            let alone = self.digits.iter().all(|digit| digit.says == Says::Decline);
            let alone = alone && word.is_none() && !self.asked;
            return if alone { Verdict::Declined } else { Verdict::Conflict("C6") };
        }
        let mut levels = self.digits.iter().filter_map(digits::Digit::level);
        let digit = levels.next();
        let mut again = levels.peekable();
        let repeated = again.peek().is_some();
        if again.any(|level| Some(level) != digit) {
            return Verdict::Conflict("C5");
        }
        match (word, digit) {
            (Some((word, rule)), None) => Verdict::Level(word, rule),
            (Some((word, rule)), Some(digit)) if side(word) == side(digit) => {
                Verdict::Level(word, rule)
            }
            (Some(_), Some(_)) => Verdict::Conflict("E3"),
            (None, _) if self.digits.iter().any(|digit| digit.says == Says::Nothing) => {
                Verdict::Nothing(Some("C3"))
            }
            (None, Some(_)) if repeated => Verdict::Nothing(Some("C5")),
            (None, Some(level)) => self.digit_alone(words, text, level),
            (None, None) if self.asked => Verdict::Nothing(Some("D5")),
            (None, None) => {
                let denied = self.phrases.first().map(|phrase| phrase.rule);
                Verdict::Nothing(self.barred.or(denied))
            }
        }
    }

    /// What the level words say together (E1, E2).
    fn word(&self) -> Result<Option<(Level, &'static str)>, Verdict> {
        let (mut lowest, mut highest) = (None::<Level>, None::<Level>);
        let mut different = [false; 5];
        for (level, _) in self.stated() {
            lowest = lowest.min(Some(level)).or(Some(level));
            highest = highest.max(Some(level));
            different[usize::from(level.number() - 1)] = true;
        }
        if different.into_iter().filter(|&seen| seen).count() >= 3 {
            return Err(Verdict::Menu);
        }
        let (Some(lowest), Some(highest)) = (lowest, highest) else { return Ok(None) };
        if side(lowest) != side(highest) || (self.negated && side(lowest) != Side::Bad) {
            return Err(Verdict::Conflict("E2"));
        }
        let stronger = if side(lowest) == Side::Bad { lowest } else { highest };
        let first = self.stated().find(|(level, _)| *level == stronger);
        Ok(first.map(|(level, phrase)| (level, phrase.rule)))
    }

    /// E3: the worst error is a 非常满意 for an angry citizen who read the numbers the wrong way.
    fn digit_alone(&self, words: &Words, text: &Text, level: Level) -> Verdict {
        let rest = self.rest(words, text);
        let contradicted = match side(level) {
            Side::Good => self.negated || free::complains(words, &rest),
            Side::Bad => free::praises(words, &rest),
            Side::Middle => false,
        };
        match self.digits.first() {
            Some(digit) if !contradicted => Verdict::Level(level, digit.rule),
            _ => Verdict::Conflict("E3"),
        }
    }

    /// D6: the answer that the clauses give when joined, if they give nothing else.
    fn across_clauses(&self, words: &Words, scheme: Scheme, text: &Text) -> Option<Level> {
        if text.clauses.len() < 2 {
            return None;
        }
        let joined = text.joined();
        let said = Said::find(words, scheme, &joined);
        let points = said.digits.iter().all(|digit| digit.rule == "C3");
        let one = said.phrases.len() + said.digits.len() == 1;
        if !(one && points && said.is_whole(words, &joined)) {
            return None;
        }
        match said.verdict(words, &joined) {
            Verdict::Level(level, _) => Some(level),
            Verdict::Menu | Verdict::Declined | Verdict::Conflict(_) | Verdict::Nothing(_) => None,
        }
    }

    /// Whether the answers, with lead and tail words, are the whole of a one-clause text.
    fn is_whole(&self, words: &Words, text: &Text) -> bool {
        let answers = self.answers();
        !answers.is_empty() && comment::is_answer(words, text, &answers, &(0..text.marks.len()))
    }

    /// The digits and level words that count, in order.
    fn answers(&self) -> Vec<Range<usize>> {
        let words = self.stated().map(|(_, phrase)| phrase.range.clone());
        let digits = self.digits.iter().map(|digit| digit.range.clone());
        let mut answers: Vec<Range<usize>> = words.chain(digits).collect();
        answers.sort_by_key(|answer| answer.start);
        answers
    }

    /// E5: a reply without a level is judged as free text; `doubt` is the rule that left it so.
    fn free(&self, words: &Words, text: &Text, doubt: Option<&'static str>) -> Reading {
        match free::judge(words, &self.rest(words, text)) {
            Judgement::Complaint(rule) => Reading {
                comment: text.sent(0..text.marks.len()),
                ..Reading::bare(ReadingKind::Complaint, rule)
            },
            Judgement::Unrecognised(rule) => {
                Reading::bare(ReadingKind::Unrecognised, doubt.unwrap_or(rule))
            }
        }
    }

    /// E5: the text without digit candidates, level words and questions. What is left out, and
    /// every separator, is a blank, so that no cue arises across a gap.
    fn rest(&self, words: &Words, text: &Text) -> Vec<char> {
        let mut rest = Vec::with_capacity(text.marks.len() + text.clauses.len());
        let mut left_out: Vec<Range<usize>> =
            self.phrases.iter().map(|phrase| phrase.range.clone()).collect();
        left_out.extend(self.digits.iter().map(|digit| digit.range.clone()));
        left_out.sort_by_key(|range| range.start);
        let mut next = left_out.iter().peekable();
        for clause in &text.clauses {
            rest.push(' ');
            if comment::is_answer(words, text, &left_out, clause) {
                continue;
            }
            let mut at = clause.start;
            while at < clause.end {
                while next.next_if(|range| range.end <= at).is_some() {}
                match next.peek() {
                    Some(range) if range.start <= at => {
                        rest.push(' ');
                        at = range.end;
                    }
                    _ => {
                        rest.push(text.marks[at]);
                        at += 1;
                    }
                }
            }
        }
        rest
    }
}
