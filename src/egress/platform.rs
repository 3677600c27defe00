//! One request to the platform: placed below its address, signed, sent, and its answer as it came.

use crate::clock::{Clock, Entropy};
use crate::config::Destination;
use crate::net::client::{Answer, CallError, Client, ClientError, Options, Reach, Trust};
use crate::signature::Signer;
use bytes::Bytes;
use http::{Request, Uri, uri::PathAndQuery};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// The largest answer that is read. A verdict takes about 100 bytes.
const MAX_ANSWER: usize = 4 << 20;

/// The longest wait for a connection, within the request's deadline.
const CONNECT: Duration = Duration::from_secs(5);

/// The platform as a destination of requests. Cloning shares its connections.
#[derive(Debug, Clone)]
pub struct Platform {
    client: Client,
    url: Uri,
    signer: Signer,
    timeout: Duration,
    clock: Clock,
    entropy: Entropy,
}

/// Why no request can be made to this destination.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The URL cannot be called.
    #[error("destination.url must be http:// or https:// with a host")]
    BadUrl,
    /// The key id cannot be put into a header.
    #[error("destination.key_id must be visible ASCII characters")]
    BadKeyId,
    /// No client.
    #[error("destination.ca: {0}")]
    Client(#[from] ClientError),
}

/// A request that was made.
#[derive(Debug)]
pub struct Sent {
    /// When it started.
    pub started_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What came back.
    pub answer: Result<Answer, CallError>,
}

impl Platform {
    /// The platform of a destination; connects when the first request is sent.
    ///
    /// # Errors
    /// [`PlatformError`] when the destination cannot be called.
    pub fn new(
        destination: &Destination,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Platform, PlatformError> {
        let trust = match (destination.url.scheme_str(), &destination.ca) {
            (Some("http"), _) => Trust::Plain,
            (Some("https"), None) => Trust::System,
            (Some("https"), Some(ca)) => Trust::Roots(ca.clone()),
            _ => return Err(PlatformError::BadUrl),
        };
        let client = Client::new(&Options {
            reach: Reach::Anywhere,
            trust,
            connect_timeout: CONNECT.min(destination.request_timeout),
            max_idle: destination.concurrency,
        })?;
        let signer = Signer::new(&destination.key_id, &destination.secret)
            .map_err(|_| PlatformError::BadKeyId)?;
        let (url, timeout) = (destination.url.clone(), destination.request_timeout);
        Ok(Platform { client, url, signer, timeout, clock, entropy })
    }

    /// The deadline of a request.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends what a profile wrote, and waits for the answer until its deadline.
    pub async fn send(&self, mut request: Request<Bytes>) -> Sent {
        let started = Instant::now();
        let started_at = self.clock.now();
        *request.uri_mut() = below(&self.url, request.uri());
        // Whatever proves who we are is made over the finished request.
        self.signer.sign(&mut request, started_at, self.entropy.bytes());
        let answer = self.client.call(request, started + self.timeout, MAX_ANSWER).await;
        Sent { started_at, took: started.elapsed(), answer }
    }
}

/// The URL of what a profile wrote, below the destination's base URL.
fn below(base: &Uri, target: &Uri) -> Uri {
    let target = target.path_and_query().map_or("/", PathAndQuery::as_str);
    let path = format!("{}{target}", base.path().trim_end_matches('/'));
    let mut parts = base.clone().into_parts();
    parts.path_and_query = path.parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| base.clone())
}
