//! The one writer: gathers whatever waits into a group, commits it, and tells each caller.
//!
//! While one transaction runs the next group gathers; nothing waits for a group to fill.
//! Accepted callbacks, leases and settlements share the transaction, because each commit costs a
//! sync of the disk whatever it holds.

use super::filed::Filed;
use super::group;
use super::lease::{self, Changed};
use super::script::Script;
use super::{checkpoint, open, purge, reread};
use crate::clock::Clock;
use crate::model::LaneName;
use crate::store::job::{Answer, CommitJob, Job, LeaseJob, PurgeJob, RawLease, RereadJob};
use crate::store::keys::KeyIndex;
use crate::store::{Committed, LeaseToken, Settlement, Shared, StoreError};
use crate::telemetry::{Progress, store as telemetry};
use sqlx::{Connection, SqliteConnection};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often a store that failed tries whether it works again, when nobody asks it to.
const PROBE: Duration = Duration::from_secs(1);

/// Steps of the clock that are too small to matter to due times, in milliseconds.
const CLOCK_STEP: i64 = 1_000;

/// What the writer knows without asking the database. Rebuilt from it after every failure.
#[derive(Debug)]
pub(in crate::store) struct State {
    pub(super) next_callback: i64,
    pub(super) next_record: i64,
    pub(super) keys: KeyIndex,
    /// The newest log row that is filed, and the newest that is gone for it.
    pub(super) filed_log: i64,
    pub(super) trimmed_log: i64,
    /// The record up to which this round of purging has looked.
    pub(super) purged_to: i64,
}

/// The writer's task.
#[derive(Debug)]
pub(in crate::store) struct Writer {
    connection: SqliteConnection,
    state: State,
    lanes: BTreeMap<LaneName, i64>,
    shared: Arc<Shared>,
    clock: Clock,
    max_group: usize,
    next_token: i64,
    progress: Progress,
    /// After a failure, until memory agrees with the disk again.
    stale: bool,
    /// The time of the last transaction, in milliseconds.
    seen_at: i64,
}

/// What one transaction is to hold.
#[derive(Default)]
struct Group {
    commits: Vec<CommitJob>,
    rereads: Vec<RereadJob>,
    leases: Vec<LeaseJob>,
    settlements: Vec<(Settlement, Answer<usize>)>,
    purges: Vec<(PurgeJob, Answer<u64>)>,
    checkpoints: Vec<Answer<()>>,
}

/// What one transaction came to.
#[derive(Default)]
struct Written {
    committed: Vec<Result<Committed, StoreError>>,
    leased: Vec<RawLease>,
    settled: Vec<Changed>,
    records: u64,
    /// By how many rows the queue grew, or shrank.
    queued: i64,
}

impl Writer {
    /// Over an opened database.
    pub(in crate::store) fn new(
        (connection, state, lanes): (SqliteConnection, State, BTreeMap<LaneName, i64>),
        shared: Arc<Shared>,
        clock: Clock,
        max_group: usize,
        progress: Progress,
    ) -> Writer {
        Writer {
            connection,
            state,
            lanes,
            shared,
            clock,
            max_group,
            next_token: 1,
            progress,
            stale: false,
            seen_at: 0,
        }
    }

