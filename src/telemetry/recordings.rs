//! What the fetching of recordings tells. No address comes here.

use super::metrics::{Metric, Metrics, Row};
use crate::model::AccountName;
use ::metrics::{Counter, Histogram};
use std::time::Duration;

static FETCHES: Metric<Counter, 2> = Metric::counter(
    "bridge8890_recordings_fetches_total",
    &["account", "result"],
    "Attempts to fetch a recording, by what became of it: kept, retried or lost.",
);
static DURATION: Metric<Histogram, 1> = Metric::histogram(
    "bridge8890_recordings_fetch_duration_seconds",
    &["account"],
    "Time from the request for a recording until it is on disk, or the attempt failed.",
);
static BYTES: Metric<Counter, 1> =
    Metric::counter("bridge8890_recordings_bytes_total", &["account"], "Bytes of recordings kept.");
static STORE_FAILURES: Metric<Counter, 1> = Metric::counter(
    "bridge8890_recordings_store_failures_total",
    &["account"],
    "Leases and settlements of recordings the store refused.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[&FETCHES.row, &DURATION.row, &BYTES.row, &STORE_FAILURES.row];

/// What became of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Result {
    /// We have it.
    Kept,
    /// It is tried again.
    Retried,
    /// It was given up.
    Lost,
}

/// The handles of an account.
#[derive(Debug)]
pub struct RecordingMetrics {
    kept: Counter,
    retried: Counter,
    lost: Counter,
    duration: Histogram,
    bytes: Counter,
    store_failures: Counter,
}

impl RecordingMetrics {
    /// In a registry.
    #[must_use]
    pub fn new(metrics: &Metrics, account: &AccountName) -> RecordingMetrics {
        let account = account.as_str();
        let result = |result| metrics.counter(&FETCHES, [account, result]);
        RecordingMetrics {
            kept: result("kept"),
            retried: result("retried"),
            lost: result("lost"),
            duration: metrics.histogram(&DURATION, [account]),
            bytes: metrics.counter(&BYTES, [account]),
            store_failures: metrics.counter(&STORE_FAILURES, [account]),
        }
    }

    /// An attempt came to this.
    pub fn fetched(&self, result: Result) {
        match result {
            Result::Kept => &self.kept,
            Result::Retried => &self.retried,
            Result::Lost => &self.lost,
        }
        .increment(1);
    }

    /// An attempt took so long.
    pub fn took(&self, took: Duration) {
        self.duration.record(took.as_secs_f64());
    }

    /// So many bytes are on disk.
    pub fn kept(&self, bytes: u64) {
        self.bytes.increment(bytes);
    }

    /// The store refused.
    pub fn store_failed(&self) {
        self.store_failures.increment(1);
    }
}
