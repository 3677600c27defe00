//! One request to the platform: placed below its address, signed, sent, and its answer as it came.

use super::identity::{Identity, IdentityError, SendError};
use super::way;
use crate::clock::{Clock, Entropy};
use crate::config::Destination;
use crate::net::client::{Answer, ClientError};
use crate::telemetry::identity::Identity as Telemetry;
use bytes::Bytes;
use http::{Request, Uri, uri::PathAndQuery};
use jiff::Timestamp;
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
        let client = way::client(destination, telemetry.clone())?;
        let identity = Identity::new(destination, client, (clock.clone(), entropy), telemetry)?;
        let (url, timeout) = (destination.url.clone(), destination.request_timeout);
        Ok(Platform { identity, url, timeout, clock })
    }

    /// The deadline of a request.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends what a profile wrote, and waits for the answer until its deadline. `disowns` reads an
    /// answer other than 401 that says as much.
    pub async fn send(
        &self,
        mut request: Request<Bytes>,
        disowns: impl Fn(&Answer) -> bool,
    ) -> Sent {
        let started = Instant::now();
        let started_at = self.clock.now();
        *request.uri_mut() = below(&self.url, request.uri());
        // Whatever proves who we are is made over the finished request.
        let times = (started, started_at);
        let answer = self.identity.send(request, times, MAX_ANSWER, disowns).await;
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
