//! The nodes that share a store: which live, and that we do.

use super::engine::Desk;
use super::postgres::Register;
use super::{OpenError, Operator, Store, StoreError, postgres, sqlite};
use crate::lifecycle::Tasks;
use crate::telemetry::Metrics;
use crate::telemetry::nodes::NodeMetrics;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// A node that was not seen for so long is gone.
pub const GONE: Duration = Duration::from_secs(10);

/// The time between two beats of a node that lives.
const BEAT: Duration = Duration::from_millis(3_300);

/// After this time the others have seen a node that arrived, and their lanes count with it.
const SEEN: Duration = Duration::from_secs(5);

/// Whether others share the store.
#[derive(Debug)]
pub(super) enum Cluster {
    /// This process has it to itself.
    Alone,
    /// Nodes know of each other by this.
    Shared(Register),
}

/// This node and the others.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) cluster: Cluster,
    pub(super) metrics: NodeMetrics,
    living: watch::Sender<u32>,
}

impl Nodes {
    pub(super) fn new(cluster: Cluster, metrics: &Metrics) -> Nodes {
        let known = match &cluster {
            Cluster::Alone => 1,
            Cluster::Shared(_) => 0,
        };
        Nodes { cluster, metrics: NodeMetrics::new(metrics), living: watch::Sender::new(known) }
    }
}

/// A node as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name in its configuration.
    pub name: String,
    /// Since when it serves.
    pub started_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// The version that it runs.
    pub version: String,
    /// The work that it owns, in order.
    pub owns: Vec<String>,
}

impl Node {
    /// Whether it lives, at this time.
    #[must_use]
    pub fn lives(&self, now: Timestamp) -> bool {
        // One whose clock is ahead of ours was seen just now.
        let unseen = Duration::try_from(now.duration_since(self.seen_at)).unwrap_or_default();
        unseen < GONE
    }
}

/// Who serves from a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serving {
    /// One process may, and owns everything then.
    Alone {
        /// Whether one does now.
        serves: bool,
    },
    /// These nodes, by name; those of the last day that are gone are among them.
    Nodes(Vec<Node>),
}

/// What a beat found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// Nodes that live, this one among them.
    pub living: u32,
    /// Another process has taken this node's name.
    pub doubled: bool,
}

impl Store {
    /// How many nodes live, this one among them: 1 where the process has the store to itself, and 0 until all others can have
    /// seen this one. While the store is away it is as it was last.
    #[must_use]
    pub fn living_nodes(&self) -> watch::Receiver<u32> {
        self.nodes.living.subscribe()
    }

    /// Says that this node lives.
    ///
    /// # Errors
    /// [`StoreError`]; to the others it is gone after [`GONE`].
    pub async fn heartbeat(&self) -> Result<Beat, StoreError> {
        match &self.nodes.cluster {
            Cluster::Alone => Ok(Beat { living: 1, doubled: false }),
            Cluster::Shared(register) => register.beat(self.clock.now()).await.map_err(failed),
        }
    }

    /// Lets the others know that this node lives, until the soft stop, and then that it is gone.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be told.
    pub async fn join(&self, tasks: &Tasks) -> Result<(), StoreError> {
        let Cluster::Shared(register) = &self.nodes.cluster else {
            self.nodes.metrics.living(1);
            return Ok(());
        };
        let beat = register.arrive(self.clock.now()).await.map_err(failed)?;
        let (store, stop) = (self.clone(), tasks.clone());
        tasks.spawn_vital("heartbeat", async move { store.live(beat, &stop).await });
        Ok(())
    }

    async fn live(&self, arrived: Beat, stop: &Tasks) {
        if arrived.living > 1 {
            tokio::select! {
                () = stop.stopping() => {}
                () = sleep(SEEN) => {}
            }
        }
        while !stop.is_stopping() {
            match timeout(BEAT, self.heartbeat()).await {
                Ok(Ok(beat)) => self.count_nodes(beat),
                Ok(Err(error)) => self.nodes.metrics.not_heard(&error),
                Err(_) => self.nodes.metrics.not_heard(&"no answer in time"),
            }
            tokio::select! {
                () = stop.stopping() => {}
                () = sleep(BEAT.mul_f64(0.75 + self.fraction() / 4.0)) => {}
            }
        }
        if let Cluster::Shared(register) = &self.nodes.cluster
            && let Err(error) = register.depart().await
        {
            self.nodes.metrics.not_heard(&error);
        }
    }

    fn count_nodes(&self, Beat { living, doubled }: Beat) {
        if doubled {
            tracing::error!(
                "another process serves under this node's name; give each node a name of its own"
            );
        }
        self.nodes.metrics.living(living);
        self.nodes.living.send_if_modified(|known| {
            let is_new = *known != living;
            *known = living;
            is_new
        });
    }

    /// A number from 0 up to 1, for jitter.
    pub(super) fn fraction(&self) -> f64 {
        self.shared.entropy.fraction()
    }
}

impl Operator {
    /// Who serves from the store.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn serving(&self, now: Timestamp) -> Result<Serving, OpenError> {
        match &self.desk {
            Desk::Sqlite(directory) => Ok(Serving::Alone { serves: sqlite::is_served(directory)? }),
            Desk::Postgres(connector) => {
                let mut connection = connector.connect().await?;
                Ok(Serving::Nodes(postgres::nodes(&mut connection, now).await?))
            }
        }
    }
}

pub(super) fn failed(error: sqlx::Error) -> StoreError {
    StoreError::Database(error.to_string())
}
