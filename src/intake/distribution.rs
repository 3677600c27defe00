//! Watches how ratings are distributed, and says so when a campaign's look upside down.

use crate::dialogue::distribution::{Distributions, Seen, Verdict};
use crate::model::AccountName;
use crate::telemetry::Metrics;
use crate::telemetry::distribution::DistributionMetrics;
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by whoever reads answers. Cloning shares it.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    distributions: Arc<Mutex<Distributions>>,
    metrics: DistributionMetrics,
}

impl Watch {
    /// Before any rating.
    pub(super) fn new(metrics: &Metrics) -> Watch {
        Watch { distributions: Arc::default(), metrics: DistributionMetrics::new(metrics) }
    }

    /// A rating is on disk.
    pub(super) fn saw(&self, seen: &Seen) {
        let verdicts = self.distributions.lock().unwrap_or_else(PoisonError::into_inner).add(seen);
        for Verdict { of, upside_down } in verdicts {
            let account = of.account.as_ref().map_or("", AccountName::as_str);
            self.metrics.looks(&of.campaign, account, upside_down);
            if upside_down {
                tracing::warn!(
                    campaign = of.campaign,
                    account,
                    "these ratings look upside down: compare what citizens hear or read with the \
                     campaign's `scheme` and `levels`; no rating was altered"
                );
            }
        }
    }
}
