//! The spool: callbacks that this node keeps on its own disk while the shared database is away.
//!
//! They are acknowledged when they are on that disk, and go to the database as if they came then, oldest first
//! (`emptying.rs`). Until all have gone, later ones of this node go behind them.

mod emptying;
mod keeper;
mod layout;

use super::callback::Callback;
use super::health::Unwell;
use super::job::Answer;
use super::{Committed, OpenError, Store, StoreError, sqlite};
use crate::lifecycle::Tasks;
use crate::telemetry::spool::SpoolMetrics;
use crate::telemetry::{Metrics, Progress};
use emptying::Emptier;
use keeper::Keeper;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot, watch};

/// Callbacks that may wait for the disk.
const QUEUE: usize = 1024;

/// Where the spool is, and how much it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolOptions {
    /// The directory of its file, which one process at a time has.
    pub directory: PathBuf,
    /// Bytes of callbacks that it takes, at most.
    pub max_bytes: u64,
}

/// How a callback was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is in the database.
    Committed(Committed),
    /// It is in this node's spool. What of it is a repeat is decided when it leaves that.
    Spooled,
}

/// What lies in a spool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Callbacks.
    pub callbacks: u64,
    /// Those of them that the database did not take when it took others: they are tried again after all others.
    pub aside: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// When the first of them arrived, in milliseconds.
    pub oldest: Option<i64>,
}

/// The spool, shared by cloning.
#[derive(Debug, Clone)]
pub(super) struct Spool {
    jobs: mpsc::Sender<Job>,
    state: Arc<State>,
}

/// What the keeper and its callers share.
#[derive(Debug)]
struct State {
    depth: watch::Sender<Depth>,
    max_bytes: u64,
    disk_low: AtomicBool,
    failing: AtomicBool,
    metrics: SpoolMetrics,
}

/// What the keeper is asked for.
#[derive(Debug)]
enum Job {
    /// To put a callback behind all others.
    Put(Put),
    /// To show the first ones: all that were never put aside, or one that was.
    Look(u32, Answer<Vec<Row>>),
    /// To take these out.
    Remove(Vec<i64>, Answer<()>),
    /// To put these behind all that were put aside less often.
    PutAside(Vec<i64>, Answer<()>),
}

/// A callback on its way into the spool, laid out and not sealed yet.
#[derive(Debug)]
struct Put {
    received_at: i64,
    plain: Vec<u8>,
    answer: Answer<()>,
}

/// A callback in the spool.
#[derive(Debug)]
pub(super) struct Row {
    /// Its place.
    pub(super) seq: i64,
    /// When it arrived, in milliseconds.
    pub(super) received_at: i64,
    /// The callback, sealed for its place.
    pub(super) sealed: Vec<u8>,
}

/// The place that a callback in the spool is sealed for.
fn place(seq: i64) -> [u8; 13] {
    let mut place = *b"spool\0\0\0\0\0\0\0\0";
    place[5..].copy_from_slice(&seq.to_le_bytes());
    place
}

impl Spool {
    /// Whether it takes callbacks now: no I/O, no waiting.
    fn check(&self) -> Result<(), Unwell> {
        if self.state.failing.load(Ordering::Relaxed) {
            Err(Unwell::Failing)
        } else if self.state.disk_low.load(Ordering::Relaxed) {
            Err(Unwell::DiskFloor)
        } else if self.state.depth.borrow().bytes >= self.state.max_bytes {
            Err(Unwell::SpoolFull)
        } else if self.jobs.capacity() == 0 {
            Err(Unwell::Behind)
        } else {
            Ok(())
        }
    }

    /// Whether callbacks wait that later ones must not overtake.
    fn is_waited_in(&self) -> bool {
        let depth = self.state.depth.borrow();
        depth.callbacks > depth.aside
    }

    /// Notes the volume's room. Returns whether that changed what is accepted.
    pub(super) fn disk(&self, free: u64, floor: u64) -> bool {
        let low = free < floor;
        self.state.disk_low.swap(low, Ordering::Relaxed) != low
    }

