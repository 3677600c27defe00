//! What keeps a level word from stating a level: negation, question, condition, attribute (D1, D3, D5).

use super::clause;
use super::levels::{Finder, Phrase, Sense, Word};
use super::text::is_han;
use super::words::Words;

impl Finder<'_> {
    /// D1: a negation before a negative word, or 不满意的地方没有.
    pub(super) fn denied(&self, start: usize, end: usize) -> Option<Word> {
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
    pub(super) fn negated(&self, start: usize) -> bool {
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

    /// D5: a condition or wish before the word at `start`.
    pub(super) fn is_no_level(&self, start: usize) -> bool {
        self.condition.is_some_and(|condition| condition <= start)
            || self.lists.conditions.ending(self.behind(start)).is_some()
    }

    /// D5 for good and middle words: 就满意, 才满意, 谁满意.
    pub(super) fn is_unsure(&self, start: usize) -> bool {
        let behind = self.behind(start);
        let near = self.lists.conditions_near.ending(behind).is_some()
            && self.lists.not_conditions_near.ending(behind).is_none();
        let clause = &self.text.marks[self.clause.start.min(start)..start];
        near || self.lists.unsure_near.ending(clause).is_some()
    }

    /// 满意不了, 满意个啥.
    pub(super) fn is_taken_back(&self, end: usize) -> bool {
        self.lists.taken_back.starting(self.ahead(end)).is_some()
    }

    /// D5: 满意度, 满意的答复: the word describes a thing.
    pub(super) fn names_a_thing(&self, end: usize, bad: bool) -> bool {
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
    pub(super) fn question(&self, end: usize) -> Option<usize> {
        let end = end + self.lists.question_between.starting(self.ahead(end)).unwrap_or(0);
        let after = self.ahead(end);
        if let Some(length) = self.lists.question_after.starting(after) {
            return Some(end + length);
        }
        let length = self.lists.question_ends.starting(after)?;
        only_particles(self.words, &after[length..]).then_some(self.clause.end)
    }

    /// D5: where the 不满意 of 满意不满意 ends.
    pub(super) fn alternative(&self, end: usize) -> Option<usize> {
        match self.ahead(end) {
            ['不', '满', '意', ..] => Some(end + 3),
            ['不', '满', ..] => Some(end + 2),
            _ => None,
        }
    }

    /// D5, for a word that is no negative one: also 满意不满意, 是否…满意, 满意…吗.
    pub(super) fn good_question(&self, start: usize, end: usize) -> Option<usize> {
        let asked = self.asker.is_some_and(|asker| asker <= start);
        let asked = asked || self.ahead(end).ends_with(&['吗']);
        self.question(end).or(self.alternative(end)).or(asked.then_some(end))
    }
}

fn only_particles(words: &Words, chars: &[char]) -> bool {
    words.digits.particles.run(chars) == chars.len()
}
