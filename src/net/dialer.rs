//! Opens WebSockets: name, TCP, TLS and the upgrade within one time.

use super::client::{ClientError, Trust};
use super::secured;
use super::websocket::{WebSocket, bounded};
use http::header::{AUTHORIZATION, HeaderValue};
use http::{StatusCode, Uri};
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;

/// For name, TCP, TLS and the upgrade together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A byte stream below a WebSocket that we opened.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why a WebSocket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Name or TCP failed.
    #[error("cannot connect ({0}); check the address and the network")]
    Unreachable(#[source] io::Error),
    /// The handshake failed.
    #[error("no TLS ({0}); check the certificates of the server, and `connect_ca`")]
    Tls(#[source] io::Error),
    /// The server answered, and does not want us.
    #[error(
        "the server answered {0} instead of opening a WebSocket; check address, user and secret"
    )]
    Refused(StatusCode),
    /// The server does not speak the protocol.
    #[error("the server does not speak WebSocket; check the address")]
    Garbage,
    /// It took too long.
    #[error("no WebSocket within 10 s; check the address and the network")]
    TimedOut,
}

/// Why nobody can be called.
#[derive(Debug, thiserror::Error)]
pub enum DialerError {
    /// The URL has no host that a certificate could be for.
    #[error("names no host that a certificate could be for")]
    Host(#[from] InvalidDnsNameError),
    /// There is nobody to trust.
    #[error(transparent)]
    Trust(#[from] ClientError),
}

/// Opens a WebSocket to one server.
pub struct Dialer {
    url: Uri,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    authorization: Option<HeaderValue>,
}

impl std::fmt::Debug for Dialer {
    // The query and the authorization may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Dialer { host, port, .. } = self;
        f.debug_struct("Dialer").field("host", host).field("port", port).finish_non_exhaustive()
    }
}

impl Dialer {
    /// For a URL `wss://…`, with the system's roots or those of a file; or `ws://…`.
    ///
    /// # Errors
    /// [`DialerError`].
    pub fn new(
        url: &Uri,
        trust: &Trust,
        authorization: Option<HeaderValue>,
    ) -> Result<Dialer, DialerError> {
        let host = url.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let secure = url.scheme_str() == Some("wss");
        let tls = match secure {
            true => {
                let name = ServerName::try_from(host.clone())?;
                Some((TlsConnector::from(Arc::new(secured::tls(trust)?)), name))
            }
            false => None,
        };
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Dialer { url: url.clone(), host, port, tls, authorization })
    }

    /// The server, for logs.
    #[must_use]
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Opens the WebSocket; a frame may have `max_frame` bytes.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn dial(&self, max_frame: usize) -> Result<WebSocket<Box<dyn Stream>>, DialError> {
        let open = async {
            let stream = self.connect().await?;
            let mut request = self.url.clone().into_client_request().map_err(refused)?;
            if let Some(authorization) = &self.authorization {
                request.headers_mut().insert(AUTHORIZATION, authorization.clone());
            }
            let config = Some(bounded(max_frame));
            let opened = client_async_with_config(request, stream, config).await;
            opened.map(|(socket, _)| WebSocket::opened(socket)).map_err(refused)
        };
        timeout(CONNECT_TIMEOUT, open).await.unwrap_or(Err(DialError::TimedOut))
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, DialError> {
        let address = (self.host.as_str(), self.port);
        let stream = TcpStream::connect(address).await.map_err(DialError::Unreachable)?;
        stream.set_nodelay(true).map_err(DialError::Unreachable)?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some((connector, name)) => {
                let shaken = connector.connect(name.clone(), stream).await;
                Ok(Box::new(shaken.map_err(DialError::Tls)?))
            }
        }
    }
}

fn refused(error: Error) -> DialError {
    match error {
        Error::Http(response) => DialError::Refused(response.status()),
        Error::Io(error) => DialError::Unreachable(error),
        _ => DialError::Garbage,
    }
}
