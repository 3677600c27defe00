//! Watches workers: one that stands still, panics or ends before its time is replaced by a new one,
//! which finds its work in the store; one that cannot be helped ends the process.

use super::{Tasks, Vital};
use crate::clock::Entropy;
use crate::telemetry::workers::{Replacements, Why};
use crate::telemetry::{Metrics, Progress};
use std::future::Future;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How many times in a row a worker is replaced before its trouble is not its own.
const MOST_IN_A_ROW: u32 = 8;

/// A worker that lived this many times longer than a hang is borne was well for a while.
const WELL: u32 = 10;

/// The ceiling of the wait before the first replacement; it doubles with each in a row.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The ceiling of every wait.
const LAST_WAIT: Duration = Duration::from_secs(60);

/// How workers are watched.
#[derive(Debug, Clone)]
pub struct Watchdog {
    after: Duration,
    metrics: Option<Metrics>,
    entropy: Entropy,
}

impl Watchdog {
    /// How long a worker may stand still unless somebody says otherwise.
    pub const AFTER: Duration = Duration::from_secs(30);

    /// Replaces a worker that has work to do and stood still for `after`, and counts it. Jitter comes
    /// from `entropy`.
    #[must_use]
    pub fn new(after: Duration, metrics: &Metrics, entropy: Entropy) -> Watchdog {
        Watchdog { after, metrics: Some(metrics.clone()), entropy }
    }
}

impl Default for Watchdog {
    fn default() -> Watchdog {
        Watchdog { after: Watchdog::AFTER, metrics: None, entropy: Entropy::system() }
    }
}

/// What is to be done about a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// Nothing; look again after this.
    Leave(Duration),
    /// It goes, and after this wait another comes.
    Replace(Duration),
    /// It goes, and so does the process: what others did not mend another will not.
    GiveUp,
}

/// What is seen of a worker.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// How long it has stood still with work to do.
    stood: Option<Duration>,
    /// Whether it is gone, by a panic or by itself.
    gone: bool,
    /// How long ago it began.
    lived: Duration,
}

/// The replacements of a worker so far. Pure: time and jitter are passed in.
#[derive(Debug)]
struct Record {
    after: Duration,
    in_a_row: u32,
}

impl Record {
    fn new(after: Duration) -> Record {
        Record { after, in_a_row: 0 }
    }

    /// What to do now. `fraction`, from 0 to 1, draws the jitter.
    fn decide(&mut self, seen: Seen, fraction: f64) -> Decision {
        let stood = seen.stood.unwrap_or_default();
        if stood < self.after && !seen.gone {
            return Decision::Leave(self.after - stood);
        }
        if seen.lived >= self.after * WELL {
            self.in_a_row = 0;
        }
        if self.in_a_row >= MOST_IN_A_ROW {
            return Decision::GiveUp;
        }
        let ceiling = FIRST_WAIT.saturating_mul(1 << self.in_a_row).min(LAST_WAIT);
        self.in_a_row += 1;
        Decision::Replace(ceiling.mul_f64(0.5 + fraction / 2.0))
    }
}

impl Tasks {
    /// The same tasks, with workers watched like this.
    #[must_use]
    pub fn watched_by(self, watchdog: Watchdog) -> Tasks {
        Tasks { watchdog, ..self }
    }

    /// Starts a worker that is dropped where it stands and made anew when it stands still for too
    /// long, panics, or ends before the soft stop. Dropping it at any await must lose nothing: what
    /// it does next it must find in the store. There are never two of it at once.
    ///
    /// A worker that was replaced too often in a row, or cannot be dropped because it blocks its
    /// thread, is a vital task that fell: see [`Tasks::spawn_vital`].
    pub fn spawn_watched<F>(&self, progress: &Progress, make: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let vital = Vital { name: progress.name(), tasks: self.clone() };
        let (tasks, progress) = (self.clone(), progress.clone());
        let hard = self.hard.clone();
        self.tracker.spawn(async move {
            let _vital = vital;
            hard.run_until_cancelled(supervise(tasks, progress, make)).await
        });
    }
}

/// Until the soft stop, or until the worker is given up.
async fn supervise<F>(tasks: Tasks, progress: Progress, make: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let name = progress.name();
    let Watchdog { after, metrics, entropy } = &tasks.watchdog;
    let after = progress.borne().max(*after);
    let replacements = Replacements::new(metrics.as_ref(), name);
    let mut record = Record::new(after);
    loop {
        let mut worker = tasks.spawn(name, make());
        let jitter = || entropy.fraction();
        let end = watch(&mut worker, &tasks, &progress, &mut record, jitter).await;
        let Some((why, decision)) = end else { return };
        let stood = progress.stood_still().unwrap_or_default().as_secs();
        let (doing, in_a_row) = (progress.doing(), record.in_a_row);
        worker.abort();
        if !worker.is_finished() && timeout(after, &mut worker).await.is_err() {
            tracing::error!(
                worker = name,
                doing,
                "a worker blocks its thread and cannot be replaced"
            );
            return;
        }
        progress.rest();
        let Decision::Replace(wait) = decision else {
            let why = why.name();
            tracing::error!(worker = name, why, doing, in_a_row, "a worker cannot be helped");
            return;
        };
        replacements.replaced(why);
        let why = why.name();
        tracing::error!(worker = name, why, doing, stood, in_a_row, ?wait, "a worker is replaced");
        tokio::select! {
            () = tasks.stopping() => return,
            () = sleep(wait) => {}
        }
    }
}

