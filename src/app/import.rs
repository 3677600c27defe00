//! Invitations that a command brings: taken by the store itself where no gateway serves.

use super::{STORE_GRACE, open_alone};
use crate::clock::{Clock, Entropy};
use crate::config::{self, Config};
use crate::intake::Invitations;
use crate::intake::invitations::{Answer, Call, Refusal};
use crate::lifecycle::Tasks;
use crate::telemetry::Metrics;
use anyhow::{Context, Result};
use std::sync::Arc;

/// The store, for as long as a command brings invitations.
#[derive(Debug)]
pub struct Import {
    invitations: Invitations,
    tasks: Tasks,
}

impl Import {
    /// Opens the store; `None` when a gateway serves, which then takes them itself.
    ///
    /// # Errors
    /// Why the store cannot be opened.
    pub async fn open(
        config: &Config,
        settings: &Arc<config::Invitations>,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Option<Import>> {
        let metrics = Metrics::new().context("the metrics registry")?;
        let alone = open_alone(config, clock, entropy, &metrics).await?;
        Ok(alone.map(|(intake, tasks)| Import {
            invitations: Invitations::new(intake, settings, &metrics),
            tasks,
        }))
    }

    /// Reads and commits a call. The citizens are asked once a gateway serves.
    ///
    /// # Errors
    /// [`Refusal`]; nothing of the call is kept.
    pub async fn take(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        self.invitations.accept_own(call).await
    }

    /// Closes the store.
    pub async fn close(self) {
        drop(self.invitations);
        self.tasks.shut_down(STORE_GRACE, |_| ()).await;
    }
}
