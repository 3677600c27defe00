//! Callbacks of which nothing is stored, counted in memory by account, hour and reason until the ledger takes them over.

use crate::clock::Clock;
use crate::model::AccountName;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The tally. Cloning shares it.
///
/// It is bounded by accounts × reasons for each hour that it could not be written down in: both are known at start.
#[derive(Debug, Clone)]
pub struct Refusals {
    clock: Clock,
    counts: Arc<Mutex<BTreeMap<Refusal, u64>>>,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// In which hour since 1970 UTC.
    pub hour: i64,
    /// Whose callbacks.
    pub account: AccountName,
    /// Why.
    pub reason: &'static str,
}

impl Refusals {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Clock) -> Refusals {
        Refusals { clock, counts: Arc::default() }
    }

    /// A callback was refused just now.
    pub fn count(&self, account: &AccountName, reason: &'static str) {
        let refusal = Refusal { hour: hour(self.clock.now()), account: account.clone(), reason };
        self.put_back([(refusal, 1)]);
    }

    /// Takes out what was counted since the last time.
    #[must_use]
    pub fn take(&self) -> BTreeMap<Refusal, u64> {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts these, too: what was taken and could not be written down.
    pub fn put_back(&self, counts: impl IntoIterator<Item = (Refusal, u64)>) {
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (refusal, callbacks) in counts {
            *all.entry(refusal).or_default() += callbacks;
        }
    }
}

fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_taken_and_not_written_is_counted_once_more_and_by_its_own_hour() {
        let clock = Clock::set_to(Timestamp::from_second(7_199).expect("a time"));
        let refusals = Refusals::new(clock.clone());
        let account = AccountName::new("yunpian").expect("a name");
        refusals.count(&account, "bad_signature");
        let taken = refusals.take();
        assert!(refusals.take().is_empty());
        clock.advance(Duration::from_secs(1));
        refusals.count(&account, "bad_signature");
        refusals.put_back(taken);
        let counts = refusals.take();
        let counts: Vec<_> =
            counts.iter().map(|(refusal, callbacks)| (refusal.hour, *callbacks)).collect();
        assert_eq!(counts, [(1, 1), (2, 1)]);
    }
}
