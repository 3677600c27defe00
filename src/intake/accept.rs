//! The path of one callback between the socket and the store.

use super::dialogue::{DialogueWorker, Waiting};
use super::distribution::Watch;
use super::revise::Reviser;
use super::steps::turn_of;
use crate::carrier::{self, Answer, Call, Decoded, Denied, Turn, Verified};
use crate::clock::{Clock, Entropy};
use crate::config::{Account, Campaign};
use crate::dialogue::distribution::Seen;
use crate::dialogue::{Rules, choose_campaign, interpret, needs_memory};
use crate::model::{AccountName, Event, EventBody, Meaning, Outcome, Record};
use crate::store::{
    Callback, Entry, Kept, Nonce, Ownership, RawRequest, ReadError, Resend, Share, Store,
    StoreError, StoredCallback, Unwell,
};
use crate::telemetry::intake::IntakeMetrics;
use crate::telemetry::{Metrics, Progress, Refusals};
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, USER_AGENT,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Headers that no carrier's file reads: they are not kept with the raw callback. All others are,
/// since a corrected profile must be able to read and verify a kept request again.
const NOT_KEPT: [HeaderName; 6] =
    [ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, USER_AGENT];

/// How many stored ratings are looked at after a start.
const LOOK_BACK: u32 = 1_000;

/// Takes callbacks over from the listener. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Intake {
    store: Store,
    /// Shared and exchanged as a whole, so that a callback is read by one state of them.
    campaigns: Arc<watch::Sender<Arc<[Arc<Campaign>]>>>,
    accounts: Arc<BTreeMap<AccountName, Arc<Account>>>,
    clock: Clock,
    entropy: Entropy,
    metrics: IntakeMetrics,
    watch: Watch,
}

impl Intake {
    /// Over a store, for these accounts, with the campaigns by which answers are read.
    #[must_use]
    pub fn new(
        store: Store,
        accounts: &BTreeMap<AccountName, Arc<Account>>,
        campaigns: &[Arc<Campaign>],
        (clock, entropy): (Clock, Entropy),
        metrics: &Metrics,
    ) -> Intake {
        let watch = Watch::new(metrics);
        let metrics = IntakeMetrics::new(metrics, accounts.keys());
        let accounts = Arc::new(accounts.clone());
        let campaigns = Arc::new(watch::Sender::new(campaigns.into()));
        Intake { store, campaigns, accounts, clock, entropy, metrics, watch }
    }

