//! The dialogue worker: takes what was held, in the order of arrival, and concludes it by what is
//! remembered.
//!
//! It is the only one who writes memory. Whatever it decides goes to disk as a whole, together with
//! the leaving of the inbox, so that a crash between any two steps loses nothing and does nothing
//! twice.

use crate::clock::{Clock, Entropy};
use crate::config::{Account, Campaign};
use crate::dialogue::memory::{self, Heard, Memory, MemoryKey, Origin};
use crate::dialogue::{self, Concluded as Understood, Decision, Happening, Known, Rules};
use crate::lifecycle::Tasks;
use crate::model::{AccountName, CallbackSeq, Event, Invitation, Message, Outcome};
use crate::store::{
    ConcludedEntry, Conclusion, Held, InboxSeq, MemoryChange, NewMessage, Opaque, ReadError,
    Remembered, Store, StoreError,
};
use crate::telemetry::intake::IntakeMetrics;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// Held events, or memories, taken up at once.
const AT_ONCE: u32 = 64;
/// How long it looks at nothing unless it is woken.
const LOOK: Duration = Duration::from_secs(1);
/// How long it leaves a failing store alone.
const PAUSE: Duration = Duration::from_secs(1);
/// Words of senders that may wait to be heard.
const WAITING: usize = 256;

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
    pub(super) fn to_bytes(&self) -> Result<Opaque, postcard::Error> {
        memory::write(self).map(Opaque)
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
    /// Memory ran out while writing.
    #[error("what is to be remembered cannot be written: {0}")]
    Write(#[from] postcard::Error),
    /// The worker is gone, or the gateway stops.
    #[error("the dialogue worker is gone; the gateway is stopping")]
    Gone,
}

/// What became of a message, from whoever sends it to the worker.
#[derive(Debug)]
struct Word {
    happening: Happening,
    heard: oneshot::Sender<Result<(), ConcludeError>>,
}

/// Tells the worker what became of messages. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Teller(mpsc::Sender<Word>);

impl Teller {
    /// The carrier took a message. Returns once that is remembered.
    ///
    /// # Errors
    /// [`ConcludeError`]; tell it again.
    pub async fn tell(&self, happening: Happening) -> Result<(), ConcludeError> {
        let (heard, told) = oneshot::channel();
        self.0.send(Word { happening, heard }).await.map_err(|_| ConcludeError::Gone)?;
        told.await.map_err(|_| ConcludeError::Gone)?
    }
}

/// The worker.
#[derive(Debug)]
pub struct DialogueWorker {
    store: Store,
    campaigns: watch::Receiver<Arc<[Arc<Campaign>]>>,
    accounts: Arc<BTreeMap<AccountName, Arc<Account>>>,
    clock: Clock,
    entropy: Entropy,
    metrics: IntakeMetrics,
    words: mpsc::Receiver<Word>,
}

impl DialogueWorker {
    /// Over a store, with the campaigns and accounts by which it is decided. What became of
    /// messages is told it by the [`Teller`].
    #[must_use]
    pub fn new(
        store: Store,
        campaigns: watch::Receiver<Arc<[Arc<Campaign>]>>,
        accounts: Arc<BTreeMap<AccountName, Arc<Account>>>,
        (clock, entropy): (Clock, Entropy),
        metrics: IntakeMetrics,
    ) -> (DialogueWorker, Teller) {
        let (tell, words) = mpsc::channel(WAITING);
        let worker =
            DialogueWorker { store, campaigns, accounts, clock, entropy, metrics, words };
        (worker, Teller(tell))
    }

    /// Concludes until the gateway stops.
    pub async fn run(mut self, tasks: Tasks) {
        let mut arrivals = self.store.arrivals();
        loop {
            // Whatever arrives from here on wakes us again.
            arrivals.mark_unchanged();
            let pause = match self.take_up().await {
                Ok(0) => LOOK,
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(%error, "what is held waits; it is tried again");
                    PAUSE
                }
            };
            tokio::select! {
                () = tasks.stopping() => return,
                word = self.words.recv() => match word {
                    Some(word) => self.hear(word).await,
                    None => tokio::time::sleep(pause).await,
                },
                _ = timeout(pause, arrivals.changed()) => {}
            }
        }
    }

    /// Concludes what is held and what is due now. Returns how much that was.
    async fn take_up(&self) -> Result<usize, ConcludeError> {
        let held = self.store.inbox(AT_ONCE).await?;
        for one in &held {
            self.take(one).await?;
        }
        let woken = self.store.woken(self.clock.now(), AT_ONCE).await?;
        for one in &woken {
            match MemoryKey::read(&one.key) {
                Some(key) => self.conclude(Happening::Due(key), None).await?,
                None => tracing::warn!("a memory of a newer version is due; it is left alone"),
            }
        }
        Ok(held.len() + woken.len())
    }

    async fn take(&self, held: &Held) -> Result<(), ConcludeError> {
        let happening = match memory::read::<Waiting>(&held.bytes.0)? {
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
        self.conclude(happening, Some(held)).await
    }

    async fn hear(&self, Word { happening, heard }: Word) {
        // Whoever stopped listening tells it again.
        drop(heard.send(self.conclude(happening, None).await));
    }

    /// Recalls, decides, and stores all of it.
    async fn conclude(
        &self,
        happening: Happening,
        held: Option<&Held>,
    ) -> Result<(), ConcludeError> {
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
        let outcomes: Vec<Outcome> = decision.concluded.iter().map(|it| it.outcome).collect();
        let conclusion = conclusion(decision, held, now)?;
        let concluded = self.store.conclude(conclusion).await?;
        let fresh = outcomes.iter().zip(concluded.fresh()).filter(|(_, fresh)| **fresh);
        fresh.for_each(|(outcome, _)| self.metrics.outcome(*outcome, 1));
        Ok(())
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

/// A decision as the store takes it, with the event that it takes out of the inbox.
fn conclusion(
    decision: Decision,
    held: Option<&Held>,
    now: Timestamp,
) -> Result<Conclusion, ConcludeError> {
    let Decision { concluded, messages, changes } = decision;
    let memory = changes.into_iter().map(|change| {
        let to = change.to.map(|(memory, wake_at)| {
            Ok::<_, postcard::Error>(Remembered { bytes: Opaque(memory.to_bytes()?), wake_at })
        });
        Ok(MemoryChange { key: change.key.text(), to: to.transpose()? })
    });
    Ok(Conclusion {
        held: held.map(|held| held.seq).into_iter().collect::<Vec<InboxSeq>>(),
        entries: concluded.into_iter().filter_map(|it| entry(it, held, now)).collect(),
        memory: memory.collect::<Result<_, postcard::Error>>()?,
        messages: messages.into_iter().map(queued).collect::<Result<_, postcard::Error>>()?,
    })
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

fn queued(message: Message) -> Result<NewMessage, postcard::Error> {
    Ok(NewMessage {
        id: message.key,
        lane: message.account.clone(),
        not_before: message.not_before,
        expires: message.expires,
        bytes: Opaque(memory::write(&message)?),
    })
}
