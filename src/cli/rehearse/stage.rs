//! A gateway in memory, with a clock of its own: what the real one would decide, remember and send, and
//! when. Carriers take every text, and the platform every record.

use crate::carrier::send::{self, Unsendable};
use crate::clock::Entropy;
use crate::config::{Config, Prompt};
use crate::dialogue::memory::{Heard, Memory, MemoryKey, Origin};
use crate::dialogue::{
    Because, Change, Decision, Happening, Known, Rules, choose_campaign, decide, interpret,
    may_send, needs_memory, wanted,
};
use crate::model::{
    AccountName, CallbackSeq, Event, Invitation, Message, MessageId, MessageKind, Outcome, Record,
    RecordId, Step, Unrated,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Something that happened, and what came of it.
#[derive(Debug)]
pub(super) struct Scene {
    /// When.
    pub(super) at: Timestamp,
    /// What.
    pub(super) what: What,
    /// What became of it, of what waited for it, and of invitations that ended.
    pub(super) outcomes: Vec<Outcome>,
    /// By which rules.
    pub(super) because: Vec<Because>,
    /// What is recorded and forwarded.
    pub(super) records: Vec<Recorded>,
    /// What is to be sent.
    pub(super) messages: Vec<Message>,
}

impl Scene {
    /// Whether a memory only faded, which is nothing to see.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.what, What::Due) && self.outcomes.is_empty()
    }
}

/// What happened.
#[derive(Debug)]
pub(super) enum What {
    /// A carrier said something.
    Heard,
    /// The platform invited.
    Invited,
    /// The time of a memory came.
    Due,
    /// A text was sent.
    Sent(Message),
    /// A text is not sent after all.
    Dropped(Message, Unsent),
    /// A question is put in a call.
    Asks(Vec<Prompt>),
    /// A call is ended with this.
    Says(Vec<Prompt>),
}

/// Why a text is not sent after all.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(super) enum Unsent {
    /// By what happened since.
    #[error("{}", .0.name())]
    Unwanted(Unrated),
    /// The account cannot say it.
    #[error("{0}")]
    Unsendable(Unsendable),
}

/// A revision of a record, and the one before.
#[derive(Debug)]
pub(super) struct Recorded {
    /// It.
    pub(super) record: Record,
    /// Its number in this rehearsal, from 1.
    pub(super) number: usize,
    /// Its former revision.
    pub(super) former: Option<Record>,
}

/// What is remembered, and when it is due.
type Remembered = (Memory, Option<Timestamp>);

/// The gateway.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    config: &'a Config,
    now: Timestamp,
    entropy: Entropy,
    memories: BTreeMap<MemoryKey, Remembered>,
    queue: Vec<Message>,
    records: Vec<Record>,
    heard: i64,
    sent: Vec<(AccountName, MessageId)>,
}

