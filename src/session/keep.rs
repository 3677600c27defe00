//! Keeps a link open that we open: dials, hears, and dials again, for as long as it is this node's to open.

use super::backoff::Ceilings;
use super::hear::{Ended, Hearing, Opening};
use crate::net::dialer::Dialer;
use crate::store::{OwnerToken, Ownership};
use std::time::Duration;
use tokio::time::Instant;

/// Between two tries.
const CEILINGS: Ceilings =
    Ceilings { first: Duration::from_secs(1), last: Duration::from_secs(60) };

/// One link.
#[derive(Debug)]
pub(super) struct Link {
    dialer: Dialer,
    hearing: Hearing,
    ownership: Ownership,
}

impl Link {
    pub(super) fn new(dialer: Dialer, hearing: Hearing, ownership: Ownership) -> Link {
        Link { dialer, hearing, ownership }
    }

    /// Until the gateway stops.
    pub(super) async fn keep(self) {
        let ground = self.hearing.ground();
        let mut failures = 0;
        while !ground.tasks.is_stopping() {
            let token = tokio::select! {
                biased;
                () = ground.tasks.stopping() => return,
                token = self.ownership.gained() => token,
            };
            let begun = Instant::now();
            self.once(token).await;
            // A server that lets us in and drops us at once is not better than one that is away.
            if begun.elapsed() >= CEILINGS.last {
                failures = 0;
            }
            let wait = CEILINGS.wait(failures, ground.entropy.fraction());
            failures = failures.saturating_add(1);
            tokio::select! {
                biased;
                () = ground.tasks.stopping() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Opens it once and hears what comes, while it is owned under this token.
    async fn once(&self, token: OwnerToken) {
        let Some(opening) = Opening::by_us(self.hearing.account()) else { return };
        let dialled = tokio::select! {
            biased;
            () = self.hearing.ground().tasks.stopping() => return,
            () = self.ownership.lost(token) => return,
            dialled = self.dialer.dial(opening.max_frame()) => dialled,
        };
        let (telemetry, lost) = (self.hearing.telemetry(), self.ownership.lost(token));
        match dialled {
            Err(error) => telemetry.failed(&self.dialer.server(), &error),
            Ok(socket) => match self.hearing.hear(socket, &opening, lost).await {
                Ended::Stopping => {}
                Ended::Gone(gone) => telemetry.failed(&self.dialer.server(), &gone),
            },
        }
    }
}
