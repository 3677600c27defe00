//! One request to a carrier: written, sent, and its answer read.

use super::fate::Reply;
use crate::carrier::send::{self, Outgoing};
use crate::clock::{Clock, Entropy};
use crate::config::Sending;
use crate::config::dialect::Piece;
use crate::model::Message;
use crate::net::client::{CallError, Client, ClientError, Options, Reach, Trust};
use http::Request;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The largest answer that is read.
const MAX_ANSWER: usize = 256 << 10;

/// The longest wait for a connection, within the request's deadline.
const CONNECT: Duration = Duration::from_secs(5);

/// The carrier of an account. Cloning shares its connections.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    client: Client,
    sending: Arc<Sending>,
    clock: Clock,
    entropy: Entropy,
}

impl Sender {
    /// The carrier of an account; connects when the first message is sent.
    pub(super) fn new(
        sending: &Arc<Sending>,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Sender, ClientError> {
        let plain = matches!(
            sending.url.pieces.first(),
            Some(Piece::Literal(start)) if start.starts_with("http://")
        );
        let trust = match (plain, &sending.ca) {
            (true, _) => Trust::Plain,
            (false, None) => Trust::System,
            (false, Some(ca)) => Trust::Roots(ca.clone()),
        };
        let client = Client::new(&Options {
            trust,
            reach: Reach::Anywhere,
            connect_timeout: CONNECT.min(sending.request_timeout),
            max_idle: sending.concurrency,
        })?;
        Ok(Sender { client, sending: Arc::clone(sending), clock, entropy })
    }

    /// Sends a message and waits for the answer until the request's deadline.
    pub(super) async fn send(&self, message: &Message) -> (Reply, Duration) {
        let started = Instant::now();
        let outgoing =
            send::request(&self.sending, message, self.clock.now(), self.entropy.bytes::<16>());
        let reply = match outgoing {
            Ok(outgoing) => self.call(outgoing, message, started).await,
            Err(unsendable) => Reply::Unsendable(unsendable),
        };
        (reply, started.elapsed())
    }

    async fn call(&self, outgoing: Outgoing, message: &Message, started: Instant) -> Reply {
        let Outgoing { method, url, headers, body } = outgoing;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = url;
        *request.headers_mut() = headers;
        let deadline = started + self.sending.request_timeout;
        match self.client.call(request, deadline, MAX_ANSWER).await {
            Ok(answer) => Reply::Answered(send::verdict(
                &self.sending,
                message,
                answer.status,
                &answer.headers,
                &answer.body,
            )),
            Err(CallError::Unreachable(_)) => Reply::Unreachable,
            Err(CallError::TimedOut | CallError::Broken(_)) => Reply::Lost,
        }
    }
}
