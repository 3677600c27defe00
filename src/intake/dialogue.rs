//! The dialogue worker: takes what was held, in the order of arrival, and concludes it by what is
//! remembered.
//!
//! It is the only one who writes memory. Whatever it decides goes to disk as a whole, together with
//! the leaving of the inbox, so that a crash between any two steps loses nothing and does nothing
//! twice.

use super::accept::by_weekends;
use super::distribution::Watch;
use crate::clock::{Clock, Entropy};
use crate::config::{Account, Campaign};
use crate::dialogue::distribution::Seen;
use crate::dialogue::memory::{self, Heard, Memory, MemoryKey, Origin};
use crate::dialogue::{
    self, Change, Concluded as Understood, Decision, Happening, Known, News, Rules,
};
use crate::lifecycle::Tasks;
use crate::model::{
    AccountName, CallbackSeq, Event, Fetch, Invitation, Message, MessageKey, MessageKind, Outcome,
    RecordingId,
};
use crate::store::{
    Concluded, ConcludedEntry, Conclusion, Held, MemoryChange, MessageLane, NewMessage,
    NewRecording, Opaque, ReadError, Remembered, Store, StoreError, Untold, UntoldRecording, Woken,
};
use crate::telemetry::Progress;
use crate::telemetry::intake::IntakeMetrics;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Held events, or memories, taken up at once.
const AT_ONCE: u32 = 64;
/// How long it looks at nothing unless it is woken.
const LOOK: Duration = Duration::from_secs(1);
/// How long it leaves a failing store alone.
const PAUSE: Duration = Duration::from_secs(1);

/// What waits in the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Waiting {
    /// A carrier said something.
    Said(Box<Event>),
    /// The platform asks us to invite somebody.
    Invited(Box<Invitation>),
}

impl Waiting {
    /// The bytes to hold.
    pub(super) fn to_bytes(&self) -> Opaque {
        Opaque(memory::write(self))
    }
}

/// Why something could not be concluded.
#[derive(Debug, thiserror::Error)]
pub enum ConcludeError {
    /// What is held or remembered could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The conclusion could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is held or remembered was written by a newer version.
    #[error(transparent)]
    Layout(#[from] memory::UnknownLayout),
}

impl ConcludeError {
    /// Whether it stands against this one thing only, so that others may pass it.
    fn is_of_one(&self) -> bool {
        matches!(
            self,
            ConcludeError::Layout(_)
                | ConcludeError::Read(ReadError::Sealed(_) | ReadError::Layout(_))
                | ConcludeError::Store(StoreError::TooLarge(_))
        )
    }
}

/// The worker.
#[derive(Debug)]
pub struct DialogueWorker {
    pub(super) store: Store,
    pub(super) campaigns: watch::Receiver<Arc<[Arc<Campaign>]>>,
    pub(super) accounts: Arc<BTreeMap<AccountName, Arc<Account>>>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) metrics: IntakeMetrics,
    pub(super) watch: Watch,
    pub(super) progress: Progress,
}

