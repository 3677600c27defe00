//! Keeps a link open that we open: dials, hears, and dials again for ever.

use super::backoff::Ceilings;
use super::hear::{Ended, Hearing, Opening};
use crate::net::dialer::Dialer;
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
}

impl Link {
    pub(super) fn new(dialer: Dialer, hearing: Hearing) -> Link {
        Link { dialer, hearing }
    }

    /// Until the gateway stops.
    pub(super) async fn keep(self) {
        let ground = self.hearing.ground();
        let mut failures = 0;
        while !ground.tasks.is_stopping() {
            let begun = Instant::now();
            self.once().await;
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

    /// Opens it once and hears what comes.
    async fn once(&self) {
        let Some(opening) = Opening::by_us(self.hearing.account()) else { return };
        let dialled = tokio::select! {
            biased;
            () = self.hearing.ground().tasks.stopping() => return,
            dialled = self.dialer.dial(opening.max_frame()) => dialled,
        };
        let telemetry = self.hearing.telemetry();
        match dialled {
            Err(error) => telemetry.failed(&self.dialer.server(), &error),
            Ok(socket) => match self.hearing.hear(socket, &opening).await {
                Ended::Stopping => {}
                Ended::Gone(gone) => telemetry.failed(&self.dialer.server(), &gone),
            },
        }
    }
}
