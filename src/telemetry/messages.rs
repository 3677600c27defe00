//! What the sending of messages tells: one function for each thing that happens. No number and no
//! text of a message comes here.

use super::egress::LaneState;
use super::metrics::{Metric, Metrics, Row};
use crate::model::AccountName;
use ::metrics::{Counter, Gauge, Histogram};
use std::fmt::Display;
use std::time::Duration;

static REQUESTS: Metric<Counter, 2> = Metric::counter(
    "bridge8890_messages_requests_total",
    &["account", "result"],
    "Requests to send a message, by what they came to.",
);
static DURATION: Metric<Histogram, 1> = Metric::histogram(
    "bridge8890_messages_request_duration_seconds",
    &["account"],
    "Time from a request to its whole answer.",
);
static IN_FLIGHT: Metric<Gauge, 1> =
    Metric::gauge("bridge8890_messages_in_flight", &["account"], "Messages being sent or settled.");
static MESSAGES: Metric<Counter, 2> = Metric::counter(
    "bridge8890_messages_settled_total",
    &["account", "result"],
    "Messages settled, by what became of them.",
);
static SEGMENTS: Metric<Counter, 1> = Metric::counter(
    "bridge8890_messages_segments_total",
    &["account"],
    "SMS that sent texts took; those of registered templates are not known.",
);
static LOST: Metric<Counter, 1> = Metric::counter(
    "bridge8890_messages_lost_leases_total",
    &["account"],
    "Messages whose lease was over when they were settled.",
);
static OLDEST: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_messages_oldest_age_seconds",
    &["account"],
    "Age of the oldest message leased last; 0 when idle.",
);
static STATE: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_messages_lane_state",
    &["account"],
    "0 sending, 1 probing, 2 holding.",
);
static STORE_FAILURES: Metric<Counter, 1> = Metric::counter(
    "bridge8890_messages_store_failures_total",
    &["account"],
    "Leases and settlements the store refused.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[
    &REQUESTS.row,
    &DURATION.row,
    &IN_FLIGHT.row,
    &MESSAGES.row,
    &SEGMENTS.row,
    &LOST.row,
    &OLDEST.row,
    &STATE.row,
    &STORE_FAILURES.row,
];

super::egress::labels! {
    /// What a request came to.
    RequestResult {
        /// The carrier has the message.
        Sent = "sent",
        /// Later, and slower.
        Throttled = "throttled",
        /// Not taken, and may be later.
        Refused = "refused",
        /// Refused for good.
        Rejected = "rejected",
        /// The carrier could not be reached.
        Failed = "failed",
        /// Whether it was taken is not known.
        Unknown = "unknown",
        /// There is no request that would tell it.
        Unsendable = "unsendable",
    }
}

super::egress::labels! {
    /// What became of a message.
    MessageResult {
        /// The carrier has it.
        Sent = "sent",
        /// It goes again later.
        Retried = "retried",
        /// It goes again, and the attempt does not count.
        Released = "released",
        /// It expired.
        Dropped = "dropped",
        /// A dead letter: refused for good.
        Rejected = "dead_rejected",
        /// A dead letter: out of attempts.
        Attempts = "dead_attempts",
        /// A dead letter: out of time.
        Age = "dead_age",
        /// A dead letter: it may have been sent.
        Unknown = "dead_unknown",
    }
}

/// The metrics of one account's messages.
#[derive(Debug)]
pub struct Messages {
    account: AccountName,
    requests: Vec<Counter>,
    messages: Vec<Counter>,
    segments: Counter,
    duration: Histogram,
    in_flight: Gauge,
    lost: Counter,
    oldest: Gauge,
    state: Gauge,
    store_failures: Counter,
}

impl Messages {
    /// All at zero.
    #[must_use]
    pub fn new(metrics: &Metrics, account: &AccountName) -> Messages {
        let name = account.as_str();
        let family = |metric: &'static Metric<Counter, 2>, results: &[&str]| {
            results.iter().map(|result| metrics.counter(metric, [name, result])).collect()
        };
        Messages {
            requests: family(&REQUESTS, RequestResult::LABELS),
            messages: family(&MESSAGES, MessageResult::LABELS),
            segments: metrics.counter(&SEGMENTS, [name]),
            duration: metrics.histogram(&DURATION, [name]),
            in_flight: metrics.gauge(&IN_FLIGHT, [name]),
            lost: metrics.counter(&LOST, [name]),
            oldest: metrics.gauge(&OLDEST, [name]),
            state: metrics.gauge(&STATE, [name]),
            store_failures: metrics.counter(&STORE_FAILURES, [name]),
            account: account.clone(),
        }
    }

    /// A message took off.
    pub fn took_off(&self) {
        self.in_flight.increment(1);
    }

    /// A message is settled, or given up.
    pub fn landed(&self) {
        self.in_flight.decrement(1);
    }

    /// A request is over.
    pub fn requested(&self, result: RequestResult, took: Duration, reason: &str) {
        self.requests[result as usize].increment(1);
        self.duration.record(took);
        if result != RequestResult::Sent {
            let account = self.account.as_str();
            tracing::debug!(account, ?took, ?result, reason, "a message was not sent");
        }
    }

    /// A message is settled; if it was sent it took so many SMS.
    pub fn settled(&self, result: MessageResult, segments: usize) {
        self.messages[result as usize].increment(1);
        if result == MessageResult::Sent {
            self.segments.increment(u64::try_from(segments).unwrap_or(u64::MAX));
        }
    }

    /// A message was no longer ours when it was settled.
    pub fn lost(&self) {
        self.lost.increment(1);
        let account = self.account.as_str();
        tracing::warn!(account, "a lease was over before its message was settled");
    }

    /// Messages were leased, the oldest of this age; nothing is due when it is zero.
    pub fn oldest(&self, age: Duration) {
        self.oldest.set(age.as_secs_f64());
    }

    /// The lane's state, whether it changed or not.
    pub fn state(&self, state: LaneState) {
        self.state.set(state.shown());
    }

    /// The lane stopped sending.
    pub fn held(&self, cause: &str) {
        let account = self.account.as_str();
        tracing::warn!(account, cause, "the account's messages are held; they are kept");
    }

    /// The lane sends again.
    pub fn back(&self) {
        tracing::info!(account = self.account.as_str(), "the account sends messages again");
    }

    /// The store refused a lease or a settlement; it will be asked again.
    pub fn store_failed(&self, verb: &'static str, error: &dyn Display) {
        self.store_failures.increment(1);
        tracing::debug!(account = self.account.as_str(), verb, %error, "the store refused");
    }
}