    /// Serves until the last sender is gone.
    pub(in crate::store) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            let first = if self.shared.health.is_failing() {
                match tokio::time::timeout(PROBE, jobs.recv()).await {
                    Ok(first) => first,
                    Err(_) => {
                        self.probe().await;
                        continue;
                    }
                }
            } else {
                jobs.recv().await
            };
            let Some(first) = first else { break };
            self.progress.step();
            let mut group = Group::default();
            group.add(first);
            // Requests that are ready to run join this group instead of waiting for the next.
            tokio::task::yield_now().await;
            while group.commits.len() < self.max_group {
                let Ok(job) = jobs.try_recv() else { break };
                group.add(job);
            }
            self.serve(group).await;
            self.progress.rest();
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database did not close cleanly; the next start repairs it");
        }
    }

    async fn serve(&mut self, mut group: Group) {
        // What memory holds of a failed group must not decide about the next one.
        if self.stale
            && let Err(error) = self.recover().await
        {
            return group.refuse(&error.to_string());
        }
        let checkpoints = std::mem::take(&mut group.checkpoints);
        let purges = std::mem::take(&mut group.purges);
        let rereads = std::mem::take(&mut group.rereads);
        if !group.is_empty() {
            let started = tokio::time::Instant::now();
            match self.transact(&mut group).await {
                Ok(written) => {
                    self.shared.health.succeeded();
                    let committed = written.committed.iter().flatten();
                    let repeats = committed.clone().flat_map(|done| &done.fresh);
                    self.shared.metrics.committed(telemetry::Group {
                        took: started.elapsed(),
                        callbacks: committed.count(),
                        repeats: repeats.filter(|fresh| !**fresh).count(),
                        records: written.records,
                    });
                    self.shared.pending(written.queued);
                    group.tell(written);
                }
                Err(error) => {
                    let reason = error.to_string();
                    self.fail(&reason);
                    group.refuse(&reason);
                }
            }
        }
        for job in rereads {
            self.serve_reread(job).await;
        }
        for (job, answer) in purges {
            let purged = self.purge(&job).await;
            if let Err(error) = &purged {
                self.fail(&error.to_string());
            }
            drop(answer.send(purged.map_err(|error| StoreError::Database(error.to_string()))));
        }
        for answer in checkpoints {
            let done = checkpoint::passive(&mut self.connection).await;
            let done = done.map(drop).map_err(|error| StoreError::Database(error.to_string()));
            drop(answer.send(done));
        }
    }

    /// Commits a group in one trip to the database.
    async fn transact(&mut self, group: &mut Group) -> Result<Written, sqlx::Error> {
        let filed =
            Filed::of_commits(&mut self.connection, &self.state.keys, &group.commits).await?;
        let now = self.clock.now().as_millisecond();
        let mut script = Script::default();
        script.add("BEGIN IMMEDIATE");
        if now + CLOCK_STEP < self.seen_at {
            lease::step_back(&mut script, self.seen_at - now);
        }
        let mut settling = Vec::with_capacity(group.settlements.len());
        for (settlement, _) in &group.settlements {
            let lane = lane(&self.lanes, &settlement.lane)?;
            settling.push(lease::settle(&mut script, lane, now, settlement)?);
        }
        let lanes: Vec<i64> = self.lanes.values().copied().collect();
        let first_record = self.state.next_record;
        let committed = group::add(
            &mut script,
            &mut self.state,
            &lanes,
            &mut group.commits,
            (&filed, &self.shared.ring, &self.shared.entropy),
        )?;
        let mut leasing = Vec::with_capacity(group.leases.len());
        for job in &group.leases {
            let token = LeaseToken(self.next_token);
            self.next_token += 1;
            let lane = lane(&self.lanes, &job.lane)?;
            leasing.push((token, job.until, lease::lease(&mut script, lane, token, job)));
        }
        group::file_keys(&mut script, &mut self.state)?;
        let trimming = group::trim_log(&mut script, &self.state);
        script.add("COMMIT");

        let done = script.run(&mut self.connection).await?;
        self.seen_at = now;
        if trimming.is_some_and(|place| done.changes(place) == 0) {
            self.state.trimmed_log = self.state.filed_log;
        }
        let settled: Vec<Changed> = settling.iter().map(|one| one.changed(&done)).collect();
        let left: u64 = settled.iter().map(|changed| changed.left).sum();
        let records = self.state.next_record - first_record;
        Ok(Written {
            committed,
            leased: leasing
                .into_iter()
                .map(|(token, until, place)| {
                    let rows = done.rows(place).iter().map(lease::leased_row).collect();
                    RawLease { token, until, rows }
                })
                .collect(),
            settled,
            records: u64::try_from(records).unwrap_or(0),
            queued: records * i64::try_from(lanes.len()).unwrap_or(0)
                - i64::try_from(left).unwrap_or(0),
        })
    }

    /// Stores what another reading of a quarantined callback came to, in a transaction of its own.
    async fn serve_reread(&mut self, mut job: RereadJob) {
        let started = tokio::time::Instant::now();
        let done = match self.reread(&mut job).await {
            Ok(done) => {
                self.shared.health.succeeded();
                self.shared.metrics.committed(telemetry::Group {
                    took: started.elapsed(),
                    callbacks: 0,
                    repeats: 0,
                    records: u64::try_from(done.records).unwrap_or(0),
                });
                let lanes = i64::try_from(self.lanes.len()).unwrap_or(0);
                self.shared.pending(done.records * lanes);
                Ok(Committed { seq: job.seq, fresh: done.fresh })
            }
            Err(error) => {
                self.fail(&error.to_string());
                Err(StoreError::Database(error.to_string()))
            }
        };
        drop(job.answer.send(done));
    }

    async fn reread(&mut self, job: &mut RereadJob) -> Result<reread::Reread, sqlx::Error> {
        if self.stale {
            self.recover().await?;
        }
        let lanes: Vec<i64> = self.lanes.values().copied().collect();
        let now = self.clock.now().as_millisecond();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let done = reread::reread(&mut self.connection, &mut self.state, &lanes, job, now).await?;
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        Ok(done)
    }

    async fn purge(&mut self, job: &PurgeJob) -> Result<u64, sqlx::Error> {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let purged = purge::purge(&mut self.connection, &mut self.state, job).await?;
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        Ok(purged)
    }

    /// Memory may now know keys that the disk does not, or the reverse.
    fn fail(&mut self, reason: &str) {
        if self.shared.health.failed() {
            tracing::error!(reason, "a commit failed; nothing new is accepted until one succeeds");
        }
        self.shared.metrics.failed();
        self.stale = true;
    }

    async fn recover(&mut self) -> Result<(), sqlx::Error> {
        // Without an open transaction this fails, which is as good.
        drop(sqlx::query("ROLLBACK").execute(&mut self.connection).await);
        self.state = open::load_state(&mut self.connection).await?;
        self.stale = false;
        Ok(())
    }

    /// Tries a commit of its own, so that the store reopens without a carrier's help.
    async fn probe(&mut self) {
        let written = async {
            self.recover().await?;
            let now = self.clock.now().as_millisecond().to_le_bytes().to_vec();
            sqlx::query("INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', ?)")
                .bind(now)
                .execute(&mut self.connection)
                .await
        };
        if written.await.is_ok() {
            self.shared.health.succeeded();
            tracing::info!("the store commits again");
        }
    }
}

