//! Whether the process has started, makes progress, and can accept durably now.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The gateway's state for supervisors and load balancers, shared by cloning.
#[derive(Clone)]
pub struct Health(Arc<State>);

struct State {
    /// What is still to be done before the first callback; `None` once started.
    starting: Mutex<Option<&'static str>>,
    stopping: AtomicBool,
    store: Probe,
    workers: Mutex<Vec<Progress>>,
    stale: Duration,
}

/// Asks the store whether it would accept now; `Err` says why not. No I/O.
type Probe = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// One thing that stands against health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Which check.
    pub check: &'static str,
    /// Why, for operators.
    pub reason: String,
}

impl Failing {
    fn new(check: &'static str, reason: impl Into<String>) -> Failing {
        Failing { check, reason: reason.into() }
    }
}

impl Health {
    /// How long a worker with work to do may stand still unless somebody says otherwise.
    pub const STALE: Duration = Duration::from_secs(60);

    /// A gateway that is starting; `store` tells whether it would accept now, without I/O.
    pub fn new(store: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Health {
        Health::bearing(Health::STALE, store)
    }

    /// The same, where a worker may stand still for `stale`: longer than until it is replaced.
    pub fn bearing(
        stale: Duration,
        store: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Health {
        Health(Arc::new(State {
            starting: Mutex::new(Some("starting")),
            stopping: AtomicBool::new(false),
            store: Box::new(store),
            workers: Mutex::new(Vec::new()),
            stale,
        }))
    }

    /// What the start is busy with.
    pub fn starting(&self, step: &'static str) {
        *self.0.starting.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
    }

    /// The start is over.
    pub fn started(&self) {
        *self.0.starting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The gateway stops; it is not ready from now on.
    pub fn stopping(&self) {
        self.0.stopping.store(true, Relaxed);
    }

    /// A progress clock for a worker.
    #[must_use]
    pub fn worker(&self, name: &'static str) -> Progress {
        let progress = Progress::new(name);
        self.workers().push(progress.clone());
        progress
    }

    /// What keeps the start from being over.
    #[must_use]
    pub fn startup(&self) -> Vec<Failing> {
        let starting = *self.0.starting.lock().unwrap_or_else(PoisonError::into_inner);
        starting.map(|step| Failing::new("startup", step)).into_iter().collect()
    }

    /// What keeps a callback from being accepted durably now. Forwarding does not matter.
    #[must_use]
    pub fn readiness(&self) -> Vec<Failing> {
        let mut failing = self.startup();
        if self.0.stopping.load(Relaxed) {
            failing.push(Failing::new("stopping", "the gateway is shutting down"));
        }
        // Before the start is over there may be no store to ask.
        if failing.is_empty()
            && let Err(reason) = (self.0.store)()
        {
            failing.push(Failing::new("store", reason));
        }
        failing
    }

    /// Which workers have work to do and stand still.
    #[must_use]
    pub fn liveness(&self) -> Vec<Failing> {
        let stuck = |worker: &Progress| {
            let stood = worker.stood_still()?;
            let reason = format!("no progress for {} s with work to do", stood.as_secs());
            let stale = self.0.stale.max(worker.0.borne * 2);
            (stood >= stale).then(|| Failing::new(worker.0.name, reason))
        };
        self.workers().iter().filter_map(stuck).collect()
    }

    fn workers(&self) -> std::sync::MutexGuard<'_, Vec<Progress>> {
        self.0.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("stopping", &self.0.stopping).finish_non_exhaustive()
    }
}

/// A worker's clock: wound at every step while there is work, stopped while there is none.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Clockwork>);

#[derive(Debug)]
struct Clockwork {
    name: &'static str,
    made: Instant,
    /// Milliseconds from `made` to the last step; [`Progress::RESTING`] without work.
    last_step: AtomicU64,
    doing: Mutex<&'static str>,
    borne: Duration,
}

impl Progress {
    const RESTING: u64 = u64::MAX;

    /// At rest. [`Health::worker`] makes one that is watched.
    #[must_use]
    pub fn new(name: &'static str) -> Progress {
        Progress::with(name, Duration::ZERO)
    }

    fn with(name: &'static str, borne: Duration) -> Progress {
        let last_step = AtomicU64::new(Progress::RESTING);
        let doing = Mutex::new("its work");
        Progress(Arc::new(Clockwork { name, made: Instant::now(), last_step, doing, borne }))
    }

    /// A new clock of the same name, for a worker whose longest step may take so long.
    #[must_use]
    pub fn bearing(&self, longest: Duration) -> Progress {
        Progress::with(self.0.name, longest)
    }

    /// Whose it is.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// There is work, and this step of it was just begun.
    pub fn begin(&self, what: &'static str) {
        *self.0.doing.lock().unwrap_or_else(PoisonError::into_inner) = what;
        self.step();
    }

    /// The last step that was begun, if it was named.
    #[must_use]
    pub fn doing(&self) -> &'static str {
        *self.0.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long its longest step may take, if it said so.
    #[must_use]
    pub fn borne(&self) -> Duration {
        self.0.borne
    }

    /// There is work, and a step of it was just begun or made.
    pub fn step(&self) {
        let millis = u64::try_from(self.0.made.elapsed().as_millis()).unwrap_or(0);
        self.0.last_step.store(millis, Relaxed);
    }

    /// There is no work.
    pub fn rest(&self) {
        self.0.last_step.store(Progress::RESTING, Relaxed);
    }

    /// How long it has made no step, with work to do.
    #[must_use]
    pub fn stood_still(&self) -> Option<Duration> {
        let last_step = self.0.last_step.load(Relaxed);
        let since = Duration::from_millis(last_step);
        (last_step != Progress::RESTING).then(|| self.0.made.elapsed().saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(failing: &[Failing]) -> Vec<&'static str> {
        failing.iter().map(|failing| failing.check).collect()
    }

    #[test]
    fn ready_means_started_not_stopping_and_a_store_that_accepts() {
        let full = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&full);
        let health = Health::new(move || {
            if asked.load(Relaxed) { Err("the disk is full".to_owned()) } else { Ok(()) }
        });
        health.starting("reading the tail");
        assert_eq!(health.startup(), [Failing::new("startup", "reading the tail")]);
        assert_eq!(checks(&health.readiness()), ["startup"]);
        health.started();
        assert_eq!(health.startup(), []);
        assert_eq!(health.readiness(), []);
        full.store(true, Relaxed);
        assert_eq!(health.readiness(), [Failing::new("store", "the disk is full")]);
        full.store(false, Relaxed);
        health.stopping();
        assert_eq!(checks(&health.readiness()), ["stopping"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_stuck_only_with_work_to_do() {
        let health = Health::new(|| Ok(()));
        let writer = health.worker("writer");
        let resting = health.worker("lane");
        writer.step();
        resting.step();
        resting.rest();
        tokio::time::advance(Health::STALE - Duration::from_secs(1)).await;
        assert_eq!(health.liveness(), []);
        tokio::time::advance(Duration::from_secs(1)).await;
        let reason = "no progress for 60 s with work to do";
        assert_eq!(health.liveness(), [Failing::new("writer", reason)]);
        writer.step();
        assert_eq!(health.liveness(), []);
    }
}
