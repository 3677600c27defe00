//! The one task that has the spool's file: whatever waits to be put there shares one sync of the disk.

use super::{Depth, Job, Put, Row, State, place};
use crate::store::job::Answer;
use crate::store::{Shared, StoreError, sqlite};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Jobs that are served together.
const GROUP: usize = 256;

/// How often a file that failed is tried.
const PROBE: Duration = Duration::from_secs(1);

/// The keeper.
#[derive(Debug)]
pub(super) struct Keeper {
    file: sqlite::Spool,
    shared: Arc<Shared>,
    state: Arc<State>,
}

impl Keeper {
    pub(super) fn new(file: sqlite::Spool, shared: Arc<Shared>, state: Arc<State>) -> Keeper {
        Keeper { file, shared, state }
    }

    /// Serves until the last sender is gone.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP);
        loop {
            if self.state.failing.load(Ordering::Relaxed) {
                match timeout(PROBE, jobs.recv_many(&mut group, GROUP)).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(_) => {
                        let probed = self.file.probe().await;
                        drop(self.judge(probed));
                    }
                }
            } else if jobs.recv_many(&mut group, GROUP).await == 0 {
                break;
            }
            self.serve(group.drain(..)).await;
        }
        self.file.close().await;
    }

    async fn serve(&mut self, jobs: impl Iterator<Item = Job>) {
        let mut puts = Vec::new();
        for job in jobs {
            match job {
                Job::Put(put) => puts.push(put),
                Job::Look(limit, answer) => {
                    let rows = self.file.first(limit).await;
                    drop(answer.send(self.judge(rows)));
                }
                Job::Remove(seqs, answer) => self.remove(&seqs, answer).await,
                Job::PutAside(seqs, answer) => {
                    let done = self.file.put_aside(&seqs).await;
                    self.tell(done, answer);
                }
            }
        }
        if !puts.is_empty() {
            self.put(puts).await;
        }
    }

    async fn put(&mut self, puts: Vec<Put>) {
        let (mut rows, mut answers) = (Vec::with_capacity(puts.len()), Vec::new());
        let (mut bytes, mut seq) = (self.depth().bytes, self.file.next_seq());
        for Put { received_at, plain, answer } in puts {
            let sealed = self.shared.sealer().seal(&place(seq), &plain);
            if bytes + sealed.len() as u64 > self.state.max_bytes {
                drop(answer.send(Err(StoreError::Full)));
                continue;
            }
            bytes += sealed.len() as u64;
            rows.push(Row { seq, received_at, sealed });
            answers.push(answer);
            seq += 1;
        }
        if rows.is_empty() {
            return;
        }
        let was_empty = self.depth().callbacks == 0;
        let done = self.file.put(&rows).await;
        let done = self.judge(done);
        if let Ok(depth) = done {
            self.note(depth);
            self.state.metrics.spooled(answers.len());
            if was_empty {
                tracing::error!(
                    "the database does not take callbacks: they are kept in this node's spool from now on"
                );
            }
        }
        let told = done.map(drop);
        for answer in answers {
            let told = told.as_ref().map_err(|error| StoreError::Database(error.to_string()));
            drop(answer.send(told.copied()));
        }
    }

    async fn remove(&mut self, seqs: &[i64], answer: Answer<()>) {
        let done = self.file.remove(seqs).await;
        let is_empty = done.as_ref().is_ok_and(|depth| depth.callbacks == 0);
        self.tell(done, answer);
        if is_empty {
            tracing::warn!("the spool is empty: all that it held is in the database");
            if let Err(error) = self.file.shrink().await {
                tracing::debug!(%error, "the spool's file did not shrink");
            }
        }
    }

    fn tell(&self, done: Result<Depth, sqlx::Error>, answer: Answer<()>) {
        let done = self.judge(done).map(|depth| self.note(depth));
        drop(answer.send(done));
    }

    /// Notes whether the file works.
    fn judge<T>(&self, done: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        let failed = done.is_err();
        if self.state.failing.swap(failed, Ordering::Relaxed) != failed {
            match &done {
                Err(error) => tracing::error!(%error, "the spool's file failed; it is tried again"),
                Ok(_) => tracing::warn!("the spool's file works again"),
            }
        }
        done.map_err(|error| StoreError::Database(error.to_string()))
    }

    fn depth(&self) -> Depth {
        *self.state.depth.borrow()
    }

    fn note(&self, depth: Depth) {
        self.state.metrics.holds(depth.callbacks, depth.aside, depth.bytes);
        self.state.depth.send_replace(depth);
    }
}
