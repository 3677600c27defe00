//! The load generator: many keep-alive connections that send callbacks by one schedule.

mod connection;
mod schedule;
mod tally;

pub(crate) use connection::Connection;
pub(crate) use schedule::Pace;
pub(crate) use tally::{Tally, Verdict, per_second};

use bridge8890::clock::Clock;
use bridge8890::standin::carriers::{Mix, Request, Synthetic};
use schedule::{Schedule, Slot};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// One run of the generator.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Where to.
    pub(crate) target: SocketAddr,
    /// How many connections.
    pub(crate) connections: u32,
    /// How requests follow each other.
    pub(crate) pace: Pace,
    /// For how long new requests are started.
    pub(crate) duration: Duration,
    /// The most requests.
    pub(crate) most: u64,
    /// What is sent.
    pub(crate) mix: Mix,
    /// Where ids and answers come from; a seed that was used before brings its ids again.
    pub(crate) seed: u64,
}

/// How long answers are awaited after the last start.
const GRACE: Duration = Duration::from_secs(10);
/// How long a connection waits before it tries to connect again.
const RECONNECT: Duration = Duration::from_millis(20);

impl Load {
    /// Runs it and says what came of it.
    ///
    /// # Errors
    /// When a connection's task was lost.
    pub(crate) async fn run(&self) -> anyhow::Result<Tally> {
        let begin = Instant::now();
        let schedule = Arc::new(Schedule::new(self.pace, begin, self.duration, self.most));
        let mut drivers = JoinSet::new();
        for stream in 0..self.connections {
            let driver = Driver {
                schedule: Arc::clone(&schedule),
                carrier: Synthetic::new(self.mix.clone(), self.seed_of(stream)),
                target: self.target,
                clock: Clock::system(),
                deadline: begin + self.duration + GRACE,
                tally: Tally::new(),
            };
            drivers.spawn(driver.run(begin));
        }
        let mut total = Tally::new();
        while let Some(share) = drivers.join_next().await {
            total.merge(&share?);
        }
        let sent = total.accepted + total.failures();
        total.unsent = schedule.planned().map_or(0, |planned| planned.saturating_sub(sent));
        Ok(total)
    }

    fn seed_of(&self, stream: u32) -> u64 {
        // The odd multiplier keeps streams of neighbouring seeds apart.
        self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(u64::from(stream))
    }
}

/// One connection's part of a run.
struct Driver {
    schedule: Arc<Schedule>,
    carrier: Synthetic,
    target: SocketAddr,
    clock: Clock,
    deadline: Instant,
    tally: Tally,
}

impl Driver {
    async fn run(mut self, begin: Instant) -> Tally {
        let deadline = tokio::time::sleep_until(self.deadline);
        tokio::pin!(deadline);
        let mut connection = None;
        while let Some(slot) = self.schedule.take(Instant::now()) {
            if let Slot::At(due) = slot {
                tokio::time::sleep_until(due).await;
            }
            let request = self.carrier.next(self.clock.now());
            let from = slot.counts_from(Instant::now());
            // One timer for the whole run: one for each request would be measurable.
            let verdict = tokio::select! {
                biased;
                verdict = exchange(&mut connection, self.target, &request) => verdict,
                () = &mut deadline => Ok(Verdict::Unanswered),
            };
            let now = Instant::now();
            self.tally.count(verdict.unwrap_or(Verdict::Broken), now - from);
            self.tally.took = now - begin;
            if connection.is_none() && now < self.deadline {
                tokio::time::sleep(RECONNECT).await;
            }
        }
        self.tally
    }
}

/// Sends a request over the connection, opening one first where there is none; a connection that
/// cannot be used again is dropped.
///
/// # Errors
/// What the system says; whether the request had an effect is then unknown.
pub(crate) async fn exchange(
    connection: &mut Option<Connection>,
    target: SocketAddr,
    request: &Request,
) -> io::Result<Verdict> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Connection::open(target).await?,
    };
    let head = &request.head;
    let answer = open.send(&head.method, &head.target, &head.headers, &request.body).await?;
    let (verdict, closes) = (Verdict::of(&head.success, &answer), answer.closes);
    if !closes {
        *connection = Some(open);
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limit, secrets};
    use bridge8890::lifecycle::Tasks;
    use bridge8890::standin::carriers::Cast;
    use tokio::net::TcpListener;

    async fn limit_server(tasks: &Tasks) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tasks.spawn("limit", limit::serve(listener, tasks.clone()));
        address
    }

    fn load(target: SocketAddr, pace: Pace, most: u64) -> Load {
        let duration = Duration::from_secs(30);
        let cast = Cast::built_in(secrets::CARRIER).expect("right dialects");
        let mix = Mix::Citizens(Arc::new(cast));
        Load { target, connections: 3, pace, duration, most, mix, seed: 1 }
    }

    #[tokio::test]
    async fn every_request_to_the_limit_is_accepted() {
        let tasks = Tasks::new();
        let target = limit_server(&tasks).await;
        for pace in [Pace::Saturating, Pace::PerSecond(5_000.0)] {
            let tally = load(target, pace, 300).run().await.expect("no task is lost");
            assert_eq!((tally.accepted, tally.failures()), (300, 0), "{tally:?}");
            assert!(tally.quantile_ms(0.5) > 0.0);
        }
        tasks.abort();
    }

    #[tokio::test]
    async fn nobody_there_is_counted_as_broken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let target = listener.local_addr().expect("bound");
        drop(listener);
        let tally = load(target, Pace::Saturating, 3).run().await.expect("no task is lost");
        assert_eq!((tally.accepted, tally.broken), (0, 3));
    }

    #[test]
    fn streams_of_neighbouring_seeds_do_not_meet() {
        let target = SocketAddr::from(([127, 0, 0, 1], 1));
        let load = load(target, Pace::Saturating, 1);
        let mut seeds = std::collections::HashSet::new();
        for seed in 0..100 {
            let load = Load { seed, ..load.clone() };
            assert!((0..1_000).all(|stream| seeds.insert(load.seed_of(stream))));
        }
    }
}
