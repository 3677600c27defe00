//! Sends batches of invitations to a gateway that serves, signed as the platform signs.

use crate::clock::{Clock, Entropy};
use crate::config;
use crate::intake::invitations::Answer;
use crate::net::client::{self, CallError, Client, Options, Reach, Trust};
use crate::signature::Signer;
use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Uri};
use serde::Deserialize;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// The deadline of one request, and of it the time to connect.
const DEADLINE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
/// How often a batch is sent before the import is given up.
const MOST_ATTEMPTS: u32 = 8;
/// The longest wait between two attempts, whoever asks for it.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The largest answer that is read.
const MAX_ANSWER: usize = 4 << 20;

/// A gateway that takes invitations.
pub(super) struct Gateway {
    url: Uri,
    client: Client,
    signer: Signer,
    clock: Clock,
    entropy: Entropy,
}

/// What a gateway says that refuses a batch.
#[derive(Deserialize)]
struct Reason {
    reason: String,
}

/// What an attempt came to, if it may be repeated.
enum Attempt {
    Done(Answer),
    /// The same again is without a second effect. If the gateway said when, not before.
    Again(String, Option<Duration>),
}

impl Gateway {
    /// At a base URL, which `roots` vouch for if it is https://; without them the system's do.
    ///
    /// # Errors
    /// Why nothing can be sent there.
    pub(super) fn new(
        base: &str,
        roots: Option<&Path>,
        settings: &config::Invitations,
        (clock, entropy): (Clock, Entropy),
    ) -> anyhow::Result<Gateway> {
        let url = endpoint(base).with_context(|| {
            format!("{base} is not the URL of a gateway; write for example https://gateway.example")
        })?;
        let trust = match (url.scheme_str(), roots) {
            (Some("https"), Some(roots)) => Trust::Roots(roots.to_owned()),
            (Some("https"), None) => Trust::System,
            (Some("http"), _) if settings.access.allow_http || is_loopback(&url) => Trust::Plain,
            _ => bail!("{base} would show the numbers to everyone on the way; write https://"),
        };
        let client = Client::new(&Options {
            trust,
            reach: Reach::Anywhere,
            connect_timeout: CONNECT,
            max_idle: 1,
        })?;
        let key_id = settings.key_id.as_deref().unwrap_or("bridge8890");
        let secret = settings.secrets.first().context("[invitations] names no secret")?;
        let signer = Signer::new(key_id, secret).context("invitations.key_id")?;
        Ok(Gateway { url, client, signer, clock, entropy })
    }

    /// Sends a batch, over and over until it is answered or given up.
    ///
    /// # Errors
    /// Why it was given up.
    pub(super) async fn take(&self, batch: Vec<u8>) -> anyhow::Result<Answer> {
        let body = Bytes::from(batch);
        let mut attempt = 0;
        loop {
            let (why, asked) = match self.attempt(body.clone()).await? {
                Attempt::Done(answer) => return Ok(answer),
                Attempt::Again(why, asked) => (why, asked),
            };
            attempt += 1;
            if attempt == MOST_ATTEMPTS {
                bail!("the gateway at {} takes nothing: {why}", self.url);
            }
            let ceiling = Duration::from_secs(1 << attempt).min(LONGEST_WAIT);
            let jitter = ceiling.mul_f64(self.entropy.fraction());
            tokio::time::sleep(asked.unwrap_or_default().min(LONGEST_WAIT) + jitter).await;
        }
    }

    async fn attempt(&self, body: Bytes) -> anyhow::Result<Attempt> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        self.signer.sign(&mut request, self.clock.now(), self.entropy.bytes());
        let answer = self.client.call(request, Instant::now() + DEADLINE, MAX_ANSWER).await;
        match answer {
            Ok(answer) => self.read(&answer),
            Err(
                error @ (CallError::Unreachable(_) | CallError::Broken(_) | CallError::TimedOut),
            ) => Ok(Attempt::Again(error.to_string(), None)),
        }
    }

    fn read(&self, answer: &client::Answer) -> anyhow::Result<Attempt> {
        let status = answer.status;
        if status == StatusCode::OK {
            let read = serde_json::from_slice(&answer.body);
            return read.map(Attempt::Done).with_context(|| {
                format!("{} answers, and not as a gateway does; look at --url", self.url)
            });
        }
        let reason = serde_json::from_slice(&answer.body).map(|Reason { reason }| reason);
        let reason = format!("{}: {}", status.as_u16(), reason.unwrap_or_default());
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let after = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = after.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
            return Ok(Attempt::Again(reason, after));
        }
        bail!("the gateway at {} refuses the batch: {reason}", self.url)
    }
}

/// Where invitations are taken below a base URL.
fn endpoint(base: &str) -> Option<Uri> {
    let base: Uri = base.parse().ok()?;
    let path = format!("{}{}", base.path().trim_end_matches('/'), config::Invitations::PATH);
    let mut parts = base.into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_follows_the_base() {
        let shown = |base| endpoint(base).map(|url| url.to_string());
        let expected = Some("https://g.example/v1/invitations".to_owned());
        assert_eq!(shown("https://g.example"), expected);
        assert_eq!(shown("https://g.example/"), expected);
        assert_eq!(
            shown("http://[::1]:1/in/"),
            Some("http://[::1]:1/in/v1/invitations".to_owned())
        );
        assert_eq!(shown("gateway"), None);
    }

    #[test]
    fn nobody_listens_on_the_way_to_oneself() {
        let local = |url: &str| is_loopback(&url.parse().expect("a URL"));
        assert!(
            local("http://127.0.0.1:8890/")
                && local("http://[::1]:1/")
                && local("http://localhost")
        );
        assert!(!local("http://10.0.0.1/") && !local("http://localhost.example/"));
    }
}
