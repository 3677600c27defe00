//! Whether the ledger balances.

use super::metrics::{Metric, Metrics, Row};
use crate::model::AccountName;
use ::metrics::{Counter, Gauge};

static DIFFERENCE: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_ledger_difference_records",
    &["account"],
    "Records of the last 48 hours that the ledger has and the store has not, or that are in no place of a lane or in two; 0 unless something is lost.",
);
static UNFOLDED: Metric<Gauge, 0> = Metric::gauge(
    "bridge8890_ledger_unfolded_records",
    &[],
    "Record revisions that the ledger has not taken in yet; those of the last 10 s are among them.",
);
static HOURS: Metric<Counter, 0> = Metric::counter(
    "bridge8890_ledger_hours_checked_total",
    &[],
    "Hours whose records were counted anew and compared with the ledger.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[&DIFFERENCE.row, &UNFOLDED.row, &HOURS.row];

/// The handles.
#[derive(Debug)]
pub struct LedgerMetrics {
    metrics: Metrics,
    unfolded: Gauge,
    hours: Counter,
}

impl LedgerMetrics {
    /// In a registry. An account's series is there from its first checked hour on.
    #[must_use]
    pub fn new(metrics: &Metrics) -> LedgerMetrics {
        LedgerMetrics {
            unfolded: metrics.gauge(&UNFOLDED, []),
            hours: metrics.counter(&HOURS, []),
            metrics: metrics.clone(),
        }
    }

    /// An account has this difference now.
    #[expect(clippy::cast_precision_loss, reason = "a difference of 2^53 records is not reached")]
    pub fn difference(&self, account: &AccountName, records: i64) {
        self.metrics.gauge(&DIFFERENCE, [account.as_str()]).set(records as f64);
    }

    /// So many records are not folded.
    #[expect(clippy::cast_precision_loss, reason = "2^53 records are not reached")]
    pub fn unfolded(&self, records: i64) {
        self.unfolded.set(records as f64);
    }

    /// So many hours were checked.
    pub fn checked(&self, hours: usize) {
        self.hours.increment(hours as u64);
    }
}
