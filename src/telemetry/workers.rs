//! What becomes of workers.

use super::metrics::{Metric, Metrics, Row};
use ::metrics::Counter;

static REPLACED: Metric<Counter, 2> = Metric::counter(
    "bridge8890_worker_replaced_total",
    &["worker", "why"],
    "Workers that were replaced, by why: stalled, panicked or ended.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[&REPLACED.row];

/// Why a worker had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It had work to do and made no progress.
    Stalled,
    /// It panicked.
    Panicked,
    /// It ended, though nobody asked it to.
    Ended,
}

impl Why {
    /// As the metric and the log have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Why::Stalled => "stalled",
            Why::Panicked => "panicked",
            Why::Ended => "ended",
        }
    }
}

/// The handles of one kind of worker.
#[derive(Debug)]
pub struct Replacements {
    stalled: Counter,
    panicked: Counter,
    ended: Counter,
}

impl Replacements {
    /// In a registry, if there is one.
    #[must_use]
    pub fn new(metrics: Option<&Metrics>, worker: &'static str) -> Replacements {
        let counter = |why: Why| match metrics {
            Some(metrics) => metrics.counter(&REPLACED, [worker, why.name()]),
            None => Counter::noop(),
        };
        Replacements {
            stalled: counter(Why::Stalled),
            panicked: counter(Why::Panicked),
            ended: counter(Why::Ended),
        }
    }

    /// One was replaced.
    pub fn replaced(&self, why: Why) {
        match why {
            Why::Stalled => &self.stalled,
            Why::Panicked => &self.panicked,
            Why::Ended => &self.ended,
        }
        .increment(1);
    }
}
