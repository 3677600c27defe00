//! The dialogue worker: takes what was held, in the order of arrival, and concludes it by what is
//! remembered.
//!
//! It is the only one who writes memory. It decides a group in turn, each by what the ones before it
//! changed. What the group came to goes to disk as a whole, together with the leaving of the inbox,
//! so that a crash between any two steps loses nothing and does nothing twice.

use super::accept::by_weekends;
use super::distribution::Watch;
use super::passed::{PAGE, Passed};
use super::revise::Reviser;
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
    RecordingId, Step,
};
use crate::store::{
    Concluded, ConcludedEntry, Conclusion, FetchedSeq, Held, InboxSeq, MemoryChange, MessageLane,
    NewMessage, NewRecording, Opaque, OwnerToken, Ownership, ReadError, Remembered, Store,
    StoreError, Untold, UntoldRecording, UntoldSeq, WakeSeq, Woken,
};
use crate::telemetry::Progress;
use crate::telemetry::intake::IntakeMetrics;
use crate::telemetry::seldom::Seldom;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

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
    /// A carrier said something in a call whose next step is ours to say.
    InCall(Box<Event>, Option<Step>),
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
    pub(super) fn is_of_one(&self) -> bool {
        matches!(
            self,
            ConcludeError::Layout(_)
                | ConcludeError::Read(ReadError::Sealed(_) | ReadError::Layout(_))
                | ConcludeError::Store(StoreError::TooLarge(_))
        )
    }
}

/// How far it has come past what stays, and when it last said so.
#[derive(Debug, Default)]
struct Looks {
    held: Passed<InboxSeq>,
    news: Passed<UntoldSeq>,
    fetched: Passed<FetchedSeq>,
    due: Passed<WakeSeq>,
    said: Seldom,
}

/// The worker. A clone takes the place of one that was dropped; there are never two at work, over all nodes.
#[derive(Debug, Clone)]
pub struct DialogueWorker {
    pub(super) store: Store,
    pub(super) ownership: Ownership,
    pub(super) reviser: Reviser,
    pub(super) campaigns: watch::Receiver<Arc<[Arc<Campaign>]>>,
    pub(super) accounts: Arc<BTreeMap<AccountName, Arc<Account>>>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) metrics: IntakeMetrics,
    pub(super) watch: Watch,
    pub(super) progress: Progress,
}