    /// Keeps a callback, and returns once it is on disk.
    async fn put(&self, callback: &Callback) -> Result<(), StoreError> {
        self.check().map_err(|unwell| match unwell {
            Unwell::Behind => StoreError::Full,
            other => StoreError::Database(other.to_string()),
        })?;
        let plain = layout::encode(callback);
        let plain = plain.map_err(|error| StoreError::Database(error.to_string()))?;
        let received_at = callback.received_at.as_millisecond();
        let (answer, told) = oneshot::channel();
        let put = Job::Put(Put { received_at, plain, answer });
        self.jobs.try_send(put).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Full,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        told.await.map_err(|_| StoreError::Closed)?
    }

    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, StoreError> {
        let (answer, told) = oneshot::channel();
        self.jobs.send(job(answer)).await.map_err(|_| StoreError::Closed)?;
        told.await.map_err(|_| StoreError::Closed)?
    }
}

impl Store {
    /// The same store with a spool, whose keeper runs among `tasks`, those of the store.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn with_spool(
        self,
        options: &SpoolOptions,
        metrics: &Metrics,
        tasks: &Tasks,
    ) -> Result<Store, OpenError> {
        let (file, depth) = sqlite::Spool::open(&options.directory).await?;
        let state = Arc::new(State {
            depth: watch::Sender::new(depth),
            max_bytes: options.max_bytes,
            disk_low: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            metrics: SpoolMetrics::new(metrics),
        });
        state.metrics.holds(depth.callbacks, depth.aside, depth.bytes);
        if depth.callbacks > 0 {
            let Depth { callbacks, bytes, .. } = depth;
            tracing::warn!(
                callbacks,
                bytes,
                "the spool is emptied first: it holds callbacks from before this start"
            );
        }
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let keeper = Keeper::new(file, Arc::clone(&self.shared), Arc::clone(&state));
        tasks.spawn_vital("spool", keeper.run(waiting));
        Ok(Store { spool: Some(Spool { jobs, state }), ..self })
    }

    /// Empties the spool, if there is one, into the database from now on until the soft stop of `tasks`.
    pub fn empty_spool(&self, progress: &Progress, tasks: &Tasks) {
        let Some(spool) = &self.spool else { return };
        let (store, spool, stop) = (self.clone(), spool.clone(), tasks.clone());
        let winding = progress.clone();
        tasks.spawn_watched(progress, move || {
            let emptier = Emptier::new(store.clone(), spool.clone(), winding.clone());
            let stop = stop.clone();
            async move {
                tokio::select! {
                    () = emptier.run() => {}
                    () = stop.stopping() => {}
                }
            }
        });
    }

    /// Whether callbacks of carriers may be accepted now, in the database or in the spool: no I/O, no waiting.
    ///
    /// # Errors
    /// What stands against it.
    pub fn admits_callbacks(&self) -> Result<(), Unwell> {
        match &self.spool {
            Some(spool) if self.shared.health.is_failing() => spool.check(),
            _ => self.admits(),
        }
    }

    /// What lies in the spool; `None` without one.
    #[must_use]
    pub fn spooled(&self) -> Option<Depth> {
        self.spool.as_ref().map(|spool| *spool.state.depth.borrow())
    }

    /// Stores a callback, or keeps it in the spool while the database is away or others still wait there. A
    /// spool that takes no more has it go to the database at once, before those that wait.
    ///
    /// # Errors
    /// [`StoreError`], as [`Store::commit`]; the callback is then in neither.
    pub async fn accept(&self, callback: Callback) -> Result<Kept, StoreError> {
        let Some(spool) = &self.spool else {
            return Ok(Kept::Committed(self.commit(callback).await?));
        };
        let away = self.shared.health.is_failing();
        if away || spool.is_waited_in() {
            match spool.put(&callback).await {
                Ok(()) => return Ok(Kept::Spooled),
                Err(error) if away => return Err(error),
                Err(error) => tracing::debug!(%error, "the spool is passed by"),
            }
        }
        match self.commit(callback.clone()).await {
            // If it was committed after all, it is a repeat when it leaves the spool.
            Err(StoreError::Database(_)) => spool.put(&callback).await.map(|()| Kept::Spooled),
            committed => committed.map(Kept::Committed),
        }
    }
}

/// What lies in the spool of a directory, beside whoever serves with it; `None`: there never was one.
///
/// # Errors
/// [`OpenError`].
pub async fn spooled_in(directory: &Path) -> Result<Option<Depth>, OpenError> {
    sqlite::spooled_in(directory).await
}
