//! What becomes of invitations of the platform.

use super::metrics::{Metric, Metrics, Row};
use ::metrics::Counter;
use std::sync::Arc;

static OUTCOMES: Metric<Counter, 1> = Metric::counter(
    "bridge8890_invitations_total",
    &["outcome"],
    "Invitations by what became of them when they came: accepted, duplicate or rejected.",
);
static FAULTS: Metric<Counter, 1> = Metric::counter(
    "bridge8890_invitation_faults_total",
    &["field"],
    "Faults of rejected invitations by field; `item` is the invitation as a whole.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[&OUTCOMES.row, &FAULTS.row];

/// The handles. Cloning shares them.
#[derive(Debug, Clone)]
pub struct InvitationMetrics(Arc<Handles>);

#[derive(Debug)]
struct Handles {
    accepted: Counter,
    duplicate: Counter,
    rejected: Counter,
    item: Counter,
    fields: Vec<(&'static str, Counter)>,
}

impl InvitationMetrics {
    /// In a registry, with series for these fields.
    #[must_use]
    pub fn new(metrics: &Metrics, fields: &[&'static str]) -> InvitationMetrics {
        let outcome = |name| metrics.counter(&OUTCOMES, [name]);
        let field = |name: &&'static str| (*name, metrics.counter(&FAULTS, [name]));
        InvitationMetrics(Arc::new(Handles {
            accepted: outcome("accepted"),
            duplicate: outcome("duplicate"),
            rejected: outcome("rejected"),
            item: metrics.counter(&FAULTS, ["item"]),
            fields: fields.iter().map(field).collect(),
        }))
    }

    /// One is on disk.
    pub fn accepted(&self) {
        self.0.accepted.increment(1);
    }

    /// One was there already.
    pub fn duplicate(&self) {
        self.0.duplicate.increment(1);
    }

    /// One was rejected for these fields.
    pub fn rejected<'a>(&self, faults: impl IntoIterator<Item = &'a str>) {
        self.0.rejected.increment(1);
        for fault in faults {
            let known = self.0.fields.iter().find(|(name, _)| *name == fault);
            known.map_or(&self.0.item, |(_, counter)| counter).increment(1);
        }
    }
}
