//! Digit candidates (C): the digits, stars and points that may be an answer.

use super::clause;
use super::levels::{Phrase, Sense};
use super::text::{Joint, Text, is_han};
use super::words::Words;
use crate::model::{Direction, Level, Scheme};
use std::ops::Range;

/// Marks that tie two digits into one number, date or range when nothing else stands between.
const TIES: [char; 11] = ['.', '．', ':', '：', '-', '–', '—', '~', '～', '/', '／'];

/// A digit that may be the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digit {
    /// The digit, with its 分 if it has one.
    pub(super) range: Range<usize>,
    pub(super) says: Says,
    pub(super) rule: &'static str,
}

/// What a digit says by the scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It states a level.
    Level(Level),
    /// A 0 that declines to rate (C6).
    Decline,
    /// Points or stars where the scheme contradicts them.
    Nothing,
}

impl Digit {
    /// The level, if it states one.
    pub(super) fn level(&self) -> Option<Level> {
        match self.says {
            Says::Level(level) => Some(level),
            Says::Decline | Says::Nothing => None,
        }
    }
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
        if self.is_alone(at) && self.counts_whole(at, found) {
            return;
        }
        if let Some(beside) = self.beside_words(phrases.clone()) {
            found.digits.extend(beside);
            return;
        }
        if first && self.opens_a_reason(at, phrases) {
            found.digits.extend(self.numeral(at).map(|(range, level)| Digit {
                range,
                says: Says::Level(level),
                rule: "C2",
            }));
        }
    }

    /// C1, C3, C6: whether the number at `at`, with its star or point if it has one, is all that
    /// the clause says.
    fn counts_whole(&self, at: usize, found: &mut Found) -> bool {
        let words = &self.words.digits;
        let Some((number, length)) = number(self.ahead(at)) else { return false };
        let end = at + length;
        if let Some(star) = words.stars.starting(self.ahead(end)) {
            let end = end + star;
            let end = end + words.star_tails.starting(self.ahead(end)).unwrap_or(0);
            if let (true, Some(level)) = (self.only_tails(end), Level::from_number(number)) {
                if self.scheme.has_stars() {
                    let sense = Sense::Stated(level);
                    found.stars.push(Phrase { range: at..end, sense, rule: "C3" });
                } else {
                    found.digits.push(Digit { range: at..end, says: Says::Nothing, rule: "C3" });
                }
                return true;
            }
        }
        let says = match self.scheme.level(number) {
            Some(level) => Says::Level(level),
            None if number == 0 && self.scheme.zero_declines() => Says::Decline,
            None => return false,
        };
        if says != Says::Decline
            && self.ahead(end).first() == Some(&'分')
            && self.only_tails(end + 1)
        {
            let says = match self.scheme.direction() {
                Direction::Desc => says,
                Direction::Asc => Says::Nothing,
            };
            found.digits.push(Digit { range: at..end + 1, says, rule: "C3" });
            return true;
        }
        if self.only_tails(end) {
            let rule = if says == Says::Decline { "C6" } else { "C1" };
            found.digits.push(Digit { range: at..end, says, rule });
            return true;
        }
        false
    }

    /// C2: an ASCII digit that Han text follows which does not count or join.
    fn opens_a_reason<'p>(&self, at: usize, mut phrases: impl Iterator<Item = &'p Phrase>) -> bool {
        let Some((_, length)) = number(self.ahead(at)) else { return false };
        let (digit, end) = (self.ahead(at)[0], at + length);
        let Some(next) = self.ahead(end).first() else { return false };
        // 2比较满意 and 5十分满意 open with a level word, not with 比 or 十.
        let word = phrases.any(|phrase| phrase.range.start == end);
        let counts = self.words.digits.measures.starting(self.ahead(end)).is_some();
        let asks = self.words.digits.asked_about.starting(self.ahead(end)).is_some()
            || self.ahead(at).ends_with(&['吗']);
        digit.is_ascii() && is_han(*next) && (word || !counts) && !asks
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
            } else if let Some((range, level)) = self.numeral(at).filter(|_| ahead[0].is_ascii()) {
                at = range.end;
                digits.push(Digit { range, says: Says::Level(level), rule: "C2" });
            } else if ahead[0] == '0' && self.scheme.zero_declines() && self.is_alone(at) {
                digits.push(Digit { range: at..at + 1, says: Says::Decline, rule: "C6" });
                at += 1;
            } else {
                at += clause::lead(words, ahead).max(clause::tail(words, ahead))?;
            }
        }
        Some(digits)
    }

    /// The rest of the clause from `at` on.
    fn ahead(&self, at: usize) -> &[char] {
        &self.text.marks[at.min(self.clause.end)..self.clause.end]
    }

    fn only_tails(&self, at: usize) -> bool {
        clause::only_tails(&self.words.digits, self.ahead(at))
    }

    /// The digit of the scheme that stands at `at` by itself, and its level.
    fn numeral(&self, at: usize) -> Option<(Range<usize>, Level)> {
        let (number, length) = number(self.ahead(at))?;
        let level = self.scheme.level(number)?;
        self.is_alone(at).then_some((at..at + length, level))
    }

    /// Whether the number at `at` stands by itself (C4).
    fn is_alone(&self, at: usize) -> bool {
        let Some((number, length)) = number(self.ahead(at)) else { return false };
        let end = at + length;
        let touched_before = at > self.clause.start && !is_han(self.text.marks[at - 1]);
        let touched_behind = self.ahead(end).first().is_some_and(|&next| !is_han(next));
        let tied = self.tied(end - 1, 1) || self.tied(at, -1);
        let unit = match self.text.neighbour(end - 1, 1) {
            Some('%' | '％') => true,
            // 5⭐ is five stars to the sender; where 5 is the worst digit nobody can tell.
            Some('⭐' | '★' | '☆' | '🌟') => !self.scheme.counts_stars(),
            _ => false,
        };
        // `1 0` may be a 10 where that can be answered.
        let torn = number == 1
            && self.scheme.level(10).is_some()
            && self.text.joints.get(end) == Some(&Joint::Space)
            && self.text.marks.get(end) == Some(&'0');
        let alone = !(touched_before || touched_behind || tied || unit || torn);
        alone && !self.is_counted(end) && !self.is_refused()
    }

    /// Whether a tie binds the digit at `at` to another digit in this direction.
    fn tied(&self, at: usize, direction: isize) -> bool {
        let neighbour = |distance| self.text.neighbour(at, direction * distance);
        neighbour(1).is_some_and(|c| TIES.contains(&c))
            && neighbour(2).is_some_and(|c| c.is_numeric() && !is_han(c))
    }

    /// Whether a measure word follows a number that ends at `end`, behind a blank: `5 号楼停水`,
    /// `4 个月了`.
    fn is_counted(&self, end: usize) -> bool {
        end == self.clause.end
            && self.text.joints.get(end) == Some(&Joint::Space)
            && self.words.digits.spaced_measures.starting(&self.text.marks[end..]).is_some()
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

/// The number that `chars` starts with, 0 to 10, and its length.
pub(super) fn number(chars: &[char]) -> Option<(u8, usize)> {
    let number = match chars.first()? {
        '1' if chars.get(1) == Some(&'0') => return Some((10, 2)),
        '0' | '零' | '〇' => 0,
        '1' | '一' | '壹' => 1,
        '2' | '二' | '两' | '贰' => 2,
        '3' | '三' | '叁' => 3,
        '4' | '四' | '肆' => 4,
        '5' | '五' | '伍' => 5,
        '6' | '六' | '陆' => 6,
        '7' | '七' | '柒' => 7,
        '8' | '八' | '捌' => 8,
        '9' | '九' | '玖' => 9,
        '十' | '拾' | '⑩' | '⑽' | '⒑' | '❿' | '➉' | '➓' | 'ⅹ' | '㈩' | '㊉' => 10,
        _ => return None,
    };
    Some((number, 1))
}
