//! What is wrong with a configuration: where, what, and what would be right.

use super::Origin;
use serde::Serialize;
use std::fmt;

/// One thing to put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it stands.
    #[serde(flatten)]
    pub origin: Origin,
    /// The key, in full: `http.limits.max_body`. Empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong. Never holds a secret.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { origin, key, wrong, right } = self;
        let colon = if key.is_empty() { "" } else { ": " };
        write!(f, "{origin}: {key}{colon}{wrong}; {right}")
    }
}

/// A problem before its place is known: what is wrong, what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) wrong: String,
    pub(super) right: String,
}

impl Fault {
    pub(super) fn new(wrong: impl Into<String>, right: impl Into<String>) -> Fault {
        Fault { wrong: wrong.into(), right: right.into() }
    }
}

/// Everything to put right, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts them by place; what two readers found is one problem.
    #[must_use]
    pub fn new(mut problems: Vec<Problem>) -> Problems {
        problems
            .sort_by(|a, b| (&a.origin.file, a.origin.line).cmp(&(&b.origin.file, b.origin.line)));
        let mut once: Vec<Problem> = Vec::new();
        for problem in problems {
            if !once.contains(&problem) {
                once.push(problem);
            }
        }
        Problems(once)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.iter().enumerate() {
            let line_break = if place == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

/// The candidate that somebody most likely meant by `word`, if any comes near.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// What `word` stands for among named things.
///
/// # Errors
/// That it stands for none; `what` is what one of them is called, with its article.
pub(super) fn one_of<T: Copy>(word: &str, what: &str, names: &[(&str, T)]) -> Result<T, Fault> {
    let known = || names.iter().map(|(name, _)| *name);
    match names.iter().find(|(name, _)| *name == word) {
        Some((_, meant)) => Ok(*meant),
        None => {
            let right = match nearest(word, known()) {
                Some(name) => format!("did you mean \"{name}\"?"),
                None => format!("write one of {}", listed(known())),
            };
            Err(Fault::new(format!("{word:?} is not {what}"), right))
        }
    }
}

/// The candidates as a person lists them: `a`, `b`.
pub(super) fn listed<'a>(candidates: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = candidates.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_key_and_a_stranger_finds_none() {
        let keys = ["max_body", "max_requests", "retry_after"];
        assert_eq!(nearest("max_boddy", keys), Some("max_body"));
        assert_eq!(nearest("retryafter", keys), Some("retry_after"));
        assert_eq!(nearest("colour", keys), None);
    }

    #[test]
    fn problems_come_in_the_order_of_the_file() {
        let at = |line| Problem {
            origin: Origin { file: "a.toml".into(), line },
            key: "k".into(),
            wrong: "is wrong".into(),
            right: "write it right".into(),
        };
        assert_eq!(
            Problems::new(vec![at(7), at(2)]).to_string(),
            "a.toml:2: k: is wrong; write it right\na.toml:7: k: is wrong; write it right"
        );
    }
}
