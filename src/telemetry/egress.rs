//! What forwarding tells: one function for each thing that happens, its metrics made at start.

use super::metrics::{Metric, Metrics, Row};
use crate::model::LaneName;
use ::metrics::{Counter, Gauge, Histogram};
use std::fmt::Display;
use std::time::Duration;

static REQUESTS: Metric<Counter, 2> = Metric::counter(
    "bridge8890_egress_requests_total",
    &["lane", "result"],
    "Requests to the platform, by what they came to.",
);
static DURATION: Metric<Histogram, 1> = Metric::histogram(
    "bridge8890_egress_request_duration_seconds",
    &["lane"],
    "Time from a request to its whole answer.",
);
static IN_FLIGHT: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_egress_requests_in_flight",
    &["lane"],
    "Batches being sent or settled.",
);
static RECORDS: Metric<Counter, 2> = Metric::counter(
    "bridge8890_egress_records_total",
    &["lane", "result"],
    "Records settled, by what became of them.",
);
static LOST: Metric<Counter, 1> = Metric::counter(
    "bridge8890_egress_lost_leases_total",
    &["lane"],
    "Records whose lease was over when they were settled.",
);
static OLDEST: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_egress_oldest_age_seconds",
    &["lane"],
    "Age of the oldest record leased last; 0 when idle.",
);
static STATE: Metric<Gauge, 1> =
    Metric::gauge("bridge8890_egress_lane_state", &["lane"], "0 sending, 1 probing, 2 holding.");
static PAUSED: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_egress_lane_paused",
    &["lane"],
    "1 while an operator's pause holds the lane, else 0.",
);
static LIMIT: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_egress_concurrency_limit",
    &["lane"],
    "Requests that may be under way at once, as the platform bears them.",
);
static BATCH_RECORDS: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_egress_batch_limit_records",
    &["lane"],
    "Records that one request may hold, as the platform bears them.",
);
static BATCH_BYTES: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_egress_batch_limit_bytes",
    &["lane"],
    "Bytes that the body of one request may have, as the platform bears them.",
);
static RATE_WAITS: Metric<Counter, 1> = Metric::counter(
    "bridge8890_egress_rate_waits_total",
    &["lane"],
    "Times that the next request had to wait for its turn under `destination.rate`.",
);
static STORE_FAILURES: Metric<Counter, 1> = Metric::counter(
    "bridge8890_egress_store_failures_total",
    &["lane"],
    "Leases, settlements, looks for orders and notes for operators that the store refused.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[
    &REQUESTS.row,
    &DURATION.row,
    &IN_FLIGHT.row,
    &RECORDS.row,
    &LOST.row,
    &OLDEST.row,
    &STATE.row,
    &PAUSED.row,
    &LIMIT.row,
    &BATCH_RECORDS.row,
    &BATCH_BYTES.row,
    &RATE_WAITS.row,
    &STORE_FAILURES.row,
];

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            pub(in crate::telemetry) const LABELS: &[&str] = &[$($label,)*];
        }
    };
}

pub(super) use labels;

labels! {
    /// What a request came to.
    RequestResult {
        /// A verdict for each record.
        Answered = "answered",
        /// Refused as a whole.
        Refused = "refused",
        /// Refused as a whole in an answer whose status was a success.
        RefusedIn200 = "refused_in_200",
        /// Too large.
        TooLarge = "too_large",
        /// Asked to wait.
        Throttled = "throttled",
        /// The platform failed.
        Failed = "failed",
        /// Whether the work was done is not known.
        Unknown = "unknown",
        /// Somebody must repair something.
        Fault = "fault",
    }
}

labels! {
    /// What became of a record.
    RecordResult {
        /// The platform has it.
        Delivered = "delivered",
        /// It goes again later, and the attempt counts.
        Retried = "retried",
        /// It goes again, and the attempt does not count.
        Released = "released",
        /// A dead letter: refused for good.
        Rejected = "dead_rejected",
        /// A dead letter: refused for good in an answer whose status was a success.
        RefusedIn200 = "dead_refused_in_200",
        /// A dead letter: it lacks what the profile needs, and was not sent.
        Unwritable = "dead_unwritable",
        /// A dead letter: too large even alone.
        TooLarge = "dead_too_large",
        /// A dead letter: out of attempts.
        Attempts = "dead_attempts",
        /// A dead letter: out of time.
        Age = "dead_age",
        /// A dead letter: what became of it is not known.
        Unknown = "dead_unknown",
        /// A dead letter: it cannot be opened.
        Unreadable = "dead_unreadable",
    }
}

/// Where a lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneState {
    /// Requests flow.
    Sending,
    /// One request tries.
    Probing,
    /// Nothing is sent.
    Holding,
}

