//! What needs no turn, beside the writer: leasing what is due, where what another node is taking is passed over, and recordings.

use super::link::Link;
use super::turn::{News, Turn};
use super::{lease, message, order, recording, writer};
use crate::model::LaneName;
use crate::store::job::{Job, LeaseJob, RawLease, RecordingJob};
use crate::store::{Shared, StoreError};
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Wishes that may wait; each lane and account has one at a time.
const QUEUE: usize = 1024;

/// The way to the task that leases.
#[derive(Debug, Clone)]
pub(super) struct Leaser(mpsc::Sender<Job>);

/// The task.
#[derive(Debug)]
pub(super) struct Leasing {
    link: Link,
    lanes: Vec<(LaneName, i64)>,
    shared: Arc<Shared>,
    jobs: mpsc::Receiver<Job>,
}

impl Leaser {
    /// With the task that serves it.
    pub(super) fn new(
        link: Link,
        lanes: Vec<(LaneName, i64)>,
        shared: Arc<Shared>,
    ) -> (Leaser, Leasing) {
        let (wishes, jobs) = mpsc::channel(QUEUE);
        (Leaser(wishes), Leasing { link, lanes, shared, jobs })
    }

    /// Hands a wish on.
    pub(super) fn take(&self, job: Job) {
        match self.0.try_send(job) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(job)) => refuse(job, || StoreError::Full),
            Err(mpsc::error::TrySendError::Closed(job)) => refuse(job, || StoreError::Closed),
        }
    }
}

impl Leasing {
    /// Serves until the last sender is gone.
    pub(super) async fn run(mut self) {
        while let Some(job) = self.jobs.recv().await {
            match job {
                Job::Lease(job) => {
                    let lanes = &self.lanes;
                    let leased =
                        self.link.run(async |connection| records(connection, lanes, &job).await);
                    let leased = leased.await.map_err(StoreError::Database);
                    drop(job.answer.send(leased));
                }
                Job::LeaseMessages(job) => {
                    let leased =
                        self.link.run(async |connection| message::lease(connection, &job).await);
                    let leased = leased.await.map_err(StoreError::Database);
                    drop(job.answer.send(leased));
                }
                Job::Recording(job) => self.recording(job).await,
                job => refuse(job, || StoreError::Closed),
            }
        }
        self.link.close().await;
    }

    async fn recording(&mut self, job: RecordingJob) {
        match job {
            RecordingJob::Lease { account, max, now, until, answer } => {
                let leased = self.link.run(async |connection| {
                    recording::lease(connection, &account, max, (now, until)).await
                });
                drop(answer.send(leased.await.map_err(StoreError::Database)));
            }
            RecordingJob::Settle { id, settled, now, answer } => {
                let settled = self
                    .link
                    .run(async |connection| recording::settle(connection, id, settled, now).await);
                let settled = settled.await;
                self.shared.grown(matches!(settled, Ok(true)), false);
                drop(answer.send(settled.map(drop).map_err(StoreError::Database)));
            }
            RecordingJob::Erase { ids, answer } => {
                let erased =
                    self.link.run(async |connection| recording::erase(connection, &ids).await);
                drop(answer.send(erased.await.map_err(StoreError::Database)));
            }
        }
    }
}

async fn records(
    connection: &mut PgConnection,
    lanes: &[(LaneName, i64)],
    job: &LeaseJob,
) -> Result<RawLease, sqlx::Error> {
    let lane = writer::lane(lanes, &job.lane)?;
    let mut near = Some(job.near);
    loop {
        if let Some(lease) = lease::lease(connection, lane, job, near).await? {
            return Ok(lease);
        }
        // Deadlines come near a few times a day, so that a turn for it is rare.
        let turn = Turn::begin(connection).await?;
        order::promote(connection, lane, job.near).await?;
        turn.end(connection, News::default()).await?;
        // Some more may be left, and do not hold this lease up.
        near = None;
    }
}

fn refuse(job: Job, why: impl Fn() -> StoreError) {
    match job {
        Job::Lease(job) => drop(job.answer.send(Err(why()))),
        Job::LeaseMessages(job) => drop(job.answer.send(Err(why()))),
        Job::Recording(job) => job.refuse(why()),
        // Nothing else comes here.
        _ => {}
    }
}
