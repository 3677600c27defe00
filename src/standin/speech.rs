//! The body of an answer, and how it is spoken: whole, a few bytes at a time, or broken off.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Bytes of a trickle at a time.
const SIP: usize = 8;

/// Long enough that what was said before has left.
const BREATH: Duration = Duration::from_millis(20);

/// The connection is to be dropped.
#[derive(Debug, thiserror::Error)]
#[error("the request was dropped")]
pub(super) struct Dropped;

/// How a body is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Whole,
    Trickle(Duration),
    BrokenOff,
}

/// A body.
#[derive(Debug)]
pub(super) struct Speech {
    left: Bytes,
    /// Its length as announced.
    announced: u64,
    manner: Manner,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Speech {
    /// All of it at once.
    pub(super) fn whole(body: impl Into<Bytes>) -> Speech {
        let left = body.into();
        let announced = u64::try_from(left.len()).unwrap_or(u64::MAX);
        Speech { left, announced, manner: Manner::Whole, pause: None }
    }

    /// A few bytes, and a pause after each few.
    pub(super) fn in_a_trickle(self, every: Duration) -> Speech {
        Speech { manner: Manner::Trickle(every), ..self }
    }

    /// Half of it; then the connection is dropped.
    pub(super) fn broken_off(self) -> Speech {
        let half = self.left.slice(..self.left.len() / 2);
        Speech { left: half, manner: Manner::BrokenOff, ..self }
    }
}

impl Body for Speech {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
            if self.manner == Manner::BrokenOff {
                return Poll::Ready(Some(Err(Dropped)));
            }
        }
        let (most, pause) = match self.manner {
            Manner::Whole => (usize::MAX, None),
            Manner::Trickle(every) => (SIP, Some(every)),
            Manner::BrokenOff => (usize::MAX, Some(BREATH)),
        };
        if self.left.is_empty() && self.manner != Manner::BrokenOff {
            return Poll::Ready(None);
        }
        let most = most.min(self.left.len());
        let said = self.left.split_to(most);
        self.pause = pause.map(|pause| Box::pin(sleep(pause)));
        Poll::Ready(Some(Ok(Frame::data(said))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.manner != Manner::BrokenOff
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test(start_paused = true)]
    async fn a_trickle_says_all_of_it_in_its_time() {
        let begun = tokio::time::Instant::now();
        let every = Duration::from_secs(1);
        let speech = Speech::whole(vec![7; 3 * SIP]).in_a_trickle(every);
        let said = speech.collect().await.expect("it is whole").to_bytes();
        assert_eq!(said.len(), 3 * SIP);
        assert!(begun.elapsed() >= 2 * every);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_broken_off_announces_more_than_it_says() {
        let mut speech = Speech::whole("0123456789").broken_off();
        assert_eq!(speech.size_hint().exact(), Some(10));
        let first = speech.frame().await.expect("a frame").expect("it is said");
        assert_eq!(first.into_data().ok(), Some(Bytes::from("01234")));
        assert!(speech.frame().await.expect("more").is_err());
    }
}
