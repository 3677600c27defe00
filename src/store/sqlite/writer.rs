//! The one writer: gathers whatever waits into a group, commits it, and tells each caller.
//!
//! While one transaction runs the next group gathers; nothing waits for a group to fill.
//! Accepted callbacks, leases and settlements share the transaction, because each commit costs a
//! sync of the disk whatever it holds.

use super::outcome::{AllLeasing, AllSettling};
use super::script::Script;
use super::{
    checkpoint, filed, group, inbox, lease, ledger, message, open, purge, recording, reread,
};
use crate::clock::Clock;
use crate::model::LaneName;
use crate::store::engine::Ground;
use crate::store::gathered::{AllRefused, Folds, Group, Written};
use crate::store::job::{Answer, Job, PurgeJob, RereadJob};
use crate::store::keys::KeyIndex;
use crate::store::plan::Places;
use crate::store::{Committed, LeaseToken, Shared, StoreError};
use crate::telemetry::{Progress, store as telemetry};
use sqlx::{Connection, SqliteConnection};
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
    pub(super) places: Places,
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
    lanes: Vec<(LaneName, i64)>,
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

impl Writer {
    /// Over an opened database.
    pub(in crate::store) fn new(
        (connection, state, lanes): (SqliteConnection, State, Vec<(LaneName, i64)>),
        Ground { shared, clock, max_group, progress }: Ground,
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
        let recordings = std::mem::take(&mut group.recordings);
        let folds = std::mem::take(&mut group.folds);
        let refused = std::mem::take(&mut group.refused);
        if !group.is_empty() {
            let started = tokio::time::Instant::now();
            match self.transact(&mut group).await {
                Ok(written) => {
                    self.shared.health.succeeded();
                    self.shared.metrics.committed(written.measured(started.elapsed()));
                    self.shared.pending(written.queued, written.records + written.released > 0);
                    self.shared.grown(written.arrived, written.messages);
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
        for job in recordings {
            // Not within what a failed group left open.
            if self.stale
                && let Err(error) = self.recover().await
            {
                job.refuse(StoreError::Database(error.to_string()));
                continue;
            }
            match recording::serve(&mut self.connection, job).await {
                Ok(news) => self.shared.grown(news, false),
                Err(error) => self.fail(&error),
            }
        }
        for (job, answer) in purges {
            let purged = self.purge(&job).await;
            if let Err(error) = &purged {
                self.fail(&error.to_string());
            }
            drop(answer.send(purged.map_err(|error| StoreError::Database(error.to_string()))));
        }
        self.serve_ledger(folds, refused).await;
        for answer in checkpoints {
            let done = checkpoint::passive(&mut self.connection).await;
            let done = done.map(drop).map_err(|error| StoreError::Database(error.to_string()));
            drop(answer.send(done));
        }
    }

    /// Commits a group in one trip to the database.
    async fn transact(&mut self, group: &mut Group) -> Result<Written, sqlx::Error> {
        let (connection, keys) = (&mut self.connection, &self.state.keys);
        let found = filed::of_group(connection, keys, &group.commits, &group.conclusions).await?;
        let standing = inbox::standing(connection, &group.conclusions).await?;
        let now = self.clock.now().as_millisecond();
        let mut script = Script::default();
        script.add("BEGIN IMMEDIATE");
        if now + CLOCK_STEP < self.seen_at {
            lease::step_back(&mut script, self.seen_at - now);
            message::step_back(&mut script, self.seen_at, self.seen_at - now);
            recording::step_back(&mut script, self.seen_at - now);
        }
        let settling = self.settle(&mut script, group, now)?;
        let lanes: Vec<i64> = self.lanes.iter().map(|(_, id)| *id).collect();
        let sealer = self.shared.sealer();
        let (committed, added) =
            group::add(&mut script, &mut self.state, &lanes, &mut group.commits, (&found, sealer))?;
        let known = (&found, standing, sealer);
        let jobs = &mut group.conclusions;
        let concluding = inbox::conclude(&mut script, &mut self.state, &lanes, known, jobs, now)?;
        let leasing = self.lease(&mut script, group)?;
        group::file_keys(&mut script, &mut self.state)?;
        let trimming = group::trim_log(&mut script, &self.state);
        script.add("COMMIT");

        let done = script.run(&mut self.connection).await?;
        self.seen_at = now;
        if trimming.is_some_and(|place| done.changes(place) == 0) {
            self.state.trimmed_log = self.state.filed_log;
        }
        let mut written = Written { committed, ..Written::default() };
        written.add(&added, lanes.len(), &done);
        written.conclude(concluding, lanes.len(), &done);
        written.settle(&settling, &done);
        written.lease(leasing, &done);
        Ok(written)
    }

    /// Adds what settles records and messages.
    fn settle(
        &self,
        script: &mut Script,
        group: &Group,
        now: i64,
    ) -> Result<AllSettling, sqlx::Error> {
        let mut settling = AllSettling::default();
        for (settlement, _) in &group.settlements {
            let lane = lane(&self.lanes, &settlement.lane)?;
            settling.records.push(lease::settle(script, lane, now, settlement)?);
        }
        for job in &group.message_settlements {
            let news = job.items.iter().any(|item| item.news.is_some());
            settling.messages.push((message::settle(script, now, job)?, news));
        }
        Ok(settling)
    }

    /// Adds what leases records and messages.
    fn lease(&mut self, script: &mut Script, group: &Group) -> Result<AllLeasing, sqlx::Error> {
        let mut leasing = AllLeasing::default();
        for job in &group.leases {
            let token = self.token();
            let lane = lane(&self.lanes, &job.lane)?;
            leasing.records.push((token, job.until, lease::lease(script, lane, token, job)));
        }
        for job in &group.message_leases {
            let token = self.token();
            leasing.messages.push((token, message::lease(script, token, job)));
        }
        Ok(leasing)
    }

    fn token(&mut self) -> LeaseToken {
        let token = LeaseToken(self.next_token);
        self.next_token += 1;
        token
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
                    records: u64::try_from(done.added.records).unwrap_or(0),
                });
                self.shared.pending(done.queued, done.added.records > 0);
                self.shared.grown(done.added.held, false);
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
        let lanes: Vec<i64> = self.lanes.iter().map(|(_, id)| *id).collect();
        let now = self.clock.now().as_millisecond();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let (connection, sealer) = (&mut self.connection, self.shared.sealer());
        let done = reread::reread(connection, &mut self.state, &lanes, sealer, job, now).await?;
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        Ok(done)
    }

    /// Adds to the ledger, in small transactions of their own.
    async fn serve_ledger(&mut self, folds: Folds, refused: AllRefused) {
        for (fold, answer) in folds {
            let written = match self.usable().await {
                Ok(()) => ledger::write(&mut self.connection, &fold).await,
                Err(error) => Err(error),
            };
            self.answer(written, answer);
        }
        for (rows, answer) in refused {
            let written = match self.usable().await {
                Ok(()) => ledger::write_refused(&mut self.connection, &rows).await,
                Err(error) => Err(error),
            };
            self.answer(written, answer);
        }
    }

    /// Leaves what a failed transaction left open.
    async fn usable(&mut self) -> Result<(), sqlx::Error> {
        if self.stale { self.recover().await } else { Ok(()) }
    }

    fn answer(&mut self, written: Result<(), sqlx::Error>, answer: Answer<()>) {
        // Whoever asked says so; whether the store fails is for what carriers wait for to tell.
        self.stale |= written.is_err();
        drop(answer.send(written.map_err(|error| StoreError::Database(error.to_string()))));
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

fn lane(lanes: &[(LaneName, i64)], name: &LaneName) -> Result<i64, sqlx::Error> {
    let found = lanes.iter().find(|(known, _)| known == name);
    found.map(|(_, id)| *id).ok_or_else(|| {
        sqlx::Error::Protocol(format!("the store was opened without the lane `{name}`"))
    })
}
