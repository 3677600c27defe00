//! One recording from its carrier: asked for, followed where it was moved, and read within its bounds.

use super::fate::{self, Fault};
use crate::config::{Recordings, Unlisted};
use crate::model::AudioFormat;
use crate::net::client::{Answer, CallError, Client, ClientError, Options, Reach, Trust};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue, LOCATION};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Uri};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often a recording may be somewhere else.
const MOST_REDIRECTS: usize = 3;

/// The longest wait for a connection, within the request's deadline.
const CONNECT: Duration = Duration::from_secs(5);

/// The carrier of an account.
#[derive(Debug)]
pub(super) struct Source {
    settings: Arc<Recordings>,
    encrypted: Client,
    /// `None`: `http://` will not do.
    plain: Option<Client>,
}

impl Source {
    /// Connects when the first recording is fetched.
    pub(super) fn new(settings: &Arc<Recordings>) -> Result<Source, ClientError> {
        let within = Arc::clone(settings);
        let reach = Reach::Where(Arc::new(move |address| within.reaches(address)));
        let client = |trust| {
            let connect_timeout = CONNECT.min(settings.request_timeout);
            Client::new(&Options { trust, reach: reach.clone(), connect_timeout, max_idle: 1 })
        };
        let trust = settings.ca.clone().map_or(Trust::System, Trust::Roots);
        let plain = settings.allow_http.then(|| client(Trust::Plain)).transpose()?;
        Ok(Source { settings: Arc::clone(settings), encrypted: client(trust)?, plain })
    }

    /// Fetches a recording.
    pub(super) async fn fetch(&self, address: &str) -> Result<(AudioFormat, Bytes), Fault> {
        let deadline = Instant::now() + self.settings.request_timeout;
        let first = self.admit(address)?;
        let mut url = first.clone();
        for _ in 0..=MOST_REDIRECTS {
            let known = url.scheme() == first.scheme() && url.authority() == first.authority();
            let answer = self.ask(&url, known, deadline).await?;
            if !answer.status.is_redirection() {
                let format = fate::read(answer.status, &answer.headers, &answer.body)?;
                return Ok((format, answer.body));
            }
            url = self.admit(&moved(&url, &answer)?)?;
        }
        Err(Fault::Final(format!("it was moved more than {MOST_REDIRECTS} times")))
    }

    fn admit(&self, address: &str) -> Result<Uri, Fault> {
        let refused = |why: Unlisted| Fault::Final(format!("an address was not asked: {why}"));
        self.settings.admits(address).map_err(refused)
    }

    /// Asks at one address; the password goes to the host that the carrier named, and no further.
    async fn ask(&self, url: &Uri, known: bool, deadline: Instant) -> Result<Answer, Fault> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = url.clone();
        if let Some(authorization) = self.authorization().filter(|_| known) {
            request.headers_mut().insert(AUTHORIZATION, authorization);
        }
        let is_plain = url.scheme() == Some(&Scheme::HTTP);
        let client = self.plain.as_ref().filter(|_| is_plain).unwrap_or(&self.encrypted);
        client.call(request, deadline, self.settings.max_size).await.map_err(|error| match error {
            error if error.is_too_large() => {
                Fault::Final("it is larger than recordings.max_size".to_owned())
            }
            error if error.is_out_of_reach() => Fault::Final(
                "its host is not on the public network, nor in recordings.networks".to_owned(),
            ),
            error @ (CallError::Unreachable(_) | CallError::TimedOut | CallError::Broken(_)) => {
                Fault::Passing(error.to_string())
            }
        })
    }

    fn authorization(&self) -> Option<HeaderValue> {
        let (user, secret) = self.settings.credentials.as_ref()?;
        let pair = [user.as_bytes(), b":", secret.reveal()].concat();
        let mut value =
            HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Where a redirect leads: to a whole URL, or to another path of the same host.
fn moved(from: &Uri, answer: &Answer) -> Result<String, Fault> {
    let nowhere = || Fault::Passing("a redirect leads nowhere".to_owned());
    let to =
        answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).ok_or_else(nowhere)?;
    if !to.starts_with('/') || to.starts_with("//") {
        return Ok(to.to_owned());
    }
    let mut parts = from.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(to).map_err(|_| nowhere())?);
    Ok(Uri::from_parts(parts).map_err(|_| nowhere())?.to_string())
}
