//! Calling others over HTTP(S): pooled connections, no redirects, a deadline and a bound on every
//! call.

use super::tls::roots;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tower_service::Service;

/// How long an unused connection is kept: shorter than servers commonly keep theirs, so that it
/// is mostly we who close.
const IDLE: Duration = Duration::from_secs(15);

/// Any error, with its sources.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Whom to believe to be the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Anybody: plain HTTP.
    Plain,
    /// Whoever the system's roots vouch for.
    System,
    /// Whoever the roots in this PEM file vouch for, and nobody else.
    Roots(PathBuf),
}

/// To which addresses a client connects.
#[derive(Clone)]
pub enum Reach {
    /// To any: whoever configured the URL knows where it leads.
    Anywhere,
    /// Only to those for which this holds, asked of each address to which a name leads, at each
    /// connection.
    Where(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>),
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reach::Anywhere => "Anywhere",
            Reach::Where(_) => "Where(…)",
        })
    }
}

impl Reach {
    fn admits(&self, address: IpAddr) -> bool {
        match self {
            Reach::Anywhere => true,
            Reach::Where(holds) => holds(address),
        }
    }
}

/// How the client connects.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whom to believe.
    pub trust: Trust,
    /// Where to.
    pub reach: Reach,
    /// The time for name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Unused connections kept to one server.
    pub max_idle: usize,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The system's roots cannot be read.
    #[error(
        "no trusted roots on this system ({0}); install ca-certificates, or name a PEM file of roots"
    )]
    NoSystemRoots(#[source] std::io::Error),
    /// The file of roots cannot be read.
    #[error(
        "cannot read trusted roots from {path}: {problem}; it must be a PEM file of certificates"
    )]
    BadRoots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Name, TCP or TLS failed: the server has seen nothing of the request.
    #[error("cannot connect; check the address, the network and the certificates")]
    Unreachable(#[source] BoxError),
    /// The deadline passed; the server may or may not have done the work.
    #[error("no complete answer before the deadline")]
    TimedOut,
    /// The connection broke; the server may or may not have done the work.
    #[error("the connection broke before the answer was complete")]
    Broken(#[source] BoxError),
}

impl CallError {
    /// Whether the answer was larger than was allowed.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, CallError::Broken(error) if error.is::<LengthLimitError>())
    }

    /// Whether the server stands where the client does not reach.
    #[must_use]
    pub fn is_out_of_reach(&self) -> bool {
        let CallError::Unreachable(error) = self else { return false };
        let mut cause: Option<&(dyn Error + 'static)> = Some(&**error);
        while let Some(error) = cause {
            if error.is::<OutOfReach>() {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

/// A pool of connections. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Client {
    pool: legacy::Client<Timed<HttpsConnector<HttpConnector<Resolver>>>, Full<Bytes>>,
}

impl Client {
    /// A client without a connection yet.
    ///
    /// It speaks HTTP/1.1 only: a call past its deadline then takes its connection with it, where
    /// over HTTP/2 every call would go on sharing one that may be dead.
    ///
    /// # Errors
    /// [`ClientError`] when there are no roots to trust.
    pub fn new(options: &Options) -> Result<Client, ClientError> {
        let resolver = Resolver { inner: GaiResolver::new(), reach: options.reach.clone() };
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(IDLE));
        let https = HttpsConnectorBuilder::new().with_tls_config(tls(&options.trust)?);
        let https = match options.trust {
            Trust::System | Trust::Roots(_) => https.https_only(),
            Trust::Plain => https.https_or_http(),
        };
        let connector = Timed {
            inner: https.enable_http1().wrap_connector(tcp),
            reach: options.reach.clone(),
            timeout: options.connect_timeout,
        };
        // The pool's own tasks only move the bytes of connections; they end with the pool.
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(options.max_idle)
            .build(connector);
        Ok(Client { pool })
    }

    /// Sends a request and reads the whole answer, before `deadline` and up to `max_body` bytes
    /// of body. A redirect is an answer like any other.
    ///
    /// # Errors
    /// [`CallError`], which tells whether the server can have seen the request.
    pub async fn call(
        &self,
        request: Request<Bytes>,
        deadline: Instant,
        max_body: usize,
    ) -> Result<Answer, CallError> {
        let call = async {
            let response = self.pool.request(request.map(Full::new)).await.map_err(|error| {
                if error.is_connect() {
                    CallError::Unreachable(error.into())
                } else {
                    CallError::Broken(error.into())
                }
            })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, max_body).collect().await.map_err(CallError::Broken)?;
            Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        tokio::time::timeout_at(deadline, call).await.unwrap_or(Err(CallError::TimedOut))
    }
}

/// How to shake hands as a client with whom `trust` believes.
pub(super) fn tls(trust: &Trust) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let trusting = match trust {
        Trust::Plain => builder.with_root_certificates(RootCertStore::empty()),
        Trust::System => builder.with_native_roots().map_err(ClientError::NoSystemRoots)?,
        Trust::Roots(path) => {
            let bad = |problem| ClientError::BadRoots { path: path.clone(), problem };
            builder.with_root_certificates(roots(path).map_err(bad)?)
        }
    };
    Ok(trusting.with_no_client_auth())
}

/// A connector that must be done in time, with the name and the handshake too.
#[derive(Debug, Clone)]
struct Timed<C> {
    inner: C,
    reach: Reach,
    timeout: Duration,
}

/// Name, TCP and TLS took too long.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
struct ConnectTimeout(Duration);

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
        if let Ok(address) = host.parse()
            && !self.reach.admits(address)
        {
            return Box::pin(async { Err(OutOfReach.into()) });
        }
        let timeout = self.timeout;
        let connecting = self.inner.call(server);
        Box::pin(async move {
            match tokio::time::timeout(timeout, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(ConnectTimeout(timeout).into()),
            }
        })
    }
}

/// The host has no address that may be reached.
#[derive(Debug, thiserror::Error)]
#[error("the host has no address that may be reached")]
struct OutOfReach;

/// The system's resolver, without the addresses that are out of reach. What it gives is what is
/// connected to, so a name that leads elsewhere the next moment changes nothing.
#[derive(Debug, Clone)]
struct Resolver {
    inner: GaiResolver,
    reach: Reach,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (found, reach) = (self.inner.call(name), self.reach.clone());
        Box::pin(async move {
            let found: GaiAddrs = found.await?;
            let within: Vec<SocketAddr> =
                found.filter(|address| reach.admits(address.ip())).collect();
            if within.is_empty() { Err(OutOfReach.into()) } else { Ok(within.into_iter()) }
        })
    }
}