impl<'a> Stage<'a> {
    /// Where nothing has happened yet.
    pub(super) fn new(config: &'a Config, now: Timestamp) -> Stage<'a> {
        Stage {
            config,
            now,
            // The ids of a rehearsal are nobody's, and the same whenever it is played again.
            entropy: Entropy::seeded(0),
            memories: BTreeMap::new(),
            queue: Vec::new(),
            records: Vec::new(),
            heard: 0,
            sent: Vec::new(),
        }
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The account and the carrier's id of the last text that was sent.
    pub(super) fn last_sent(&self) -> Option<&(AccountName, MessageId)> {
        self.sent.last()
    }

    /// The number of a record in this rehearsal.
    pub(super) fn number(&self, id: RecordId) -> Option<usize> {
        self.records.iter().position(|record| record.id == id).map(|place| place + 1)
    }

    /// A carrier says something, and what follows at once.
    pub(super) fn hear(&mut self, account: &AccountName, event: Event) -> Vec<Scene> {
        let mut scenes: Vec<Scene> = self.heard_at(account, event).into_iter().collect();
        scenes.extend(self.pass(Duration::ZERO));
        scenes
    }

    /// A carrier says something in a call whose next step is ours, and what follows at once.
    pub(super) fn hear_in_call(
        &mut self,
        account: &AccountName,
        event: Event,
        step: Option<Step>,
    ) -> Vec<Scene> {
        let heard = self.received(account, event);
        let mut scenes = vec![self.happens(What::Heard, Happening::InCall { heard, step })];
        scenes.extend(self.pass(Duration::ZERO));
        scenes
    }

    /// Something is said to the citizen in a call.
    pub(super) fn speaks(&self, what: What) -> Scene {
        Scene {
            at: self.now,
            what,
            outcomes: Vec::new(),
            because: Vec::new(),
            records: Vec::new(),
            messages: Vec::new(),
        }
    }

    fn received(&mut self, account: &AccountName, event: Event) -> Box<Heard> {
        self.heard += 1;
        let callback = CallbackSeq(self.heard);
        let origin = Origin { account: account.clone(), callback, received_at: self.now };
        Box::new(Heard { origin, event })
    }

    fn heard_at(&mut self, account: &AccountName, event: Event) -> Option<Scene> {
        let account = self.config.accounts.get(account)?;
        let campaign = choose_campaign(&self.config.campaigns, account, event.service.as_ref());
        let campaign = campaign.map(|campaign| &**campaign);
        let at = self.now;
        if needs_memory(&event, campaign, self.rules()) {
            let heard = self.received(&account.name, event);
            return Some(self.happens(What::Heard, Happening::Said(heard)));
        }
        let meant = interpret(&event, account, campaign, at, || self.entropy.record_id(at));
        Some(Scene {
            at,
            what: What::Heard,
            outcomes: vec![meant.outcome],
            because: meant.because.into_iter().collect(),
            records: self.recorded(meant.records),
            messages: Vec::new(),
        })
    }

    /// The platform invites, and what follows at once.
    pub(super) fn invite(&mut self, invitation: Invitation) -> Vec<Scene> {
        let invited = Happening::Invited(Box::new(invitation));
        let mut scenes = vec![self.happens(What::Invited, invited)];
        scenes.extend(self.pass(Duration::ZERO));
        scenes
    }

    /// Time passes: texts go out when they may, and what is due is seen to, in order.
    pub(super) fn pass(&mut self, passed: Duration) -> Vec<Scene> {
        let then = self.now.checked_add(passed).unwrap_or(Timestamp::MAX);
        let mut scenes = Vec::new();
        loop {
            let mail = self.queue.iter().enumerate().map(|(place, it)| (it.not_before, place));
            let mail = mail.min().filter(|(at, _)| *at <= then);
            let due = self.memories.iter().filter_map(|(key, (_, due))| Some(((*due)?, key)));
            let due = due.min().filter(|(at, _)| *at <= then).map(|(at, key)| (at, key.clone()));
            match (mail, due) {
                (Some((at, place)), due) if due.as_ref().is_none_or(|(due, _)| at <= *due) => {
                    self.now = self.now.max(at);
                    scenes.push(self.send(place));
                }
                (_, Some((at, key))) => {
                    self.now = self.now.max(at);
                    scenes.push(self.happens(What::Due, Happening::Due(key)));
                }
                (_, None) => break,
            }
        }
        self.now = then;
        scenes
    }

    fn send(&mut self, place: usize) -> Scene {
        let message = self.queue.remove(place);
        let told = Box::new(message.clone());
        if let Err(why) = self.may_send(&message) {
            return self.happens(What::Dropped(message, why), Happening::NotSent(told));
        }
        let id = MessageId(format!("text-{}", self.sent.len() + 1));
        self.sent.push((message.account.clone(), id.clone()));
        let sent = Happening::Sent { message: told, carrier_id: Some(id), at: self.now };
        self.happens(What::Sent(message), sent)
    }

    fn may_send(&self, message: &Message) -> Result<(), Unsent> {
        let caller = match self.memories.get(&MemoryKey::Caller(message.to.clone())) {
            Some((Memory::Caller(caller), _)) => Some(caller),
            _ => None,
        };
        may_send(message, caller, self.now).map_err(Unsent::Unwanted)?;
        let account = self.config.accounts.get(&message.account);
        let Some(sending) = account.and_then(|account| account.send.as_ref()) else {
            return Ok(());
        };
        match send::request(sending, message, self.now, [0; 16]) {
            Err(why @ (Unsendable::Text | Unsendable::Template)) => Err(Unsent::Unsendable(why)),
            // What secrets are wrong with is not seen here, since none are read.
            _ => Ok(()),
        }
    }

    fn happens(&mut self, what: What, happening: Happening) -> Scene {
        let mut known = Known::nothing();
        loop {
            let keys = wanted(&happening, &known);
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let memory = self.memories.get(&key).map(|(memory, _)| memory.clone());
                known.recall(key, memory);
            }
        }
        let (at, entropy) = (self.now, self.entropy.clone());
        let mut new_id = || entropy.record_id(at).0;
        let decision = decide(happening, &mut known, self.rules(), at, &mut new_id);
        // Calls are put by whoever types, and nobody fetches what was recorded in them.
        let Decision { concluded, mut messages, fetches: _, changes, because } = decision;
        messages.retain(|message| message.kind != MessageKind::Call);
        for Change { key, to } in changes {
            match to {
                Some(remembered) => drop(self.memories.insert(key, remembered)),
                None => drop(self.memories.remove(&key)),
            }
        }
        self.queue.extend(messages.iter().cloned());
        let outcomes = concluded.iter().map(|concluded| concluded.outcome).collect();
        let records = concluded.into_iter().flat_map(|concluded| concluded.records);
        let records = self.recorded(records.collect());
        Scene { at, what, outcomes, because, records, messages }
    }

    fn recorded(&mut self, records: Vec<Record>) -> Vec<Recorded> {
        let keep = |record: Record| {
            let known = self.records.iter().position(|known| known.id == record.id);
            let former =
                known.map(|place| std::mem::replace(&mut self.records[place], record.clone()));
            if known.is_none() {
                self.records.push(record.clone());
            }
            let number = known.map_or(self.records.len(), |place| place + 1);
            Recorded { record, number, former }
        };
        records.into_iter().map(keep).collect()
    }

    fn rules(&self) -> Rules<'a> {
        Rules { campaigns: &self.config.campaigns, accounts: &self.config.accounts }
    }
}
