//! How a command comes to the store: by the configuration, beside a serving gateway or without.

use crate::config::{self, Config, Store};
use crate::store::{KeyRing, Operator, Place, data_key};
use anyhow::Context;
use std::path::PathBuf;

/// Where the store is.
#[derive(Debug, clap::Args)]
pub(super) struct Archive {
    /// The configuration file of the gateway; without it, the built-in defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The store in this directory, whatever the configuration says of it.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

impl Archive {
    /// Opens the store for an operator.
    pub(super) async fn open(&self) -> anyhow::Result<Operator> {
        Ok(self.open_with_config().await?.1)
    }

    /// The same with the whole configuration.
    pub(super) async fn open_with_config(&self) -> anyhow::Result<(Config, Operator)> {
        let config = config::load(self.config.as_deref())?;
        let given = self.store.clone().map(Place::Directory);
        let place = given.unwrap_or_else(|| Place::of(&config.store));
        let operator = open_at(&config.store, &place).await?;
        Ok((config, operator))
    }
}

/// Opens the store where the configuration has it, for an operator.
pub(super) async fn open(settings: &Store) -> anyhow::Result<Operator> {
    open_at(settings, &Place::of(settings)).await
}

async fn open_at(settings: &Store, place: &Place) -> anyhow::Result<Operator> {
    let key = data_key::load(place, settings.key.as_ref())?;
    let ring = KeyRing::new(&key, &settings.old_keys).context("store.key")?;
    Ok(Operator::open(place, ring).await?)
}
