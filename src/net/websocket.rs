//! A WebSocket, whoever opened it: frames in, pings out, and an end that is always noticed.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

/// How often a quiet peer is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// How long nothing may come, not even an answer to that.
const SILENCE: Duration = Duration::from_secs(60);
/// For the peer to say goodbye too.
const GOODBYE: Duration = Duration::from_secs(2);

/// What the peer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text, in UTF-8.
    Text(Bytes),
    /// Anything else that is content.
    Binary,
}

/// Why nothing more will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// The peer said goodbye.
    #[error("closed by the peer")]
    Closed,
    /// The peer went away without a word, or broke the protocol.
    #[error("the connection broke")]
    Broken,
    /// Nothing came for a minute, not even the answer to a ping.
    #[error("nothing came for 60 s, not even the answer to a ping")]
    Silent,
    /// A frame was larger than it may be.
    #[error("a frame was larger than the carrier's cap")]
    TooLarge,
}

/// An open WebSocket.
#[derive(Debug)]
pub struct WebSocket<S>(WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Over a stream on which we have answered the upgrade; a frame may have `max_frame` bytes.
    pub async fn accepted(stream: S, max_frame: usize) -> WebSocket<S> {
        let config = Some(bounded(max_frame));
        WebSocket(WebSocketStream::from_raw_socket(stream, Role::Server, config).await)
    }

    /// Over a stream on which the peer has answered our upgrade.
    pub(super) fn opened(socket: WebSocketStream<S>) -> WebSocket<S> {
        WebSocket(socket)
    }

    /// The next frame. Waiting for it may be given up and begun again; while nobody waits nothing
    /// is read, which in the end holds the peer back.
    ///
    /// # Errors
    /// [`Gone`]; there is no next frame.
    pub async fn next(&mut self) -> Result<Frame, Gone> {
        let begun = Instant::now();
        let (mut silent_at, mut ping_at) = (begun + SILENCE, begun + PING);
        loop {
            tokio::select! {
                came = self.0.next() => match came {
                    Some(Ok(Message::Text(text))) => return Ok(Frame::Text(text.into())),
                    Some(Ok(Message::Binary(_))) => return Ok(Frame::Binary),
                    Some(Ok(Message::Close(_))) => {}
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                        silent_at = Instant::now() + SILENCE;
                    }
                    Some(Err(error)) => return Err(gone(&error)),
                    None => return Err(Gone::Closed),
                },
                () = sleep_until(ping_at.min(silent_at)) => {
                    let ping = self.0.send(Message::Ping(Bytes::new()));
                    match timeout_at(silent_at, ping).await {
                        Ok(sent) => sent.map_err(|error| gone(&error))?,
                        Err(_) => return Err(Gone::Silent),
                    }
                    if Instant::now() >= silent_at {
                        return Err(Gone::Silent);
                    }
                    ping_at += PING;
                }
            }
        }
    }

    /// Says goodbye, and waits a moment for the peer's.
    pub async fn close(mut self) {
        let goodbye = CloseFrame { code: CloseCode::Away, reason: "the gateway stops".into() };
        let leave = async {
            // A peer that is gone already needs no goodbye.
            if self.0.close(Some(goodbye)).await.is_ok() {
                while let Some(Ok(_)) = self.0.next().await {}
            }
        };
        drop(timeout(GOODBYE, leave).await);
    }
}

/// With frames of at most this many bytes.
pub(super) fn bounded(max_frame: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_frame_size(Some(max_frame))
        .max_message_size(Some(max_frame))
        // Older versions of Asterisk do not mask what they send as a client.
        .accept_unmasked_frames(true)
        .read_buffer_size(16 << 10)
}

fn gone(error: &Error) -> Gone {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Gone::Closed,
        Error::Capacity(_) => Gone::TooLarge,
        _ => Gone::Broken,
    }
}

/// What `Sec-WebSocket-Accept` answers to this key (RFC 6455, 4.2.2).
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    derive_accept_key(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex};

    /// Both ends of one WebSocket; ours takes frames of up to 100 bytes.
    async fn pair() -> (WebSocket<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (ours, theirs) = duplex(1 << 16);
        let ours = WebSocket::accepted(ours, 100).await;
        (ours, WebSocketStream::from_raw_socket(theirs, Role::Client, None).await)
    }

    #[tokio::test]
    async fn frames_come_in_order_and_the_goodbye_is_heard() {
        let (mut ours, mut theirs) = pair().await;
        let said = [Message::text("满意"), Message::binary(vec![0]), Message::text("")];
        for message in said {
            theirs.send(message).await.expect("it is read");
        }
        theirs.close(None).await.expect("it is read");
        assert_eq!(ours.next().await, Ok(Frame::Text("满意".into())));
        assert_eq!(ours.next().await, Ok(Frame::Binary));
        assert_eq!(ours.next().await, Ok(Frame::Text(Bytes::new())));
        assert_eq!(ours.next().await, Err(Gone::Closed));
    }

    #[tokio::test]
    async fn a_client_that_does_not_mask_is_heard_all_the_same() {
        let (ours, theirs) = duplex(1 << 16);
        let mut ours = WebSocket::accepted(ours, 100).await;
        let mut theirs = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
        theirs.send(Message::text("1")).await.expect("it is read");
        assert_eq!(ours.next().await, Ok(Frame::Text("1".into())));
    }

    #[tokio::test]
    async fn a_frame_too_large_and_a_broken_line_are_ends() {
        let (mut ours, mut theirs) = pair().await;
        theirs.send(Message::text("x".repeat(101))).await.expect("it is read");
        assert_eq!(ours.next().await, Err(Gone::TooLarge));
        let (mut ours, theirs) = pair().await;
        drop(theirs);
        assert_eq!(ours.next().await, Err(Gone::Broken));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_answers_no_ping_is_gone_after_a_minute() {
        let (mut ours, _theirs) = pair().await;
        let from = Instant::now();
        assert_eq!(ours.next().await, Err(Gone::Silent));
        assert_eq!(from.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_answers_pings_may_be_quiet_for_an_hour() {
        let (mut ours, mut theirs) = pair().await;
        let late = async {
            let quiet = async { while theirs.next().await.is_some() {} };
            assert!(timeout(Duration::from_hours(1), quiet).await.is_err());
            theirs.send(Message::text("late")).await.expect("it is read");
        };
        let (came, ()) = tokio::join!(ours.next(), late);
        assert_eq!(came, Ok(Frame::Text("late".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_goodbye_is_not_waited_for_long() {
        let (ours, mut theirs) = pair().await;
        let from = Instant::now();
        ours.close().await;
        assert_eq!(from.elapsed(), GOODBYE);
        let heard = theirs.next().await.expect("a frame").expect("a good one");
        assert!(matches!(heard, Message::Close(Some(frame)) if frame.code == CloseCode::Away));
    }
}
