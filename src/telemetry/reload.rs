//! How the configuration that is in force came to be.

use super::metrics::{Metric, Metrics, Row};
use ::metrics::{Counter, Gauge};
use jiff::Timestamp;

static RELOADS: Metric<Counter, 1> = Metric::counter(
    "bridge8890_config_reloads_total",
    &["outcome"],
    "Times that the configuration was read again: applied, unchanged, needs_restart or wrong.",
);
static READ_AT: Metric<Gauge, 0> = Metric::gauge(
    "bridge8890_config_read_timestamp_seconds",
    &[],
    "When the configuration in force was last read, in seconds since 1970.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[&RELOADS.row, &READ_AT.row];

/// What came of reading the configuration again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// What had changed holds now.
    Applied,
    /// Nothing had changed.
    Unchanged,
    /// Something had changed that holds only from the next start on; the old one stays as a whole.
    NeedsRestart,
    /// It was wrong; the old one stays.
    Wrong,
}

impl Reload {
    const ALL: [Reload; 4] =
        [Reload::Applied, Reload::Unchanged, Reload::NeedsRestart, Reload::Wrong];

    fn name(self) -> &'static str {
        match self {
            Reload::Applied => "applied",
            Reload::Unchanged => "unchanged",
            Reload::NeedsRestart => "needs_restart",
            Reload::Wrong => "wrong",
        }
    }
}

/// The handles. Cloning shares them.
#[derive(Debug, Clone)]
pub struct ReloadMetrics {
    reloads: [(Reload, Counter); 4],
    read_at: Gauge,
}

impl ReloadMetrics {
    /// In a registry, with a configuration that was read at `now`.
    pub fn new(metrics: &Metrics, now: Timestamp) -> ReloadMetrics {
        let counter = |outcome: Reload| (outcome, metrics.counter(&RELOADS, [outcome.name()]));
        let read_at = metrics.gauge(&READ_AT, []);
        read_at.set(now.as_duration().as_secs_f64());
        ReloadMetrics { reloads: Reload::ALL.map(counter), read_at }
    }

    /// It was read again at `now`.
    pub fn reloaded(&self, outcome: Reload, now: Timestamp) {
        if let Some((_, counter)) = self.reloads.iter().find(|(known, _)| *known == outcome) {
            counter.increment(1);
        }
        if matches!(outcome, Reload::Applied | Reload::Unchanged) {
            self.read_at.set(now.as_duration().as_secs_f64());
        }
    }
}
