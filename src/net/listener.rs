//! Accepts connections: never more than there are permits, slower after errors, none once the
//! gateway stops.

use super::{Peer, Socket};
use crate::clock::Entropy;
use crate::lifecycle::Tasks;
use crate::telemetry::net::{Ended, Listening};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; is another process using it, or may this user not?")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// Connections that the system keeps for us until we accept them; it may allow fewer. A carrier's
/// connections all come at once after a break, and one too many would not be refused but would wait
/// a second or more for its next try.
const BACKLOG: u32 = 4096;

/// Listens on an address with room for a crowd; port 0 takes a free one.
///
/// # Errors
/// When the system refuses.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of the process before us must not keep us from its address.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A bound address and how its connections begin.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// One for each connection that may be open; may be shared by several listeners.
    permits: Arc<Semaphore>,
    tls: Option<Tls>,
    entropy: Entropy,
    telemetry: Listening,
}

/// A connection and the address it comes from.
type Accepted = (TcpStream, IpAddr);

#[derive(Clone)]
struct Tls {
    acceptor: TlsAcceptor,
    handshake_timeout: Duration,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("handshake_timeout", &self.handshake_timeout).finish()
    }
}

impl Listener {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`BindError`] when the system refuses.
    pub async fn bind(
        address: SocketAddr,
        permits: Arc<Semaphore>,
        entropy: Entropy,
        telemetry: Listening,
    ) -> Result<Listener, BindError> {
        let refused = |source| BindError { address, source };
        let socket = listen(address).map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        Ok(Listener { socket, address, permits, tls: None, entropy, telemetry })
    }

    /// Has every connection begin with a TLS handshake, within a time.
    #[must_use]
    pub fn with_tls(self, acceptor: TlsAcceptor, handshake_timeout: Duration) -> Listener {
        Listener { tls: Some(Tls { acceptor, handshake_timeout }), ..self }
    }

    /// The address it has.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until the gateway stops; each connection is a task that runs `serve` and says
    /// how it ended.
    pub async fn run<S, F>(self, tasks: Tasks, serve: S)
    where
        S: Fn(Socket, Peer) -> F + Clone + Send + 'static,
        F: Future<Output = Ended> + Send + 'static,
    {
        let mut failures = 0;
        loop {
            let accepted = tokio::select! {
                biased;
                () = tasks.stopping() => return,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok((accepted, permit)) => {
                    failures = 0;
                    self.start(&tasks, accepted, permit, serve.clone());
                }
                Err(error) if concerns_one_peer(&error) => self.telemetry.accept_failed(&error),
                Err(error) => {
                    self.telemetry.accept_failed(&error);
                    let pause = pause(failures, self.entropy.fraction());
                    failures = failures.saturating_add(1);
                    // The stop may come meanwhile; the pause is short.
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Takes a permit first, so that a peer too many waits in the system's queue and costs us
    /// nothing.
    async fn accept(&self) -> io::Result<(Accepted, OwnedSemaphorePermit)> {
        let permit = if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            permit
        } else {
            self.telemetry.full();
            Arc::clone(&self.permits).acquire_owned().await.map_err(io::Error::other)?
        };
        let (stream, address) = self.socket.accept().await?;
        Ok(((stream, address.ip().to_canonical()), permit))
    }

    fn start<S, F>(&self, tasks: &Tasks, accepted: Accepted, permit: OwnedSemaphorePermit, serve: S)
    where
        S: Fn(Socket, Peer) -> F + Send + 'static,
        F: Future<Output = Ended> + Send + 'static,
    {
        let tls = self.tls.clone();
        let open = self.telemetry.opened();
        tasks.spawn("connection", async move {
            let _permit = permit;
            let ended = match shake_hands(accepted, tls).await {
                Ok((socket, peer)) => serve(socket, peer).await,
                Err(ended) => ended,
            };
            open.ended(ended);
        });
    }
}

async fn shake_hands(
    (stream, address): Accepted,
    tls: Option<Tls>,
) -> Result<(Socket, Peer), Ended> {
    // Answers are small and whole: waiting to fill a packet would only delay them.
    stream.set_nodelay(true).map_err(|_| Ended::Lost)?;
    let Some(tls) = tls else {
        return Ok((Socket::Plain(stream), Peer { address, tls: false, certificate: None }));
    };
    match timeout(tls.handshake_timeout, tls.acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let certificate = shown.map(|shown| shown.clone().into_owned());
            Ok((Socket::Tls(Box::new(stream)), Peer { address, tls: true, certificate }))
        }
        Ok(Err(_)) => Err(Ended::Handshake),
        Err(_) => Err(Ended::HandshakeTimeout),
    }
}

/// Whether an accept error is over with its peer; the others, such as too many open files, are
/// ours and last.
fn concerns_one_peer(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// How long to wait after this many failures in a row: doubling from 10 ms up to 1 s, and of
/// that a random part between half and all.
fn pause(failures: u32, fraction: f64) -> Duration {
    let ceiling = Duration::from_millis(10 << failures.min(7)).min(Duration::from_secs(1));
    ceiling.mul_f64(0.5 + fraction / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_never_vanish() {
        let millis = |failures, fraction| pause(failures, fraction).as_millis();
        let schedule: Vec<_> = (0..9).map(|failures| millis(failures, 1.0)).collect();
        assert_eq!(schedule, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(millis(0, 0.0), 5);
        assert_eq!(millis(u32::MAX, 0.0), 500);
    }

    #[test]
    fn only_lasting_errors_slow_us_down() {
        assert!(concerns_one_peer(&ErrorKind::ConnectionAborted.into()));
        let too_many_open_files = io::Error::from_raw_os_error(24);
        assert!(!concerns_one_peer(&too_many_open_files));
    }

    #[tokio::test]
    async fn a_crowd_is_let_in_before_anybody_is_accepted() {
        let listener = listen(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut crowd = Vec::new();
        for _ in 0..400 {
            let knock = timeout(Duration::from_secs(10), TcpStream::connect(address)).await;
            crowd.push(knock.expect("the system answers for us").expect("it listens"));
        }
    }
}
