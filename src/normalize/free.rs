//! Free text (F): what a reply that states no level is.

use super::clause;
use super::text::{is_han, is_separator};
use super::words::Words;

/// This many Han characters besides noise are a text that somebody must read.
const ENOUGH_TO_READ: usize = 4;

/// What a text is, with the rule that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Complaint(&'static str),
    Unrecognised(&'static str),
}

/// Judges a text without its digit candidates, level words and questions.
pub(super) fn judge(words: &Words, rest: &[char]) -> Judgement {
    if complains(words, rest) {
        Judgement::Complaint("F1")
    } else if words.free.praise.within(rest) && !spoils_praise(words, rest) {
        Judgement::Unrecognised("F2")
    } else if is_worth_reading(words, rest) {
        Judgement::Complaint("F3")
    } else {
        Judgement::Unrecognised("F3")
    }
}

/// F1: whether a complaint cue stands anywhere.
pub(super) fn complains(words: &Words, rest: &[char]) -> bool {
    words.free.cues.within(rest)
}

/// E3: whether the text praises loudly enough to contradict a bad digit.
pub(super) fn praises(words: &Words, rest: &[char]) -> bool {
    words.free.loud_praise.within(rest) && !spoils_praise(words, rest)
}

fn spoils_praise(words: &Words, rest: &[char]) -> bool {
    words.free.praise_spoilers.within(rest)
}

/// E6: whether a clause holds nothing but lead words, then courtesy and noise. (好评 does not,
/// though 好 is noise and 评 a lead word.)
pub(super) fn is_noise(words: &Words, clause: &[char]) -> bool {
    let leads = match words.free.noise.starting(clause) {
        Some(_) => 0,
        None => words.digits.leads.run(clause),
    };
    let mut rest = &clause[leads..];
    while let Some(length) = words.free.noise.starting(rest).max(clause::tail(&words.digits, rest))
    {
        rest = &rest[length..];
    }
    rest.is_empty()
}

/// F3: whether enough Han characters are left without noise.
fn is_worth_reading(words: &Words, rest: &[char]) -> bool {
    let (mut at, mut left) = (0, 0);
    while at < rest.len() && left < ENOUGH_TO_READ {
        match noise(words, rest, at) {
            Some(length) => at += length,
            None => {
                left += usize::from(!is_separator(rest[at]) && is_han(rest[at]));
                at += 1;
            }
        }
    }
    left >= ENOUGH_TO_READ
}

/// The length of the noise phrase at `at`; an approval that is negated (`信号不好`) is none.
fn noise(words: &Words, rest: &[char], at: usize) -> Option<usize> {
    let ahead = &rest[at..];
    let length = words.free.noise.starting(ahead).max(clause::courtesy(&words.digits, ahead))?;
    let negated = words.free.noise_spoilers.ending(&rest[..at]).is_some();
    (!(negated && words.free.approvals.contains(&ahead[..length]))).then_some(length)
}