/// Watches one worker to its end, or to the end of patience with it; `None` at the soft stop.
async fn watch(
    worker: &mut JoinHandle<Option<()>>,
    tasks: &Tasks,
    progress: &Progress,
    record: &mut Record,
    jitter: impl Fn() -> f64,
) -> Option<(Why, Decision)> {
    let began = Instant::now();
    let seen = |gone| Seen { stood: progress.stood_still(), gone, lived: began.elapsed() };
    loop {
        let look_in = match record.decide(seen(false), jitter()) {
            // At the hard stop it is dropped like all others.
            _ if tasks.is_stopping() => return None,
            Decision::Leave(look_in) => look_in,
            decision => return Some((Why::Stalled, decision)),
        };
        tokio::select! {
            ended = &mut *worker => {
                if tasks.is_stopping() {
                    return None;
                }
                let panicked = ended.is_err_and(|error| error.is_panic());
                let why = if panicked { Why::Panicked } else { Why::Ended };
                return Some((why, record.decide(seen(true), jitter())));
            }
            () = sleep(look_in) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    const AFTER: Duration = Duration::from_secs(30);

    fn gone(lived: Duration) -> Seen {
        Seen { stood: None, gone: true, lived }
    }

    /// Tells that it was dropped.
    struct Dropped(Arc<AtomicU32>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_never_returns_is_dropped_and_the_next_one_works() {
        let (tasks, progress) = (Tasks::new(), Progress::new("worker"));
        let (made, dropped) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let work = {
            let (progress, made, dropped) = (progress.clone(), made.clone(), dropped.clone());
            let tasks = tasks.clone();
            move || {
                let (progress, tasks) = (progress.clone(), tasks.clone());
                let (number, dropped) = (made.fetch_add(1, Relaxed), Dropped(dropped.clone()));
                async move {
                    let _dropped = dropped;
                    progress.begin("asking what never answers");
                    if number == 0 {
                        std::future::pending::<()>().await;
                    }
                    progress.rest();
                    tasks.stopping().await;
                }
            }
        };
        tasks.spawn_watched(&progress, work);
        sleep(Watchdog::AFTER - Duration::from_millis(1)).await;
        assert_eq!((made.load(Relaxed), dropped.load(Relaxed)), (1, 0), "not before its time");
        sleep(Duration::from_secs(2)).await;
        assert_eq!((made.load(Relaxed), dropped.load(Relaxed)), (2, 1));
        // One that rests is left alone, however long.
        sleep(Watchdog::AFTER * 100).await;
        assert_eq!((made.load(Relaxed), tasks.is_stopping()), (2, false));
        let left = tasks.shut_down(Duration::from_secs(1), |_| ()).await;
        assert!(left.is_empty() && tasks.fallen().is_none(), "{left}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_always_panics_is_given_up_and_named() {
        let (tasks, progress) = (Tasks::new(), Progress::new("frail"));
        let made = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&made);
        tasks.spawn_watched(&progress, move || {
            counted.fetch_add(1, Relaxed);
            async { panic!("on purpose") }
        });
        tasks.stopping().await;
        assert_eq!(tasks.fallen(), Some("frail"));
        assert_eq!(made.load(Relaxed), MOST_IN_A_ROW + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_says_how_long_it_may_take_is_given_that_long() {
        let hour = Duration::from_secs(3600);
        let (tasks, progress) = (Tasks::new(), Progress::new("counter").bearing(hour));
        let made = Arc::new(AtomicU32::new(0));
        let (counted, winding) = (Arc::clone(&made), progress.clone());
        tasks.spawn_watched(&progress, move || {
            counted.fetch_add(1, Relaxed);
            winding.step();
            std::future::pending()
        });
        sleep(hour - Duration::from_secs(1)).await;
        assert_eq!(made.load(Relaxed), 1);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(made.load(Relaxed), 2);
        tasks.shut_down(Duration::ZERO, |_| ()).await;
    }

    #[test]
    fn one_that_was_well_for_a_while_is_not_held_to_its_past() {
        let mut record = Record::new(AFTER);
        for _ in 0..MOST_IN_A_ROW {
            assert!(matches!(record.decide(gone(AFTER), 0.5), Decision::Replace(_)));
        }
        let first = Decision::Replace(FIRST_WAIT.mul_f64(0.75));
        assert_eq!(record.decide(gone(AFTER * WELL), 0.5), first);
    }

    proptest! {
        #[test]
        fn it_leaves_who_works_replaces_who_does_not_and_always_comes_to_an_end(
            after in 1_u64..600,
            steps in prop::collection::vec((prop::option::of(0_u64..700), any::<bool>(), 0_u64..500), 1..100),
            fraction in 0.0..1.0_f64,
        ) {
            let after = Duration::from_secs(after);
            let mut record = Record::new(after);
            let mut in_a_row = 0;
            for (stood, gone, lived) in steps {
                let stood = stood.map(Duration::from_secs);
                let lived = Duration::from_secs(lived);
                let trouble = gone || stood.is_some_and(|stood| stood >= after);
                match record.decide(Seen { stood, gone, lived }, fraction) {
                    Decision::Leave(look_in) => {
                        prop_assert!(!trouble);
                        prop_assert!(!look_in.is_zero() && look_in <= after);
                    }
                    Decision::Replace(wait) => {
                        prop_assert!(trouble);
                        prop_assert!(wait >= FIRST_WAIT / 2 && wait <= LAST_WAIT);
                        in_a_row = if lived >= after * WELL { 1 } else { in_a_row + 1 };
                        prop_assert!(in_a_row <= MOST_IN_A_ROW);
                    }
                    Decision::GiveUp => {
                        prop_assert!(trouble);
                        prop_assert_eq!(in_a_row, MOST_IN_A_ROW);
                    }
                }
            }
        }
    }
}
