//! What happens to the connections over which a carrier's messages come as frames.

use super::metrics::{Metric, Metrics, Row};
use super::seldom::Seldom;
use crate::model::AccountName;
use ::metrics::{Counter, Gauge};
use std::fmt::Display;
use std::sync::Arc;

static UP: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_link_up",
    &["account"],
    "WebSockets of an account that are open now, whoever opened them.",
);
static CONNECTS: Metric<Counter, 1> = Metric::counter(
    "bridge8890_link_connects_total",
    &["account"],
    "Times that a WebSocket of an account was opened.",
);
static FAILURES: Metric<Counter, 1> = Metric::counter(
    "bridge8890_link_failures_total",
    &["account"],
    "Times that a WebSocket could not be opened by us, or ended when we had.",
);
static FRAMES: Metric<Counter, 1> = Metric::counter(
    "bridge8890_link_frames_total",
    &["account"],
    "Text frames that were stored, repeats too.",
);
static WAITS: Metric<Counter, 1> = Metric::counter(
    "bridge8890_link_waits_total",
    &["account"],
    "Times that a frame could not be stored and was tried again while the carrier was held back.",
);
static DROPPED: Metric<Counter, 2> = Metric::counter(
    "bridge8890_link_frames_dropped_total",
    &["account", "reason"],
    "Frames that were not stored: binary, too_large, or stopping with a store that takes nothing.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] =
    &[&UP.row, &CONNECTS.row, &FAILURES.row, &FRAMES.row, &WAITS.row, &DROPPED.row];

/// The handles of one account. Cloning shares them.
#[derive(Debug, Clone)]
pub struct LinkTelemetry(Arc<Handles>);

#[derive(Debug)]
struct Handles {
    account: AccountName,
    up: Gauge,
    connects: Counter,
    failures: Counter,
    failures_log: Seldom,
    frames: Counter,
    waits: Counter,
    waits_log: Seldom,
    binary: Counter,
    too_large: Counter,
    stopping: Counter,
}

/// An open link, until it is dropped.
#[derive(Debug)]
pub struct Up(LinkTelemetry);

impl LinkTelemetry {
    /// The handles of an account.
    #[must_use]
    pub fn new(metrics: &Metrics, account: &AccountName) -> LinkTelemetry {
        let name = account.as_str();
        let dropped = |reason| metrics.counter(&DROPPED, [name, reason]);
        LinkTelemetry(Arc::new(Handles {
            account: account.clone(),
            up: metrics.gauge(&UP, [name]),
            connects: metrics.counter(&CONNECTS, [name]),
            failures: metrics.counter(&FAILURES, [name]),
            failures_log: Seldom::new(),
            frames: metrics.counter(&FRAMES, [name]),
            waits: metrics.counter(&WAITS, [name]),
            waits_log: Seldom::new(),
            binary: dropped("binary"),
            too_large: dropped("too_large"),
            stopping: dropped("stopping"),
        }))
    }

    /// It is open.
    #[must_use]
    pub fn up(&self) -> Up {
        self.0.connects.increment(1);
        self.0.up.increment(1);
        tracing::info!(account = self.0.account.as_str(), "the link is up");
        Up(self.clone())
    }

    /// It could not be opened, or ended and should not have.
    pub fn failed(&self, server: &str, why: &dyn Display) {
        self.0.failures.increment(1);
        if let Some(held_back) = self.0.failures_log.now() {
            let account = self.0.account.as_str();
            tracing::warn!(account, server, %why, held_back, "the link is down; trying again");
        }
    }

    /// A frame was stored.
    pub fn frame(&self) {
        self.0.frames.increment(1);
    }

    /// A frame could not be stored now.
    pub fn waits(&self) {
        self.0.waits.increment(1);
        if let Some(held_back) = self.0.waits_log.now() {
            let account = self.0.account.as_str();
            tracing::warn!(account, held_back, "a frame waits for the store");
        }
    }

    /// A frame was binary, which no carrier means.
    pub fn binary(&self) {
        self.0.binary.increment(1);
    }

    /// A frame was larger than the cap.
    pub fn too_large(&self) {
        self.0.too_large.increment(1);
    }

    /// A frame could not be stored before the gateway stopped.
    pub fn given_up(&self) {
        self.0.stopping.increment(1);
        let account = self.0.account.as_str();
        tracing::error!(account, "a frame was lost: the gateway stops and its store takes nothing");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.0.0.up.decrement(1);
    }
}
