//! The path of one callback between the socket and the store.

use crate::carrier::{self, Answer, Call, Decoded, Denied, Verified};
use crate::clock::{Clock, Entropy};
use crate::config::{Account, Campaign};
use crate::dialogue::{choose_campaign, interpret};
use crate::model::{AccountName, Event, EventBody, Outcome};
use crate::store::{Callback, Committed, Entry, RawRequest, Store, StoreError, Unwell};
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
            Ok(_) => self.keep(account, call, now).await,
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
        self.keep(account, frame, self.clock.now()).await
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

    async fn keep(&self, account: &Arc<Account>, call: &Call<'_>, now: Timestamp) -> Answer {
        let decoded = carrier::decode(call, account);
        let callback = self.understand(account, call, &decoded, now);
        let outcomes: Vec<Outcome> = callback.entries.iter().map(|entry| entry.outcome).collect();
        match self.store.commit(callback).await {
            Ok(committed) => {
                self.count(&account.name, &decoded, &outcomes, &committed);
                let repeated = !committed.fresh.is_empty() && !committed.fresh.contains(&true);
                if repeated { Answer::Duplicate } else { Answer::Accepted }
            }
            Err(error) => {
                tracing::debug!(account = %account.name, %error, "a callback was not stored");
                Answer::Busy(retry_after(&error))
            }
        }
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
        self.metrics.outcome(Outcome::Garbled, decoded.garbled.len());
    }

    fn understand(
        &self,
        account: &Account,
        call: &Call<'_>,
        decoded: &Decoded,
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
            entries: decoded.events.iter().map(|event| self.entry(event, account, now)).collect(),
            garbled: decoded.garbled.iter().map(ToString::to_string).collect(),
        }
    }

    fn entry(&self, event: &Event, account: &Account, now: Timestamp) -> Entry {
        let campaign = choose_campaign(&self.campaigns, account, event.service.as_ref());
        let meant = interpret(event, account, campaign.map(Arc::as_ref), now, || {
            self.entropy.record_id(now)
        });
        Entry { dedupe: event.dedupe.clone(), outcome: meant.outcome, records: meant.records }
    }
}

/// Whether a citizen's text holds U+FFFD. It is content that was sent, so it is kept and counted.
fn has_replacement(event: &Event) -> bool {
    matches!(&event.body, EventBody::SmsReply { text } if text.contains('\u{fffd}'))
}

fn retry_after(error: &StoreError) -> std::time::Duration {
    match error {
        StoreError::Full => Unwell::Behind.retry_after(),
        StoreError::Closed | StoreError::Database(_) => Unwell::Failing.retry_after(),
    }
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    headers
        .iter()
        .filter(|(name, _)| !NOT_KEPT.contains(name))
        .map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}
