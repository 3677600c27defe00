//! What may stand around an answer: lead words before it, tail words and courtesy behind it (C1).

use super::words::DigitWords;

/// The length of a lead word at the start of `chars`.
pub(super) fn lead(words: &DigitWords, chars: &[char]) -> Option<usize> {
    words.leads.starting(chars)
}

/// The length of the tail word or courtesy at the start of `chars`.
pub(super) fn tail(words: &DigitWords, chars: &[char]) -> Option<usize> {
    courtesy(words, chars).max(words.tails.starting(chars)).max(particle(words, chars))
}

/// The length of a particle that does not belong to the word that follows.
pub(super) fn particle(words: &DigitWords, chars: &[char]) -> Option<usize> {
    if words.not_particles.starting(chars).is_some() {
        return None;
    }
    words.particles.starting(chars)
}

/// The length of a courtesy with whom it thanks: 谢谢, 谢谢您, 辛苦你们了.
pub(super) fn courtesy(words: &DigitWords, chars: &[char]) -> Option<usize> {
    let word = words.courtesies.starting(chars)?;
    Some(word + words.courtesy_tails.run(&chars[word..]))
}

/// Whether `chars` holds nothing but tail words; an empty run does.
pub(super) fn only_tails(words: &DigitWords, mut chars: &[char]) -> bool {
    while let Some(length) = tail(words, chars) {
        chars = &chars[length..];
    }
    chars.is_empty()
}
