//! What carriers were told against what the platform got. Pure.

use serde::Serialize;
use std::collections::HashSet;

/// The books, compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Comparison {
    /// Messages that carriers were told are safe.
    pub(crate) acknowledged: usize,
    /// Messages that had an effect at the platform.
    pub(crate) delivered: usize,
    /// Acknowledged messages without an effect.
    pub(crate) lost: usize,
    /// Effects beyond the first of their message: it came under more than one key.
    pub(crate) double: usize,
}

impl Comparison {
    /// Compares acknowledged messages with the messages behind every effect. Each message causes
    /// exactly one record, as the benchmark's mix promises.
    pub(crate) fn of(acknowledged: &[String], effects: &[String]) -> Comparison {
        let acknowledged: HashSet<&str> = acknowledged.iter().map(String::as_str).collect();
        let delivered: HashSet<&str> = effects.iter().map(String::as_str).collect();
        Comparison {
            acknowledged: acknowledged.len(),
            delivered: delivered.len(),
            lost: acknowledged.difference(&delivered).count(),
            double: effects.len() - delivered.len(),
        }
    }

    /// Whether nothing was lost or doubled.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost == 0 && self.double == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(acknowledged: &[&str], effects: &[&str]) -> (usize, usize, usize, usize) {
        let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
        let books = Comparison::of(&owned(acknowledged), &owned(effects));
        (books.acknowledged, books.delivered, books.lost, books.double)
    }

    #[test]
    fn books_that_agree_are_clean() {
        assert_eq!(compare(&["1", "2"], &["2", "1"]), (2, 2, 0, 0));
        // Stored and delivered, though the answer never reached the carrier.
        assert_eq!(compare(&["1"], &["1", "2"]), (1, 2, 0, 0));
    }

    #[test]
    fn what_was_acknowledged_and_did_not_arrive_is_lost() {
        assert_eq!(compare(&["1", "2"], &["1"]), (2, 1, 1, 0));
    }

    #[test]
    fn a_message_under_two_keys_is_a_double() {
        assert_eq!(compare(&["1"], &["1", "1"]), (1, 1, 0, 1));
    }
}
