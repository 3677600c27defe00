//! Whether campaigns' ratings look upside down.

use super::metrics::{Metric, Metrics, Row};
use ::metrics::Gauge;

static UPSIDE_DOWN: Metric<Gauge, 2> = Metric::gauge(
    "bridge8890_campaign_upside_down",
    &["campaign", "account"],
    "1 while a campaign's ratings look as if its digits were read the wrong way round; `account` is empty for those of all accounts.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[&UPSIDE_DOWN.row];

/// Makes the handles of campaigns as they are first rated: which there are may change while serving.
#[derive(Debug, Clone)]
pub struct DistributionMetrics(Metrics);

impl DistributionMetrics {
    /// In a registry.
    #[must_use]
    pub fn new(metrics: &Metrics) -> DistributionMetrics {
        DistributionMetrics(metrics.clone())
    }

    /// The ratings of a campaign, or of those that an account brought, look upside down or do not.
    pub fn looks(&self, campaign: &str, account: &str, upside_down: bool) {
        let gauge = self.0.gauge(&UPSIDE_DOWN, [campaign, account]);
        gauge.set(if upside_down { 1.0 } else { 0.0 });
    }
}
