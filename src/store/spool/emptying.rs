//! Emptying the spool: its callbacks are committed in their order as if they came now, and leave it after that.
//!
//! A crash in between commits some of them again: their keys make them repeats.

use super::{Job, Row, Spool, layout, place};
use crate::store::rows::timestamp;
use crate::store::{Callback, ReadError, Store, StoreError};
use crate::telemetry::Progress;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Callbacks that are on their way to the database at once.
const BATCH: u32 = 256;

/// Tries of one callback alone, with a database that commits others, before it is put aside.
const TRIES: u32 = 5;

/// The longest wait before the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// The wait before what was put aside is tried again, when nothing else comes.
const ASIDE: Duration = Duration::from_secs(60);

/// The worker.
#[derive(Debug)]
pub(super) struct Emptier {
    store: Store,
    spool: Spool,
    progress: Progress,
    /// Callbacks that are still to go alone after a failure, so that one that the database cannot take is told
    /// from the others.
    singly: u32,
    /// How often the first of them failed alone.
    failures: u32,
}

/// What became of a round.
enum Round {
    /// All of it left the spool.
    Done,
    /// The database did not take some of it.
    Failed,
}

impl Emptier {
    pub(super) fn new(store: Store, spool: Spool, progress: Progress) -> Emptier {
        Emptier { store, spool, progress, singly: 0, failures: 0 }
    }

    /// Goes on for ever.
    pub(super) async fn run(mut self) {
        let mut depth = self.spool.state.depth.subscribe();
        loop {
            self.progress.rest();
            let holds = *depth.borrow_and_update();
            let oldest = holds.oldest.map(timestamp);
            self.spool.state.metrics.oldest(self.store.age(oldest));
            if holds.callbacks == 0 {
                if depth.changed().await.is_err() {
                    return;
                }
                continue;
            }
            if self.store.shared.health.is_failing() {
                self.pause(PAUSE).await;
                continue;
            }
            if holds.callbacks == holds.aside
                && let Ok(more) = timeout(ASIDE, depth.changed()).await
            {
                if more.is_err() {
                    return;
                }
                continue;
            }
            self.progress.begin("emptying the spool");
            match self.round().await {
                Ok(Round::Done) => {}
                Ok(Round::Failed) => self.pause(PAUSE).await,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::debug!(%error, "the spool cannot be emptied now");
                    self.pause(PAUSE).await;
                }
            }
        }
    }

    /// Commits the first ones.
    async fn round(&mut self) -> Result<Round, StoreError> {
        let limit = if self.singly == 0 { BATCH } else { 1 };
        let rows = self.spool.ask(|answer| Job::Look(limit, answer)).await?;
        let mut under_way = Vec::with_capacity(rows.len());
        let (mut gone, mut unreadable, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            match self.read(row) {
                Ok(callback) => {
                    let account = callback.account.clone();
                    under_way.push((row.seq, account, self.store.submit(callback)));
                }
                Err(error) => {
                    tracing::error!(%error, "a callback in the spool cannot be read; it stays there");
                    unreadable.push(row.seq);
                }
            }
        }
        for (seq, account, submitted) in under_way {
            let committed = match submitted {
                Ok(told) => told.await.map_err(|_| StoreError::Closed).flatten(),
                Err(error) => Err(error),
            };
            match committed {
                Ok(_) => gone.push(seq),
                Err(StoreError::Replayed) => {
                    tracing::warn!(%account, "a callback of the spool is refused: {}", StoreError::Replayed);
                    self.store.refusals().count(&account, "replayed");
                    self.spool.state.metrics.refused();
                    gone.push(seq);
                }
                Err(StoreError::Closed) => return Err(StoreError::Closed),
                Err(error) => failed.push((seq, error)),
            }
        }
        self.settle(gone, unreadable, failed).await
    }

    async fn settle(
        &mut self,
        gone: Vec<i64>,
        mut aside: Vec<i64>,
        failed: Vec<(i64, StoreError)>,
    ) -> Result<Round, StoreError> {
        let emptied = gone.len();
        if emptied > 0 {
            self.spool.ask(|answer| Job::Remove(gone, answer)).await?;
            self.spool.state.metrics.emptied(emptied);
        }
        match failed.first() {
            None => {
                self.failures = 0;
                self.singly = self.singly.saturating_sub(1);
            }
            Some((seq, error @ StoreError::Database(_))) => {
                // The first failure was that of a batch.
                self.failures += u32::from(self.singly > 0);
                self.singly = BATCH;
                if self.failures == TRIES {
                    tracing::error!(
                        %error,
                        "the database does not take a callback of the spool; it is put aside, and tried again later"
                    );
                    aside.push(*seq);
                }
            }
            // The writer's queue is full.
            Some(_) => {}
        }
        if !aside.is_empty() {
            self.failures = 0;
            self.spool.ask(|answer| Job::PutAside(aside, answer)).await?;
        }
        Ok(if failed.is_empty() { Round::Done } else { Round::Failed })
    }

    fn read(&self, row: &Row) -> Result<Callback, ReadError> {
        let plain = self.store.shared.ring.open(&place(row.seq), &row.sealed)?;
        Ok(layout::decode(&plain)?)
    }

    async fn pause(&self, longest: Duration) {
        self.progress.rest();
        sleep(longest.mul_f64(0.5 + self.store.fraction() / 2.0)).await;
    }
}
