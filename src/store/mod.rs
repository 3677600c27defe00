//! The store: callbacks, records and the queue to the platform, in one database.
//!
//! The queue is a table and nothing else: whatever is committed is either still in `outbox` or has
//! ended as its last line in `attempt` says, or lies in `dead_letter`. Callers see verbs, each
//! one transaction or part of one; no other module names the database.

mod callback;
mod case;
mod copy;
pub mod data_key;
mod dead;
mod drawn;
mod engine;
mod error;
mod gathered;
mod health;
pub mod housekeeping;
mod inbox;
mod job;
mod keys;
mod lanes;
mod ledger;
mod look;
mod memory;
mod message;
mod narrow;
mod nodes;
mod operator;
mod orders;
mod ownership;
mod place;
mod plan;
mod postgres;
mod queue;
mod recording;
mod remains;
mod revise;
mod rows;
mod schema;
mod seal;
mod spool;
mod sqlite;
mod standing;

pub use callback::{Callback, Committed, Entry, Nonce, Opaque, RawRequest, Resend, Share};
pub use copy::{Compared, Copied, CopyError, CopyStep, Transfer};
pub use dead::{
    Bin, DeadCondition, DeadLetter, DeadOrder, DeadPage, DeadPlace, ReplayEntry, ReplayRun,
    Replayed,
};
pub use error::{OpenError, ReadError, StoreError};
use health::Health;
pub use health::Unwell;
pub use housekeeping::Retention;
pub use inbox::{Concluded, ConcludedEntry, Conclusion, Held, InboxSeq};
pub use lanes::{LaneOptions, MOST_LANES};
pub use ledger::{
    Book, Day, Delivered, Difference, Entry as LedgerEntry, Erased, Figure, Hour, Hours, Ledger,
    LedgerError, Places, Reconciled,
};
pub use look::{
    AttemptLine, AttemptOutcome, Counts, Filter, Found, LaneCounts, LaneStatus, Matched,
    QuarantineFilter, Quarantined, RecordState, Repeat, RequestedRereads, RevisionHistory,
    Unreadable,
};
pub use memory::{MAX_MEMORY, MemoryChange, Remembered, WakeSeq, Woken};
pub use message::{
    DeadMessage, LeasedMessage, MessageLane, MessageLaneStatus, MessageLease, MessageSettled,
    MessageSettlement, MessageState, NewMessage, SettledMessage, StoredMessage, Untold, UntoldSeq,
};
pub use nodes::{Beat, GONE, Node, Serving};
pub use operator::Operator;
pub use orders::{LONGEST_PAUSE, Order, OrderId, OrderLine, Orders, Pause, Trouble, USUAL_PAUSE};
pub use ownership::{Claim, OwnerToken, Ownership, Work};
pub use place::Place;
pub use postgres::{ConnectError, HostFault, HostFaults, ServerState, examine as examine_server};
pub use queue::{DeadClass, Due, Lease, LeaseToken, Leased, SendReport, Settled, Settlement};
pub use recording::{
    AudioError, FetchedSeq, LeasedRecording, NewRecording, RecordingSettled, StoredRecording,
    UntoldRecording,
};
pub use revise::{Agreement, AskedRevision, Revisable};
pub use rows::{StoredCallback, UnknownLayout};
pub use schema::{Migrated, Step, migrate};
pub use seal::{KEY_LEN, KeyRing, SealError};
pub use spool::{Depth, Kept, SpoolOptions, spooled_in};

