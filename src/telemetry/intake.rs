//! What becomes of events, and what is noticed about carriers on the way.

use super::metrics::{Metric, Metrics, Row};
use crate::model::{AccountName, Outcome};
use ::metrics::{Counter, Gauge};
use jiff::SignedDuration;
use std::collections::HashMap;
use std::sync::Arc;

static OUTCOMES: Metric<Counter, 1> = Metric::counter(
    "bridge8890_events_total",
    &["outcome"],
    "Events by what became of them; garbled ones are quarantined, held ones count again when they are concluded.",
);
static SKEW: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_carrier_clock_skew_seconds",
    &["account"],
    "How far the carrier's clock is ahead of ours, by the last signature that told its time.",
);
static REPLACED: Metric<Counter, 1> = Metric::counter(
    "bridge8890_texts_with_replacement_total",
    &["account"],
    "Texts of citizens that hold U+FFFD: somebody on the way to us could not read them.",
);

static BY_WEEKENDS: Metric<Counter, 0> = Metric::counter(
    "bridge8890_deadlines_by_weekends_total",
    &[],
    "Complaints whose deadlines were counted without a calendar of their year.",
);

static PASSED_OVER: Metric<Counter, 0> = Metric::counter(
    "bridge8890_passed_over_total",
    &[],
    "Held events, due memories and news of messages that could not be concluded, each time they were passed over; they stay.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] =
    &[&OUTCOMES.row, &SKEW.row, &REPLACED.row, &BY_WEEKENDS.row, &PASSED_OVER.row];

/// The handles. Cloning shares them.
#[derive(Debug, Clone)]
pub struct IntakeMetrics {
    outcomes: Arc<[(Outcome, Counter)]>,
    accounts: Arc<HashMap<AccountName, AccountHandles>>,
    by_weekends: Counter,
    passed_over: Counter,
}

#[derive(Debug)]
struct AccountHandles {
    skew: Gauge,
    replaced: Counter,
}

impl IntakeMetrics {
    /// In a registry, with series for these accounts.
    pub fn new<'a>(
        metrics: &Metrics,
        accounts: impl IntoIterator<Item = &'a AccountName>,
    ) -> IntakeMetrics {
        let counter = |outcome: Outcome| (outcome, metrics.counter(&OUTCOMES, [outcome.name()]));
        let account = |name: &AccountName| {
            let skew = metrics.gauge(&SKEW, [name.as_str()]);
            let replaced = metrics.counter(&REPLACED, [name.as_str()]);
            (name.clone(), AccountHandles { skew, replaced })
        };
        IntakeMetrics {
            outcomes: Outcome::ALL.into_iter().map(counter).collect(),
            accounts: Arc::new(accounts.into_iter().map(account).collect()),
            by_weekends: metrics.counter(&BY_WEEKENDS, []),
            passed_over: metrics.counter(&PASSED_OVER, []),
        }
    }

    /// So many events came to this.
    pub fn outcome(&self, outcome: Outcome, events: usize) {
        if let Some((_, counter)) = self.outcomes.iter().find(|(known, _)| *known == outcome) {
            counter.increment(events as u64);
        }
    }

    /// The deadlines of a complaint were counted without a calendar of their year.
    pub fn by_weekends(&self) {
        self.by_weekends.increment(1);
    }

    /// Something could not be concluded, and stays.
    pub fn passed_over(&self) {
        self.passed_over.increment(1);
    }

    /// A signature told the carrier's time.
    pub fn skew(&self, account: &AccountName, ahead: SignedDuration) {
        if let Some(handles) = self.accounts.get(account) {
            handles.skew.set(ahead.as_secs_f64());
        }
    }

    /// A text of an account holds U+FFFD.
    pub fn replaced(&self, account: &AccountName) {
        if let Some(handles) = self.accounts.get(account) {
            handles.replaced.increment(1);
        }
    }
}
