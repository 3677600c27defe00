//! What the gateway finds of its own ledger: the differences of the last hours, found anew one hour after the other.

use super::Hour;
use crate::model::AccountName;
use crate::store::ReadError;
use crate::store::Store;
use crate::store::sqlite::HourSpan;
use crate::telemetry::Progress;
use crate::telemetry::ledger::LedgerMetrics;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Hours that are looked at, the one under way among them.
const HOURS: i64 = 49;
/// Between two steps: a step takes a few milliseconds of one processor.
const PAUSE: Duration = Duration::from_millis(100);

/// The differences as they were found last.
#[derive(Debug, Default)]
pub(in crate::store) struct Balance {
    hours: BTreeMap<Hour, BTreeMap<String, i64>>,
    told: BTreeMap<String, i64>,
}

impl Balance {
    /// Looks at each of the last hours once, newest first.
    pub(in crate::store) async fn round(
        &mut self,
        store: &Store,
        progress: &Progress,
    ) -> Result<(), ReadError> {
        let metrics = &store.ledger_metrics;
        let since = Hour(Hour::of(store.clock.now()).0 - HOURS + 1);
        self.hours.retain(|hour, _| *hour >= since);
        for hour in store.reader.hours_with_records(since).await? {
            if let Some(found) = look(store, hour, progress).await? {
                self.hours.insert(hour, found);
                metrics.checked();
            }
            self.tell(metrics);
        }
        Ok(())
    }

    /// Shows what changed, and says so once.
    fn tell(&mut self, metrics: &LedgerMetrics) {
        let sums = self.sums();
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
    fn sums(&self) -> BTreeMap<String, i64> {
        let mut sums: BTreeMap<String, i64> =
            self.told.keys().map(|account| (account.clone(), 0)).collect();
        for (account, records) in self.hours.values().flatten() {
            *sums.entry(account.clone()).or_default() += records.abs();
        }
        sums
    }
}

/// Counts an hour; `None` if something of it was erased meanwhile.
async fn look(
    store: &Store,
    hour: Hour,
    progress: &Progress,
) -> Result<Option<BTreeMap<String, i64>>, ReadError> {
    let Some(span) = store.reader.hour_span(hour).await? else { return Ok(None) };
    let HourSpan { mut after, last, .. } = span;
    let mut found = BTreeMap::<String, (i64, i64)>::new();
    while after < last {
        progress.begin("comparing the ledger with the store");
        let part = store.reader.hour_part(hour, (after, last)).await?;
        after = part.to;
        for (account, (records, lost)) in part.found {
            let sum = found.entry(account).or_default();
            (sum.0, sum.1) = (sum.0 + records, sum.1 + lost);
        }
        tokio::time::sleep(PAUSE).await;
    }
    let whole = store.reader.hour_span(hour).await?.is_some();
    Ok(whole.then(|| differences(&span.records, &found)))
}

/// By account what is missing, and what is lost to a lane.
fn differences(
    ledger: &BTreeMap<String, i64>,
    found: &BTreeMap<String, (i64, i64)>,
) -> BTreeMap<String, i64> {
    let accounts: BTreeSet<&String> = ledger.keys().chain(found.keys()).collect();
    let difference = |account: &String| {
        let records = ledger.get(account).copied().unwrap_or(0);
        let (there, lost) = found.get(account).copied().unwrap_or_default();
        (records - there).abs() + lost
    };
    accounts.into_iter().map(|account| (account.clone(), difference(account))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    fn named<T>(of: [(&str, T); 2]) -> BTreeMap<String, T> {
        of.into_iter().map(|(account, it)| (account.to_owned(), it)).collect()
    }

    #[test]
    fn what_is_missing_and_what_is_lost_both_count() {
        let found =
            differences(&named([("a", 5), ("b", 2)]), &named([("a", (4, 1)), ("c", (1, 0))]));
        let found: Vec<_> = found.iter().map(|(account, it)| (account.as_str(), *it)).collect();
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
        balance.hours.insert(Hour(1), named([("a", 0), ("b", 2)]));
        balance.tell(&shown);
        assert!(series("a", 0) && series("b", 2), "{}", metrics.render());
        balance.hours.clear();
        balance.tell(&shown);
        assert!(series("b", 0), "{}", metrics.render());
    }
}
