//! What carriers were told against what the platform got. Pure.

use crate::platform::Delivery;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// The books, compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Comparison {
    /// Messages that carriers were told are safe.
    pub(super) acknowledged: usize,
    /// Messages that had an effect at the platform.
    pub(super) delivered: usize,
    /// Acknowledged messages without an effect.
    pub(super) lost: usize,
    /// Effects beyond the first of their message: a key that had more than one, or a message
    /// that came under more than one key.
    pub(super) double: u64,
}

impl Comparison {
    /// Compares. Each message causes exactly one record, as the benchmark's mix promises.
    pub(super) fn of(acknowledged: &[String], deliveries: &[Delivery]) -> Comparison {
        let mut effects: HashMap<&str, u64> = HashMap::with_capacity(deliveries.len());
        for delivery in deliveries {
            *effects.entry(&delivery.message_id).or_default() += delivery.effects;
        }
        let acknowledged: HashSet<&str> = acknowledged.iter().map(String::as_str).collect();
        let lost = acknowledged.iter().filter(|id| !effects.contains_key(*id)).count();
        Comparison {
            acknowledged: acknowledged.len(),
            delivered: effects.len(),
            lost,
            double: effects.values().map(|count| count.saturating_sub(1)).sum(),
        }
    }

    /// Whether nothing was lost or doubled.
    pub(super) fn is_clean(&self) -> bool {
        self.lost == 0 && self.double == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(key: &str, message_id: &str, effects: u64) -> Delivery {
        Delivery { key: key.to_owned(), message_id: message_id.to_owned(), effects }
    }

    fn compare(acknowledged: &[&str], deliveries: &[Delivery]) -> (usize, usize, usize, u64) {
        let acknowledged: Vec<String> = acknowledged.iter().map(|&id| id.to_owned()).collect();
        let books = Comparison::of(&acknowledged, deliveries);
        (books.acknowledged, books.delivered, books.lost, books.double)
    }

    #[test]
    fn books_that_agree_are_clean() {
        let deliveries = [delivery("a:1", "1", 1), delivery("b:1", "2", 1)];
        assert_eq!(compare(&["1", "2"], &deliveries), (2, 2, 0, 0));
        // Stored and delivered, though the answer never reached the carrier.
        assert_eq!(compare(&["1"], &deliveries), (1, 2, 0, 0));
    }

    #[test]
    fn what_was_acknowledged_and_did_not_arrive_is_lost() {
        assert_eq!(compare(&["1", "2"], &[delivery("a:1", "1", 1)]), (2, 1, 1, 0));
    }

    #[test]
    fn two_effects_of_one_key_and_two_keys_of_one_message_are_doubles() {
        assert_eq!(compare(&["1"], &[delivery("a:1", "1", 2)]), (1, 1, 0, 1));
        let keys = [delivery("a:1", "1", 1), delivery("b:1", "1", 1)];
        assert_eq!(compare(&["1"], &keys), (1, 1, 0, 1));
    }
}
