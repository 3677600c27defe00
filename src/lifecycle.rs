//! The gateway's life: named tasks, a soft and a hard stop, and what is still waited for.

mod watchdog;

pub use watchdog::Watchdog;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

/// Owns every task of the process. Cloning shares it.
///
/// Shutdown has two stages. After the soft stop, nothing new is taken on and what is under way
/// is finished; after the hard stop, everything is dropped where it stands, which is safe
/// because whatever was acknowledged is on disk.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    soft: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
    names: Arc<Mutex<BTreeMap<&'static str, usize>>>,
    fallen: Arc<OnceLock<&'static str>>,
    watchdog: Watchdog,
}

/// Stops everything when it is dropped before its time.
#[derive(Debug)]
struct Vital {
    name: &'static str,
    tasks: Tasks,
}

impl Drop for Vital {
    fn drop(&mut self) {
        if !self.tasks.is_stopping() {
            self.tasks.fallen.get_or_init(|| self.name);
            self.tasks.stop();
        }
    }
}

/// Says that something is under way, until it is dropped.
#[derive(Debug)]
pub struct Activity {
    name: &'static str,
    names: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Tasks {
    /// With nothing running.
    #[must_use]
    pub fn new() -> Tasks {
        Tasks::default()
    }

    /// Starts a task that is waited for at shutdown and cut off at the hard stop.
    pub fn spawn<F>(&self, name: &'static str, task: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let activity = self.activity(name);
        let hard = self.hard.clone();
        self.tracker.spawn(async move {
            let _activity = activity;
            hard.run_until_cancelled(task).await
        })
    }

    /// Starts a task without which the rest is of no use. If it ends before the soft stop, be it
    /// by a panic, everything stops, and [`Tasks::fallen`] tells whose end it was.
    pub fn spawn_vital<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let vital = Vital { name, tasks: self.clone() };
        let task = async move {
            let _vital = vital;
            task.await;
        };
        drop(self.spawn(name, task));
    }

    /// The vital task that ended before its time, if one did.
    #[must_use]
    pub fn fallen(&self) -> Option<&'static str> {
        self.fallen.get().copied()
    }

    /// Names something that is under way inside a task, such as a request.
    #[must_use]
    pub fn activity(&self, name: &'static str) -> Activity {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        *names.entry(name).or_default() += 1;
        Activity { name, names: Arc::clone(&self.names) }
    }

    /// Completes at the soft stop.
    pub fn stopping(&self) -> WaitForCancellationFuture<'_> {
        self.soft.cancelled()
    }

    /// Whether the soft stop has come.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        // As `soft.is_cancelled()`, without its lock: this is asked for every request.
        self.tracker.is_closed()
    }

    /// Begins the soft stop.
    pub fn stop(&self) {
        // Closed first: whoever is woken by the stop asks whether it has come.
        self.tracker.close();
        self.soft.cancel();
    }

    /// Cuts off what is still running.
    pub fn abort(&self) {
        self.stop();
        self.hard.cancel();
    }

    /// What is still under way.
    #[must_use]
    pub fn waiting_for(&self) -> WaitingFor {
        WaitingFor(self.names.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Begins the soft stop, waits up to `grace`, tells `progress` every second what is still
    /// waited for, then cuts off the rest. Returns what had to be cut off.
    pub async fn shut_down(&self, grace: Duration, progress: impl Fn(&WaitingFor)) -> WaitingFor {
        self.stop();
        let deadline = Instant::now() + grace;
        while !self.tracker.is_empty() && Instant::now() < deadline {
            let step = (Instant::now() + Duration::from_secs(1)).min(deadline);
            if tokio::time::timeout_at(step, self.tracker.wait()).await.is_err() {
                progress(&self.waiting_for());
            }
        }
        let left = self.waiting_for();
        self.hard.cancel();
        self.tracker.wait().await;
        left
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = names.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                names.remove(self.name);
            }
        }
    }
}

/// What is still under way: names and how many of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingFor(BTreeMap<&'static str, usize>);

impl WaitingFor {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for WaitingFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, count)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_soft_stop_lets_work_finish_and_the_hard_stop_does_not() {
        let tasks = Tasks::new();
        let polite = tasks.spawn("polite", {
            let tasks = tasks.clone();
            async move {
                tasks.stopping().await;
                tokio::time::sleep(Duration::from_secs(2)).await;
                "finished"
            }
        });
        let stubborn = tasks.spawn("stubborn", std::future::pending::<()>());
        let told = Mutex::new(Vec::new());
        let left = tasks
            .shut_down(Duration::from_secs(5), |waiting| {
                told.lock().expect("no panic while holding it").push(waiting.to_string());
            })
            .await;
        assert_eq!(polite.await.expect("it ran"), Some("finished"));
        assert_eq!(stubborn.await.expect("it ran"), None);
        assert_eq!(left.to_string(), "1 stubborn");
        let told = told.into_inner().expect("no panic while holding it");
        assert_eq!(told.first().map(String::as_str), Some("1 polite, 1 stubborn"));
        assert!(tasks.waiting_for().is_empty());
    }

    #[tokio::test]
    async fn the_end_of_a_vital_task_stops_everything_and_is_named() {
        let tasks = Tasks::new();
        tasks.spawn_vital("steady", std::future::pending());
        assert_eq!((tasks.is_stopping(), tasks.fallen()), (false, None));
        tasks.spawn_vital("frail", async { panic!("on purpose") });
        tasks.stopping().await;
        assert_eq!(tasks.fallen(), Some("frail"));
        tasks.shut_down(Duration::ZERO, |_| ()).await;

        let tasks = Tasks::new();
        tasks.spawn_vital("steady", std::future::pending());
        tasks.shut_down(Duration::ZERO, |_| ()).await;
        assert_eq!(tasks.fallen(), None);
    }
}
