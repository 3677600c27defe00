//! The path of one callback between the socket and the store.

use crate::carrier::{self, Answer, Call, Denied, Verified};
use crate::clock::{Clock, Entropy};
use crate::config::{Account, Campaign};
use crate::dialogue::{choose_campaign, interpret};
use crate::model::{Event, EventBody, Outcome};
use crate::store::{
    Callback, Committed, Entry, Nonce, RawRequest, Resend, Store, StoreError, StoredCallback,
    Unwell,
};
use crate::telemetry::Metrics;
use crate::telemetry::intake::IntakeMetrics;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, USER_AGENT,
};
use jiff::Timestamp;
use std::sync::Arc;

/// Headers that no carrier's file reads: they are not kept with the raw callback. All others are,
/// since a corrected profile must be able to read and verify a kept request again.
const NOT_KEPT: [HeaderName; 6] =
    [ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, USER_AGENT];

/// Takes callbacks over from the listener. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Intake {
    store: Store,
    campaigns: Arc<[Arc<Campaign>]>,
    clock: Clock,
    entropy: Entropy,
    metrics: IntakeMetrics,
}

impl Intake {
    /// Over a store, with the campaigns by which answers are read.
    #[must_use]
    pub fn new(
        store: Store,
        campaigns: &[Arc<Campaign>],
        clock: Clock,
        entropy: Entropy,
        metrics: &Metrics,
    ) -> Intake {
        let metrics = IntakeMetrics::new(metrics);
        Intake { store, campaigns: campaigns.into(), clock, entropy, metrics }
    }

    /// Whether new callbacks may be accepted now: no I/O, no waiting.
    ///
    /// # Errors
    /// What stands against it.
    pub fn admits(&self) -> Result<(), Unwell> {
        self.store.admits()
    }

    /// Verifies, reads and commits a request, and says what to answer. Nothing of a request that
    /// is refused is kept; a request that is believed but cannot be read is kept whole.
    pub async fn accept(&self, account: &Arc<Account>, call: &Call<'_>) -> Answer {
        let now = self.clock.now();
        let verified = match carrier::verify(call, account, now) {
            Ok(verified) => verified,
            Err(denied) => return Answer::Refused(denied),
        };
        let callback = self.understand(account, call, verified, now);
        let outcomes: Vec<Outcome> = callback.entries.iter().map(|entry| entry.outcome).collect();
        let garbled = callback.garbled.len();
        match self.store.commit(callback).await {
            Ok(committed) => {
                self.count(&outcomes, &committed, garbled);
                let repeated = !committed.fresh.is_empty() && !committed.fresh.contains(&true);
                if repeated { Answer::Duplicate } else { Answer::Accepted }
            }
            Err(StoreError::Replayed) => Answer::Refused(Denied::Replayed),
            Err(error) => {
                tracing::debug!(account = %account.name, %error, "a callback was not stored");
                Answer::Busy(retry_after(&error))
            }
        }
    }

    /// The store, for whoever reads callbacks again.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Stores what another reading of a quarantined callback came to, and counts it.
    pub(super) async fn store_again(
        &self,
        callback: &StoredCallback,
        entries: &[Entry],
        garbled: Vec<String>,
    ) -> Result<(), StoreError> {
        let outcomes: Vec<Outcome> = entries.iter().map(|entry| entry.outcome).collect();
        let committed = self.store.commit_reread(callback, entries, garbled).await?;
        // What is still unreadable was counted when it came.
        self.count(&outcomes, &committed, 0);
        Ok(())
    }

    /// Counts what is on disk now and was not before.
    fn count(&self, outcomes: &[Outcome], committed: &Committed, garbled: usize) {
        let fresh = outcomes.iter().zip(&committed.fresh).filter(|(_, fresh)| **fresh);
        fresh.for_each(|(outcome, _)| self.metrics.outcome(*outcome, 1));
        self.metrics.outcome(Outcome::Garbled, garbled);
    }

    fn understand(
        &self,
        account: &Arc<Account>,
        call: &Call<'_>,
        verified: Verified,
        now: Timestamp,
    ) -> Callback {
        let decoded = carrier::decode(call, account);
        Callback {
            account: account.name.clone(),
            received_at: now,
            raw: RawRequest {
                method: call.method.to_string(),
                target: call.target.to_owned(),
                headers: kept_headers(call.headers),
                body: call.body.clone(),
            },
            nonce: verified.nonce.map(|value| Nonce { value, content: content(call) }),
            entries: self.entries(&decoded.events, account, now),
            garbled: decoded.garbled.iter().map(ToString::to_string).collect(),
        }
    }

    /// What events that arrived at `received_at` come to.
    pub(super) fn entries(
        &self,
        events: &[Event],
        account: &Account,
        received_at: Timestamp,
    ) -> Vec<Entry> {
        events.iter().map(|event| self.entry(event, account, received_at)).collect()
    }

    fn entry(&self, event: &Event, account: &Account, now: Timestamp) -> Entry {
        let campaign = choose_campaign(&self.campaigns, account, event.service.as_ref());
        let meant = interpret(event, account, campaign.map(Arc::as_ref), now, || {
            self.entropy.record_id(now)
        });
        Entry {
            dedupe: event.dedupe.clone(),
            resend: resend(event),
            outcome: meant.outcome,
            records: meant.records,
        }
    }
}

/// The key under which the same answer is known when its carrier sends it again with another id.
fn resend(event: &Event) -> Option<Resend> {
    let said = match &event.body {
        EventBody::SmsReply { text } => text,
        EventBody::Keypad { digits } => digits,
        _ => return None,
    };
    let (window, caller) = (event.resend_window?, event.caller.as_ref()?);
    let service = event.service.as_ref().map_or("", |service| &service.0);
    let (caller, kind) = (caller.reveal(), event.body.kind());
    let key = format!("{kind}|{}:{caller}|{}:{service}|{said}", caller.len(), service.len());
    Some(Resend { key, window })
}

/// A digest of everything that was said, wherever it stands.
fn content(call: &Call<'_>) -> [u8; 32] {
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    for part in [call.method.as_str().as_bytes(), call.target.as_bytes(), call.body.as_ref()] {
        digest.update(&part.len().to_le_bytes());
        digest.update(part);
    }
    let mut content = [0; 32];
    content.copy_from_slice(digest.finish().as_ref());
    content
}

fn retry_after(error: &StoreError) -> std::time::Duration {
    match error {
        StoreError::Full => Unwell::Behind.retry_after(),
        StoreError::Closed | StoreError::Replayed | StoreError::Database(_) => {
            Unwell::Failing.retry_after()
        }
    }
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    headers
        .iter()
        .filter(|(name, _)| !NOT_KEPT.contains(name))
        .map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}