impl LaneState {
    /// As a gauge has it.
    pub(super) fn shown(self) -> f64 {
        match self {
            LaneState::Sending => 0.0,
            LaneState::Probing => 1.0,
            LaneState::Holding => 2.0,
        }
    }
}

/// The metrics of one lane.
#[derive(Debug)]
pub struct Egress {
    lane: LaneName,
    requests: Vec<Counter>,
    records: Vec<Counter>,
    duration: Histogram,
    in_flight: Gauge,
    lost: Counter,
    oldest: Gauge,
    state: Gauge,
    paused: Gauge,
    limit: Gauge,
    batch_records: Gauge,
    batch_bytes: Gauge,
    rate_waits: Counter,
    store_failures: Counter,
}

impl Egress {
    /// All at zero.
    #[must_use]
    pub fn new(metrics: &Metrics, lane: &LaneName) -> Egress {
        let name = lane.as_str();
        let family = |metric: &'static Metric<Counter, 2>, results: &[&str]| {
            results.iter().map(|result| metrics.counter(metric, [name, result])).collect()
        };
        Egress {
            requests: family(&REQUESTS, RequestResult::LABELS),
            records: family(&RECORDS, RecordResult::LABELS),
            duration: metrics.histogram(&DURATION, [name]),
            in_flight: metrics.gauge(&IN_FLIGHT, [name]),
            lost: metrics.counter(&LOST, [name]),
            oldest: metrics.gauge(&OLDEST, [name]),
            state: metrics.gauge(&STATE, [name]),
            paused: metrics.gauge(&PAUSED, [name]),
            limit: metrics.gauge(&LIMIT, [name]),
            batch_records: metrics.gauge(&BATCH_RECORDS, [name]),
            batch_bytes: metrics.gauge(&BATCH_BYTES, [name]),
            rate_waits: metrics.counter(&RATE_WAITS, [name]),
            store_failures: metrics.counter(&STORE_FAILURES, [name]),
            lane: lane.clone(),
        }
    }

    /// A batch took off.
    pub fn took_off(&self) {
        self.in_flight.increment(1);
    }

    /// A batch is settled, or given up.
    pub fn landed(&self) {
        self.in_flight.decrement(1);
    }

    /// A request is over.
    pub fn sent(&self, result: RequestResult, records: usize, took: Duration, summary: &str) {
        self.requests[result as usize].increment(1);
        self.duration.record(took);
        if result != RequestResult::Answered {
            let lane = self.lane.as_str();
            tracing::debug!(lane, records, ?took, ?result, summary, "a request did not succeed");
        }
    }

    /// A record is settled.
    pub fn settled(&self, result: RecordResult) {
        self.records[result as usize].increment(1);
    }

    /// Records were no longer ours when they were settled.
    pub fn lost(&self, records: usize) {
        if records > 0 {
            self.lost.increment(u64::try_from(records).unwrap_or(u64::MAX));
            let lane = self.lane.as_str();
            tracing::warn!(lane, records, "leases were over before their records were settled");
        }
    }

    /// Records were leased, the oldest of this age; nothing is due when it is zero.
    pub fn oldest(&self, age: Duration) {
        self.oldest.set(age.as_secs_f64());
    }

    /// The lane's state, whether it changed or not.
    pub fn state(&self, state: LaneState) {
        self.state.set(state.shown());
    }

    /// An operator paused the lane, or the pause is over.
    pub fn paused(&self, paused: bool) {
        self.paused.set(f64::from(u8::from(paused)));
        let lane = self.lane.as_str();
        if paused {
            tracing::warn!(lane, "the lane is paused by an operator; records are kept");
        } else {
            tracing::info!(lane, "the lane's pause is over");
        }
    }

    /// So many requests may be under way, whether that changed or not.
    pub fn limit(&self, limit: usize) {
        self.limit.set(f64::from(u32::try_from(limit).unwrap_or(u32::MAX)));
    }

    /// One request may be so large, whether that changed or not.
    pub fn batches(&self, records: usize, bytes: usize) {
        self.batch_records.set(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
        self.batch_bytes.set(f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)));
    }

    /// The next request had to wait for its turn under the rate.
    pub fn waited_for_rate(&self) {
        self.rate_waits.increment(1);
    }

    /// The lane stopped sending.
    pub fn held(&self, cause: &str) {
        tracing::warn!(lane = self.lane.as_str(), cause, "the lane holds; records are kept");
    }

    /// The lane sends again.
    pub fn back(&self) {
        tracing::info!(lane = self.lane.as_str(), "the lane sends again");
    }

    /// The store refused something; it will be asked again.
    pub fn store_failed(&self, verb: &'static str, error: &dyn Display) {
        self.store_failures.increment(1);
        tracing::debug!(lane = self.lane.as_str(), verb, %error, "the store refused");
    }
}