    /// Looks at the newest ratings that are stored, so that a restart forgets nothing of how they
    /// are distributed.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn look_back(&self) -> Result<(), ReadError> {
        for record in self.store.newest_ratings(LOOK_BACK).await?.iter().rev() {
            if let Some(seen) = Seen::of(std::slice::from_ref(record)) {
                self.watch.saw(&seen);
            }
        }
        Ok(())
    }

    /// Reads the next answers by these campaigns.
    pub fn take_campaigns(&self, campaigns: &[Arc<Campaign>]) {
        self.campaigns.send_replace(campaigns.into());
    }

    /// Whether what only the database may keep is accepted now, such as invitations: no I/O, no waiting.
    ///
    /// # Errors
    /// What stands against it.
    pub fn admits(&self) -> Result<(), Unwell> {
        self.store.admits()
    }

    /// Whether callbacks of carriers may be accepted now: no I/O, no waiting.
    ///
    /// # Errors
    /// What stands against it.
    pub fn admits_callbacks(&self) -> Result<(), Unwell> {
        self.store.admits_callbacks()
    }

    /// Verifies, reads and commits a request, and says what to answer. Nothing of a request that
    /// is refused is kept; a request that is believed but cannot be read is kept whole.
    pub async fn accept(&self, account: &Arc<Account>, call: &Call<'_>) -> Answer {
        let now = self.clock.now();
        match self.believe(account, call, now) {
            Ok(verified) => {
                let decoded = carrier::decode(call, account);
                self.keep(account, call, verified, &decoded, now).await
            }
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
        let decoded = carrier::decode(frame, account);
        self.keep(account, frame, Verified::default(), &decoded, self.clock.now()).await
    }

    pub(super) fn believe(
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

    /// Commits what was said, and says whether that is done.
    pub(super) async fn keep(
        &self,
        account: &Arc<Account>,
        call: &Call<'_>,
        verified: Verified,
        decoded: &Decoded,
        now: Timestamp,
    ) -> Answer {
        let nonce = verified.nonce.map(|value| Nonce { value, content: content(call) });
        let (entries, counts) = self.entries(decoded, account, now);
        let callback = Callback {
            account: account.name.clone(),
            received_at: now,
            raw: RawRequest {
                method: call.method.to_string(),
                target: call.target.to_owned(),
                headers: kept_headers(call.headers),
                body: call.body.clone(),
            },
            nonce,
            entries,
            garbled: problems(decoded),
        };
        match self.store.accept(callback).await {
            Ok(kept) => {
                let fresh = match kept {
                    Kept::Committed(committed) => committed.fresh,
                    // What of it is a repeat nobody knows yet.
                    Kept::Spooled => vec![true; decoded.events.len()],
                };
                self.count(&account.name, decoded, &counts, &fresh);
                self.metrics.outcome(Outcome::Garbled, decoded.garbled.len());
                let repeated = !fresh.is_empty() && !fresh.contains(&true);
                if repeated { Answer::Duplicate } else { Answer::Accepted }
            }
            Err(StoreError::Replayed) => Answer::Refused(Denied::Replayed),
            Err(error) => {
                tracing::debug!(account = %account.name, %error, "a callback was not stored");
                Answer::Busy(retry_after(&error))
            }
        }
    }

    /// Whoever concludes what this holds in the inbox, by the same campaigns, while the dialogue is its own.
    #[must_use]
    pub fn dialogue_worker(&self, ownership: Ownership, progress: Progress) -> DialogueWorker {
        DialogueWorker {
            store: self.store.clone(),
            ownership: ownership.clone(),
            reviser: self.reviser(ownership),
            campaigns: self.campaigns.subscribe(),
            accounts: Arc::clone(&self.accounts),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            metrics: self.metrics.clone(),
            watch: self.watch.clone(),
            progress,
        }
    }

    /// Whoever reads stored callbacks again, by the same campaigns, while the dialogue is its own.
    #[must_use]
    pub fn reviser(&self, ownership: Ownership) -> Reviser {
        Reviser {
            store: self.store.clone(),
            ownership,
            campaigns: self.campaigns.subscribe(),
            accounts: Arc::clone(&self.accounts),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        }
    }

    /// The campaigns that hold now.
    pub(super) fn campaigns(&self) -> Arc<[Arc<Campaign>]> {
        Arc::clone(&self.campaigns.borrow())
    }

    /// The accounts.
    pub(super) fn accounts(&self) -> &BTreeMap<AccountName, Arc<Account>> {
        &self.accounts
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Where callbacks are counted of which nothing is stored.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        self.store.refusals()
    }

    /// The store, for whoever reads callbacks again, takes invitations, or owns a link.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stores what another reading of a quarantined callback came to, and counts it.
    pub(super) async fn store_again(
        &self,
        callback: &StoredCallback,
        account: Option<&Account>,
        decoded: &Decoded,
    ) -> Result<(), StoreError> {
        let (entries, counts) = account.map_or_else(Default::default, |account| {
            self.entries(decoded, account, callback.received_at)
        });
        let committed = self.store.commit_reread(callback, &entries, problems(decoded)).await?;
        // What is still unreadable was counted when it came.
        self.count(&callback.account, decoded, &counts, &committed.fresh);
        Ok(())
    }

    /// Counts what is on disk now and, as far as is known, was not before.
    fn count(&self, account: &AccountName, decoded: &Decoded, counts: &[Count], fresh: &[bool]) {
        let events = decoded.events.iter().zip(counts).zip(fresh);
        for ((event, count), _) in events.filter(|(_, fresh)| **fresh) {
            self.metrics.outcome(count.outcome, 1);
            if count.by_weekends {
                self.metrics.by_weekends();
            }
            if let Some(seen) = &count.seen {
                self.watch.saw(seen);
            }
            if has_replacement(event) {
                self.metrics.replaced(account);
            }
        }
    }

    /// What events that arrived at `received_at` come to, and what is to be counted of each.
    fn entries(
        &self,
        decoded: &Decoded,
        account: &Account,
        received_at: Timestamp,
    ) -> (Vec<Entry>, Vec<Count>) {
        let campaigns = Arc::clone(&self.campaigns.borrow());
        let entry = |event| self.entry(event, decoded.turn, account, &campaigns, received_at);
        decoded.events.iter().map(entry).unzip()
    }

    fn entry(
        &self,
        event: &Event,
        turn: Option<Turn>,
        account: &Account,
        campaigns: &[Arc<Campaign>],
        now: Timestamp,
    ) -> (Entry, Count) {
        let campaign = choose_campaign(campaigns, account, event.service.as_ref());
        let rules = Rules { campaigns, accounts: &self.accounts };
        let turn = turn_of(event, turn, campaign.map(Arc::as_ref));
        if turn.is_some() || needs_memory(event, campaign.map(Arc::as_ref), rules) {
            let event_said = Box::new(event.clone());
            let waiting = match turn {
                Some(Turn { step }) => Waiting::InCall(event_said, step),
                None => Waiting::Said(event_said),
            };
            let share = Share::Held(waiting.to_bytes());
            let count = Count { outcome: share.outcome(), by_weekends: false, seen: None };
            let (dedupe, resend) = (event.dedupe.clone(), resend(event));
            return (Entry { dedupe, resend, share }, count);
        }
        let meant = interpret(event, account, campaign.map(Arc::as_ref), now, || {
            self.entropy.record_id(now)
        });
        if let Some(because) = &meant.because {
            tracing::debug!(account = %account.name, %because, "decided");
        }
        let by_weekends = by_weekends(&meant.records, campaigns);
        let seen = Seen::of(&meant.records);
        let count = Count { outcome: meant.outcome, by_weekends, seen };
        let entry = Entry {
            dedupe: event.dedupe.clone(),
            resend: resend(event),
            share: Share::Decided { outcome: meant.outcome, records: meant.records },
        };
        (entry, count)
    }
}

/// What is counted of an event once it is on disk.
struct Count {
    outcome: Outcome,
    /// It opened a complaint whose deadlines were counted without a calendar of their year.
    by_weekends: bool,
    /// The rating that it is.
    seen: Option<Seen>,
}

/// Whether one of these complaints has deadlines that were counted without a calendar of their
/// year.
pub(super) fn by_weekends(records: &[Record], campaigns: &[Arc<Campaign>]) -> bool {
    records.iter().any(|record| match &record.meaning {
        Meaning::Complaint { deadlines: Some(deadlines), .. } => {
            let asked = campaigns.iter().find(|campaign| campaign.name == record.campaign);
            asked.is_some_and(|campaign| !campaign.complaints.is_sure_of(deadlines))
        }
        _ => false,
    })
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
        StoreError::Closed
        | StoreError::Replayed
        | StoreError::TooLarge(_)
        | StoreError::NotOwner
        | StoreError::Database(_) => Unwell::Failing.retry_after(),
    }
}

pub(super) fn kept_headers(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    headers
        .iter()
        .filter(|(name, _)| !NOT_KEPT.contains(name))
        .map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}
