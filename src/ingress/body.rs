//! Reads a body whole: no larger than its cap, no longer than its time.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use std::time::Duration;
use tokio::time::timeout;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is larger than the cap, or says so.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// The peer went away, or broke the protocol.
    CutOff,
}

/// Reads a body of at most `cap` bytes.
pub(super) async fn read<B>(body: B, cap: usize, within: Duration) -> Result<Bytes, Unreadable>
where
    B: Body<Data = Bytes> + Unpin,
{
    // The lower bound is the announced length.
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > cap) {
        return Err(Unreadable::TooLarge);
    }
    timeout(within, collect(body, cap)).await.unwrap_or(Err(Unreadable::TooSlow))
}

/// A body that came in one piece, as nearly all do, is not copied.
async fn collect<B>(mut body: B, cap: usize) -> Result<Bytes, Unreadable>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The other kind of frame are trailers, which no carrier uses.
        let Ok(data) = frame.map_err(|_| Unreadable::CutOff)?.into_data() else { continue };
        if first.len().max(more.len()) + data.len() > cap {
            return Err(Unreadable::TooLarge);
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if more.is_empty() {
            more.extend_from_slice(&first);
        }
        more.extend_from_slice(&data);
    }
    Ok(if more.is_empty() { first } else { more.freeze() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use hyper::body::Frame;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// Announces nothing, like a chunked body.
    struct Pieces(VecDeque<Vec<u8>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece.into()))))
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(future)
    }

    proptest! {
        #[test]
        fn pieces_come_out_as_one_or_not_at_all(
            pieces: VecDeque<Vec<u8>>,
            cap in 0..1000_usize,
        ) {
            let whole = Bytes::from_iter(pieces.iter().flatten().copied());
            let fits = whole.len() <= cap;
            let read = block_on(read(Pieces(pieces), cap, LONG));
            prop_assert_eq!(read, if fits { Ok(whole) } else { Err(Unreadable::TooLarge) });
        }
    }

    #[test]
    fn an_announced_length_is_believed() {
        let body = Full::new(Bytes::from_static(b"12345"));
        assert_eq!(block_on(read(body.clone(), 4, LONG)), Err(Unreadable::TooLarge));
        assert_eq!(block_on(read(body, 5, LONG)), Ok(Bytes::from_static(b"12345")));
    }
}
