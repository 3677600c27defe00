//! Level words (D): every 满意, 不满 and 一般 of a reply, and whether it states a level.

use super::text::{Joint, Text, is_han};
use super::words::{LevelWords, Phrases, Words};
use super::{clause, digits};
use crate::model::{Level, Scheme};
use std::ops::Range;

/// What a phrase around a level word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    /// It states a level.
    Stated(Level),
    /// A double negation: no level, and no grievance either.
    Denied,
    /// A question.
    Asked,
}

/// A phrase and where it stands, in marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phrase {
    pub(super) range: Range<usize>,
    pub(super) sense: Sense,
    pub(super) rule: &'static str,
}

/// All that the level words of a reply say.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of the text, not overlapping.
    pub(super) phrases: Vec<Phrase>,
    /// The first rule that kept a level word from stating a level.
    pub(super) barred: Option<&'static str>,
    /// Whether a level word is negated in a way that leaves open which level is meant.
    pub(super) negated: bool,
}

impl Found {
    /// Whether a question makes every level word of the reply void.
    pub(super) fn asked(&self) -> bool {
        self.phrases.iter().any(|phrase| phrase.sense == Sense::Asked)
    }
}

/// Looks through a whole reply, once.
pub(super) fn find(words: &Words, scheme: Scheme, text: &Text) -> Found {
    let mut finder = Finder {
        words,
        lists: &words.levels,
        scheme,
        text,
        found: Found::default(),
        clause: 0..0,
        floor: 0,
        condition: None,
        asker: None,
    };
    for clause in &text.clauses {
        finder.look_through(clause.clone());
    }
    finder.found
}

/// One word with its neighbourhood judged.
pub(super) enum Word {
    /// It says something.
    Is(Phrase),
    /// It states no level, by this rule.
    Barred(&'static str),
    /// It is negated, and nobody can say which level is meant.
    Negated,
    /// It says nothing until the clauses are joined (D6), but does not agree with a good digit.
    Torn,
    /// It is no level word.
    None,
}

pub(super) struct Finder<'a> {
    pub(super) words: &'a Words,
    pub(super) lists: &'a LevelWords,
    scheme: Scheme,
    pub(super) text: &'a Text,
    found: Found,
    /// The clause being looked through.
    pub(super) clause: Range<usize>,
    /// How far back the words before a level word may reach: over blanks (`不 满意`), but not over
    /// other separators and not into an earlier phrase.
    pub(super) floor: usize,
    /// The end of the clause's first condition or wish.
    pub(super) condition: Option<usize>,
    /// The end of the clause's first 是否 or the like.
    pub(super) asker: Option<usize>,
}

impl<'a> Finder<'a> {
    fn look_through(&mut self, clause: Range<usize>) {
        if self.text.joints[clause.start] != Joint::Space {
            self.floor = clause.start;
        }
        (self.condition, self.asker) = (None, None);
        self.clause = clause.clone();
        let mut at = clause.start;
        if let Some(start) = self.so_so() {
            let sense = Sense::Stated(Level::Fair);
            let phrase = Phrase { range: start..clause.end, sense, rule: "D4" };
            self.keep(if self.negated(start) { Word::Negated } else { Word::Is(phrase) });
            return;
        }
        while at < clause.end {
            let ahead = self.ahead(at);
            if self.condition.is_none() {
                self.condition = self.lists.conditions.starting(ahead).map(|length| at + length);
            }
            if self.asker.is_none() {
                self.asker = self.lists.askers.starting(ahead).map(|length| at + length);
            }
            if ahead[0] == '满' {
                let word = self.word(at);
                at = self.keep(word).unwrap_or(at + 1);
            } else {
                at += 1;
            }
        }
    }

