//! A peer's byte stream, plain or TLS, that tells the connection's `Pace` what it reads.

use super::timeouts::Pace;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// An accepted connection, past its TLS handshake if it has one.
#[derive(Debug)]
pub enum Socket {
    /// TCP alone.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! either {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Plain($stream) => $call,
            Socket::Tls($stream) => $call,
        }
    };
}

/// A socket whose reads are timed, and which hears a talkative peer out before it closes.
#[derive(Debug)]
pub(super) struct Paced {
    socket: Socket,
    pace: Pace,
    /// Bytes dropped since our side was closed; `None` before that.
    dropped: Option<usize>,
}

impl Paced {
    /// The most that a peer may still send after we have answered and stopped reading.
    const LINGER: usize = 8 << 20;

    pub(super) fn new(socket: Socket, pace: Pace) -> Paced {
        Paced { socket, pace, dropped: None }
    }

    /// Reads what nobody wants until the peer ends. Closing with bytes unread would reset the
    /// connection, and the reset may overtake our answer. The pace bounds the time.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 8 << 10];
        let dropped = self.dropped.get_or_insert_default();
        while *dropped < Paced::LINGER {
            let mut unwanted = ReadBuf::new(&mut scratch);
            let read = either!(&mut self.socket, s => Pin::new(s).poll_read(cx, &mut unwanted));
            // The answer is sent; how the peer goes away changes nothing.
            if ready!(read).is_err() || unwanted.filled().is_empty() {
                break;
            }
            *dropped += unwanted.filled().len();
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(either!(&mut self.socket, s => Pin::new(s).poll_read(cx, buf)))?;
        if buf.filled().len() > before {
            self.pace.bytes_came();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(&mut self.socket, s => Pin::new(s).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(&mut self.socket, s => Pin::new(s).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        either!(&self.socket, s => s.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut self.socket, s => Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.dropped.is_none() {
            ready!(either!(&mut self.socket, s => Pin::new(s).poll_shutdown(cx)))?;
            if !self.pace.lingers() {
                return Poll::Ready(Ok(()));
            }
            self.pace.last_call();
        }
        self.poll_linger(cx).map(Ok)
    }
}
