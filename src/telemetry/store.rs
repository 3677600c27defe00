//! What the store tells the operators.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use std::time::Duration;

const COMMITS: &str = "bridge8890_store_commits_total";
const CALLBACKS: &str = "bridge8890_store_committed_callbacks_total";
const RECORDS: &str = "bridge8890_store_committed_records_total";
const REPEATS: &str = "bridge8890_store_repeats_total";
const FAILURES: &str = "bridge8890_store_commit_failures_total";
const SECONDS: &str = "bridge8890_store_commit_seconds";
const PENDING: &str = "bridge8890_store_pending_records";

/// Describes the store's metrics.
pub fn describe() {
    describe_counter!(COMMITS, Unit::Count, "Transactions committed by the writer");
    describe_counter!(CALLBACKS, Unit::Count, "Callbacks committed");
    describe_counter!(RECORDS, Unit::Count, "Record revisions committed and queued");
    describe_counter!(REPEATS, Unit::Count, "Events that repeated an earlier one");
    describe_counter!(
        FAILURES,
        Unit::Count,
        "Transactions that failed; everybody in them was told so"
    );
    describe_histogram!(SECONDS, Unit::Seconds, "Time of one transaction, sync included");
    describe_gauge!(PENDING, Unit::Count, "Record revisions in the outbox");
}

/// Handles of the store's metrics, made once.
#[derive(Clone)]
pub struct StoreMetrics {
    commits: Counter,
    callbacks: Counter,
    records: Counter,
    repeats: Counter,
    failures: Counter,
    seconds: Histogram,
    pending: Gauge,
}

impl std::fmt::Debug for StoreMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreMetrics")
    }
}

impl Default for StoreMetrics {
    fn default() -> StoreMetrics {
        StoreMetrics::new()
    }
}

impl StoreMetrics {
    /// The handles.
    #[must_use]
    pub fn new() -> StoreMetrics {
        StoreMetrics {
            commits: counter!(COMMITS),
            callbacks: counter!(CALLBACKS),
            records: counter!(RECORDS),
            repeats: counter!(REPEATS),
            failures: counter!(FAILURES),
            seconds: histogram!(SECONDS),
            pending: gauge!(PENDING),
        }
    }

    /// A transaction was committed.
    pub fn group(&self, took: Duration, callbacks: usize, repeats: usize, records: u64) {
        self.commits.increment(1);
        self.callbacks.increment(callbacks as u64);
        self.repeats.increment(repeats as u64);
        self.records.increment(records);
        self.seconds.record(took.as_secs_f64());
    }

    /// A transaction failed.
    pub fn failed(&self) {
        self.failures.increment(1);
    }

    /// So many records are queued.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; 2^53 records are not reached"
    )]
    pub fn pending(&self, records: i64) {
        self.pending.set(records as f64);
    }
}
