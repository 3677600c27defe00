//! The comment (E6): the citizen's words apart from the answer itself.

use super::text::Text;
use super::words::Words;
use super::{clause, free};
use std::ops::Range;

/// Cuts the comment; `answers` are the digits and level words that count, in order.
pub(super) fn cut(words: &Words, text: &Text, answers: &[Range<usize>]) -> String {
    let cutter = Cutter { words, text, answers };
    let range = match cutter.behind_the_answer() {
        Some(from) => from..text.marks.len(),
        None => 0..cutter.before_the_answer(),
    };
    let clauses =
        text.clauses.iter().map(|clause| clause.start.max(range.start)..clause.end.min(range.end));
    let mut clauses = clauses.filter(|clause| clause.start < clause.end);
    if clauses.all(|clause| free::is_noise(words, &text.marks[clause])) {
        return String::new();
    }
    text.sent(range)
}

/// Whether a clause is an answer with lead and tail words and nothing else.
pub(super) fn is_answer(
    words: &Words,
    text: &Text,
    answers: &[Range<usize>],
    clause: &Range<usize>,
) -> bool {
    Cutter { words, text, answers }.is_only_an_answer(clause)
}

struct Cutter<'a> {
    words: &'a Words,
    text: &'a Text,
    answers: &'a [Range<usize>],
}

impl Cutter<'_> {
    /// If the reply starts with its answer: where the rest begins.
    fn behind_the_answer(&self) -> Option<usize> {
        let mut behind = None;
        let mut at = 0;
        for clause in &self.text.clauses {
            at = at.max(clause.start);
            if clause::only_tails(&self.words.digits, &self.text.marks[at..clause.end.max(at)]) {
                at = at.max(clause.end);
                behind = behind.map(|_| at);
                continue;
            }
            loop {
                if let Some(end) = self.answer(at) {
                    at = self.after_tails(end, clause);
                    behind = Some(at);
                } else if let Some(end) = self.lead(at, clause) {
                    at = end;
                } else {
                    break;
                }
            }
            if at < clause.end {
                break;
            }
        }
        let behind = behind?;
        let connector = self.words.comment.connectors.starting(&self.text.marks[behind..]);
        Some(behind + connector.unwrap_or(0))
    }

    /// The end of the text before a last clause that is only an answer; the whole text if there is
    /// none, since then the answer is embedded in it.
    fn before_the_answer(&self) -> usize {
        let all = self.text.marks.len();
        let mut end = None;
        for clause in self.text.clauses.iter().rev() {
            if self.is_only_an_answer(clause) {
                end = Some(clause.start);
            } else if end.is_some()
                || !clause::only_tails(&self.words.digits, &self.text.marks[clause.clone()])
            {
                break;
            }
        }
        end.unwrap_or(all)
    }

    fn is_only_an_answer(&self, clause: &Range<usize>) -> bool {
        let mut at = clause.start;
        let mut answered = false;
        while at < clause.end {
            let ahead = &self.text.marks[at..clause.end];
            if let Some(end) = self.answer(at) {
                (at, answered) = (end, true);
            } else if let Some(end) = self.lead(at, clause) {
                at = end;
            } else if let Some(length) =
                clause::tail(&self.words.digits, ahead).filter(|_| answered)
            {
                at += length;
            } else {
                return false;
            }
        }
        answered
    }

    /// The end of the answer that begins at `at`.
    fn answer(&self, at: usize) -> Option<usize> {
        let index = self.answers.binary_search_by_key(&at, |answer| answer.start).ok()?;
        Some(self.answers[index].end)
    }

    /// The end of the lead word at `at`; one that would reach into an answer is part of it.
    fn lead(&self, at: usize, clause: &Range<usize>) -> Option<usize> {
        let next = self.answers.partition_point(|answer| answer.start < at);
        let limit =
            self.answers.get(next).map_or(clause.end, |answer| answer.start.min(clause.end));
        let length = clause::lead(&self.words.digits, self.text.marks.get(at..limit)?)?;
        Some(at + length)
    }

    /// The end of the tail words behind an answer. Courtesy that goes on (`谢谢你们的帮助`) is comment.
    fn after_tails(&self, at: usize, clause: &Range<usize>) -> usize {
        let ahead = self.text.marks.get(at..clause.end).unwrap_or_default();
        if clause::only_tails(&self.words.digits, ahead) {
            return at.max(clause.end);
        }
        let mut end = at;
        while self.words.comment.connectors.starting(&self.text.marks[end..clause.end]).is_none() {
            match clause::particle(&self.words.digits, &self.text.marks[end..clause.end]) {
                Some(length) => end += length,
                None => break,
            }
        }
        end
    }
}
