//! What the store does.

use super::metrics::{Metric, Metrics, Row};
use ::metrics::{Counter, Gauge, Histogram};
use std::time::Duration;

static COMMITS: Metric<Counter, 0> =
    Metric::counter("bridge8890_store_commits_total", &[], "Transactions committed by the writer.");
static CALLBACKS: Metric<Counter, 0> = Metric::counter(
    "bridge8890_store_committed_callbacks_total",
    &[],
    "Callbacks committed, repeats among them.",
);
static RECORDS: Metric<Counter, 0> = Metric::counter(
    "bridge8890_store_committed_records_total",
    &[],
    "Record revisions committed and queued.",
);
static REPEATS: Metric<Counter, 0> = Metric::counter(
    "bridge8890_store_repeats_total",
    &[],
    "Events that repeated an earlier one and changed nothing.",
);
static FAILURES: Metric<Counter, 0> = Metric::counter(
    "bridge8890_store_commit_failures_total",
    &[],
    "Transactions that failed; everybody in them was told so.",
);
static COMMIT_SECONDS: Metric<Histogram, 0> = Metric::histogram(
    "bridge8890_store_commit_seconds",
    &[],
    "Time of one transaction, the sync of the disk included.",
);
static PENDING: Metric<Gauge, 0> =
    Metric::gauge("bridge8890_store_pending_records", &[], "Record revisions in the outbox.");

static OLDEST: Metric<Gauge, 0> = Metric::gauge(
    "bridge8890_store_oldest_pending_seconds",
    &[],
    "Age of the oldest record revision in the outbox; counted every 15 s.",
);
static DEAD: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_store_dead_letters",
    &["bin"],
    "Dead letters not yet replayed, by who must mend something: ours or theirs; counted every 15 s.",
);
static HELD: Metric<Gauge, 0> = Metric::gauge(
    "bridge8890_store_held_events",
    &[],
    "Events in the inbox, which wait for their conclusion; counted every 15 s.",
);
static OLDEST_HELD: Metric<Gauge, 0> = Metric::gauge(
    "bridge8890_store_oldest_held_seconds",
    &[],
    "Time since the callback of the oldest event in the inbox arrived; counted every 15 s.",
);
static DISK_FREE: Metric<Gauge, 0> =
    Metric::gauge("bridge8890_store_disk_free_bytes", &[], "Room on the store's volume.");

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[
    &COMMITS.row,
    &CALLBACKS.row,
    &RECORDS.row,
    &REPEATS.row,
    &FAILURES.row,
    &COMMIT_SECONDS.row,
    &PENDING.row,
    &OLDEST.row,
    &DEAD.row,
    &HELD.row,
    &OLDEST_HELD.row,
    &DISK_FREE.row,
];

/// The handles.
#[derive(Debug)]
pub struct StoreMetrics {
    commits: Counter,
    callbacks: Counter,
    records: Counter,
    repeats: Counter,
    failures: Counter,
    commit_seconds: Histogram,
    pending: Gauge,
    oldest: Gauge,
    ours: Gauge,
    theirs: Gauge,
    held: Gauge,
    oldest_held: Gauge,
    disk_free: Gauge,
}

/// What one transaction held.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// How long it took.
    pub took: Duration,
    /// Callbacks in it.
    pub callbacks: usize,
    /// Events of theirs that were repeats.
    pub repeats: usize,
    /// Record revisions in it.
    pub records: u64,
}

impl StoreMetrics {
    /// In a registry.
    #[must_use]
    pub fn new(metrics: &Metrics) -> StoreMetrics {
        StoreMetrics {
            commits: metrics.counter(&COMMITS, []),
            callbacks: metrics.counter(&CALLBACKS, []),
            records: metrics.counter(&RECORDS, []),
            repeats: metrics.counter(&REPEATS, []),
            failures: metrics.counter(&FAILURES, []),
            commit_seconds: metrics.histogram(&COMMIT_SECONDS, []),
            pending: metrics.gauge(&PENDING, []),
            oldest: metrics.gauge(&OLDEST, []),
            ours: metrics.gauge(&DEAD, ["ours"]),
            theirs: metrics.gauge(&DEAD, ["theirs"]),
            held: metrics.gauge(&HELD, []),
            oldest_held: metrics.gauge(&OLDEST_HELD, []),
            disk_free: metrics.gauge(&DISK_FREE, []),
        }
    }

    /// A transaction was committed.
    pub fn committed(&self, group: Group) {
        self.commits.increment(1);
        self.callbacks.increment(group.callbacks as u64);
        self.repeats.increment(group.repeats as u64);
        self.records.increment(group.records);
        self.commit_seconds.record(group.took);
    }

    /// A transaction failed.
    pub fn failed(&self) {
        self.failures.increment(1);
    }

    /// So many records are queued.
    #[expect(clippy::cast_precision_loss, reason = "a queue of 2^53 records is not reached")]
    pub fn pending(&self, records: i64) {
        self.pending.set(records as f64);
    }

    /// The queue was counted: so many records, the oldest of this age.
    pub fn counted(&self, pending: i64, oldest: Duration) {
        self.pending(pending);
        self.oldest.set(oldest.as_secs_f64());
    }

    /// Dead letters were counted, by their bin.
    #[expect(clippy::cast_precision_loss, reason = "2^53 dead letters are not reached")]
    pub fn dead(&self, ours: i64, theirs: i64) {
        self.ours.set(ours as f64);
        self.theirs.set(theirs as f64);
    }

    /// The inbox was counted: so many events, the oldest of this age.
    #[expect(clippy::cast_precision_loss, reason = "2^53 held events are not reached")]
    pub fn held(&self, events: i64, oldest: Duration) {
        self.held.set(events as f64);
        self.oldest_held.set(oldest.as_secs_f64());
    }

    /// The volume has so much room.
    #[expect(clippy::cast_precision_loss, reason = "to the last byte nobody wants to know")]
    pub fn disk(&self, free: u64) {
        self.disk_free.set(free as f64);
    }
}
