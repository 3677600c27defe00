//! The loop of an account's recordings: sees what is due, fetches a few at once, keeps and settles them.

use super::fate::{Attempt, Fate, Fault, after};
use super::source::Source;
use crate::clock::{Clock, Entropy};
use crate::config::Recordings;
use crate::dialogue::{Fetched, News, memory};
use crate::egress::backoff::{Backoff, BadBackoff};
use crate::lifecycle::Tasks;
use crate::model::{Audio, Fetch, RecordingState};
use crate::net::client::ClientError;
use crate::store::{LeasedRecording, Opaque, RecordingSettled, Store, StoreError};
use crate::telemetry::recordings::{RecordingMetrics, Result as Counted};
use crate::telemetry::{Metrics, Progress};
use bytes::Bytes;
use futures_util::future::join_all;
use ring::digest::{SHA256, digest};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Recordings fetched at once: each may take `max_size` bytes of memory, twice while it is sealed.
const AT_ONCE: u32 = 4;

/// How often it looks.
const POLL: Duration = Duration::from_secs(1);

/// What a lease lasts beyond the deadline: the time to keep and settle.
const MARGIN: Duration = Duration::from_secs(30);

/// Why an account's recordings cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum RecordingsError {
    /// The back-off makes no sense.
    #[error("recordings.{0}")]
    Backoff(#[from] BadBackoff),
    /// No request can be made.
    #[error("recordings.ca: {0}")]
    Client(#[from] ClientError),
}

/// Fetches the recordings of one account until the soft stop; those under way are fetched again after
/// the next start.
///
/// # Errors
/// [`RecordingsError`] when the account's configuration makes no sense.
pub fn start(
    settings: &Arc<Recordings>,
    store: Store,
    (clock, entropy): (Clock, Entropy),
    (metrics, progress): (&Metrics, Progress),
    tasks: &Tasks,
) -> Result<(), RecordingsError> {
    let driver = Driver {
        source: Source::new(settings)?,
        backoff: Backoff::new(&settings.backoff)?,
        metrics: RecordingMetrics::new(metrics, &settings.account),
        settings: Arc::clone(settings),
        store,
        clock,
        entropy,
        progress,
    };
    let (driver, stop) = (Arc::new(driver), tasks.clone());
    tasks.spawn_watched(&driver.progress.clone(), move || Arc::clone(&driver).run(stop.clone()));
    Ok(())
}

struct Driver {
    source: Source,
    backoff: Backoff,
    settings: Arc<Recordings>,
    store: Store,
    clock: Clock,
    entropy: Entropy,
    metrics: RecordingMetrics,
    progress: Progress,
}

impl Driver {
    async fn run(self: Arc<Self>, tasks: Tasks) {
        while !tasks.is_stopping() {
            let fetched = tokio::select! {
                biased;
                () = tasks.stopping() => return,
                fetched = self.look() => fetched,
            };
            match fetched {
                Ok(true) => continue,
                Err(StoreError::Closed) => return,
                Ok(false) => {}
                Err(error) => {
                    self.metrics.store_failed();
                    tracing::debug!(account = %self.settings.account, %error, "the store refused");
                }
            }
            tokio::select! {
                () = tasks.stopping() => return,
                () = sleep(POLL) => {}
            }
        }
    }

    /// Fetches what is due. Returns whether that was as much as is fetched at once.
    async fn look(&self) -> Result<bool, StoreError> {
        let account = &self.settings.account;
        let next = self.store.next_recording_due(account).await;
        let next = next.map_err(|error| StoreError::Database(error.to_string()))?;
        // What can be fetched again can wait until there is room for it.
        if next.is_none_or(|due| due > self.clock.now()) || self.store.admits().is_err() {
            return Ok(false);
        }
        let lasts = self.settings.request_timeout + MARGIN;
        self.progress.begin("leasing what is due");
        let leased = self.store.lease_recordings(account, AT_ONCE, lasts).await;
        // From here on it waits for the carrier, which has a deadline of its own.
        self.progress.rest();
        let leased = leased?;
        let settled = join_all(leased.iter().map(|item| self.take(item)));
        // When the lease is over they are fetched again, whatever kept this from coming to its end.
        let settled = timeout(lasts, settled).await.unwrap_or_default();
        settled.into_iter().collect::<Result<(), StoreError>>()?;
        Ok(u32::try_from(leased.len()) == Ok(AT_ONCE))
    }

    /// Fetches one and settles it. Where the store refuses, its lease ends and it is fetched again.
    async fn take(&self, item: &LeasedRecording) -> Result<(), StoreError> {
        let read = item.bytes.as_ref().and_then(|bytes| memory::read::<Fetch>(&bytes.0).ok());
        let Some(fetch) = read else {
            let reason = "its key is gone, or a newer version of the gateway wrote it".to_owned();
            self.metrics.fetched(Counted::Lost);
            return self
                .store
                .settle_recording(item.id, RecordingSettled::Lost { reason, became: None })
                .await;
        };
        let started = Instant::now();
        let outcome = match self.source.fetch(&fetch.address.0).await {
            Ok((format, bytes)) => self.keep(&fetch, &bytes).await.map(|()| Audio {
                format,
                length: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                sha256: sha256(&bytes),
            }),
            Err(fault) => Err(fault),
        };
        self.metrics.took(started.elapsed());
        let settled = self.settled(item, &fetch, outcome);
        self.store.settle_recording(item.id, settled).await
    }

    async fn keep(&self, fetch: &Fetch, bytes: &Bytes) -> Result<(), Fault> {
        let kept = self.store.keep_audio(fetch.recording, bytes).await;
        kept.map_err(|error| Fault::Passing(error.to_string()))
    }

    fn settled(
        &self,
        item: &LeasedRecording,
        fetch: &Fetch,
        outcome: Result<Audio, Fault>,
    ) -> RecordingSettled {
        let became = |state| {
            let (account, call) = (fetch.account.clone(), fetch.call.clone());
            let fetched = Fetched { account, call, recording: fetch.recording, state };
            Opaque(News::Fetched(fetched).to_bytes())
        };
        let fault = match outcome {
            Ok(audio) => {
                self.metrics.fetched(Counted::Kept);
                self.metrics.kept(audio.length);
                return RecordingSettled::Kept { became: became(RecordingState::Kept(audio)) };
            }
            Err(fault) => fault,
        };
        let attempt = Attempt {
            number: item.attempt,
            queued_at: item.queued_at,
            now: self.clock.now(),
            fraction: self.entropy.fraction(),
        };
        match after(&fault, attempt, &self.backoff) {
            Fate::Again(due, reason) => {
                self.metrics.fetched(Counted::Retried);
                RecordingSettled::Retry { due, reason }
            }
            Fate::Lost(reason) => {
                self.metrics.fetched(Counted::Lost);
                tracing::warn!(
                    account = %self.settings.account,
                    recording = %fetch.recording,
                    reason,
                    "a recording was given up; `recordings retry` has it tried again"
                );
                RecordingSettled::Lost { reason, became: Some(became(RecordingState::Lost)) }
            }
        }
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}