use crate::clock::{Clock, Entropy};
use crate::lifecycle::Tasks;
use crate::model::{AccountName, Meaning, Record};
use crate::telemetry::ledger::LedgerMetrics;
use crate::telemetry::store::StoreMetrics;
use crate::telemetry::{Metrics, Progress, Refusals};
use case::Ties;
use engine::{Desk, Ground, Opened, Reader};
use jiff::Timestamp;
use job::{CommitJob, Item, Job, PurgeJob, RereadJob, ResendPrint, SealedRecord, SealedShare};
use lanes::Passed;
use nodes::Nodes;
use seal::{Fingerprinter, Sealer};
use spool::Spool;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// The store, shared by cloning. It closes when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    reader: Reader,
    prints: Fingerprinter,
    commits: watch::Receiver<()>,
    clock: Clock,
    desk: Desk,
    audio: recording::Audio,
    lanes: Arc<[LaneOptions]>,
    refusals: Refusals,
    folded: Arc<ledger::Folded>,
    ledger_metrics: Arc<LedgerMetrics>,
    nodes: Arc<Nodes>,
    spool: Option<Spool>,
    /// Keeps a second process out for as long as the store is in use.
    _lock: Option<Arc<File>>,
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the database stands.
    pub place: Place,
    /// The lanes that records go to, [`MOST_LANES`] at most.
    pub lanes: Vec<LaneOptions>,
    /// Jobs that may wait for the writer.
    pub queue: usize,
    /// Callbacks in one transaction, at most.
    pub max_group: usize,
    /// Wound while the writer has work.
    pub progress: Progress,
}

/// What the writer and its callers share.
#[derive(Debug)]
struct Shared {
    ring: Arc<KeyRing>,
    entropy: Entropy,
    health: Health,
    metrics: StoreMetrics,
    pending: AtomicI64,
    committed: watch::Sender<()>,
    arrived: watch::Sender<()>,
    messages: watch::Sender<()>,
}

impl Shared {
    /// Notes by how much the queue changed, and wakes the lanes when something was queued or its turn has come,
    /// whatever left it meanwhile.
    fn pending(&self, change: i64, ready: bool) {
        let pending = self.pending.fetch_add(change, Ordering::Relaxed) + change;
        // What other nodes queue and we settle is missing in between two counts.
        self.metrics.pending(pending.max(0));
        if ready {
            self.committed.send_replace(());
        }
    }

    /// Wakes those who wait for held events and news, and for messages.
    fn grown(&self, arrived: bool, messages: bool) {
        if arrived {
            self.arrived.send_replace(());
        }
        if messages {
            self.messages.send_replace(());
        }
    }

    fn sealer(&self) -> Sealer<'_> {
        Sealer { ring: &self.ring, entropy: &self.entropy }
    }
}

