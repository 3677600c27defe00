//! What becomes of events.

use super::metrics::{Metric, Metrics, Row};
use crate::model::Outcome;
use ::metrics::Counter;
use std::sync::Arc;

static OUTCOMES: Metric<Counter, 1> = Metric::counter(
    "bridge8890_events_total",
    &["outcome"],
    "Events by what became of them; garbled ones are quarantined.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[&OUTCOMES.row];

/// The handles. Cloning shares them.
#[derive(Debug, Clone)]
pub struct IntakeMetrics {
    outcomes: Arc<[(Outcome, Counter)]>,
}

impl IntakeMetrics {
    /// In a registry.
    #[must_use]
    pub fn new(metrics: &Metrics) -> IntakeMetrics {
        let counter = |outcome: Outcome| (outcome, metrics.counter(&OUTCOMES, [outcome.name()]));
        IntakeMetrics { outcomes: Outcome::ALL.into_iter().map(counter).collect() }
    }

    /// So many events came to this.
    pub fn outcome(&self, outcome: Outcome, events: usize) {
        if let Some((_, counter)) = self.outcomes.iter().find(|(known, _)| *known == outcome) {
            counter.increment(events as u64);
        }
    }
}
