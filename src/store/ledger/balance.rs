//! What the gateway finds of its own ledger: the differences of the last hours, found anew one record after the other.

use super::{Hour, Recent};
use crate::model::AccountName;
use crate::store::ReadError;
use crate::store::Store;
use crate::telemetry::Progress;
use crate::telemetry::ledger::LedgerMetrics;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Hours that are looked at, the one under way among them.
const HOURS: i64 = 49;
/// Between two steps: a step takes a few milliseconds of one processor.
const PAUSE: Duration = Duration::from_millis(100);

/// Figures by hour and account.
type Figures<T> = BTreeMap<(Hour, String), T>;

/// The differences as they were told last, by account.
#[derive(Debug, Default)]
pub(in crate::store) struct Balance {
    told: BTreeMap<String, i64>,
}

impl Balance {
    /// Looks at each record of the last hours once.
    pub(in crate::store) async fn round(
        &mut self,
        store: &Store,
        progress: &Progress,
    ) -> Result<(), ReadError> {
        let since = Hour(Hour::of(store.clock.now()).0 - HOURS + 1);
        let mut found = look(store, since, progress).await?;
        // Of hours of which something is erased, only the ledger tells.
        let whole = store.reader.whole_since().await?;
        found.retain(|(hour, _), _| *hour >= whole);
        let hours: BTreeSet<Hour> = found.keys().map(|(hour, _)| *hour).collect();
        self.tell(&store.ledger_metrics, &found);
        store.ledger_metrics.checked(hours.len());
        Ok(())
    }

    /// Shows what changed, and says so once.
    fn tell(&mut self, metrics: &LedgerMetrics, found: &Figures<i64>) {
        let sums = self.sums(found);
        for (account, records) in &sums {
            let before = self.told.get(account).copied();
            if before == Some(*records) {
                continue;
            }
            if let Ok(account) = AccountName::new(account) {
                metrics.difference(&account, *records);
            }
            if before.unwrap_or(0) != *records {
                tracing::warn!(
                    account,
                    records,
                    "the ledger differs from the store; `bridge8890 reconcile` shows where"
                );
            }
        }
        self.told = sums;
    }

    /// By account. One that was told of stays, at 0 when its hours are past.
    fn sums(&self, found: &Figures<i64>) -> BTreeMap<String, i64> {
        let mut sums: BTreeMap<String, i64> =
            self.told.keys().map(|account| (account.clone(), 0)).collect();
        for ((_, account), records) in found {
            *sums.entry(account.clone()).or_default() += records.abs();
        }
        sums
    }
}

/// Counts the records of the hours from one on, and compares them with the ledger as it was when that began.
async fn look(store: &Store, since: Hour, progress: &Progress) -> Result<Figures<i64>, ReadError> {
    let Recent { records, mut after, last } = store.reader.recent(since).await?;
    let mut found = Figures::<(i64, i64)>::new();
    while after < last {
        progress.begin("comparing the ledger with the store");
        let part = store.reader.recent_part(since, (after, last)).await?;
        after = part.to;
        for (of, (records, lost)) in part.found {
            let sum = found.entry(of).or_default();
            (sum.0, sum.1) = (sum.0 + records, sum.1 + lost);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(differences(&records, &found))
}

/// What is missing, and what is lost to a lane.
fn differences(ledger: &Figures<i64>, found: &Figures<(i64, i64)>) -> Figures<i64> {
    let keys: BTreeSet<&(Hour, String)> = ledger.keys().chain(found.keys()).collect();
    let difference = |of: &(Hour, String)| {
        let records = ledger.get(of).copied().unwrap_or(0);
        let (there, lost) = found.get(of).copied().unwrap_or_default();
        (records - there).abs() + lost
    };
    keys.into_iter().map(|of| (of.clone(), difference(of))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    fn named<T>(of: [(&str, T); 2]) -> Figures<T> {
        of.into_iter().map(|(account, it)| ((Hour(1), account.to_owned()), it)).collect()
    }

    #[test]
    fn what_is_missing_and_what_is_lost_both_count() {
        let found =
            differences(&named([("a", 5), ("b", 2)]), &named([("a", (4, 1)), ("c", (1, 0))]));
        let found: Vec<_> = found.iter().map(|((_, of), it)| (of.as_str(), *it)).collect();
        assert_eq!(found, [("a", 2), ("b", 2), ("c", 1)]);
    }

    #[test]
    fn an_account_is_shown_at_zero_and_again_when_its_hour_is_past() {
        let metrics = Metrics::new().expect("bounds are fine");
        let shown = LedgerMetrics::new(&metrics);
        let mut balance = Balance::default();
        let series = |account: &str, value: i64| {
            let name = "bridge8890_ledger_difference_records";
            metrics.render().contains(&format!("{name}{{account=\"{account}\"}} {value}\n"))
        };
        balance.tell(&shown, &named([("a", 0), ("b", 2)]));
        assert!(series("a", 0) && series("b", 2), "{}", metrics.render());
        balance.tell(&shown, &Figures::new());
        assert!(series("b", 0), "{}", metrics.render());
    }
}