impl Store {
    /// Opens a store, and starts its writer among `tasks`. Stop those only after everything that
    /// uses the store.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        options: &Options,
        ring: KeyRing,
        clock: Clock,
        entropy: Entropy,
        metrics: &Metrics,
        tasks: &Tasks,
    ) -> Result<Store, OpenError> {
        let ring = Arc::new(ring);
        let (lanes, now) = (options.lanes.as_slice(), clock.now());
        let opened = Opened::open(&options.place, lanes, &ring, &entropy, now).await?;
        let prints = opened.reader.prints().clone();
        let (committed, commits) = watch::channel(());
        let shared = Arc::new(Shared {
            ring,
            entropy,
            health: Health::default(),
            metrics: StoreMetrics::new(metrics),
            pending: AtomicI64::new(opened.pending),
            committed,
            arrived: watch::Sender::default(),
            messages: watch::Sender::default(),
        });
        shared.metrics.pending(opened.pending);
        let (jobs, waiting) = mpsc::channel(options.queue.max(1));
        let ground = Ground {
            shared: Arc::clone(&shared),
            clock: clock.clone(),
            max_group: options.max_group.max(1),
            progress: options.progress.clone(),
        };
        opened.engine.start(ground, (jobs.downgrade(), waiting), tasks);
        Ok(Store {
            jobs,
            shared,
            reader: opened.reader,
            prints,
            commits,
            refusals: Refusals::new(clock.clone()),
            clock,
            desk: opened.desk,
            audio: opened.audio,
            lanes: lanes.into(),
            folded: Arc::default(),
            ledger_metrics: Arc::new(LedgerMetrics::new(metrics)),
            nodes: Arc::new(Nodes::new(opened.cluster, metrics)),
            spool: None,
            _lock: opened.lock.map(Arc::new),
        })
    }

    /// Notes the volume's room. Returns whether that changed what is accepted.
    fn disk(&self, free: u64, floor: u64) -> bool {
        self.shared.metrics.disk(free);
        match &self.spool {
            Some(spool) => spool.disk(free, floor),
            None => self.shared.health.disk(free, floor),
        }
    }

    /// Whether the database takes new callbacks now: no I/O, no waiting.
    ///
    /// # Errors
    /// What stands against it.
    pub fn admits(&self) -> Result<(), Unwell> {
        if self.jobs.capacity() == 0 {
            return Err(Unwell::Behind);
        }
        self.shared.health.check()
    }

    /// Stores a callback with all that was made of it, and returns once it is on disk. The
    /// commit happens even if the caller stops waiting.
    ///
    /// # Errors
    /// [`StoreError`]; the callback is then not stored, unless the disk failed at the very end
    /// of a commit: the carrier's repeat decides that.
    pub async fn commit(&self, callback: Callback) -> Result<Committed, StoreError> {
        self.submit(callback)?.await.map_err(|_| StoreError::Closed)?
    }

    /// Hands a callback to the writer, and returns what tells that it is on disk. Callbacks are committed in the order in
    /// which they are handed over.
    fn submit(
        &self,
        mut callback: Callback,
    ) -> Result<oneshot::Receiver<Result<Committed, StoreError>>, StoreError> {
        let entries = std::mem::take(&mut callback.entries);
        let items = self.seal_all(&callback.account, &entries)?;
        let nonce = callback.nonce.take();
        let nonce = nonce.map(|nonce| self.prints.nonce(callback.account.as_str(), &nonce));
        let (answer, committed) = oneshot::channel();
        let job = Job::Commit(Box::new(CommitJob { callback, nonce, items, answer }));
        self.jobs.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Full,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        Ok(committed)
    }

    /// Quarantined callbacks that operators want read again, oldest first. Each is asked for until
    /// [`Store::commit_reread`] or an operator ends it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn rereads(&self, limit: u32) -> Result<Vec<Quarantined>, ReadError> {
        self.reader.rereads(limit).await
    }

    /// Stores what was made of a quarantined callback, read again: what is new is recorded with
    /// the time at which the callback arrived and queued now, `garbled` takes the place of what was
    /// unreadable before, and the request is done. What this callback contributed before is
    /// left alone. `fresh` is false for all of it, too, when the request was withdrawn meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]; everything is as it was.
    pub async fn commit_reread(
        &self,
        callback: &StoredCallback,
        entries: &[Entry],
        garbled: Vec<String>,
    ) -> Result<Committed, StoreError> {
        let items = self.seal_all(&callback.account, entries)?;
        let (seq, account) = (callback.seq, callback.account.clone());
        let received_at = callback.received_at;
        self.ask(|answer| {
            let job = RereadJob { seq, account, received_at, items, garbled, answer };
            Job::Reread(Box::new(job))
        })
        .await
    }

    fn seal_all(&self, account: &AccountName, entries: &[Entry]) -> Result<Vec<Item>, StoreError> {
        entries.iter().map(|entry| self.seal(account, entry)).collect()
    }

    fn seal(&self, account: &AccountName, entry: &Entry) -> Result<Item, StoreError> {
        Ok(Item {
            dedupe: self.prints.dedupe(account.as_str(), &entry.dedupe),
            resend: entry.resend.as_ref().map(|resend| ResendPrint {
                print: self.prints.resend(account.as_str(), &resend.key),
                window: resend.window,
            }),
            share: match &entry.share {
                Share::Decided { outcome, records } => {
                    SealedShare::Decided { outcome: *outcome, records: self.seal_records(records)? }
                }
                Share::Held(bytes) => SealedShare::Held(bytes.clone()),
            },
        })
    }

    fn seal_records(&self, records: &[Record]) -> Result<Vec<SealedRecord>, StoreError> {
        let ties = Ties::of_event(records, &self.prints);
        let seal = |(record, ties): (&Record, Ties)| {
            let plain = rows::encode_record(record)
                .map_err(|error| StoreError::Database(error.to_string()))?;
            let place = rows::record_place(record.id, record.revision);
            Ok(SealedRecord {
                id: record.id,
                revision: record.revision,
                urgent: record.is_urgent(),
                ties,
                passed: Passed::by(&self.lanes, record),
                level: match record.meaning {
                    Meaning::Rating { level, .. } => Some(level.number()),
                    Meaning::Complaint { .. } | Meaning::NotRated { .. } => None,
                },
                caller: record.caller.as_ref().map(|caller| self.prints.caller(caller.reveal())),
                sealed: self.shared.sealer().seal(&place, &plain),
            })
        };
        records.iter().zip(ties).map(seal).collect()
    }

    /// Erases a little of what has been kept long enough. Returns how many rows it looked at; 0 is
    /// the end.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is erased.
    pub async fn purge(&self, keep: &Retention, limit: u32) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let before = |kept: Duration| now.checked_sub(kept).unwrap_or(Timestamp::MIN);
        let job = PurgeJob {
            now,
            callbacks_before: before(keep.callbacks),
            records_before: before(keep.records),
            keys_before: before(keep.keys),
            limit,
        };
        let recordings = self.purge_recordings(job.records_before, limit).await?;
        Ok(recordings + self.ask(|answer| Job::Purge(job, answer)).await?)
    }

    async fn ask<T>(&self, job: impl FnOnce(job::Answer<T>) -> Job) -> Result<T, StoreError> {
        let (answer, told) = oneshot::channel();
        self.jobs.send(job(answer)).await.map_err(|_| StoreError::Closed)?;
        told.await.map_err(|_| StoreError::Closed)?
    }

    /// Counts the queue anew: operators change it beside us.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn recount(&self) -> Result<(), ReadError> {
        let before = self.pending();
        let lanes = self.lanes().await?;
        let counted = lanes.iter().map(|lane| lane.pending).sum();
        // What was committed while we counted is in neither number for certain: then the difference is
        // put right, and the next count, at a quieter moment, decides.
        let quiet = self.shared.pending.compare_exchange(
            before,
            counted,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        let pending = quiet.map_or_else(
            |_| {
                self.shared.pending.fetch_add(counted - before, Ordering::Relaxed) + counted
                    - before
            },
            |_| counted,
        );
        let oldest = lanes.iter().filter_map(|lane| lane.oldest).min();
        let dead: i64 = lanes.iter().map(|lane| lane.dead).sum();
        let theirs = lanes.iter().map(|lane| lane.dead_theirs).sum();
        self.shared.metrics.counted(pending, self.age(oldest));
        self.shared.metrics.dead(dead - theirs, theirs);
        let (held, oldest) = self.reader.inbox_depth().await?;
        self.shared.metrics.held(held, self.age(oldest.map(rows::timestamp)));
        Ok(())
    }

    fn age(&self, since: Option<Timestamp>) -> Duration {
        let age = since.map(|since| self.clock.now().duration_since(since));
        age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default()
    }

    /// The newest ratings, newest first; those that cannot be opened are left out.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn newest_ratings(&self, limit: u32) -> Result<Vec<Record>, ReadError> {
        self.reader.newest_ratings(limit).await
    }

    /// What stands in each lane; it takes a while when the queue is long.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn lanes(&self) -> Result<Vec<LaneStatus>, ReadError> {
        self.reader.lanes().await
    }

    /// A full count of the store; it takes a while when the history is long.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn counts(&self) -> Result<Counts, ReadError> {
        self.reader.counts().await
    }
}