    /// Keeps what a word says; returns where the phrase ends.
    fn keep(&mut self, word: Word) -> Option<usize> {
        match word {
            Word::Is(phrase) => {
                let Range { start, end } = phrase.range;
                self.floor = end;
                // The 怎么 of 不怎么满意 is no condition for the words that follow.
                self.condition = self.condition.filter(|&condition| condition <= start);
                self.asker = self.asker.filter(|&asker| asker <= start);
                self.found.phrases.push(phrase);
                Some(end)
            }
            Word::Barred(rule) => {
                self.found.barred.get_or_insert(rule);
                None
            }
            Word::Negated => {
                self.found.barred.get_or_insert("D3");
                self.found.negated = true;
                None
            }
            Word::Torn => {
                self.found.negated = true;
                None
            }
            Word::None => None,
        }
    }

    /// The rest of the clause from `at` on.
    pub(super) fn ahead(&self, at: usize) -> &'a [char] {
        &self.text.marks[at..self.clause.end]
    }

    /// What stands before `at`, as far as it may matter to a level word there.
    pub(super) fn behind(&self, at: usize) -> &'a [char] {
        &self.text.marks[self.floor.min(at)..at]
    }

    /// Where the 一般 of a clause that says nothing else begins.
    fn so_so(&self) -> Option<usize> {
        let mut at = self.clause.start;
        at += self.words.digits.leads.run(self.ahead(at));
        if let Some((number, length)) = digits::number(self.ahead(at))
            && self.ahead(at)[0].is_ascii()
            && self.scheme.level(number).is_some()
        {
            at += length;
        }
        let start = at;
        at += self.lists.so_so_subjects.run(self.ahead(at));
        at += self.lists.so_so_degrees.starting(self.ahead(at)).unwrap_or(0);
        at += self.lists.so_so.starting(self.ahead(at))?;
        clause::only_tails(&self.words.digits, self.ahead(at)).then_some(start)
    }

    /// Judges the word around the 满 at `at`.
    fn word(&self, at: usize) -> Word {
        let full = self.ahead(at).get(1) == Some(&'意');
        let end = if full { at + 2 } else { at + 1 };
        if let ['不', '满', ..] = self.ahead(at + 1) {
            return asked(at..at + 3 + usize::from(self.ahead(at + 3).first() == Some(&'意')));
        }
        if self.behind(at).ends_with(&['不']) {
            // A clause 意 says nothing by itself.
            let joints = [at + 1, at + 2].map(|mark| self.text.joints.get(mark));
            let alone = joints.into_iter().all(|joint| joint != Some(&Joint::None));
            let torn = alone && self.text.marks.get(at + 1) == Some(&'意');
            if torn {
                return Word::Torn;
            }
            return self.dissatisfied(at - 1, end, full);
        }
        if !full {
            return Word::None;
        }
        match self.lists.bad_for_satisfied.ending(self.behind(at)) {
            // `问题没有 满意`: the blank may be a comma.
            Some(length)
                if self.text.joints[at] == Joint::Space && self.text.marks[at - length] == '没' =>
            {
                Word::Negated
            }
            Some(length) => self.negated_satisfied(at - length, at),
            None => self.satisfied(at, end),
        }
    }

    /// 不满意 or 不满, with 不 at `start`.
    fn dissatisfied(&self, start: usize, end: usize, full: bool) -> Word {
        if let Some(question) = self.question(end) {
            return asked(start..question);
        }
        if self.lists.askers.ending(self.behind(start)).is_some() {
            return asked(start..end);
        }
        if let Some(denied) = self.denied(start, end) {
            return denied;
        }
        if self.is_no_level(start) || self.names_a_thing(end, true) {
            return Word::Barred("D5");
        }
        let stated =
            |range, level, rule| Word::Is(Phrase { range, sense: Sense::Stated(level), rule });
        if let Some(length) = self.lists.worst_after.starting(self.ahead(end)) {
            return stated(self.before_degrees(start)..end + length, Level::VeryDissatisfied, "D2");
        }
        let is_count = !full && self.ahead(end).first().is_some_and(|&c| is_numeral(c));
        if is_count {
            return Word::Barred("D3");
        }
        let worst = match self.lists.worst_before.ending(self.behind(start)) {
            Some(length) => start - length,
            None => self.before_degrees(start),
        };
        if worst < start {
            return stated(worst..end, Level::VeryDissatisfied, "D2");
        }
        if let Some(length) = self.lists.bad_before.ending(self.behind(start)) {
            return stated(start - length..end, Level::Dissatisfied, "D3");
        }
        if full || clause::only_tails(&self.words.digits, self.ahead(end)) {
            return stated(start..end, Level::Dissatisfied, "D3");
        }
        Word::Negated
    }

    /// 不太满意, 没满意, 谈不上满意 and the like.
    fn negated_satisfied(&self, start: usize, at: usize) -> Word {
        let end = at + 2;
        if let Some(question) = self.question(end).or(self.alternative(end)) {
            return asked(start..question);
        }
        // 是不是满意, 有没有满意
        let overlaps = self.asker.is_some_and(|asker| start < asker);
        if overlaps || self.lists.askers.ending(self.behind(start)).is_some() {
            return asked(start..end);
        }
        if let Some(denied) = self.denied(start, end) {
            return denied;
        }
        if self.is_no_level(start) || self.names_a_thing(end, true) || self.is_taken_back(end) {
            return Word::Barred("D5");
        }
        let sense = Sense::Stated(Level::Dissatisfied);
        Word::Is(Phrase { range: start..end, sense, rule: "D3" })
    }

    /// 满意 with what stands directly before it; no negation that D3 lists does.
    fn satisfied(&self, at: usize, mut end: usize) -> Word {
        let behind = self.behind(at);
        let degrees = self.before_degrees(at);
        let (mut start, mut level) = (degrees, Level::VerySatisfied);
        if degrees == at {
            let before = |list: &Phrases| list.ending(behind);
            (start, level) = if let Some(length) = before(&self.lists.best_before) {
                (at - length, Level::VerySatisfied)
            } else if let Some(length) = before(&self.lists.fair_before) {
                (at - length, Level::Fair)
            } else {
                (at - before(&self.lists.good_before).unwrap_or(0), Level::Satisfied)
            };
        }
        if matches!(self.text.neighbour(at, -1), Some('%' | '％')) {
            // Half satisfied is no level.
            let Some(hundred) = self.hundred(at) else { return Word::Barred("D7") };
            (start, level) = (hundred, Level::VerySatisfied);
        }
        if let Some(length) = self.lists.best_after.starting(self.ahead(end)) {
            (end, level) = (end + length, Level::VerySatisfied);
        }
        if self.is_taken_back(end) {
            return Word::Barred("D5");
        }
        if let Some(question) = self.good_question(start, end) {
            return asked(start..question);
        }
        if self.negated(start) {
            return Word::Negated;
        }
        let unsure = self.is_no_level(start) || self.is_unsure(start);
        if unsure || self.names_a_thing(end, false) {
            return Word::Barred("D5");
        }
        Word::Is(Phrase { range: start..end, sense: Sense::Stated(level), rule: "D4" })
    }

    /// The start of the degree words before `at`: 非常, 非常非常, 非常的.
    fn before_degrees(&self, at: usize) -> usize {
        let mut start = at;
        loop {
            let behind = self.behind(start);
            let length = match behind {
                [before @ .., '的' | '地'] => {
                    self.lists.degrees.ending(before).map(|length| length + 1)
                }
                _ => self.lists.degrees.ending(behind),
            };
            match length {
                Some(length) => start -= length,
                None => return start,
            }
        }
    }

    /// For 100%满意: where 100 begins.
    fn hundred(&self, at: usize) -> Option<usize> {
        let (marks, joints) = (&self.text.marks, &self.text.joints);
        let is_hundred = |start: &usize| {
            marks[*start..at] == ['1', '0', '0']
                && joints[start + 1..at] == [Joint::None; 2]
                && (joints[*start] != Joint::None || is_han(marks[start - 1]))
        };
        at.checked_sub(3).filter(is_hundred)
    }
}

fn asked(range: Range<usize>) -> Word {
    Word::Is(Phrase { range, sense: Sense::Asked, rule: "D5" })
}

/// Whether a bare 不满 before `c` means "less than".
fn is_numeral(c: char) -> bool {
    c.is_numeric() || "一二两三四五六七八九十百千万几半多".contains(c)
}
