//! What tells how a destination knows us: tokens, and certificates that are replaced on disk.

use super::metrics::{Metric, Metrics, Row};
use crate::model::LaneName;
use ::metrics::{Counter, Gauge};
use std::error::Error;
use std::fmt::Display;

static TOKENS: Metric<Counter, 2> = Metric::counter(
    "bridge8890_egress_tokens_total",
    &["lane", "result"],
    "Tokens asked for (fetched, failed), and those that the destination no longer took (refused).",
);
static FILES: Metric<Counter, 2> = Metric::counter(
    "bridge8890_egress_certificate_files_total",
    &["lane", "result"],
    "Times that roots or the client certificate had changed on disk: taken, or refused as unusable.",
);
static ENDS: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_egress_client_certificate_end_timestamp_seconds",
    &["lane"],
    "When the client certificate in use ends, in seconds since 1970; 0 without one.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[&TOKENS.row, &FILES.row, &ENDS.row];

/// The metrics of one destination's identity. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Identity {
    lane: LaneName,
    fetched: Counter,
    failed: Counter,
    refused: Counter,
    files_taken: Counter,
    files_refused: Counter,
    ends: Gauge,
}

impl Identity {
    /// All at zero.
    #[must_use]
    pub fn new(metrics: &Metrics, lane: &LaneName) -> Identity {
        let name = lane.as_str();
        Identity {
            fetched: metrics.counter(&TOKENS, [name, "fetched"]),
            failed: metrics.counter(&TOKENS, [name, "failed"]),
            refused: metrics.counter(&TOKENS, [name, "refused"]),
            files_taken: metrics.counter(&FILES, [name, "taken"]),
            files_refused: metrics.counter(&FILES, [name, "refused"]),
            ends: metrics.gauge(&ENDS, [name]),
            lane: lane.clone(),
        }
    }

    /// A token came.
    pub fn token_fetched(&self) {
        self.fetched.increment(1);
        tracing::debug!(lane = self.lane.as_str(), "a token was fetched");
    }

    /// None came.
    pub fn token_failed(&self, error: &dyn Display) {
        self.failed.increment(1);
        tracing::warn!(lane = self.lane.as_str(), %error, "no token could be fetched");
    }

    /// The destination no longer takes one that it took before.
    pub fn token_refused(&self) {
        self.refused.increment(1);
        let lane = self.lane.as_str();
        tracing::info!(lane, "the token is no longer taken; another is fetched");
    }

    /// What was replaced on disk holds from now on.
    pub fn files_taken(&self) {
        self.files_taken.increment(1);
        tracing::info!(lane = self.lane.as_str(), "certificates were read anew");
    }

    /// What was replaced on disk cannot be used; the old holds.
    pub fn files_refused(&self, error: &dyn Error) {
        self.files_refused.increment(1);
        let lane = self.lane.as_str();
        tracing::warn!(lane, %error, "certificates were replaced by unusable ones; the old hold");
    }

    /// The client certificate in use ends then, in seconds since 1970.
    pub fn certificate_ends(&self, at: i64) {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact for ages")]
        self.ends.set(at as f64);
    }
}
