//! What a store needs from time to time: a look at the disk, a fresh count, a purge, and its ledger kept.

use super::ledger::{Balance, LedgerError};
use super::{Ownership, Store, StoreError, Work};
use crate::lifecycle::Tasks;
use crate::telemetry::Progress;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How often the disk's room is looked at: a full disk is filled at no more than 1 GB/s.
const DISK_EVERY: Duration = Duration::from_millis(250);
const COUNT_EVERY: Duration = Duration::from_secs(15);
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// Rows of a kind in one step of a purge: a few milliseconds of the writer's time.
const PURGE_STEP: u32 = 500;
/// Between two steps, so that carriers do not notice.
const PURGE_PAUSE: Duration = Duration::from_millis(20);
/// How often the ledger looks for what is new.
const FOLD_EVERY: Duration = Duration::from_secs(1);
/// Records that came within this time are left for later: most are delivered by then, and need not be looked at twice.
const FOLD_AGE: Duration = Duration::from_secs(10);
/// Between two of its steps while there is more than one step's worth, and not before it has rested so many times as long as
/// the step took: carriers shall not notice, and a step takes the longer the more there is to do besides.
const FOLD_PAUSE: Duration = Duration::from_millis(100);
const FOLD_RESTS: u32 = 20;
/// However long a step took.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// How often refused callbacks are written down: what a kill may lose of them.
const REFUSALS_EVERY: Duration = Duration::from_secs(10);
/// Between two rounds over the last hours of the ledger.
const BALANCE_EVERY: Duration = Duration::from_secs(15);

/// How far back each kind of data is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Raw callbacks and notes.
    pub callbacks: Duration,
    /// Records that the platform has.
    pub records: Duration,
    /// Dedupe keys.
    pub keys: Duration,
}

/// What housekeeping keeps to.
#[derive(Debug, Clone)]
pub struct House {
    /// The volume to watch; `None`: it is another machine's.
    pub directory: Option<PathBuf>,
    /// Free bytes under which nothing new is accepted.
    pub disk_floor: u64,
    /// How long everything is kept.
    pub keep: Retention,
}

/// How long a count of a long queue may take.
const LONGEST_COUNT: Duration = Duration::from_mins(10);

/// Keeps house until the soft stop: workers of which none waits for another.
pub fn start(store: &Store, house: &Arc<House>, tasks: &Tasks) {
    chore(&Progress::new("disk watch"), (store, house, tasks), watch_disk);
    let progress = Progress::new("queue count").bearing(LONGEST_COUNT);
    chore(&progress, (store, house, tasks), recount);
    chore(&Progress::new("refusals"), (store, house, tasks), write_refusals);
    let ownership = store.keep(Work::Housekeeping, tasks);
    let owned = |name| (Progress::new(name), ownership.clone());
    owned_chore(owned("purge"), (store, house, tasks), purge);
    owned_chore(owned("ledger"), (store, house, tasks), fold_ledger);
    owned_chore(owned("ledger's balance"), (store, house, tasks), balance_ledger);
}

/// Starts one that only the node does that owns the housekeeping. It is dropped where it stands when another takes over.
fn owned_chore<F>(
    (progress, ownership): (Progress, Ownership),
    with: (&Store, &Arc<House>, &Tasks),
    run: impl Fn(Store, Arc<House>, Progress) -> F + Clone + Send + Sync + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    chore(&progress, with, move |store, house, progress| {
        let (ownership, run) = (ownership.clone(), run.clone());
        async move {
            loop {
                let token = ownership.gained().await;
                tokio::select! {
                    () = run(store.clone(), Arc::clone(&house), progress.clone()) => {}
                    () = ownership.lost(token) => {}
                }
                progress.rest();
            }
        }
    });
}

