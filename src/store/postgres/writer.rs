//! A node's writer: gathers whatever waits into a group, commits it in one turn, and tells each caller.
//!
//! While one turn runs the next group gathers; nothing waits for a group to fill. Leases go to the leaser, which needs no turn.

use super::commit::{self, Added};
use super::leaser::Leaser;
use super::link::Link;
use super::turn::{Lanes, News, Turn};
use super::{inbox, lease, ledger, message, ownership, purge, recording, reread};
use crate::clock::Clock;
use crate::model::LaneName;
use crate::store::gathered::{AllRefused, Folds, Group, Written};
use crate::store::job::{Answer, CommitJob, ConcludeJob, Job, PurgeJob, RereadJob};
use crate::store::ownership::Work;
use crate::store::plan::{self, KnownKeys};
use crate::store::seal::Sealer;
use crate::store::{Committed, Shared, StoreError, rows};
use crate::telemetry::{Progress, store as telemetry};
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// How often a store that failed tries whether it works again, when nobody asks it to.
const PROBE: Duration = Duration::from_secs(1);

/// The time between two looks at the months of history.
const MONTHS: Duration = Duration::from_mins(1);

/// Steps of the clock that are too small to matter to due times, in milliseconds.
const CLOCK_STEP: i64 = 1_000;

/// The writer's task.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) link: Link,
    pub(super) ground: Ground,
    pub(super) max_group: usize,
    pub(super) progress: Progress,
    pub(super) leaser: Leaser,
    /// When months were made and dropped last.
    pub(super) months_at: Option<Instant>,
}

/// What a turn stands on.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) lanes: Vec<(LaneName, i64)>,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    /// The latest time, in milliseconds, by which due times are right.
    pub(super) seen_at: i64,
}

