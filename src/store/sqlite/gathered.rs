//! What one transaction is to hold, and what it came to: each caller is told its own part.

use super::group::Added;
use super::inbox::Concluding;
use super::lease::{self, Changed, Settling};
use super::ledger::Fold;
use super::message;
use super::script::{Done, Place};
use crate::store::job::{
    Answer, CommitJob, ConcludeJob, Job, LeaseJob, MessageLeaseJob, MessageSettleJob, PurgeJob,
    RawLease, RawMessageLease, RecordingJob, RereadJob,
};
use crate::store::{Committed, Concluded, LeaseToken, Settlement, StoreError};
use crate::telemetry::store as telemetry;
use jiff::Timestamp;
use std::time::Duration;

/// What the ledger takes in.
pub(super) type Folds = Vec<(Box<Fold>, Answer<()>)>;

/// Hour, account, reason and number of callbacks that were refused.
pub(super) type AllRefused = Vec<(Vec<(i64, String, &'static str, i64)>, Answer<()>)>;

/// What one transaction is to hold.
#[derive(Default)]
pub(super) struct Group {
    pub(super) commits: Vec<CommitJob>,
    pub(super) rereads: Vec<RereadJob>,
    pub(super) conclusions: Vec<ConcludeJob>,
    pub(super) leases: Vec<LeaseJob>,
    pub(super) settlements: Vec<(Settlement, Answer<usize>)>,
    pub(super) message_leases: Vec<MessageLeaseJob>,
    pub(super) message_settlements: Vec<MessageSettleJob>,
    pub(super) recordings: Vec<RecordingJob>,
    pub(super) purges: Vec<(PurgeJob, Answer<u64>)>,
    pub(super) folds: Folds,
    pub(super) refused: AllRefused,
    pub(super) checkpoints: Vec<Answer<()>>,
}

/// What one transaction came to.
#[derive(Default)]
pub(super) struct Written {
    pub(super) committed: Vec<Result<Committed, StoreError>>,
    pub(super) concluded: Vec<Concluded>,
    pub(super) leased: Vec<RawLease>,
    pub(super) settled: Vec<Changed>,
    pub(super) messages_leased: Vec<RawMessageLease>,
    /// How many rows each settlement of messages changed.
    pub(super) messages_settled: Vec<u64>,
    pub(super) records: u64,
    /// By how many rows the queue grew, or shrank.
    pub(super) queued: i64,
    /// Records whose turn has come, as what was before them left.
    pub(super) released: u64,
    /// Whether the inbox grew, or news came.
    pub(super) arrived: bool,
    /// Whether messages were queued.
    pub(super) messages: bool,
}

/// The statements that settle, in the order of the group.
#[derive(Default)]
pub(super) struct AllSettling {
    pub(super) records: Vec<Settling>,
    /// Each with whether it brings news.
    pub(super) messages: Vec<(Place, bool)>,
}

/// The statements that lease, in the order of the group.
#[derive(Default)]
pub(super) struct AllLeasing {
    pub(super) records: Vec<(LeaseToken, Timestamp, Place)>,
    pub(super) messages: Vec<(LeaseToken, Place)>,
}

impl Written {
    pub(super) fn add(&mut self, added: &Added, lanes: usize, done: &Done) {
        self.records += u64::try_from(added.records).unwrap_or(0);
        self.queued += added.queued(lanes, done);
        self.arrived |= added.held;
    }

    pub(super) fn conclude(&mut self, concluding: Concluding, lanes: usize, done: &Done) {
        self.add(&concluding.added, lanes, done);
        self.concluded = concluding.concluded;
        self.messages = concluding.queueing.is_some_and(|place| done.changes(place) > 0);
    }

    pub(super) fn settle(&mut self, settling: &AllSettling, done: &Done) {
        self.settled = settling.records.iter().map(|one| one.changed(done)).collect();
        let left: u64 = self.settled.iter().map(|changed| changed.left).sum();
        self.queued -= i64::try_from(left).unwrap_or(0);
        self.released = self.settled.iter().map(|changed| changed.released).sum();
        for (place, news) in &settling.messages {
            let settled = done.changes(*place);
            self.messages_settled.push(settled);
            self.arrived |= *news && settled > 0;
        }
    }

    pub(super) fn lease(&mut self, leasing: AllLeasing, done: &Done) {
        let records = leasing.records.into_iter().map(|(token, until, place)| {
            let rows = done.rows(place).iter().map(lease::leased_row).collect();
            RawLease { token, until, rows }
        });
        self.leased = records.collect();
        let messages = leasing.messages.into_iter().map(|(token, place)| {
            let rows = done.rows(place).iter().map(message::leased_row).collect();
            RawMessageLease { token, rows }
        });
        self.messages_leased = messages.collect();
    }

    /// The transaction as the metrics have it.
    pub(super) fn measured(&self, took: Duration) -> telemetry::Group {
        let committed = self.committed.iter().flatten();
        let concluded = self.concluded.iter().flat_map(Concluded::fresh);
        let fresh = committed.clone().flat_map(|done| &done.fresh).chain(concluded);
        telemetry::Group {
            took,
            callbacks: committed.count(),
            repeats: fresh.filter(|fresh| !**fresh).count(),
            records: self.records,
        }
    }
}

impl Group {
    pub(super) fn add(&mut self, job: Job) {
        match job {
            Job::Commit(job) => self.commits.push(*job),
            Job::Reread(job) => self.rereads.push(*job),
            Job::Conclude(job) => self.conclusions.push(*job),
            Job::Lease(job) => self.leases.push(job),
            Job::Settle(settlement, answer) => self.settlements.push((settlement, answer)),
            Job::LeaseMessages(job) => self.message_leases.push(job),
            Job::SettleMessages(job) => self.message_settlements.push(job),
            Job::Recording(job) => self.recordings.push(job),
            Job::Purge(job, answer) => self.purges.push((job, answer)),
            Job::Ledger(fold, answer) => self.folds.push((fold, answer)),
            Job::Refused(rows, answer) => self.refused.push((rows, answer)),
            Job::FinishCheckpoint(answer) => self.checkpoints.push(answer),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty()
            && self.conclusions.is_empty()
            && self.leases.is_empty()
            && self.settlements.is_empty()
            && self.message_leases.is_empty()
            && self.message_settlements.is_empty()
    }

    /// Tells each caller its own result. Whoever stopped listening is not missed.
    pub(super) fn tell(self, written: Written) {
        for (job, committed) in self.commits.into_iter().zip(written.committed) {
            drop(job.answer.send(committed));
        }
        for (job, concluded) in self.conclusions.into_iter().zip(written.concluded) {
            drop(job.answer.send(Ok(concluded)));
        }
        for (job, leased) in self.leases.into_iter().zip(written.leased) {
            drop(job.answer.send(Ok(leased)));
        }
        for ((_, answer), changed) in self.settlements.into_iter().zip(written.settled) {
            drop(answer.send(Ok(usize::try_from(changed.lost).unwrap_or(usize::MAX))));
        }
        for (job, leased) in self.message_leases.into_iter().zip(written.messages_leased) {
            drop(job.answer.send(Ok(leased)));
        }
        for (job, settled) in self.message_settlements.into_iter().zip(written.messages_settled) {
            let settled = usize::try_from(settled).unwrap_or(usize::MAX);
            drop(job.answer.send(Ok(job.items.len().saturating_sub(settled))));
        }
    }

    /// Tells each caller that the whole group failed.
    pub(super) fn refuse(self, reason: &str) {
        let error = || StoreError::Database(reason.to_owned());
        self.commits.into_iter().for_each(|job| drop(job.answer.send(Err(error()))));
        self.rereads.into_iter().for_each(|job| drop(job.answer.send(Err(error()))));
        self.conclusions.into_iter().for_each(|job| drop(job.answer.send(Err(error()))));
        self.leases.into_iter().for_each(|job| drop(job.answer.send(Err(error()))));
        self.settlements.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error()))));
        self.message_leases.into_iter().for_each(|job| drop(job.answer.send(Err(error()))));
        self.message_settlements.into_iter().for_each(|job| drop(job.answer.send(Err(error()))));
        self.recordings.into_iter().for_each(|job| job.refuse(error()));
        self.purges.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error()))));
        self.folds.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error()))));
        self.refused.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error()))));
        self.checkpoints.into_iter().for_each(|answer| drop(answer.send(Err(error()))));
    }
}