impl DialogueWorker {
    /// Concludes until the gateway stops.
    pub async fn run(self, tasks: Tasks) {
        let mut arrivals = self.store.arrivals();
        loop {
            // Whatever arrives from here on wakes us again.
            arrivals.mark_unchanged();
            self.progress.step();
            let taken = self.take_up().await;
            self.progress.rest();
            let pause = match taken {
                Ok(0) => LOOK,
                Ok(_) if tasks.is_stopping() => return,
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(%error, "what is held waits; it is tried again");
                    PAUSE
                }
            };
            tokio::select! {
                () = tasks.stopping() => return,
                _ = timeout(pause, arrivals.changed()) => {}
            }
        }
    }

    /// Concludes what is held and what is due now. Returns how much of it was.
    async fn take_up(&self) -> Result<usize, ConcludeError> {
        let inbox = self.store.inbox(AT_ONCE).await?;
        // A question that was sent before these answers came is known to be sent before they are read.
        let mut done = self.learn_all().await?;
        for held in &inbox {
            done += self.passing(self.take(held).await)?;
        }
        for fetched in &self.store.untold_recordings(AT_ONCE).await? {
            done += self.passing(self.learn_fetched(fetched).await)?;
        }
        for woken in &self.store.woken(self.clock.now(), AT_ONCE).await? {
            done += self.passing(self.wake(woken).await)?;
        }
        Ok(done)
    }

    /// Takes in what became of messages, all of it. Returns how much that was.
    async fn learn_all(&self) -> Result<usize, ConcludeError> {
        let mut learned = 0;
        loop {
            let untold = self.store.untold(AT_ONCE).await?;
            let before = learned;
            for news in &untold {
                learned += self.passing(self.learn(news).await)?;
            }
            if learned == before {
                return Ok(learned);
            }
        }
    }

    /// How many were concluded: none if something stands against this one only.
    fn passing(&self, concluded: Result<bool, ConcludeError>) -> Result<usize, ConcludeError> {
        self.progress.step();
        match concluded {
            Ok(done) => Ok(usize::from(done)),
            Err(error) if error.is_of_one() => {
                tracing::error!(%error, "this stays held, and others are taken before it");
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    async fn take(&self, held: &Held) -> Result<bool, ConcludeError> {
        let happening =
            match memory::read::<Waiting>(&held.bytes.as_ref().ok_or(memory::UnknownLayout)?.0)? {
                Waiting::Said(event) => {
                    let origin = Origin {
                        account: held.account.clone(),
                        callback: held.callback,
                        received_at: held.received_at,
                    };
                    Happening::Said(Box::new(Heard { origin, event: *event }))
                }
                Waiting::Invited(invitation) => Happening::Invited(invitation),
            };
        self.conclude(happening, Cause { held: Some(held), ..Cause::default() }).await
    }

    async fn wake(&self, woken: &Woken) -> Result<bool, ConcludeError> {
        let key = MemoryKey::read(&woken.key).ok_or(memory::UnknownLayout)?;
        self.conclude(Happening::Due(key), Cause::default()).await
    }

    async fn learn(&self, untold: &Untold) -> Result<bool, ConcludeError> {
        let news = News::from_bytes(&untold.bytes.0)?;
        self.conclude(news.into(), Cause { told: Some(untold.id), ..Cause::default() }).await
    }

    async fn learn_fetched(&self, fetched: &UntoldRecording) -> Result<bool, ConcludeError> {
        let news = News::from_bytes(&fetched.bytes.as_ref().ok_or(memory::UnknownLayout)?.0)?;
        self.conclude(news.into(), Cause { fetched: Some(fetched.id), ..Cause::default() }).await
    }

    /// Recalls, decides, and stores all of it. Returns whether this was the first to do so.
    async fn conclude(
        &self,
        happening: Happening,
        cause: Cause<'_>,
    ) -> Result<bool, ConcludeError> {
        let campaigns = self.campaigns.borrow().clone();
        let rules = Rules { campaigns: &campaigns, accounts: &self.accounts };
        let mut known = Known::nothing();
        loop {
            let wanted = dialogue::wanted(&happening, &known);
            if wanted.is_empty() {
                break;
            }
            self.recall(wanted, &mut known).await?;
        }
        let now = self.clock.now();
        let decision = dialogue::decide(happening, &mut known, rules, now, &mut || {
            self.entropy.record_id(now).0
        });
        let counts: Vec<(Outcome, bool, Option<Seen>)> = decision
            .concluded
            .iter()
            .map(|it| (it.outcome, by_weekends(&it.records, &campaigns), Seen::of(&it.records)))
            .collect();
        let concluded = self.store.conclude(conclusion(decision, cause, now)).await?;
        for ((outcome, by_weekends, seen), fresh) in counts.into_iter().zip(concluded.fresh()) {
            if *fresh {
                self.metrics.outcome(outcome, 1);
                if by_weekends {
                    self.metrics.by_weekends();
                }
                if let Some(seen) = seen {
                    self.watch.saw(&seen);
                }
            }
        }
        Ok(matches!(concluded, Concluded::Done { .. }))
    }

    async fn recall(&self, keys: Vec<MemoryKey>, known: &mut Known) -> Result<(), ConcludeError> {
        let texts: Vec<String> = keys.iter().map(MemoryKey::text).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let recalled = self.store.recall(&texts).await?;
        for (key, bytes) in keys.into_iter().zip(recalled) {
            let memory = bytes.map(|bytes| Memory::from_bytes(&bytes.0)).transpose()?;
            known.recall(key, memory);
        }
        Ok(())
    }
}

/// What is done with once it is concluded: nothing of a memory that was due.
#[derive(Debug, Clone, Copy, Default)]
struct Cause<'a> {
    held: Option<&'a Held>,
    told: Option<MessageKey>,
    fetched: Option<RecordingId>,
}

/// A decision as the store takes it, with what caused it.
fn conclusion(decision: Decision, cause: Cause<'_>, now: Timestamp) -> Conclusion {
    let Decision { concluded, messages, fetches, changes } = decision;
    let memory = changes.into_iter().map(|Change { key, to }| MemoryChange {
        key: key.text(),
        to: to.map(|(memory, wake_at)| Remembered { bytes: Opaque(memory.to_bytes()), wake_at }),
    });
    let Cause { held, told, fetched } = cause;
    Conclusion {
        held: held.map(|held| held.seq).into_iter().collect(),
        entries: concluded.into_iter().filter_map(|it| entry(it, held, now)).collect(),
        memory: memory.collect(),
        messages: messages.iter().map(queued).collect(),
        told: told.into_iter().collect(),
        recordings: fetches.iter().map(waiting).collect(),
        fetched: fetched.into_iter().collect(),
    }
}

/// What one thing came to: of the account whose event it was, else of the one that asked or that
/// has the record.
fn entry(understood: Understood, held: Option<&Held>, now: Timestamp) -> Option<ConcludedEntry> {
    let Understood { origin, outcome, records } = understood;
    let account = origin
        .as_ref()
        .map(|origin| origin.account.clone())
        .or_else(|| records.first().map(|record| record.account.clone()))
        .or_else(|| held.map(|held| held.account.clone()));
    Some(ConcludedEntry {
        account: account?,
        callback: origin.as_ref().map_or(CallbackSeq::NONE, |origin| origin.callback),
        received_at: origin.map_or(now, |origin| origin.received_at),
        dedupe: None,
        outcome,
        records,
    })
}

fn waiting(fetch: &Fetch) -> NewRecording {
    let bytes = Opaque(memory::write(fetch));
    NewRecording { id: fetch.recording, account: fetch.account.clone(), bytes }
}

fn queued(message: &Message) -> NewMessage {
    NewMessage {
        id: message.key,
        lane: match message.kind {
            MessageKind::Call => MessageLane::calls(&message.account),
            _ => MessageLane::of(&message.account),
        },
        not_before: message.not_before,
        expires: message.expires,
        bytes: Opaque(memory::write(message)),
    }
}
