//! The way to a server: name, address within reach, proxy, TCP and TLS, all within one time.

use super::client::BoxError;
use super::secured::Secured;
use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

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

/// An HTTP proxy that is asked for a tunnel (CONNECT, RFC 9110, 9.3.6) to every server.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Its address, `http://HOST:PORT`. It is this that must be within [`Reach`]: to where a server's
    /// name leads, the proxy alone knows.
    pub url: Uri,
    /// What it is shown of us.
    pub authorization: Option<HeaderValue>,
}

/// A step on the way.
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connects, with everything that belongs to it, or gives up in time.
#[derive(Debug, Clone)]
pub(super) struct Connect {
    pub(super) line: Line,
    pub(super) secured: Arc<Secured>,
    /// Whether `http://` will do.
    pub(super) plain: bool,
    pub(super) timeout: Duration,
}

/// Name, TCP and TLS took too long.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
struct ConnectTimeout(Duration);

impl Service<Uri> for Connect {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let Connect { line, secured, plain, timeout } = self.clone();
        let connecting = async move {
            let tls = secured.now().await;
            let https = HttpsConnectorBuilder::new().with_tls_config(ClientConfig::clone(&tls));
            let https = if plain { https.https_or_http() } else { https.https_only() };
            let mut connector = https.enable_http1().wrap_connector(line);
            poll_fn(|context| connector.poll_ready(context)).await?;
            connector.call(server).await
        };
        Box::pin(async move {
            let connected = tokio::time::timeout(timeout, connecting).await;
            connected.unwrap_or_else(|_| Err(ConnectTimeout(timeout).into()))
        })
    }
}

/// TCP to the server, or through the proxy.
#[derive(Debug, Clone)]
pub(super) enum Line {
    Direct(Within),
    Through(Tunnel<Within>),
}

impl Line {
    pub(super) fn new(reach: &Reach, proxy: Option<&Proxy>, keepalive: Duration) -> Line {
        let resolver = Resolver { inner: GaiResolver::new(), reach: reach.clone() };
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(keepalive));
        let within = Within { tcp, reach: reach.clone() };
        let Some(Proxy { url, authorization }) = proxy else { return Line::Direct(within) };
        let tunnel = Tunnel::new(url.clone(), within);
        Line::Through(match authorization {
            Some(authorization) => tunnel.with_auth(authorization.clone()),
            None => tunnel,
        })
    }
}

impl Service<Uri> for Line {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Line::Direct(within) => within.poll_ready(context),
            Line::Through(tunnel) => tunnel.poll_ready(context).map_err(Into::into),
        }
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        match self {
            Line::Direct(within) => within.call(server),
            Line::Through(tunnel) => {
                let connecting = tunnel.call(with_port(server));
                Box::pin(async move {
                    connecting.await.map_err(|error| ProxyError(error.into()).into())
                })
            }
        }
    }
}

/// A tunnel leads to port 443 unless one is named.
fn with_port(server: Uri) -> Uri {
    let host = server.host().filter(|_| server.scheme_str() == Some("http"));
    let Some(host) = host.filter(|_| server.port().is_none()) else { return server };
    Uri::builder()
        .scheme("http")
        .authority(format!("{host}:80"))
        .path_and_query("/")
        .build()
        .unwrap_or(server)
}

/// The proxy did not lead to the server.
#[derive(Debug, thiserror::Error)]
#[error("the proxy gives no tunnel")]
struct ProxyError(#[source] BoxError);

/// TCP to what is within reach.
#[derive(Debug, Clone)]
pub(super) struct Within {
    tcp: HttpConnector<Resolver>,
    reach: Reach,
}

impl Service<Uri> for Within {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
        // A number is not asked of the resolver.
        if let Ok(address) = host.parse()
            && !self.reach.admits(address)
        {
            return Box::pin(async move { Err(OutOfReach(vec![address]).into()) });
        }
        let connecting = self.tcp.call(server);
        Box::pin(async move { connecting.await.map_err(Into::into) })
    }
}

/// The host has no address that may be reached.
#[derive(Debug, thiserror::Error)]
#[error("the host has no address that may be reached, only {}", listed(.0))]
pub(super) struct OutOfReach(Vec<IpAddr>);

/// The first few: a name can have many.
fn listed(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses.iter().take(4).map(ToString::to_string).collect();
    shown.join(", ")
}

/// The system's resolver, without the addresses that are out of reach. What it gives is what is
/// connected to, so a name that leads elsewhere the next moment changes nothing.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    inner: GaiResolver,
    reach: Reach,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (found, reach) = (self.inner.call(name), self.reach.clone());
        Box::pin(async move {
            let found: GaiAddrs = found.await?;
            let (within, beyond): (Vec<SocketAddr>, Vec<SocketAddr>) =
                found.partition(|address| reach.admits(address.ip()));
            if within.is_empty() {
                return Err(OutOfReach(beyond.iter().map(SocketAddr::ip).collect()).into());
            }
            Ok(within.into_iter())
        })
    }
}
