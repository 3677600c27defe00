//! What lies in the spool, and what left it.

use super::metrics::{Metric, Metrics, Row};
use ::metrics::{Counter, Gauge};
use std::time::Duration;

static CALLBACKS: Metric<Gauge, 0> = Metric::gauge(
    "bridge8890_spool_callbacks",
    &[],
    "Callbacks in this node's spool, acknowledged and not in the database yet.",
);
static ASIDE: Metric<Gauge, 0> = Metric::gauge(
    "bridge8890_spool_aside_callbacks",
    &[],
    "Those of them that the database did not take when it took others.",
);
static BYTES: Metric<Gauge, 0> =
    Metric::gauge("bridge8890_spool_bytes", &[], "Bytes of the callbacks in the spool.");
static OLDEST: Metric<Gauge, 0> = Metric::gauge(
    "bridge8890_spool_oldest_seconds",
    &[],
    "Time since the first callback in the spool arrived.",
);
static SPOOLED: Metric<Counter, 0> =
    Metric::counter("bridge8890_spool_spooled_total", &[], "Callbacks that went into the spool.");
static EMPTIED: Metric<Counter, 0> = Metric::counter(
    "bridge8890_spool_emptied_total",
    &[],
    "Callbacks that left the spool for the database; those that were refused there are among them.",
);
static REFUSED: Metric<Counter, 0> = Metric::counter(
    "bridge8890_spool_refused_total",
    &[],
    "Callbacks that were acknowledged and then refused, since their one-time token had come before with other content.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[
    &CALLBACKS.row,
    &ASIDE.row,
    &BYTES.row,
    &OLDEST.row,
    &SPOOLED.row,
    &EMPTIED.row,
    &REFUSED.row,
];

/// The handles.
#[derive(Debug)]
pub struct SpoolMetrics {
    callbacks: Gauge,
    aside: Gauge,
    bytes: Gauge,
    oldest: Gauge,
    spooled: Counter,
    emptied: Counter,
    refused: Counter,
}

impl SpoolMetrics {
    /// In a registry.
    #[must_use]
    pub fn new(metrics: &Metrics) -> SpoolMetrics {
        SpoolMetrics {
            callbacks: metrics.gauge(&CALLBACKS, []),
            aside: metrics.gauge(&ASIDE, []),
            bytes: metrics.gauge(&BYTES, []),
            oldest: metrics.gauge(&OLDEST, []),
            spooled: metrics.counter(&SPOOLED, []),
            emptied: metrics.counter(&EMPTIED, []),
            refused: metrics.counter(&REFUSED, []),
        }
    }

    /// It holds so much.
    #[expect(clippy::cast_precision_loss, reason = "2^53 bytes are not reached")]
    pub fn holds(&self, callbacks: u64, aside: u64, bytes: u64) {
        self.callbacks.set(callbacks as f64);
        self.aside.set(aside as f64);
        self.bytes.set(bytes as f64);
    }

    /// The first of it arrived so long ago.
    pub fn oldest(&self, age: Duration) {
        self.oldest.set(age.as_secs_f64());
    }

    /// So many callbacks went in.
    pub fn spooled(&self, callbacks: usize) {
        self.spooled.increment(callbacks as u64);
    }

    /// So many callbacks left it.
    pub fn emptied(&self, callbacks: usize) {
        self.emptied.increment(callbacks as u64);
    }

    /// One of them was refused.
    pub fn refused(&self) {
        self.refused.increment(1);
    }
}
