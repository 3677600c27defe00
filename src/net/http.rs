//! One HTTP connection from its first byte to its close: version, limits, timeouts, and the
//! polite end when the gateway stops.

use super::Socket;
use super::socket::Paced;
use super::timeouts::{Overdue, Pace, Timeouts};
use crate::lifecycle::Tasks;
use crate::telemetry::net::Ended;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What every handler answers with: a body that is whole.
pub type Response = http::Response<Full<Bytes>>;

/// Put into an answer's extensions, a 101: what takes the connection over once the answer is out.
/// The connection counts as open until that is done.
#[derive(Clone)]
pub struct Takeover(Arc<Mutex<Option<Successor>>>);

type Successor = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Takeover {
    /// By this, which ends by itself when the gateway stops.
    pub fn by(successor: impl Future<Output = ()> + Send + 'static) -> Takeover {
        Takeover(Arc::new(Mutex::new(Some(Box::pin(successor)))))
    }

    fn successor(&self) -> Option<Successor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Put into an answer's extensions when its request's body was left unread and may still be on
/// its way: the peer is then heard out before the connection closes, so that it gets the answer.
#[derive(Debug, Clone, Copy)]
pub struct Unread;

/// The largest head of a request, in bytes; also the size of a connection's read buffer.
const MAX_HEAD: usize = 32 << 10;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// Serves connections of HTTP/1.1, and of HTTP/2 with or without TLS.
#[derive(Clone)]
pub struct HttpServer {
    protocol: auto::Builder<Streams>,
    timeouts: Timeouts,
    tasks: Tasks,
}

impl std::fmt::Debug for Takeover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Takeover").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpServer").field("timeouts", &self.timeouts).finish_non_exhaustive()
    }
}

impl HttpServer {
    /// A server whose connections end with the gateway.
    #[must_use]
    pub fn new(timeouts: Timeouts, tasks: Tasks) -> HttpServer {
        let mut protocol = auto::Builder::new(Streams(tasks.clone()));
        protocol
            .http1()
            // Headers are timed by `Pace`, which says why.
            .header_read_timeout(None)
            // A peer that has said all it will say still wants its answer.
            .half_close(true)
            .max_buf_size(MAX_HEAD);
        protocol
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(timeouts.idle / 2)
            .keep_alive_timeout(timeouts.header)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX));
        HttpServer { protocol, timeouts, tasks }
    }

    /// Serves one connection until it ends: by the peer, by a timeout, or because the gateway
    /// stops and nothing is under way on it any more.
    pub async fn serve<H, F>(&self, socket: Socket, handler: H) -> Ended
    where
        H: Fn(Request<Incoming>) -> F,
        F: Future<Output = Response> + Send + 'static,
    {
        let pace = Pace::new(self.timeouts);
        let takeover = Arc::new(OnceLock::new());
        let service = service_fn(|request: Request<Incoming>| {
            let (pace, takeover) = (pace.clone(), Arc::clone(&takeover));
            let under_way = pace.request(request.version());
            let answer = handler(request);
            async move {
                let mut answer = answer.await;
                if let Some(next) = answer.extensions_mut().remove::<Takeover>() {
                    takeover.get_or_init(|| next);
                }
                if answer.extensions().get::<Unread>().is_some() {
                    pace.linger();
                }
                drop(under_way);
                Ok::<_, Infallible>(answer)
            }
        });
        let socket = TokioIo::new(Paced::new(socket, pace.clone()));
        let mut connection = pin!(self.protocol.serve_connection_with_upgrades(socket, service));
        let mut watchdog = pace.watchdog();
        let mut stopping = pin!(self.tasks.stopping());
        let mut closing = None;
        loop {
            tokio::select! {
                biased;
                finished = connection.as_mut() => {
                    if let Some(next) = takeover.get().and_then(Takeover::successor) {
                        next.await;
                    }
                    let ended = finished.map_or_else(|error| why(&*error), |()| Ended::Finished);
                    return closing.unwrap_or(ended);
                }
                overdue = &mut watchdog => match overdue {
                    Overdue::Header => return closing.unwrap_or(Ended::SlowHeader),
                    Overdue::Idle => {
                        closing = Some(Ended::Idle);
                        pace.last_call();
                        connection.as_mut().graceful_shutdown();
                    }
                },
                () = stopping.as_mut(), if closing.is_none() => {
                    closing = Some(Ended::Finished);
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

fn why(error: &(dyn Error + Send + Sync + 'static)) -> Ended {
    match error.downcast_ref::<hyper::Error>() {
        Some(error) if error.is_parse() => Ended::Garbage,
        _ => Ended::Lost,
    }
}

/// Runs the requests of an HTTP/2 connection as tasks that are waited for.
#[derive(Debug, Clone)]
struct Streams(Tasks);

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.spawn("request", stream);
    }
}
