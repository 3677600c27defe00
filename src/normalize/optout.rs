//! Opt-out (B): whether the citizen wants no further messages. Asked before anything else.

use super::text::{Joint, Text};
use super::words::{OptOutWords, Phrases};
use std::ops::Range;

/// What a reply says about further messages.
pub(super) enum OptOut {
    /// Nothing.
    No,
    /// The whole reply is an opt-out, by this rule.
    Whole(&'static str),
    /// Some clauses are (B3); this is the rest of the reply.
    Beside(Text),
}

/// Looks for an opt-out.
pub(super) fn find(words: &OptOutWords, text: &Text) -> OptOut {
    let marks = &text.marks[..];
    if is_keyword_reply(words, marks) {
        return OptOut::Whole("B1");
    }
    if asks_how(words, marks) || forbids(words, marks) {
        return OptOut::Whole("B2");
    }
    let clauses: Vec<Range<usize>> =
        text.clauses.iter().filter(|clause| is_own_clause(words, text, clause)).cloned().collect();
    match clauses.len() {
        0 => OptOut::No,
        _ => OptOut::Beside(text.without(&clauses)),
    }
}

/// What is left of `chars` behind a run of phrases.
fn behind_run<'c>(phrases: &Phrases, chars: &'c [char]) -> &'c [char] {
    &chars[phrases.run(chars)..]
}

/// What is left of `chars` behind one phrase.
fn behind<'c>(phrases: &Phrases, chars: &'c [char]) -> Option<&'c [char]> {
    Some(&chars[phrases.starting(chars)?..])
}

/// B1: lead words, 回复, one keyword, tail words.
fn is_keyword_reply(words: &OptOutWords, marks: &[char]) -> bool {
    let marks = behind_run(&words.leads, marks);
    let marks = behind(&words.replies, marks).unwrap_or(marks);
    let tails = behind(&words.keywords, marks);
    tails.is_some_and(|tails| behind_run(&words.tails, tails).is_empty())
}

/// B2: 怎么退订.
fn asks_how(words: &OptOutWords, marks: &[char]) -> bool {
    let marks = behind_run(&words.how_leads, marks);
    let tails = behind(&words.how, marks).and_then(|marks| marks.strip_prefix(&['退', '订']));
    tails.is_some_and(|tails| behind_run(&words.how_tails, tails).is_empty())
}

/// B2: 请不要再给我发这种短信了. The object may be missing: what else could we send?
fn forbids(words: &OptOutWords, marks: &[char]) -> bool {
    let marks = behind_run(&words.please, marks);
    let verb = behind(&words.cease, marks).map(|marks| behind_run(&words.cease_between, marks));
    let object = verb.and_then(|marks| behind(&words.cease_verbs, marks));
    let tails = object.map(|marks| behind_run(&words.cease_objects, marks));
    tails.is_some_and(|tails| behind_run(&words.cease_tails, tails).is_empty())
}

/// B3: a keyword as a clause of its own. For the words also with lead words and with what is
/// refused (`我要退订短信`), but not with 回复: that is a quoted footer.
fn is_own_clause(words: &OptOutWords, text: &Text, clause: &Range<usize>) -> bool {
    let marks = &text.marks[clause.clone()];
    if words.clause_letters.contains(marks) {
        return !is_after_apostrophe(text, clause.start);
    }
    let tails = behind(&words.clause_words, behind_run(&words.leads, marks));
    tails.is_some_and(|tails| behind_run(&words.clause_tails, tails).is_empty())
        && !is_negated(text, clause.start)
}

/// The t of `don't`.
fn is_after_apostrophe(text: &Text, mark: usize) -> bool {
    matches!(text.neighbour(mark, -1), Some('\'' | '’' | '＇'))
        && text.neighbour(mark, -2).is_some_and(char::is_alphabetic)
}

/// B4: `不 退订`.
fn is_negated(text: &Text, mark: usize) -> bool {
    text.joints[mark] == Joint::Space && text.marks[..mark].ends_with(&['不'])
}