impl Writer {
    /// Serves until the last sender is gone.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            let first = if self.ground.shared.health.is_failing() {
                match timeout(PROBE, jobs.recv()).await {
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
            self.look_at_clock().await;
            let mut group = Group::default();
            self.take(&mut group, first);
            // Requests that are ready to run join this group instead of waiting for the next.
            tokio::task::yield_now().await;
            while group.commits.len() < self.max_group {
                let Ok(job) = jobs.try_recv() else { break };
                self.take(&mut group, job);
            }
            self.serve(group).await;
            self.progress.rest();
        }
        self.link.close().await;
    }

    /// Has a job join the group, unless it needs no turn.
    fn take(&self, group: &mut Group, job: Job) {
        match job {
            Job::Lease(_) | Job::LeaseMessages(_) | Job::Recording(_) => self.leaser.take(job),
            job => group.add(job),
        }
    }

    /// Keeps due times where they were when this node's clock was set back: otherwise nothing would be sent until it has
    /// caught up.
    async fn look_at_clock(&mut self) {
        let (now, seen_at) = (self.ground.clock.now().as_millisecond(), self.ground.seen_at);
        if now + CLOCK_STEP < seen_at {
            let stepped = self.link.run(async |connection| {
                let turn = Turn::begin(connection).await?;
                lease::step_back(connection, seen_at - now).await?;
                message::step_back(connection, seen_at, seen_at - now).await?;
                recording::step_back(connection, seen_at - now).await?;
                turn.end(connection, News::default()).await
            });
            if let Err(error) = stepped.await {
                return tracing::warn!(error, "the clock was set back; due times follow later");
            }
            self.ground.seen_at = now;
        }
        self.ground.seen_at = self.ground.seen_at.max(now);
    }

    async fn serve(&mut self, mut group: Group) {
        let purges = std::mem::take(&mut group.purges);
        let rereads = std::mem::take(&mut group.rereads);
        let folds = std::mem::take(&mut group.folds);
        let refused = std::mem::take(&mut group.refused);
        if !group.is_empty() {
            let started = Instant::now();
            match self.transact(&mut group).await {
                Ok(written) => {
                    self.ground.shared.health.succeeded();
                    self.ground.shared.metrics.committed(written.measured(started.elapsed()));
                    self.ground
                        .shared
                        .pending(written.queued, written.records + written.released > 0);
                    self.ground.shared.grown(written.arrived, written.messages);
                    group.tell(written);
                }
                Err(error) => {
                    self.fail(&error);
                    group.refuse(&error);
                }
            }
        }
        for job in rereads {
            self.serve_reread(job).await;
        }
        for (job, answer) in purges {
            self.serve_purge(job, answer).await;
        }
        self.serve_ledger(folds, refused).await;
    }

    /// Commits a group.
    async fn transact(&mut self, group: &mut Group) -> Result<Written, String> {
        let ground = &self.ground;
        self.link.run(async |connection| ground.transact(connection, group).await).await
    }

    /// Stores what another reading of a quarantined callback came to, in a turn of its own.
    async fn serve_reread(&mut self, mut job: RereadJob) {
        let started = Instant::now();
        let ground = &self.ground;
        let done = self.link.run(async |connection| ground.reread(connection, &mut job).await);
        let done = done.await;
        let told = match done {
            Ok(done) => {
                self.ground.shared.health.succeeded();
                self.ground.shared.metrics.committed(telemetry::Group {
                    took: started.elapsed(),
                    callbacks: 0,
                    repeats: 0,
                    records: done.added.records,
                });
                self.ground.shared.pending(done.added.queued, done.added.records > 0);
                self.ground.shared.grown(done.added.held, false);
                Ok(Committed { seq: job.seq, fresh: done.fresh })
            }
            Err(error) => {
                self.fail(&error);
                Err(StoreError::Database(error))
            }
        };
        drop(job.answer.send(told));
    }

    async fn serve_purge(&mut self, job: PurgeJob, answer: Answer<u64>) {
        // Where somebody reads for long, they give way after a while each time: once is enough for many steps.
        let months = self.months_at.is_none_or(|at| at.elapsed() >= MONTHS);
        let purged = self.link.run(async |connection| purge::run(connection, &job, months).await);
        let purged = purged.await;
        if months && purged.is_ok() {
            self.months_at = Some(Instant::now());
        }
        drop(answer.send(purged.map_err(StoreError::Database)));
    }

    /// Adds to the ledger, each in a turn of its own. Whoever asked says when it fails; whether the store does is for what
    /// carriers wait for to tell.
    async fn serve_ledger(&mut self, folds: Folds, refused: AllRefused) {
        for (fold, answer) in folds {
            let done = self.link.run(async |connection| {
                let turn = Turn::begin(connection).await?;
                ledger::write(connection, &fold).await?;
                turn.end(connection, News::default()).await
            });
            drop(answer.send(done.await.map_err(StoreError::Database)));
        }
        for (rows, answer) in refused {
            let done = self.link.run(async |connection| {
                let turn = Turn::begin(connection).await?;
                ledger::write_refused(connection, &rows).await?;
                turn.end(connection, News::default()).await
            });
            drop(answer.send(done.await.map_err(StoreError::Database)));
        }
    }

    fn fail(&mut self, reason: &str) {
        if self.ground.shared.health.failed() {
            tracing::error!(reason, "a commit failed; nothing new is accepted until one succeeds");
        }
        self.ground.shared.metrics.failed();
    }

    /// Tries a turn of its own, so that the store reopens without a carrier's help.
    async fn probe(&mut self) {
        let turn = self.link.run(async |connection| {
            Turn::begin(connection).await?.end(connection, News::default()).await
        });
        if turn.await.is_ok() {
            self.ground.shared.health.succeeded();
            tracing::info!("the store commits again");
        }
    }
}

impl Ground {
    /// Commits a group in one turn.
    async fn transact(
        &self,
        connection: &mut PgConnection,
        group: &mut Group,
    ) -> Result<Written, sqlx::Error> {
        let now = self.clock.now().as_millisecond();
        let mut turn = Turn::begin(connection).await?;
        let lanes = turn.lanes(&self.lane_ids());
        let mut written = Written::default();
        for (settlement, _) in &group.settlements {
            let lane = lane(&self.lanes, &settlement.lane)?;
            let changed = lease::settle(connection, lane, now, settlement).await?;
            written.queued -= i64::try_from(changed.left).unwrap_or(0);
            written.released += changed.released;
            written.settled.push(changed);
        }
        for job in &group.message_settlements {
            let settled = message::settle(connection, now, job).await?;
            written.messages_settled.push(settled);
            written.arrived |= settled > 0 && job.items.iter().any(|item| item.news.is_some());
        }
        let sealer = self.shared.sealer();
        if !group.commits.is_empty() {
            let jobs = &mut group.commits;
            let added = commit(connection, &mut turn, &lanes, jobs, (sealer, &mut written)).await?;
            count(&mut written, added);
        }
        refuse_others(connection, &mut group.conclusions).await?;
        if !group.conclusions.is_empty() {
            let jobs = &mut group.conclusions;
            let concluding =
                inbox::conclude(connection, &mut turn, &lanes, sealer, jobs, now).await?;
            count(&mut written, concluding.added);
            written.concluded = concluding.concluded;
            written.messages |= concluding.messages_queued;
        }
        let news = News {
            records: written.records + written.released > 0,
            arrived: written.arrived,
            messages: written.messages,
        };
        turn.end(connection, news).await?;
        Ok(written)
    }

