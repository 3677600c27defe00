//! How a command comes to the store: by the configuration, beside a serving gateway or without.

use crate::config::{self, Config, Store};
use crate::store::{KeyRing, Operator, data_key};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// Where the store is.
#[derive(Debug, clap::Args)]
pub(super) struct Archive {
    /// The configuration file of the gateway; without it, the built-in defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Another directory than the configuration's store.directory.
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
        let directory = self.store.as_ref().unwrap_or(&config.store.directory);
        let operator = open(&config.store, directory).await?;
        Ok((config, operator))
    }
}

/// Opens the store in a directory for an operator.
pub(super) async fn open(settings: &Store, directory: &Path) -> anyhow::Result<Operator> {
    let key = data_key::load(directory, settings.key.as_ref())?;
    let ring = KeyRing::new(&key, &settings.old_keys).context("store.key")?;
    Ok(Operator::open(directory, ring).await?)
}
