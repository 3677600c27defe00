//! Digit candidates (C): the digits, stars and points that may be an answer.

use super::clause;
use super::levels::{Phrase, Sense};
use super::text::{Joint, Text, is_han};
use super::words::Words;
use crate::model::{Level, Scheme};
use std::ops::Range;

/// Marks that tie two digits into one number, date or range when nothing else stands between.
const TIES: [char; 11] = ['.', '．', ':', '：', '-', '–', '—', '~', '～', '/', '／'];

/// A digit that may be the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digit {
    /// The digit, with its 分 if it has one.
    pub(super) range: Range<usize>,
    /// The level by the scheme; `None` for points where the scheme contradicts them.
    pub(super) level: Option<Level>,
    pub(super) rule: &'static str,
}

/// All that the digits of a reply say.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) digits: Vec<Digit>,
    /// Stars are level words: they mean the same in both schemes.
    pub(super) stars: Vec<Phrase>,
}

/// Looks through all clauses; `phrases` are the level words, in order.
pub(super) fn find(words: &Words, text: &Text, scheme: Scheme, phrases: &[Phrase]) -> Found {
    let mut found = Found::default();
    let mut phrases = phrases.iter().peekable();
    for (index, clause) in text.clauses.iter().enumerate() {
        while phrases.next_if(|phrase| phrase.range.end <= clause.start).is_some() {}
        let finder = Finder { words, text, scheme, clause: clause.clone() };
        finder.look_through(index == 0, phrases.clone(), &mut found);
    }
    found
}

struct Finder<'a> {
    words: &'a Words,
    text: &'a Text,
    scheme: Scheme,
    clause: Range<usize>,
}