    async fn reread(
        &self,
        connection: &mut PgConnection,
        job: &mut RereadJob,
    ) -> Result<reread::Reread, sqlx::Error> {
        let now = self.clock.now().as_millisecond();
        let mut turn = Turn::begin(connection).await?;
        let lanes = turn.lanes(&self.lane_ids());
        let sealer = self.shared.sealer();
        let done = reread::reread(connection, &mut turn, &lanes, sealer, job, now).await?;
        let (records, arrived) = (done.added.records > 0, done.added.held);
        turn.end(connection, News { records, arrived, messages: false }).await?;
        Ok(done)
    }

    fn lane_ids(&self) -> Vec<i64> {
        self.lanes.iter().map(|(_, id)| *id).collect()
    }
}

/// The id of a lane among those that the store was opened with.
pub(super) fn lane(lanes: &[(LaneName, i64)], name: &LaneName) -> Result<i64, sqlx::Error> {
    let found = lanes.iter().find(|(known, _)| known == name);
    found.map(|(_, id)| *id).ok_or_else(|| {
        sqlx::Error::Protocol(format!("the store was opened without the lane `{name}`"))
    })
}

/// Stores the callbacks of a group, and says what becomes of each.
async fn commit(
    connection: &mut PgConnection,
    turn: &mut Turn,
    lanes: &Lanes,
    jobs: &mut [CommitJob],
    (sealer, written): (Sealer<'_>, &mut Written),
) -> Result<Added, sqlx::Error> {
    let first = turn.places.callback;
    let mut prints = Vec::with_capacity(jobs.len());
    for job in &*jobs {
        prints.extend(job.nonce.iter().flat_map(|nonce| [nonce.token, nonce.content]));
        prints.extend(job.items.iter().map(|item| item.dedupe));
        prints.extend(job.items.iter().filter_map(|item| Some(item.resend.as_ref()?.print)));
    }
    let found = commit::look_up(connection, turn.keys_from, &prints).await?;
    let known = KnownKeys { recent: None, found: &found };
    let mut plan = plan::commits(&mut turn.places, known, jobs);
    written.committed = std::mem::take(&mut plan.committed);
    let count = turn.places.callback - first;
    if count == 0 {
        return Ok(Added::default());
    }
    let stored = jobs.iter().zip(&written.committed).filter(|(_, committed)| committed.is_ok());
    let page = rows::encode_page(stored.map(|(job, _)| &job.callback))
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    let page = sealer.seal(&rows::page_place(crate::model::CallbackSeq(first)), &page);
    commit::add_page(connection, (first, count), &plan.keys, plan.received_at, page).await?;
    commit::add_planned(connection, lanes, sealer, plan, None).await
}

fn count(written: &mut Written, added: Added) {
    written.records += added.records;
    written.queued += added.queued;
    written.arrived |= added.held;
}

/// Takes conclusions out that are drawn in the name of a former owner of the dialogue.
async fn refuse_others(
    connection: &mut PgConnection,
    jobs: &mut Vec<ConcludeJob>,
) -> Result<(), sqlx::Error> {
    let work = Work::Dialogue.to_string();
    let mut confirmed = None;
    for job in std::mem::take(jobs) {
        let owned = match job.owner {
            Some(token) if confirmed == Some(token) => true,
            Some(token) => ownership::is_owner(connection, &work, token).await?,
            None => false,
        };
        if owned {
            confirmed = job.owner;
            jobs.push(job);
        } else {
            drop(job.answer.send(Err(StoreError::NotOwner)));
        }
    }
    Ok(())
}
