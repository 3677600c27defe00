//! The word lists: `words.toml`, compiled in, parsed once and checked.

use super::text::{fold_width, is_separator};
use serde::Deserialize;
use std::sync::LazyLock;

/// The lists of this build.
pub(super) static WORDS: LazyLock<Words> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is compiled in, and a test parses it")]
    toml::from_str(include_str!("words.toml")).expect("words.toml is well formed")
});

/// All lists, by the concern that uses them; `words.toml` says what each one is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) version: String,
    pub(super) cleanup: CleanupWords,
    pub(super) optout: OptOutWords,
    pub(super) digits: DigitWords,
    pub(super) levels: LevelWords,
    pub(super) comment: CommentWords,
    pub(super) free: FreeWords,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CleanupWords {
    pub(super) traditional: Traditional,
    pub(super) quotes: Vec<String>,
    pub(super) labels: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OptOutWords {
    pub(super) leads: Phrases,
    pub(super) replies: Phrases,
    pub(super) keywords: Phrases,
    pub(super) tails: Phrases,
    pub(super) clause_letters: Phrases,
    pub(super) clause_words: Phrases,
    pub(super) clause_tails: Phrases,
    pub(super) how: Phrases,
    pub(super) how_leads: Phrases,
    pub(super) how_tails: Phrases,
    pub(super) please: Phrases,
    pub(super) cease: Phrases,
    pub(super) cease_between: Phrases,
    pub(super) cease_verbs: Phrases,
    pub(super) cease_objects: Phrases,
    pub(super) cease_tails: Phrases,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DigitWords {
    pub(super) leads: Phrases,
    pub(super) tails: Phrases,
    pub(super) particles: Phrases,
    pub(super) courtesies: Phrases,
    pub(super) courtesy_tails: Phrases,
    pub(super) not_particles: Phrases,
    pub(super) measures: Phrases,
    pub(super) asked_about: Phrases,
    pub(super) spaced_measures: Phrases,
    pub(super) stars: Phrases,
    pub(super) star_tails: Phrases,
    pub(super) refusals: Phrases,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelWords {
    pub(super) degrees: Phrases,
    pub(super) denials: Phrases,
    pub(super) denial_between: Phrases,
    pub(super) denial_nouns: Phrases,
    pub(super) denial_ends: Phrases,
    pub(super) worst_before: Phrases,
    pub(super) worst_after: Phrases,
    pub(super) bad_before: Phrases,
    pub(super) bad_for_satisfied: Phrases,
    pub(super) best_before: Phrases,
    pub(super) best_after: Phrases,
    pub(super) fair_before: Phrases,
    pub(super) good_before: Phrases,
    pub(super) so_so_subjects: Phrases,
    pub(super) so_so_degrees: Phrases,
    pub(super) so_so: Phrases,
    pub(super) nouns: Phrases,
    pub(super) nouns_after_bad: Phrases,
    pub(super) reasons: Phrases,
    pub(super) conditions: Phrases,
    pub(super) conditions_near: Phrases,
    pub(super) not_conditions_near: Phrases,
    pub(super) unsure_near: Phrases,
    pub(super) taken_back: Phrases,
    pub(super) askers: Phrases,
    pub(super) question_between: Phrases,
    pub(super) question_after: Phrases,
    pub(super) question_ends: Phrases,
    pub(super) negators: Phrases,
    pub(super) negator_between: Phrases,
    pub(super) not_negators: Phrases,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommentWords {
    pub(super) connectors: Phrases,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FreeWords {
    pub(super) cues: Phrases,
    pub(super) praise: Phrases,
    pub(super) loud_praise: Phrases,
    pub(super) praise_spoilers: Phrases,
    pub(super) noise: Phrases,
    pub(super) approvals: Phrases,
    pub(super) noise_spoilers: Phrases,
}

/// A set of phrases, looked up at the start or at the end of a run of characters; the longest
/// match counts.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(super) struct Phrases {
    /// By first character, then longest first.
    by_first: Vec<Box<[char]>>,
    /// By last character, then longest first.
    by_last: Vec<Box<[char]>>,
}

impl Phrases {
    /// The length of the longest phrase that `chars` starts with.
    pub(super) fn starting(&self, chars: &[char]) -> Option<usize> {
        let first = *chars.first()?;
        let from = self.by_first.partition_point(|phrase| phrase[0] < first);
        self.by_first[from..]
            .iter()
            .take_while(|phrase| phrase[0] == first)
            .find(|phrase| chars.starts_with(phrase))
            .map(|phrase| phrase.len())
    }

    /// The length of the longest phrase that `chars` ends with.
    pub(super) fn ending(&self, chars: &[char]) -> Option<usize> {
        let last = *chars.last()?;
        let from = self.by_last.partition_point(|phrase| phrase[phrase.len() - 1] < last);
        self.by_last[from..]
            .iter()
            .take_while(|phrase| phrase[phrase.len() - 1] == last)
            .find(|phrase| chars.ends_with(phrase))
            .map(|phrase| phrase.len())
    }

    /// Whether `chars` is one of the phrases.
    pub(super) fn contains(&self, chars: &[char]) -> bool {
        self.starting(chars) == Some(chars.len())
    }

    /// Whether a phrase stands anywhere in `chars`.
    pub(super) fn within(&self, chars: &[char]) -> bool {
        (0..chars.len()).any(|from| self.starting(&chars[from..]).is_some())
    }

    /// How much of the start of `chars` is made of phrases.
    pub(super) fn run(&self, chars: &[char]) -> usize {
        let mut length = 0;
        while let Some(more) = self.starting(&chars[length..]) {
            length += more;
        }
        length
    }
}

impl TryFrom<Vec<String>> for Phrases {
    type Error = BadPhrase;

    fn try_from(list: Vec<String>) -> Result<Phrases, BadPhrase> {
        let mut by_first: Vec<Box<[char]>> = Vec::with_capacity(list.len());
        for phrase in list {
            let chars: Box<[char]> = phrase.chars().collect();
            if chars.is_empty() || chars.iter().any(|&c| is_separator(c) || fold_width(c) != c) {
                return Err(BadPhrase::NeverMatches(phrase));
            }
            if by_first.contains(&chars) {
                return Err(BadPhrase::Twice(phrase));
            }
            by_first.push(chars);
        }
        let mut by_last = by_first.clone();
        by_first.sort_by_key(|phrase| (phrase[0], usize::MAX - phrase.len()));
        by_last.sort_by_key(|phrase| (phrase[phrase.len() - 1], usize::MAX - phrase.len()));
        Ok(Phrases { by_first, by_last })
    }
}

/// A phrase that the lists may not hold.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadPhrase {
    /// Clean-up would change it, so that no reply could ever match.
    #[error("`{0}` can never match: write it in lower case, half width and without separators")]
    NeverMatches(String),
    /// The list has it already.
    #[error("`{0}` stands twice in one list")]
    Twice(String),
}

/// The traditional forms that are read as simplified (A2).
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(super) struct Traditional(Vec<(char, char)>);

impl Traditional {
    /// The simplified form of `c`, or `c`.
    pub(super) fn simplify(&self, c: char) -> char {
        self.0.iter().find(|(traditional, _)| *traditional == c).map_or(c, |(_, simple)| *simple)
    }
}

impl TryFrom<Vec<String>> for Traditional {
    type Error = NotAPair;

    fn try_from(list: Vec<String>) -> Result<Traditional, NotAPair> {
        let pair = |text: String| {
            let mut chars = text.chars();
            match (chars.next(), chars.next(), chars.next()) {
                (Some(traditional), Some(simple), None) => Ok((traditional, simple)),
                _ => Err(NotAPair(text)),
            }
        };
        list.into_iter().map(pair).collect::<Result<_, _>>().map(Traditional)
    }
}

/// Not a traditional character followed by its simplified form.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` should be one traditional character followed by its simplified form")]
pub(super) struct NotAPair(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_lists_are_well_formed() {
        let words = toml::from_str::<Words>(include_str!("words.toml")).unwrap();
        assert!(!words.version.is_empty());
        assert_eq!(words.cleanup.traditional.simplify('滿'), '满');
        for phrase in words.free.loud_praise.by_first.iter() {
            assert!(words.free.praise.contains(phrase), "{phrase:?} is loud but no praise");
        }
        for phrase in words.free.approvals.by_first.iter() {
            assert!(words.free.noise.contains(phrase), "{phrase:?} is an approval but no noise");
        }
    }

    #[test]
    fn the_longest_phrase_counts_from_either_end() {
        let list = ["不", "不是", "是", "是不是"].map(str::to_owned).to_vec();
        let phrases = Phrases::try_from(list).unwrap();
        let chars: Vec<char> = "不是不是".chars().collect();
        assert_eq!(phrases.starting(&chars), Some(2));
        assert_eq!(phrases.ending(&chars), Some(3));
        assert_eq!(phrases.run(&chars), 4);
        assert!(!phrases.contains(&chars));
        assert_eq!(phrases.starting(&[]), None);
    }

    #[test]
    fn a_phrase_that_could_never_match_is_refused() {
        for bad in ["", "TD", "Ｔ", "退 订"] {
            assert!(Phrases::try_from(vec![bad.to_owned()]).is_err(), "{bad:?}");
        }
        assert!(Phrases::try_from(vec!["好".to_owned(), "好".to_owned()]).is_err());
        assert!(Traditional::try_from(vec!["滿".to_owned()]).is_err());
    }
}
