//! Calling others over HTTP(S): pooled connections, no redirects, a deadline and a bound on every
//! call.

pub use super::connect::{Proxy, Reach};
pub use super::secured::ClientCertificate;

use super::connect::{Connect, Line, OutOfReach};
use super::secured::Secured;
use crate::telemetry::identity::Identity as Telemetry;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::AlertDescription;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

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

/// What a client has on its way beside that: nothing, unless it is said.
#[derive(Debug, Clone, Default)]
pub struct Passage {
    /// What shows servers who we are; `None`: nothing.
    pub certificate: Option<ClientCertificate>,
    /// The proxy in between.
    pub proxy: Option<Proxy>,
    /// Who is told when files of certificates are replaced.
    pub telemetry: Option<Telemetry>,
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
    /// The certificate that shows who we are cannot be used.
    #[error(
        "cannot use the client certificate {path}: {problem}; it must be PEM, leaf first, and its key belong to it"
    )]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, or with its key.
        problem: String,
    },
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Name, TCP or TLS failed, or our certificate is refused: the server has seen nothing of the
    /// request.
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
    pool: legacy::Client<Connect, Full<Bytes>>,
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
        Client::on(options, Passage::default())
    }

    /// The same with a certificate or through a proxy. Roots and certificate are read again at each
    /// connection; what is unusable then leaves the old ones in force.
    ///
    /// # Errors
    /// [`ClientError`] when there are no roots to trust, or the certificate cannot be used.
    pub fn on(options: &Options, passage: Passage) -> Result<Client, ClientError> {
        let Passage { certificate, proxy, telemetry } = passage;
        let connector = Connect {
            line: Line::new(&options.reach, proxy.as_ref(), IDLE),
            secured: Arc::new(Secured::new(options.trust.clone(), certificate, telemetry)?),
            plain: options.trust == Trust::Plain,
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
                if error.is_connect() || is_turned_away(&error) {
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

/// Whether the server refuses our certificate. Under TLS 1.3 it says so after our side of the
/// handshake is over, so that it is met while sending, and before it reads any request.
fn is_turned_away(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::AlertReceived(alert)) = error.downcast_ref() {
            return is_about_certificates(*alert);
        }
        // What an I/O error wraps is not among its sources.
        cause = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::HandshakeFailure
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn met(alert: AlertDescription) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, rustls::Error::AlertReceived(alert))
    }

    #[test]
    fn only_an_alert_about_our_certificate_says_that_nothing_was_seen() {
        assert!(is_turned_away(&met(AlertDescription::CertificateRequired)));
        assert!(is_turned_away(&io::Error::other(io::Error::other(met(
            AlertDescription::UnknownCA
        )))));
        assert!(!is_turned_away(&met(AlertDescription::InternalError)));
        assert!(!is_turned_away(&io::Error::from(io::ErrorKind::ConnectionReset)));
    }
}