impl DialogueWorker {
    /// Concludes until the gateway stops, while that is this node's to do.
    pub async fn run(self, tasks: Tasks) {
        let mut arrivals = self.store.arrivals();
        let mut looks = Looks::default();
        let mut owner = None;
        loop {
            let token = tokio::select! {
                biased;
                () = tasks.stopping() => return,
                token = self.ownership.gained() => token,
            };
            if owner.replace(token) != Some(token) {
                // Another node has concluded meanwhile.
                looks = Looks::default();
                if let Err(StoreError::Closed) = self.let_earlier_pass(token).await {
                    return;
                }
            }
            // Whatever arrives from here on wakes us again.
            arrivals.mark_unchanged();
            self.progress.begin("looking at what is held and due");
            let taken = self.take_up(&mut looks).await;
            self.progress.rest();
            let pause = match taken {
                Ok(0) => LOOK,
                Ok(_) if tasks.is_stopping() => return,
                Ok(_) => continue,
                Err(ConcludeError::Store(StoreError::NotOwner)) => PAUSE,
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

    /// Whoever was here before may have drawn a conclusion that still waits for the writer, which takes one after the other:
    /// when it comes to this one, no earlier one is left to come unseen.
    async fn let_earlier_pass(&self, token: OwnerToken) -> Result<Concluded, StoreError> {
        self.progress.begin("letting earlier conclusions pass");
        let nothing = Conclusion { owner: Some(token), ..Conclusion::default() };
        let passed = self.store.conclude(nothing).await;
        self.progress.rest();
        passed
    }

    /// Concludes what is held and what is due now, a page of each. Returns how much of it was, or was
    /// passed over.
    async fn take_up(&self, looks: &mut Looks) -> Result<usize, ConcludeError> {
        let now = Instant::now();
        let inbox = self.store.inbox(looks.held.place(now), PAGE).await?;
        // A question that was sent before these answers came is known to be sent before they are read.
        let mut done = self.learn_all(looks).await?;
        let taken = self.conclude_all(inbox.iter().map(Cause::held), looks).await?;
        let places: Vec<_> = inbox.iter().map(|held| held.seq).collect();
        done += looks.held.page(&places, taken, now);
        let fetched = self.store.untold_recordings(looks.fetched.place(now), PAGE).await?;
        let taken = self.conclude_all(fetched.iter().map(Cause::fetched), looks).await?;
        let places: Vec<_> = fetched.iter().map(|fetched| fetched.seq).collect();
        done += looks.fetched.page(&places, taken, now);
        let woken = self.store.woken(self.clock.now(), looks.due.place(now), PAGE).await?;
        let taken = self.conclude_all(woken.iter().map(Cause::woken), looks).await?;
        let places: Vec<_> = woken.iter().map(|woken| woken.seq).collect();
        done += looks.due.page(&places, taken, now);
        // Not beside any of these: it changes what they remember.
        done += self.reviser.take_up(PAGE).await?;
        Ok(done)
    }

    /// Takes in what became of messages, all of it. Returns how much that was, or was passed over.
    async fn learn_all(&self, looks: &mut Looks) -> Result<usize, ConcludeError> {
        let mut learned = 0;
        loop {
            let now = Instant::now();
            let untold = self.store.untold(looks.news.place(now), PAGE).await?;
            let taken = self.conclude_all(untold.iter().map(Cause::told), looks).await?;
            let places: Vec<_> = untold.iter().map(|news| news.seq).collect();
            match looks.news.page(&places, taken, now) {
                0 => return Ok(learned),
                done => learned += done,
            }
        }
    }

    /// Concludes these in their order, all at once. What something stands against is halved until
    /// that one thing is alone; it stays, and the others pass it. Returns how many were concluded.
    async fn conclude_all<'a>(
        &self,
        causes: impl Iterator<Item = Result<Cause<'a>, ConcludeError>>,
        looks: &Looks,
    ) -> Result<usize, ConcludeError> {
        let mut readable = Vec::new();
        for cause in causes {
            match cause {
                Ok(cause) => readable.push(cause),
                Err(error) => self.pass(error, looks)?,
            }
        }
        let mut done = 0;
        let mut groups: Vec<&[Cause<'_>]> = vec![&readable];
        while let Some(group) = groups.pop() {
            self.progress.begin("drawing conclusions");
            let (first, rest) = group.split_at(group.len() / 2);
            match self.conclude(group).await {
                Ok(Concluded::Done { .. }) => done += group.len(),
                Ok(Concluded::Void) if first.is_empty() => {
                    self.passed_over("something of it was concluded before", looks);
                }
                Err(error) if first.is_empty() || !error.is_of_one() => self.pass(error, looks)?,
                Ok(Concluded::Void) | Err(_) => groups.extend([rest, first]),
            }
        }
        Ok(done)
    }

    /// Lets the others pass if something stands against this one only.
    fn pass(&self, error: ConcludeError, looks: &Looks) -> Result<(), ConcludeError> {
        if !error.is_of_one() {
            return Err(error);
        }
        self.passed_over(&error.to_string(), looks);
        Ok(())
    }

    fn passed_over(&self, why: &str, looks: &Looks) {
        self.metrics.passed_over();
        if let Some(held_back) = looks.said.now() {
            tracing::error!(why, held_back, "this stays held, and others are taken before it");
        }
    }

    /// Recalls, decides, and stores all of it or nothing.
    async fn conclude(&self, group: &[Cause<'_>]) -> Result<Concluded, ConcludeError> {
        if group.is_empty() {
            return Ok(Concluded::Done { fresh: Vec::new() });
        }
        let owner = self.ownership.token()?;
        let campaigns = self.campaigns.borrow().clone();
        let rules = Rules { campaigns: &campaigns, accounts: &self.accounts };
        let mut known = Known::nothing();
        self.recall(group, &mut known).await?;
        let now = self.clock.now();
        let mut decided = Decided::default();
        for cause in group {
            // One before it may have told whose it is.
            self.recall(std::slice::from_ref(cause), &mut known).await?;
            let happening = cause.happening.clone();
            let decision = dialogue::decide(happening, &mut known, rules, now, &mut || {
                self.entropy.record_id(now).0
            });
            for because in &decision.because {
                tracing::debug!(callback = cause.callback().0, %because, "decided");
            }
            decided.add(decision, cause, now);
        }
        let conclusion = Conclusion { owner: Some(owner), ..decided.conclusion() };
        let counts: Vec<(Outcome, bool, Option<Seen>)> = conclusion
            .entries
            .iter()
            .map(|it| (it.outcome, by_weekends(&it.records, &campaigns), Seen::of(&it.records)))
            .collect();
        let concluded = self.store.conclude(conclusion).await?;
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
        Ok(concluded)
    }

    /// Recalls what is needed to decide all of these and is not known yet.
    async fn recall(&self, group: &[Cause<'_>], known: &mut Known) -> Result<(), ConcludeError> {
        loop {
            let wanted = group.iter().flat_map(|cause| dialogue::wanted(&cause.happening, known));
            let keys: BTreeSet<MemoryKey> = wanted.collect();
            if keys.is_empty() {
                return Ok(());
            }
            recall(&self.store, keys.into_iter().collect(), known).await?;
        }
    }
}

/// Adds what the store remembers under these keys to what is known.
pub(super) async fn recall(
    store: &Store,
    keys: Vec<MemoryKey>,
    known: &mut Known,
) -> Result<(), ConcludeError> {
    let texts: Vec<String> = keys.iter().map(MemoryKey::text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let recalled = store.recall(&texts).await?;
    for (key, bytes) in keys.into_iter().zip(recalled) {
        let memory = bytes.map(|bytes| Memory::from_bytes(&bytes.0)).transpose()?;
        known.recall(key, memory);
    }
    Ok(())
}

/// A changed memory as the store takes it.
pub(super) fn changed(Change { key, to }: Change) -> MemoryChange {
    let to = to.map(|(memory, wake_at)| Remembered { bytes: Opaque(memory.to_bytes()), wake_at });
    MemoryChange { key: key.text(), to }
}

/// Something that happened, and what is done with once it is concluded: nothing of a memory that
/// was due.
#[derive(Debug)]
struct Cause<'a> {
    happening: Happening,
    held: Option<&'a Held>,
    told: Option<MessageKey>,
    fetched: Option<RecordingId>,
}

impl<'a> Cause<'a> {
    fn of(happening: Happening) -> Cause<'a> {
        Cause { happening, held: None, told: None, fetched: None }
    }

    fn held(held: &'a Held) -> Result<Cause<'a>, ConcludeError> {
        let bytes = held.bytes.as_ref().ok_or(memory::UnknownLayout)?;
        let heard = |event: Box<Event>| {
            let origin = Origin {
                account: held.account.clone(),
                callback: held.callback,
                received_at: held.received_at,
            };
            Box::new(Heard { origin, event: *event })
        };
        let happening = match memory::read::<Waiting>(&bytes.0)? {
            Waiting::Said(event) => Happening::Said(heard(event)),
            Waiting::InCall(event, step) => Happening::InCall { heard: heard(event), step },
            Waiting::Invited(invitation) => Happening::Invited(invitation),
        };
        Ok(Cause { held: Some(held), ..Cause::of(happening) })
    }

    /// The callback that brought it; none of a memory or a message.
    fn callback(&self) -> CallbackSeq {
        self.held.map_or(CallbackSeq::NONE, |held| held.callback)
    }

    fn woken(woken: &Woken) -> Result<Cause<'a>, ConcludeError> {
        let key = woken.key.as_deref().and_then(MemoryKey::read).ok_or(memory::UnknownLayout)?;
        Ok(Cause::of(Happening::Due(key)))
    }

    fn told(untold: &Untold) -> Result<Cause<'a>, ConcludeError> {
        let news = News::from_bytes(&untold.bytes.as_ref().ok_or(memory::UnknownLayout)?.0)?;
        Ok(Cause { told: Some(untold.id), ..Cause::of(news.into()) })
    }

    fn fetched(fetched: &UntoldRecording) -> Result<Cause<'a>, ConcludeError> {
        let news = News::from_bytes(&fetched.bytes.as_ref().ok_or(memory::UnknownLayout)?.0)?;
        Ok(Cause { fetched: Some(fetched.id), ..Cause::of(news.into()) })
    }
}

/// What the decisions of a group come to.
#[derive(Debug, Default)]
struct Decided {
    conclusion: Conclusion,
    /// What is remembered in the end, by key.
    memory: BTreeMap<MemoryKey, Option<(Memory, Option<Timestamp>)>>,
}

impl Decided {
    fn add(&mut self, decision: Decision, cause: &Cause<'_>, now: Timestamp) {
        let Decision { concluded, messages, fetches, changes, because: _ } = decision;
        let entries = concluded.into_iter().filter_map(|it| entry(it, cause.held, now));
        self.conclusion.entries.extend(entries);
        self.conclusion.messages.extend(messages.iter().map(queued));
        self.conclusion.held.extend(cause.held.map(|held| held.seq));
        self.conclusion.told.extend(cause.told);
        self.conclusion.recordings.extend(fetches.iter().map(waiting));
        self.conclusion.fetched.extend(cause.fetched);
        self.memory.extend(changes.into_iter().map(|Change { key, to }| (key, to)));
    }

    /// As the store takes it.
    fn conclusion(self) -> Conclusion {
        let change = |(key, to)| changed(Change { key, to });
        let memory = self.memory.into_iter().map(change).collect();
        Conclusion { memory, ..self.conclusion }
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