impl Finder<'_> {
    fn look_through<'p>(
        &self,
        first: bool,
        phrases: impl Iterator<Item = &'p Phrase> + Clone,
        found: &mut Found,
    ) {
        let words = &self.words.digits;
        let lead = words.leads.run(self.ahead(self.clause.start));
        let at = self.clause.start + lead;
        if let Some(number) = self.numeral(at) {
            if let Some(length) = words.stars.starting(self.ahead(at + 1)) {
                let end = at + 1 + length;
                let end = end + words.star_tails.starting(self.ahead(end)).unwrap_or(0);
                if let (true, Some(level)) = (self.only_tails(end), Level::from_number(number)) {
                    let sense = Sense::Stated(level);
                    found.stars.push(Phrase { range: at..end, sense, rule: "C3" });
                    return;
                }
            }
            if self.ahead(at + 1).first() == Some(&'分') && self.only_tails(at + 2) {
                let level = match self.scheme {
                    Scheme::Desc => Level::from_number(number),
                    Scheme::Asc => None,
                };
                found.digits.push(Digit { range: at..at + 2, level, rule: "C3" });
                return;
            }
            if self.only_tails(at + 1) {
                found.digits.push(self.digit(at, number, "C1"));
                return;
            }
        }
        if let Some(beside) = self.beside_words(phrases.clone()) {
            found.digits.extend(beside);
            return;
        }
        if first && self.opens_a_reason(at, phrases) {
            found.digits.extend(self.numeral(at).map(|number| self.digit(at, number, "C2")));
        }
    }

    /// C2: an ASCII digit that Han text follows which does not count or join.
    fn opens_a_reason<'p>(&self, at: usize, mut phrases: impl Iterator<Item = &'p Phrase>) -> bool {
        let [digit, next, ..] = *self.ahead(at) else { return false };
        // 2比较满意 and 5十分满意 open with a level word, not with 比 or 十.
        let word = phrases.any(|phrase| phrase.range.start == at + 1);
        let counts = self.words.digits.measures.starting(self.ahead(at + 1)).is_some();
        let asks = self.words.digits.asked_about.starting(self.ahead(at + 1)).is_some()
            || self.ahead(at).ends_with(&['吗']);
        digit.is_ascii() && is_han(next) && (word || !counts) && !asks
    }

    /// The digits of a clause that holds nothing but level words, digits and what may stand around
    /// them (`1非常满意`, `非常满意1`). Read as candidates wherever the clause stands, since a digit
    /// beside a word is there to be compared with it (E3). In a question no digit is an answer.
    fn beside_words<'p>(
        &self,
        phrases: impl Iterator<Item = &'p Phrase> + Clone,
    ) -> Option<Vec<Digit>> {
        let words = &self.words.digits;
        let mut digits = Vec::new();
        let mut phrases =
            phrases.take_while(|phrase| phrase.range.start < self.clause.end).peekable();
        phrases.peek()?;
        if phrases.clone().any(|phrase| phrase.sense == Sense::Asked) {
            return Some(digits);
        }
        let mut at = self.clause.start;
        while at < self.clause.end {
            let ahead = self.ahead(at);
            if let Some(phrase) = phrases.next_if(|phrase| phrase.range.start <= at) {
                at = phrase.range.end;
            } else if let Some(number) = self.numeral(at).filter(|_| ahead[0].is_ascii()) {
                digits.push(self.digit(at, number, "C2"));
                at += 1;
            } else {
                at += clause::lead(words, ahead).max(clause::tail(words, ahead))?;
            }
        }
        Some(digits)
    }

    fn digit(&self, at: usize, number: u8, rule: &'static str) -> Digit {
        Digit { range: at..at + 1, level: self.scheme.level(number), rule }
    }

    /// The rest of the clause from `at` on.
    fn ahead(&self, at: usize) -> &[char] {
        &self.text.marks[at.min(self.clause.end)..self.clause.end]
    }

    fn only_tails(&self, at: usize) -> bool {
        clause::only_tails(&self.words.digits, self.ahead(at))
    }

    /// The number 1 to 5 that stands at `at` by itself (C4).
    fn numeral(&self, at: usize) -> Option<u8> {
        let number = number(*self.ahead(at).first()?)?;
        let touched_before = at > self.clause.start && !is_han(self.text.marks[at - 1]);
        let touched_behind = self.ahead(at + 1).first().is_some_and(|&next| !is_han(next));
        let tied = self.tied(at, 1) || self.tied(at, -1);
        let unit = match self.text.neighbour(at, 1) {
            Some('%' | '％') => true,
            // 5⭐ is five stars to the sender; where 5 is the worst digit nobody can tell.
            Some('⭐' | '★' | '☆' | '🌟') => self.scheme == Scheme::Asc,
            _ => false,
        };
        let alone = !(touched_before || touched_behind || tied || unit);
        (alone && !self.is_counted(at) && !self.is_refused()).then_some(number)
    }

    /// Whether a tie binds the digit at `at` to another digit in this direction.
    fn tied(&self, at: usize, direction: isize) -> bool {
        let neighbour = |distance| self.text.neighbour(at, direction * distance);
        neighbour(1).is_some_and(|c| TIES.contains(&c))
            && neighbour(2).is_some_and(|c| c.is_numeric() && !is_han(c))
    }

    /// Whether a measure word follows behind a blank: `5 号楼停水`, `4 个月了`.
    fn is_counted(&self, at: usize) -> bool {
        let next = at + 1;
        next == self.clause.end
            && self.text.joints.get(next) == Some(&Joint::Space)
            && self.words.digits.spaced_measures.starting(&self.text.marks[next..]).is_some()
    }

    /// Whether a refusal stands before the clause, behind a blank: `不选 1`.
    fn is_refused(&self) -> bool {
        let mut earlier = &self.text.marks[..self.clause.start];
        if self.text.joints[self.clause.start] != Joint::Space {
            return false;
        }
        while let Some(length) = self.words.digits.leads.ending(earlier) {
            earlier = &earlier[..earlier.len() - length];
        }
        self.words.digits.refusals.ending(earlier).is_some()
    }
}

fn number(c: char) -> Option<u8> {
    Some(match c {
        '1' | '一' | '壹' => 1,
        '2' | '二' | '两' | '贰' => 2,
        '3' | '三' | '叁' => 3,
        '4' | '四' | '肆' => 4,
        '5' | '五' | '伍' => 5,
        _ => return None,
    })
}
