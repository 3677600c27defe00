//! Carriers at work: send callbacks at a rate, read the answers as a carrier would, and try again
//! what was not acknowledged.

use super::carriers::{Request, Synthetic};
use crate::clock::Clock;
use crate::lifecycle::Tasks;
use crate::net::client::{Client, Options, Reach, Trust};
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior};

/// Callbacks on their way at once, at most.
const UNDER_WAY: usize = 64;
/// One callback in this many is sent twice, as carriers do.
const REPEAT: u64 = 50;
/// How often and how long after a failure a callback is tried again.
const TRIES: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(5);
const MAX_ANSWER: usize = 64 * 1024;

/// What the carriers have seen so far.
#[derive(Debug, Default)]
struct Seen {
    acknowledged: AtomicU64,
    turned_away: AtomicU64,
    given_up: AtomicU64,
}

/// What the carriers have seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Callbacks acknowledged, repeats among them.
    pub acknowledged: u64,
    /// Times that a callback was not acknowledged and was to be tried again.
    pub turned_away: u64,
    /// Callbacks given up.
    pub given_up: u64,
}

/// Carriers at work. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Traffic {
    client: Client,
    target: SocketAddr,
    clock: Clock,
    seen: Arc<Seen>,
}

impl Traffic {
    /// Towards a gateway's listener for plain HTTP.
    ///
    /// # Errors
    /// When there is no client to be had.
    pub fn new(target: SocketAddr, clock: Clock) -> anyhow::Result<Traffic> {
        let options = Options {
            trust: Trust::Plain,
            reach: Reach::Anywhere,
            connect_timeout: DEADLINE,
            max_idle: UNDER_WAY,
        };
        Ok(Traffic { client: Client::new(&options)?, target, clock, seen: Arc::default() })
    }

    /// What was seen so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally {
            acknowledged: self.seen.acknowledged.load(Relaxed),
            turned_away: self.seen.turned_away.load(Relaxed),
            given_up: self.seen.given_up.load(Relaxed),
        }
    }

    /// Sends `rate` callbacks a second until the tasks are stopped.
    pub async fn run(self, mut source: Synthetic, rate: u32, tasks: Tasks) {
        let mut tick = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let permits = Arc::new(Semaphore::new(UNDER_WAY));
        for count in 0_u64.. {
            tokio::select! {
                _ = tick.tick() => {}
                () = tasks.stopping() => return,
            }
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let request = source.next(self.clock.now());
            let traffic = self.clone();
            drop(tasks.spawn("callback", async move {
                let _permit = permit;
                traffic.deliver(&request).await;
                if count % REPEAT == 0 {
                    traffic.deliver(&request).await;
                }
            }));
        }
    }

    async fn deliver(&self, request: &Request) {
        for _ in 0..TRIES {
            if self.send(request).await {
                self.seen.acknowledged.fetch_add(1, Relaxed);
                return;
            }
            self.seen.turned_away.fetch_add(1, Relaxed);
            tokio::time::sleep(PATIENCE).await;
        }
        self.seen.given_up.fetch_add(1, Relaxed);
    }

    /// Whether the callback was acknowledged in its carrier's words.
    async fn send(&self, request: &Request) -> bool {
        let head = &request.head;
        let call = http::Request::builder()
            .method(&head.method)
            .uri(format!("http://{}{}", self.target, head.target))
            .body(request.body.clone());
        let Ok(mut call) = call else { return false };
        *call.headers_mut() = head.headers.clone();
        match self.client.call(call, Instant::now() + DEADLINE, MAX_ANSWER).await {
            Ok(answer) => head.success.is(answer.status.as_u16(), &answer.body),
            Err(_) => false,
        }
    }
}