fn lane(lanes: &BTreeMap<LaneName, i64>, name: &LaneName) -> Result<i64, sqlx::Error> {
    lanes.get(name).copied().ok_or_else(|| {
        sqlx::Error::Protocol(format!("the store was opened without the lane `{name}`"))
    })
}

impl Group {
    fn add(&mut self, job: Job) {
        match job {
            Job::Commit(job) => self.commits.push(*job),
            Job::Reread(job) => self.rereads.push(*job),
            Job::Lease(job) => self.leases.push(job),
            Job::Settle(settlement, answer) => self.settlements.push((settlement, answer)),
            Job::Purge(job, answer) => self.purges.push((job, answer)),
            Job::FinishCheckpoint(answer) => self.checkpoints.push(answer),
        }
    }

    fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.leases.is_empty() && self.settlements.is_empty()
    }

    /// Tells each caller its own result. Whoever stopped listening is not missed.
    fn tell(self, written: Written) {
        for (job, committed) in self.commits.into_iter().zip(written.committed) {
            drop(job.answer.send(committed));
        }
        for (job, leased) in self.leases.into_iter().zip(written.leased) {
            drop(job.answer.send(Ok(leased)));
        }
        for ((_, answer), changed) in self.settlements.into_iter().zip(written.settled) {
            drop(answer.send(Ok(usize::try_from(changed.lost).unwrap_or(usize::MAX))));
        }
    }

    /// Tells each caller that the whole group failed.
    fn refuse(self, reason: &str) {
        let error = || StoreError::Database(reason.to_owned());
        self.commits.into_iter().for_each(|job| drop(job.answer.send(Err(error()))));
        self.rereads.into_iter().for_each(|job| drop(job.answer.send(Err(error()))));
        self.leases.into_iter().for_each(|job| drop(job.answer.send(Err(error()))));
        self.settlements.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error()))));
        self.purges.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error()))));
        self.checkpoints.into_iter().for_each(|answer| drop(answer.send(Err(error()))));
    }
}
