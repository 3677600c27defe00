//! Tells an idle connection from a slow one, with one timer for each connection.
//!
//! hyper's own header timeout starts when the previous answer is out, so it would close idle
//! connections too, and it allocates a timer for every request. This one starts at the first
//! byte of a request, is looked at only when the connection wakes up, and is moved only when it
//! would ring too late. Bodies are timed by whoever reads them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// How long a connection may take over what is not a body.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From the first byte of a request to the end of its headers.
    pub header: Duration,
    /// Without a request.
    pub idle: Duration,
}

/// Which of the [`Timeouts`] has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    Header,
    Idle,
}

/// What a connection is doing: shared by its socket, its requests and its [`Watchdog`].
///
/// All of it is advice to the watchdog, which looks again; so no ordering is needed.
#[derive(Debug, Clone)]
pub(super) struct Pace(Arc<State>);

#[derive(Debug)]
struct State {
    timeouts: Timeouts,
    opened: Instant,
    /// Requests being answered.
    requests: AtomicUsize,
    /// Microseconds from `opened` to the beginning of the present wait; [`Pace::UNSEEN`] until
    /// the watchdog looks, which it does at the end of the same wake-up. So a request whose
    /// headers come at once costs no look at the clock.
    since: AtomicU64,
    /// Whether the present wait is for the rest of a request's headers.
    in_head: AtomicBool,
    /// Whether this is HTTP/2, where bytes need not belong to a request.
    framed: AtomicBool,
    /// Whether an answer went out before its request was read.
    lingers: AtomicBool,
}

/// A request being answered, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Pace);

impl Pace {
    const UNSEEN: u64 = u64::MAX;

    pub(super) fn new(timeouts: Timeouts) -> Pace {
        Pace(Arc::new(State {
            timeouts,
            opened: Instant::now(),
            requests: AtomicUsize::new(0),
            since: AtomicU64::new(0),
            in_head: AtomicBool::new(false),
            framed: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
        }))
    }

    /// Bytes came from the peer.
    pub(super) fn bytes_came(&self) {
        let state = &*self.0;
        let waiting = state.requests.load(Relaxed) == 0 && !state.framed.load(Relaxed);
        if waiting && !state.in_head.load(Relaxed) {
            self.wait(true);
        }
    }

    /// The headers of a request are complete.
    pub(super) fn request(&self, version: http::Version) -> UnderWay {
        if version == http::Version::HTTP_2 {
            self.0.framed.store(true, Relaxed);
        }
        self.0.requests.fetch_add(1, Relaxed);
        UnderWay(self.clone())
    }

    /// Gives what is left of a connection the time of a header and no more.
    pub(super) fn last_call(&self) {
        self.wait(true);
    }

    /// Should the connection close now, the peer is to be heard out first.
    pub(super) fn linger(&self) {
        self.0.lingers.store(true, Relaxed);
    }

    /// Whether it is.
    pub(super) fn lingers(&self) -> bool {
        self.0.lingers.load(Relaxed)
    }

    /// Rings when the connection has taken too long.
    pub(super) fn watchdog(&self) -> Watchdog {
        let first = self.0.opened + self.0.timeouts.idle;
        Watchdog { pace: self.clone(), timer: Box::pin(tokio::time::sleep_until(first)) }
    }

    fn wait(&self, in_head: bool) {
        self.0.in_head.store(in_head, Relaxed);
        self.0.since.store(Pace::UNSEEN, Relaxed);
    }

    /// When the present wait began, which is now if nobody has looked yet.
    fn since(&self) -> Instant {
        let state = &*self.0;
        let mut since = state.since.load(Relaxed);
        if since == Pace::UNSEEN {
            since = u64::try_from(state.opened.elapsed().as_micros()).unwrap_or(0);
            state.since.store(since, Relaxed);
        }
        state.opened + Duration::from_micros(since)
    }

    /// When the present wait has been too long; `None` while a request is being answered.
    fn due(&self) -> Option<(Instant, Overdue)> {
        let state = &*self.0;
        if state.requests.load(Relaxed) > 0 {
            return None;
        }
        let since = self.since();
        Some(if state.in_head.load(Relaxed) {
            (since + state.timeouts.header, Overdue::Header)
        } else {
            (since + state.timeouts.idle, Overdue::Idle)
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.wait(false);
        self.0.0.requests.fetch_sub(1, Relaxed);
    }
}

/// Completes when a connection has taken too long; may be awaited again after that.
#[derive(Debug)]
pub(super) struct Watchdog {
    pace: Pace,
    timer: Pin<Box<Sleep>>,
}

impl Future for Watchdog {
    type Output = Overdue;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Overdue> {
        loop {
            let due = self.pace.due();
            if let Some((at, _)) = due
                && at < self.timer.deadline()
            {
                self.timer.as_mut().reset(at);
            }
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            let next = due.map_or(now + self.pace.0.timeouts.idle, |(at, _)| at);
            match due {
                Some((at, overdue)) if at <= now => return Poll::Ready(overdue),
                _ => self.timer.as_mut().reset(next),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Version;
    use tokio::time::timeout;

    const TIMEOUTS: Timeouts =
        Timeouts { header: Duration::from_secs(10), idle: Duration::from_secs(60) };

    #[tokio::test(start_paused = true)]
    async fn an_unused_connection_is_idle() {
        let pace = Pace::new(TIMEOUTS);
        let from = Instant::now();
        assert_eq!(pace.watchdog().await, Overdue::Idle);
        assert_eq!(from.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_is_timed_from_its_first_byte_however_many_follow() {
        let pace = Pace::new(TIMEOUTS);
        let mut watchdog = pace.watchdog();
        assert!(timeout(Duration::from_secs(5), &mut watchdog).await.is_err());
        pace.bytes_came();
        let from = Instant::now();
        for _ in 0..9 {
            assert!(timeout(Duration::from_secs(1), &mut watchdog).await.is_err());
            pace.bytes_came();
        }
        assert_eq!(watchdog.await, Overdue::Header);
        assert_eq!(from.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_is_not_idle_and_the_next_wait_starts_at_its_end() {
        let pace = Pace::new(TIMEOUTS);
        pace.bytes_came();
        let mut watchdog = pace.watchdog();
        let request = pace.request(Version::HTTP_11);
        assert!(timeout(Duration::from_secs(600), &mut watchdog).await.is_err());
        drop(request);
        let from = Instant::now();
        assert_eq!(watchdog.await, Overdue::Idle);
        assert_eq!(from.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_without_a_request_do_not_keep_http2_from_being_idle() {
        let pace = Pace::new(TIMEOUTS);
        let mut watchdog = pace.watchdog();
        drop(pace.request(Version::HTTP_2));
        let from = Instant::now();
        assert!(timeout(Duration::from_secs(30), &mut watchdog).await.is_err());
        pace.bytes_came();
        assert_eq!(watchdog.await, Overdue::Idle);
        assert_eq!(from.elapsed().as_secs(), 60);
    }
}
