//! The path of one callback between the socket and the store.

use crate::carrier::{self, Answer, Call, Decoded, Denied, Verified};
use crate::clock::{Clock, Entropy};
use crate::config::{Account, Campaign};
use crate::dialogue::{choose_campaign, interpret};
use crate::model::{AccountName, Event, EventBody, Outcome};
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
    /// Over a store, for these accounts, with the campaigns by which answers are read.
    pub fn new<'a>(
        store: Store,
        accounts: impl IntoIterator<Item = &'a AccountName>,
        campaigns: &[Arc<Campaign>],
        (clock, entropy): (Clock, Entropy),
        metrics: &Metrics,
    ) -> Intake {
        let metrics = IntakeMetrics::new(metrics, accounts);
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
        match self.believe(account, call, now) {
            Ok(verified) => self.keep(account, call, verified, now).await,
            Err(denied) => Answer::Refused(denied),
        }
    }

    /// Verifies the request that opens a link; its frames go to [`Intake::accept_frame`].
    ///
    /// # Errors
    /// [`Denied`].
    pub fn admit_link(&self, account: &Account, upgrade: &Call<'_>) -> Result<(), Denied> {
        self.believe(account, upgrade, self.clock.now()).map(drop)
    }

    /// Reads and commits a frame of a link that was believed when it opened. The answer is for the
    /// one who reads the link, since no carrier waits for it.
    pub async fn accept_frame(&self, account: &Arc<Account>, frame: &Call<'_>) -> Answer {
        self.keep(account, frame, Verified::default(), self.clock.now()).await
    }

    fn believe(
        &self,
        account: &Account,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Result<Verified, Denied> {
        let verified = carrier::verify(call, account, now)?;
        if let Some(skew) = verified.skew {
            self.metrics.skew(&account.name, skew);
        }
        Ok(verified)
    }

    async fn keep(
        &self,
        account: &Arc<Account>,
        call: &Call<'_>,
        verified: Verified,
        now: Timestamp,
    ) -> Answer {
        let decoded = carrier::decode(call, account);
        let nonce = verified.nonce.map(|value| Nonce { value, content: content(call) });
        let callback = self.understand(account, call, &decoded, nonce, now);
        let outcomes: Vec<Outcome> = callback.entries.iter().map(|entry| entry.outcome).collect();
        match self.store.commit(callback).await {
            Ok(committed) => {
                self.count(&account.name, &decoded, &outcomes, &committed);
                self.metrics.outcome(Outcome::Garbled, decoded.garbled.len());
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

    /// The campaigns that hold now.
    pub(super) fn campaigns(&self) -> Arc<[Arc<Campaign>]> {
        Arc::clone(&self.campaigns)
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The store, for whoever reads callbacks again or takes invitations.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Stores what another reading of a quarantined callback came to, and counts it.
    pub(super) async fn store_again(
        &self,
        callback: &StoredCallback,
        account: Option<&Account>,
        decoded: &Decoded,
    ) -> Result<(), StoreError> {
        let entries = account.map_or_else(Vec::new, |account| {
            self.entries(&decoded.events, account, callback.received_at)
        });
        let outcomes: Vec<Outcome> = entries.iter().map(|entry| entry.outcome).collect();
        let committed = self.store.commit_reread(callback, &entries, problems(decoded)).await?;
        // What is still unreadable was counted when it came.
        self.count(&callback.account, decoded, &outcomes, &committed);
        Ok(())
    }

    /// Counts what is on disk now and was not before.
    fn count(
        &self,
        account: &AccountName,
        decoded: &Decoded,
        outcomes: &[Outcome],
        committed: &Committed,
    ) {
        let events = decoded.events.iter().zip(outcomes).zip(&committed.fresh);
        for ((event, outcome), _) in events.filter(|(_, fresh)| **fresh) {
            self.metrics.outcome(*outcome, 1);
            if has_replacement(event) {
                self.metrics.replaced(account);
            }
        }
    }

    fn understand(
        &self,
        account: &Account,
        call: &Call<'_>,
        decoded: &Decoded,
        nonce: Option<Nonce>,
        now: Timestamp,
    ) -> Callback {
        Callback {
            account: account.name.clone(),
            received_at: now,
            raw: RawRequest {
                method: call.method.to_string(),
                target: call.target.to_owned(),
                headers: kept_headers(call.headers),
                body: call.body.clone(),
            },
            nonce,
            entries: self.entries(&decoded.events, account, now),
            garbled: problems(decoded),
        }
    }

    /// What events that arrived at `received_at` come to.
    fn entries(&self, events: &[Event], account: &Account, received_at: Timestamp) -> Vec<Entry> {
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

/// What could not be read, for operators.
fn problems(decoded: &Decoded) -> Vec<String> {
    decoded.garbled.iter().map(ToString::to_string).collect()
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

/// Whether a citizen's text holds U+FFFD. It is content that was sent, so it is kept and counted.
fn has_replacement(event: &Event) -> bool {
    matches!(&event.body, EventBody::SmsReply { text } if text.contains('\u{fffd}'))
}

pub(super) fn retry_after(error: &StoreError) -> std::time::Duration {
    match error {
        StoreError::Full => Unwell::Behind.retry_after(),
        StoreError::Closed | StoreError::Replayed | StoreError::Database(_) => {
            Unwell::Failing.retry_after()
        }
    }
}

pub(super) fn kept_headers(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    headers
        .iter()
        .filter(|(name, _)| !NOT_KEPT.contains(name))
        .map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}
