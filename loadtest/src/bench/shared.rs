//! A database server for scenarios, and nodes that share a fresh database of it.

use super::field::Field;
use crate::gateway::{Setup, Shared};
use crate::server::Server;
use bridge8890::clock::Entropy;
use std::fmt::Write;
use std::path::PathBuf;
use tempfile::TempDir;

/// The one database that there is at a time.
const DATABASE: &str = "gateway";

/// A server, and the data key of its nodes.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) server: Server,
    key: PathBuf,
}

impl Ground {
    /// Starts a server, with settings of its own, on the disk of everything else.
    pub(super) async fn prepare(field: &Field, settings: &[&str]) -> anyhow::Result<Ground> {
        field.say("starting PostgreSQL".to_owned());
        let server = Server::start(field.path("postgres"), settings).await?;
        let mut key = String::new();
        for byte in Entropy::system().bytes::<32>() {
            write!(key, "{byte:02x}")?;
        }
        let file = field.path("data.key");
        std::fs::write(&file, key)?;
        Ok(Ground { server, key: file.canonicalize()? })
    }

    /// So many nodes that share a new database and know the same platform, each with the directory of its own.
    pub(super) async fn nodes(
        &self,
        field: &Field,
        count: usize,
    ) -> anyhow::Result<Vec<(Setup, TempDir)>> {
        let url = self.server.create(DATABASE).await?;
        let mut nodes: Vec<(Setup, TempDir)> = Vec::with_capacity(count);
        for number in 1..=count {
            let (mut setup, directory) = field.fresh_gateway()?;
            let (url, key) = (url.clone(), self.key.clone());
            setup.shared = Some(Shared { url, key, node: format!("node-{number}") });
            match nodes.first() {
                None => setup.migrate().await?,
                Some((first, _)) => setup.platform = first.platform,
            }
            nodes.push((setup, directory));
        }
        Ok(nodes)
    }

    /// Takes the database away.
    pub(super) async fn clear(&self) -> anyhow::Result<()> {
        self.server.drop(DATABASE).await
    }
}