/// Starts one that goes on until the soft stop. Dropped at any await it loses nothing but counts of refused callbacks that
/// are being written down.
fn chore<F>(
    progress: &Progress,
    (store, house, tasks): (&Store, &Arc<House>, &Tasks),
    run: impl Fn(Store, Arc<House>, Progress) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (store, house, stop) = (store.clone(), Arc::clone(house), tasks.clone());
    let winding = progress.clone();
    tasks.spawn_watched(progress, move || {
        let endless = run(store.clone(), Arc::clone(&house), winding.clone());
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = endless => {}
                () = stop.stopping() => {}
            }
        }
    });
}

async fn watch_disk(store: Store, house: Arc<House>, progress: Progress) {
    let mut tick = ticker(DISK_EVERY);
    loop {
        tick.tick().await;
        progress.begin("looking at the disk");
        look_at_disk(&store, &house);
        progress.rest();
    }
}

/// Looks at the disk once: before the first callback, and from then on by [`start`].
pub fn look_at_disk(store: &Store, house: &House) {
    let Some(directory) = &house.directory else { return };
    match rustix::fs::statvfs(directory) {
        Ok(volume) => {
            let free = volume.f_bavail.saturating_mul(volume.f_frsize);
            if store.disk(free, house.disk_floor) {
                let low = free < house.disk_floor;
                tracing::warn!(free, floor = house.disk_floor, low, "the disk passed its floor");
            }
        }
        Err(error) => tracing::warn!(%error, "the disk's room cannot be read"),
    }
}

async fn recount(store: Store, _house: Arc<House>, progress: Progress) {
    let mut tick = ticker(COUNT_EVERY);
    loop {
        progress.rest();
        tick.tick().await;
        progress.begin("counting the queue");
        if let Err(error) = store.recount().await {
            tracing::warn!(%error, "the queue could not be counted");
        }
    }
}

async fn purge(store: Store, house: Arc<House>, progress: Progress) {
    let mut tick = ticker(PURGE_EVERY);
    loop {
        progress.rest();
        tick.tick().await;
        loop {
            progress.begin("erasing what is old");
            match store.purge(&house.keep, PURGE_STEP).await {
                Ok(0) | Err(StoreError::Closed) => break,
                Ok(_) => tokio::time::sleep(PURGE_PAUSE).await,
                Err(error) => {
                    tracing::warn!(%error, "a purge failed; the next one tries again");
                    break;
                }
            }
        }
    }
}

async fn fold_ledger(store: Store, _house: Arc<House>, progress: Progress) {
    let mut failing = false;
    loop {
        progress.begin("bringing the ledger forward");
        let started = Instant::now();
        let pause = match store.fold_ledger(FOLD_AGE).await {
            Ok(more) => {
                failing = false;
                let rest = (started.elapsed() * FOLD_RESTS).min(LONGEST_REST);
                rest.max(if more { FOLD_PAUSE } else { FOLD_EVERY })
            }
            Err(error) => {
                // A store that fails is told of elsewhere.
                if !failing && !matches!(error, LedgerError::Write(StoreError::Closed)) {
                    tracing::warn!(%error, "the ledger cannot be brought forward; it is tried again");
                }
                failing = true;
                FOLD_EVERY
            }
        };
        progress.rest();
        tokio::time::sleep(pause).await;
    }
}

async fn write_refusals(store: Store, _house: Arc<House>, progress: Progress) {
    let mut tick = ticker(REFUSALS_EVERY);
    loop {
        progress.rest();
        tick.tick().await;
        progress.begin("writing refusals down");
        if let Err(error) = store.write_refusals().await {
            tracing::warn!(%error, "refused callbacks could not be written down; they are kept in memory");
        }
    }
}

async fn balance_ledger(store: Store, _house: Arc<House>, progress: Progress) {
    let mut tick = ticker(BALANCE_EVERY);
    let mut balance = Balance::default();
    loop {
        progress.rest();
        tick.tick().await;
        if let Err(error) = balance.round(&store, &progress).await {
            tracing::warn!(%error, "the ledger could not be compared with the store");
        }
    }
}

fn ticker(period: Duration) -> tokio::time::Interval {
    let mut ticker = tokio::time::interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
