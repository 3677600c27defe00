//! What one transaction is to hold, and what it came to: each caller is told its own part.

use super::job::{
    Answer, CommitJob, ConcludeJob, Job, LeaseJob, MessageLeaseJob, MessageSettleJob, PurgeJob,
    RawLease, RawMessageLease, RecordingJob, RereadJob,
};
use super::ledger::Fold;
use super::{Committed, Concluded, Settlement, StoreError};
use crate::telemetry::store as telemetry;
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

/// What a settlement changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changed {
    /// Records that were no longer under the lease.
    pub(super) lost: u64,
    /// Records that left the queue.
    pub(super) left: u64,
    /// Records whose turn has come with that.
    pub(super) released: u64,
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

impl Written {
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
