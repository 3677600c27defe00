//! Takes what comes over a link: each text frame is a callback, which nobody waits to hear about.
//!
//! A frame that cannot be stored now is tried again until it can. Nothing is read meanwhile, so
//! that the sockets fill up and the carrier is held back.

use super::Ground;
use super::backoff::Ceilings;
use crate::carrier::{Answer, Call};
use crate::config::Account;
use crate::config::dialect::Route;
use crate::net::websocket::{Frame, Gone, WebSocket};
use crate::telemetry::link::LinkTelemetry;
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Between two tries to store a frame.
const CEILINGS: Ceilings =
    Ceilings { first: Duration::from_millis(100), last: Duration::from_secs(5) };

/// The request that opened a link, as far as it matters to its frames.
#[derive(Debug, Clone)]
pub struct Opening {
    route: Route,
    target: String,
    url: String,
    headers: HeaderMap,
}

impl Opening {
    /// The carrier called.
    #[must_use]
    pub fn by_carrier(upgrade: &Call<'_>) -> Opening {
        Opening {
            route: upgrade.route.clone(),
            target: upgrade.target.to_owned(),
            url: upgrade.url.to_owned(),
            headers: upgrade.headers.clone(),
        }
    }

    /// We call. What comes is for the account's first route, and kept as if the carrier had called
    /// its address, so that all that is kept of an account can be read again alike.
    pub(super) fn by_us(account: &Account) -> Option<Opening> {
        let route = account.dialect.routes.first()?.clone();
        let target = account.access.path_of(&route);
        Some(Opening { route, target, url: String::new(), headers: HeaderMap::new() })
    }

    /// The largest frame, in bytes.
    #[must_use]
    pub fn max_frame(&self) -> usize {
        self.route.max_body
    }

    /// A frame as the callback that it is.
    fn call<'a>(&'a self, frame: &'a Bytes) -> Call<'a> {
        Call {
            // Not the upgrade's GET, which has no body.
            method: self.route.methods.first().unwrap_or(&Method::POST),
            route: &self.route,
            target: &self.target,
            query: self.target.split_once('?').map_or("", |(_, query)| query),
            url: &self.url,
            headers: &self.headers,
            body: frame,
        }
    }
}

/// How a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By us: the gateway stops, or the link is no longer ours.
    Stopping,
    /// The peer is gone.
    Gone(Gone),
}

/// Hears the links of one account.
#[derive(Debug, Clone)]
pub struct Hearing {
    account: Arc<Account>,
    ground: Ground,
    telemetry: LinkTelemetry,
}

impl Hearing {
    /// For an account whose carrier speaks in frames.
    #[must_use]
    pub fn new(account: Arc<Account>, ground: Ground) -> Hearing {
        let telemetry = LinkTelemetry::new(&ground.metrics, &account.name);
        Hearing { account, ground, telemetry }
    }

    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    pub(super) fn ground(&self) -> &Ground {
        &self.ground
    }

    pub(super) fn telemetry(&self) -> &LinkTelemetry {
        &self.telemetry
    }

    /// Takes every frame until the peer goes, the gateway stops, or `until`. What was taken is stored even then.
    pub async fn hear<S>(
        &self,
        mut socket: WebSocket<S>,
        opening: &Opening,
        until: impl Future<Output = ()>,
    ) -> Ended
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let _up = self.telemetry.up();
        let mut until = pin!(until);
        loop {
            let came = tokio::select! {
                biased;
                () = self.ground.tasks.stopping() => None,
                () = &mut until => None,
                came = socket.next() => Some(came),
            };
            let stored = match came {
                None => false,
                Some(Ok(Frame::Text(text))) => self.store(&text, opening).await,
                Some(Ok(Frame::Binary)) => {
                    self.telemetry.binary();
                    true
                }
                Some(Err(gone)) => {
                    if gone == Gone::TooLarge {
                        self.telemetry.too_large();
                    }
                    return Ended::Gone(gone);
                }
            };
            if !stored {
                socket.close().await;
                return Ended::Stopping;
            }
        }
    }

    /// Stores a frame, however long that takes; whether it did before the gateway stopped.
    async fn store(&self, frame: &Bytes, opening: &Opening) -> bool {
        let call = opening.call(frame);
        let Ground { intake, tasks, entropy, .. } = &self.ground;
        let mut failures = 0;
        loop {
            let admitted = intake.admits_callbacks().is_ok();
            if admitted
                && !matches!(intake.accept_frame(&self.account, &call).await, Answer::Busy(_))
            {
                self.telemetry.frame();
                return true;
            }
            self.telemetry.waits();
            let wait = CEILINGS.wait(failures, entropy.fraction());
            failures = failures.saturating_add(1);
            tokio::select! {
                biased;
                () = tasks.stopping() => {
                    self.telemetry.given_up();
                    return false;
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}
