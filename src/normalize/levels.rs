//! Level words (D): every 满意, 不满 and 一般 of a reply, and whether it states a level.

use super::clause;
use super::text::{Joint, Text, is_han};
use super::words::{LevelWords, Phrases, Words};
use crate::model::Level;
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
pub(super) fn find(words: &Words, text: &Text) -> Found {
    let mut finder = Finder {
        words,
        lists: &words.levels,
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
enum Word {
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

struct Finder<'a> {
    words: &'a Words,
    lists: &'a LevelWords,
    text: &'a Text,
    found: Found,
    /// The clause being looked through.
    clause: Range<usize>,
    /// How far back the words before a level word may reach: over blanks (`不 满意`), but not over
    /// other separators and not into an earlier phrase.
    floor: usize,
    /// The end of the clause's first condition or wish.
    condition: Option<usize>,
    /// The end of the clause's first 是否 or the like.
    asker: Option<usize>,
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
    fn ahead(&self, at: usize) -> &'a [char] {
        &self.text.marks[at..self.clause.end]
    }

    /// What stands before `at`, as far as it may matter to a level word there.
    fn behind(&self, at: usize) -> &'a [char] {
        &self.text.marks[self.floor.min(at)..at]
    }

    /// Where the 一般 of a clause that says nothing else begins.
    fn so_so(&self) -> Option<usize> {
        let mut at = self.clause.start;
        at += self.words.digits.leads.run(self.ahead(at));
        if matches!(self.ahead(at), ['1'..='5', ..]) {
            at += 1;
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
        if let Some(question) = self.question(end) {
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
        match self.percentage(at) {
            Some(Some(hundred)) => (start, level) = (hundred, Level::VerySatisfied),
            Some(None) => return Word::Barred("D7"),
            None => {}
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

    /// D1: a negation before a negative word, or 不满意的地方没有.
    fn denied(&self, start: usize, end: usize) -> Option<Word> {
        let after = end + usize::from(self.ahead(end).first() == Some(&'的'));
        let noun = self.lists.denial_nouns.starting(self.ahead(after)).unwrap_or(0);
        let end = if after > end || noun > 0 { after + noun } else { end };
        let none = self.lists.denial_ends.starting(self.ahead(end));
        let none = none.filter(|length| only_particles(self.words, self.ahead(end + length)));
        let range = match none {
            Some(_) => start..self.clause.end,
            None => self.denial(start)?..end,
        };
        Some(Word::Is(Phrase { range, sense: Sense::Denied, rule: "D1" }))
    }

    /// Where a negation of the negative word at `start` begins.
    fn denial(&self, start: usize) -> Option<usize> {
        let mut at = start;
        loop {
            let behind = self.behind(at);
            if let Some(length) = self.lists.denials.ending(behind) {
                return Some(at - length);
            }
            let degree = self.lists.degrees.ending(behind);
            at -= degree.max(self.lists.denial_between.ending(behind))?;
        }
    }

    /// Whether a negation that D3 does not list reaches the good or middle word at `start`. Then
    /// nobody can say which level is meant.
    fn negated(&self, start: usize) -> bool {
        if self.floor >= start {
            // A comma between 不 and 满意 leaves open whether they belong together.
            let earlier = &self.text.marks[..start];
            return earlier.ends_with(&['不'])
                || self.lists.bad_for_satisfied.ending(earlier).is_some();
        }
        let mut at = start;
        loop {
            let behind = self.behind(at);
            if self.lists.not_negators.ending(behind).is_some() {
                return false;
            }
            let negator = self.lists.negators.ending(behind);
            let degree = self.lists.degrees.ending(behind);
            let between = degree.max(self.lists.negator_between.ending(behind));
            if negator.is_some() && negator >= between {
                return true;
            }
            match between {
                Some(length) => at -= length,
                None => return false,
            }
        }
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

    /// For N%满意: where 100 begins, or that it is not 100.
    fn percentage(&self, at: usize) -> Option<Option<usize>> {
        if !matches!(self.text.neighbour(at, -1), Some('%' | '％')) {
            return None;
        }
        let marks = &self.text.marks[..at];
        let joints = &self.text.joints[..at];
        let hundred = matches!(marks, [.., '1', '0', '0']) && joints.ends_with(&[Joint::None; 2]);
        let start = at.saturating_sub(3);
        let longer = joints.get(start) == Some(&Joint::None) && !is_han(marks[start - 1]);
        Some((hundred && !longer).then_some(start))
    }

    /// D5: a condition or wish before the word at `start`.
    fn is_no_level(&self, start: usize) -> bool {
        self.condition.is_some_and(|condition| condition <= start)
            || self.lists.conditions.ending(self.behind(start)).is_some()
    }

    /// D5 for good and middle words: 就满意, 才满意, 谁满意.
    fn is_unsure(&self, start: usize) -> bool {
        let behind = self.behind(start);
        let near = self.lists.conditions_near.ending(behind).is_some()
            && self.lists.not_conditions_near.ending(behind).is_none();
        let clause = &self.text.marks[self.clause.start.min(start)..start];
        near || self.lists.unsure_near.ending(clause).is_some()
    }

    /// 满意不了, 满意个啥.
    fn is_taken_back(&self, end: usize) -> bool {
        self.lists.taken_back.starting(self.ahead(end)).is_some()
    }

    /// D5: 满意度, 满意的答复: the word describes a thing.
    fn names_a_thing(&self, end: usize, bad: bool) -> bool {
        let after = self.ahead(end);
        let nouns = if bad { &self.lists.nouns_after_bad } else { &self.lists.nouns };
        let ['的', thing @ ..] = after else { return nouns.starting(after).is_some() };
        if bad && self.lists.reasons.starting(thing).is_some() {
            return false;
        }
        let described = matches!(thing, [a, b, ..] if is_han(*a) && is_han(*b));
        let described = described && !clause::only_tails(&self.words.digits, thing);
        described || thing.first() == Some(&'话') || (!bad && nouns.starting(thing).is_some())
    }

    /// D5: where the question behind the word that ends at `end` ends: 满意吗, 满意了没.
    fn question(&self, end: usize) -> Option<usize> {
        let end = end + self.lists.question_between.starting(self.ahead(end)).unwrap_or(0);
        let after = self.ahead(end);
        if let Some(length) = self.lists.question_after.starting(after) {
            return Some(end + length);
        }
        let length = self.lists.question_ends.starting(after)?;
        only_particles(self.words, &after[length..]).then_some(self.clause.end)
    }

    /// D5, for a word that is no negative one: also 满意不满意, 是否…满意, 满意…吗.
    fn good_question(&self, start: usize, end: usize) -> Option<usize> {
        match self.ahead(end) {
            ['不', '满', '意', ..] => return Some(end + 3),
            ['不', '满', ..] => return Some(end + 2),
            _ => {}
        }
        let asked = self.asker.is_some_and(|asker| asker <= start);
        let asked = asked || self.ahead(end).ends_with(&['吗']);
        self.question(end).or(asked.then_some(end))
    }
}

fn asked(range: Range<usize>) -> Word {
    Word::Is(Phrase { range, sense: Sense::Asked, rule: "D5" })
}

fn only_particles(words: &Words, chars: &[char]) -> bool {
    words.digits.particles.run(chars) == chars.len()
}

/// Whether a bare 不满 before `c` means "less than".
fn is_numeral(c: char) -> bool {
    c.is_numeric() || "一二两三四五六七八九十百千万几半多".contains(c)
}
