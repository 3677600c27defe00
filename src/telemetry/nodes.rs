//! Who of the nodes that share a store lives and owns what.

use super::metrics::{Metric, Metrics, Row};
use super::seldom::Seldom;
use ::metrics::Gauge;
use std::fmt::Display;

static LIVING: Metric<Gauge, 0> = Metric::gauge(
    "bridge8890_nodes_living",
    &[],
    "Nodes that share the store and live, as this one sees it; 1 where it has the store to itself.",
);
static OWNER: Metric<Gauge, 1> = Metric::gauge(
    "bridge8890_owner",
    &["work"],
    "1 while this node does the work that one node at a time does: dialogue, housekeeping, quarantine, or the link of an \
     account.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[&LIVING.row, &OWNER.row];

/// The handles of a node.
#[derive(Debug)]
pub struct NodeMetrics {
    metrics: Metrics,
    living: Gauge,
    log: Seldom,
}

impl NodeMetrics {
    /// In a registry.
    #[must_use]
    pub fn new(metrics: &Metrics) -> NodeMetrics {
        let living = metrics.gauge(&LIVING, []);
        NodeMetrics { metrics: metrics.clone(), living, log: Seldom::new() }
    }

    /// So many nodes live.
    pub fn living(&self, nodes: u32) {
        self.living.set(f64::from(nodes));
    }

    /// The store did not hear that we live.
    pub fn not_heard(&self, why: &dyn Display) {
        if let Some(held_back) = self.log.now() {
            tracing::warn!(%why, held_back, "the other nodes cannot be told that this one lives");
        }
    }

    /// The handles of a piece of work.
    #[must_use]
    pub fn owner(&self, work: &str) -> OwnerMetrics {
        let owned = self.metrics.gauge(&OWNER, [work]);
        OwnerMetrics { work: work.to_owned(), owned, log: Seldom::new() }
    }
}

/// The handles of a piece of work.
#[derive(Debug)]
pub struct OwnerMetrics {
    work: String,
    owned: Gauge,
    log: Seldom,
}

impl OwnerMetrics {
    /// Whether it is ours.
    pub fn owned(&self, ours: bool) {
        self.owned.set(f64::from(u8::from(ours)));
    }

    /// The store does not say whose it is.
    pub fn not_known(&self, why: &dyn Display) {
        if let Some(held_back) = self.log.now() {
            let work = self.work.as_str();
            tracing::warn!(work, %why, held_back, "whose work this is cannot be asked");
        }
    }
}
