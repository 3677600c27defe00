//! What happens to connections.

use super::metrics::{Metric, Metrics, Row};
use super::seldom::Seldom;
use ::metrics::{Counter, Gauge};
use std::io;
use std::sync::Arc;

static OPEN: Metric<Gauge, 1> =
    Metric::gauge("bridge8890_connections_open", &["listener"], "Connections open now.");
static ACCEPTED: Metric<Counter, 1> = Metric::counter(
    "bridge8890_connections_accepted_total",
    &["listener"],
    "Connections accepted.",
);
static ENDED: Metric<Counter, 2> = Metric::counter(
    "bridge8890_connections_ended_total",
    &["listener", "reason"],
    "Connections ended: finished, idle, slow_header, garbage, lost, handshake or handshake_timeout.",
);
static WAITED: Metric<Counter, 1> = Metric::counter(
    "bridge8890_connections_full_total",
    &["listener"],
    "Times that all permitted connections were open and the next peer had to wait.",
);
static FAILED: Metric<Counter, 1> = Metric::counter(
    "bridge8890_accept_errors_total",
    &["listener"],
    "Errors of the system when accepting a connection.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[&OPEN.row, &ACCEPTED.row, &ENDED.row, &WAITED.row, &FAILED.row];

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Closed by the peer, or by us after its last answer.
    Finished,
    /// No request for too long.
    Idle,
    /// A request's headers took too long.
    SlowHeader,
    /// The bytes were not HTTP, or a head was too large.
    Garbage,
    /// The peer went away in the middle.
    Lost,
    /// The TLS handshake failed.
    Handshake,
    /// The TLS handshake took too long.
    HandshakeTimeout,
}

impl Ended {
    const ALL: [(Ended, &'static str); 7] = [
        (Ended::Finished, "finished"),
        (Ended::Idle, "idle"),
        (Ended::SlowHeader, "slow_header"),
        (Ended::Garbage, "garbage"),
        (Ended::Lost, "lost"),
        (Ended::Handshake, "handshake"),
        (Ended::HandshakeTimeout, "handshake_timeout"),
    ];
}

/// The handles of one listener, shared by cloning.
#[derive(Debug, Clone)]
pub struct Listening(Arc<Handles>);

#[derive(Debug)]
struct Handles {
    listener: &'static str,
    open: Gauge,
    accepted: Counter,
    ended: [Counter; Ended::ALL.len()],
    full: Counter,
    full_log: Seldom,
    failed: Counter,
    failed_log: Seldom,
}

/// An open connection, until it is dropped.
#[derive(Debug)]
pub struct Open(Listening);

impl Listening {
    /// The handles of the listener with this name.
    #[must_use]
    pub fn new(metrics: &Metrics, listener: &'static str) -> Listening {
        Listening(Arc::new(Handles {
            listener,
            open: metrics.gauge(&OPEN, [listener]),
            accepted: metrics.counter(&ACCEPTED, [listener]),
            ended: Ended::ALL.map(|(_, reason)| metrics.counter(&ENDED, [listener, reason])),
            full: metrics.counter(&WAITED, [listener]),
            full_log: Seldom::new(),
            failed: metrics.counter(&FAILED, [listener]),
            failed_log: Seldom::new(),
        }))
    }

    /// A connection was accepted.
    #[must_use]
    pub fn opened(&self) -> Open {
        self.0.accepted.increment(1);
        self.0.open.increment(1);
        Open(self.clone())
    }

    /// All permitted connections are open.
    pub fn full(&self) {
        self.0.full.increment(1);
        if let Some(held_back) = self.0.full_log.now() {
            let listener = self.0.listener;
            tracing::warn!(listener, held_back, "all permitted connections are open; peers wait");
        }
    }

    /// The system could not accept.
    pub fn accept_failed(&self, error: &io::Error) {
        self.0.failed.increment(1);
        if let Some(held_back) = self.0.failed_log.now() {
            let listener = self.0.listener;
            tracing::warn!(listener, held_back, %error, "cannot accept; check open file limits");
        }
    }
}

impl Open {
    /// It ended.
    pub fn ended(self, how: Ended) {
        let place = Ended::ALL.iter().position(|(ended, _)| *ended == how);
        if let Some(counter) = place.and_then(|place| self.0.0.ended.get(place)) {
            counter.increment(1);
        }
        tracing::debug!(listener = self.0.0.listener, ?how, "connection ended");
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.open.decrement(1);
    }
}
