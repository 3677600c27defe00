//! One request to the platform: written, signed, sent, and its answer as it came.

use super::identity::{Identity, IdentityError, SendError};
use super::native;
use super::way;
use crate::clock::{Clock, Entropy};
use crate::config::Destination;
use crate::net::client::{Answer, ClientError};
use crate::store::Leased;
use crate::telemetry::identity::Identity as Telemetry;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header, uri::PathAndQuery};
use jiff::Timestamp;
use ring::digest;
use std::time::Duration;
use tokio::time::Instant;

/// The largest answer that is read. A verdict takes about 100 bytes.
const MAX_ANSWER: usize = 4 << 20;

/// The platform as a destination of requests. Cloning shares its connections.
#[derive(Debug, Clone)]
pub struct Platform {
    identity: Identity,
    url: Uri,
    timeout: Duration,
    clock: Clock,
}

/// Why no request can be made to this destination.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The URL cannot be called.
    #[error("destination.url must be http:// or https:// with a host")]
    BadUrl,
    /// No request can be made ours.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No client.
    #[error("destination: {0}")]
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
    pub answer: Result<Answer, SendError>,
}

impl Platform {
    /// The platform of a destination; connects when the first request is sent.
    ///
    /// # Errors
    /// [`PlatformError`] when the destination cannot be called.
    pub fn new(
        destination: &Destination,
        (clock, entropy): (Clock, Entropy),
        telemetry: Telemetry,
    ) -> Result<Platform, PlatformError> {
        let url = endpoint(&destination.url).ok_or(PlatformError::BadUrl)?;
        let client = way::client(destination, telemetry.clone())?;
        let identity = Identity::new(destination, client, (clock.clone(), entropy), telemetry)?;
        Ok(Platform { identity, url, timeout: destination.request_timeout, clock })
    }

    /// The deadline of a request.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a batch and waits for the answer until its deadline.
    pub async fn send(&self, batch: &[Leased]) -> Sent {
        let started = Instant::now();
        let started_at = self.clock.now();
        let request = self.request(batch);
        let answer = self.identity.send(request, (started, started_at), MAX_ANSWER).await;
        Sent { started_at, took: started.elapsed(), answer }
    }

    fn request(&self, batch: &[Leased]) -> Request<Bytes> {
        let mut request = Request::new(Bytes::from(native::write(batch)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("idempotency-key", ascii(batch_key(batch)));
        request
    }
}

/// The URL of the records under the destination's base URL.
fn endpoint(base: &Uri) -> Option<Uri> {
    let path = format!("{}{}", base.path().trim_end_matches('/'), native::PATH);
    let path = PathAndQuery::try_from(path).ok()?;
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).ok()
}

/// The same for the same records in the same order, whatever the attempt.
fn batch_key(batch: &[Leased]) -> String {
    let mut keys = digest::Context::new(&digest::SHA256);
    for leased in batch {
        keys.update(leased.record.id.0.as_bytes());
        keys.update(&leased.record.revision.0.to_be_bytes());
    }
    hex::encode(keys.finish())
}

#[expect(clippy::expect_used, reason = "hex always fits into a header")]
fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("plain ASCII")
}
