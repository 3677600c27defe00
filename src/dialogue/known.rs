//! The memories at hand while things are decided, and what changed in them.

use super::decide::Change;
use super::matching::later;
use super::memory::{
    AskingMemory, CallMemory, CallerMemory, InvitationMemory, Memory, MemoryKey, MessageMemory,
    Rated, Subject, VoiceMemory,
};
use crate::model::{AccountName, InvitationId, InvitationState, MessageId, Msisdn};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long it is known what became of an invitation, and that its key was used.
pub(super) const KEPT: Duration = Duration::from_hours(30 * 24);

/// What was recalled, key by key; where nothing was remembered, that is known as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    memories: BTreeMap<MemoryKey, Option<Memory>>,
    /// What was remembered before of all that was touched since [`Known::begin`].
    before: BTreeMap<MemoryKey, Option<Memory>>,
}

impl Known {
    /// Nothing recalled yet.
    #[must_use]
    pub fn nothing() -> Known {
        Known::default()
    }

    /// Adds what the store remembers under a key.
    pub fn recall(&mut self, key: MemoryKey, memory: Option<Memory>) {
        let before = self.memories.insert(key.clone(), memory).flatten();
        self.before.entry(key).or_insert(before);
    }

    /// Whether the store was asked for a key.
    #[must_use]
    pub fn has(&self, key: &MemoryKey) -> bool {
        self.memories.contains_key(key)
    }

    /// What is remembered under a key.
    #[must_use]
    pub fn get(&self, key: &MemoryKey) -> Option<&Memory> {
        self.memories.get(key)?.as_ref()
    }

    /// What is remembered of a citizen.
    #[must_use]
    pub fn caller(&self, number: &Msisdn) -> Option<&CallerMemory> {
        match self.get(&MemoryKey::Caller(number.clone()))? {
            Memory::Caller(caller) => Some(caller),
            _ => None,
        }
    }

    /// What is remembered of a call.
    #[must_use]
    pub fn call(&self, account: &AccountName, call: &MessageId) -> Option<&CallMemory> {
        let key = MemoryKey::Call { account: account.clone(), call: call.clone() };
        match self.get(&key)? {
            Memory::Call(call) => Some(call),
            _ => None,
        }
    }

    /// What is remembered of what we ask in a call.
    #[must_use]
    pub fn asking(&self, account: &AccountName, call: &MessageId) -> Option<&AskingMemory> {
        let key = MemoryKey::Asking { account: account.clone(), call: call.clone() };
        match self.get(&key)? {
            Memory::Asking(asking) => Some(asking),
            _ => None,
        }
    }

    /// What is remembered of a message of ours.
    #[must_use]
    pub fn message(&self, account: &AccountName, id: &MessageId) -> Option<&MessageMemory> {
        let key = MemoryKey::Message { account: account.clone(), id: id.clone() };
        match self.get(&key)? {
            Memory::Message(message) => Some(message),
            _ => None,
        }
    }

    /// What is remembered of an invitation.
    #[must_use]
    pub fn invitation(&self, id: &InvitationId) -> Option<&InvitationMemory> {
        match self.get(&MemoryKey::Invitation(id.clone()))? {
            Memory::Invitation(invitation) => Some(invitation),
            _ => None,
        }
    }

    /// The rating of a subject that is remembered whoever rates it.
    #[must_use]
    pub fn matter(&self, subject: &Subject) -> Option<&Rated> {
        match self.get(&subject.key()?)? {
            Memory::Matter(rated) => Some(rated),
            _ => None,
        }
    }

    /// What is remembered of what is said aloud in a call.
    #[must_use]
    pub fn voice(&self, account: &AccountName, call: &MessageId) -> Option<&VoiceMemory> {
        let key = MemoryKey::Voice { account: account.clone(), call: call.clone() };
        match self.get(&key)? {
            Memory::Voice(voice) => Some(voice),
            _ => None,
        }
    }

    /// Remembers a rating whoever rates its subject next, where that is a case.
    pub(super) fn keep_matter(&mut self, rated: &Rated) {
        if let Some(key) = rated.subject.key() {
            self.recall(key, Some(Memory::Matter(Box::new(rated.clone()))));
        }
    }

    /// Changes what is remembered of what is said aloud in a call.
    pub(super) fn change_voice(
        &mut self,
        account: &AccountName,
        call: &MessageId,
        change: impl FnOnce(&mut VoiceMemory),
    ) {
        let mut memory = self.voice(account, call).cloned().unwrap_or_default();
        change(&mut memory);
        let key = MemoryKey::Voice { account: account.clone(), call: call.clone() };
        self.recall(key, Some(Memory::Voice(memory)));
    }

    /// Changes what is remembered of a citizen, and of that citizen's invitations with it.
    pub(super) fn change_caller<T>(
        &mut self,
        number: &Msisdn,
        change: impl FnOnce(&mut CallerMemory) -> T,
    ) -> T {
        let mut caller = self.caller(number).cloned().unwrap_or_default();
        let states =
            |caller: &CallerMemory| -> BTreeMap<InvitationId, (InvitationState, Timestamp)> {
                let state =
                    |asked: &super::memory::Asked| (asked.invitation.state, asked.forget_at);
                let asked = caller.invitations.iter();
                asked.map(|asked| (asked.invitation.id.clone(), state(asked))).collect()
            };
        let before = states(&caller);
        let told = change(&mut caller);
        for (id, (state, forget_at)) in states(&caller) {
            if before.get(&id) != Some(&(state, forget_at)) {
                let memory = InvitationMemory {
                    caller: number.clone(),
                    state,
                    forget_at: later(forget_at, KEPT),
                };
                self.recall(MemoryKey::Invitation(id), Some(Memory::Invitation(memory)));
            }
        }
        let memory = (!caller.is_empty()).then_some(Memory::Caller(caller));
        self.recall(MemoryKey::Caller(number.clone()), memory);
        told
    }

    /// Changes what is remembered of a call.
    pub(super) fn change_call<T>(
        &mut self,
        account: &AccountName,
        call: &MessageId,
        change: impl FnOnce(&mut CallMemory) -> T,
    ) -> T {
        let mut memory = self.call(account, call).cloned().unwrap_or_default();
        let told = change(&mut memory);
        let key = MemoryKey::Call { account: account.clone(), call: call.clone() };
        self.recall(key, Some(Memory::Call(memory)));
        told
    }

    /// Changes what is remembered of what we ask in a call, if we do.
    pub(super) fn change_asking(
        &mut self,
        account: &AccountName,
        call: &MessageId,
        change: impl FnOnce(&mut AskingMemory),
    ) {
        let Some(mut asking) = self.asking(account, call).cloned() else { return };
        change(&mut asking);
        let key = MemoryKey::Asking { account: account.clone(), call: call.clone() };
        self.recall(key, Some(Memory::Asking(asking)));
    }

    /// Forgets a call.
    pub(super) fn forget_call(&mut self, account: &AccountName, call: &MessageId) {
        self.recall(MemoryKey::Call { account: account.clone(), call: call.clone() }, None);
    }

    /// One more thing is decided: what changes from here on is its doing.
    pub(super) fn begin(&mut self) {
        self.before.clear();
    }

    /// What is otherwise than it was at the beginning.
    pub(super) fn changes(&self) -> Vec<Change> {
        let now = |key: &MemoryKey| self.get(key);
        let changed = self.before.iter().filter(|(key, before)| before.as_ref() != now(key));
        let change = |(key, _): (&MemoryKey, _)| Change {
            key: key.clone(),
            to: now(key).map(|memory| (memory.clone(), memory.due())),
        };
        changed.map(change).collect()
    }
}

impl CallerMemory {
    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == CallerMemory::default()
    }

    /// When something is to be done or forgotten.
    fn due(&self) -> Option<Timestamp> {
        let asked = self.invitations.iter().map(|asked| match asked.is_open() {
            true => asked.invitation.expires_at,
            false => asked.forget_at,
        });
        let parts = self.parts.iter().map(|parts| parts.until);
        let talk = self.talks.iter().map(|talk| talk.until);
        let messages = self.messages.iter().map(|told| told.forget_at);
        let ratings = self.ratings.iter().map(|rated| rated.forget_at);
        asked.chain(parts).chain(talk).chain(messages).chain(ratings).min()
    }
}

impl Memory {
    /// When something is to be done about it, or it is to be forgotten.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Memory::Caller(caller) => caller.due(),
            Memory::Call(call) => Some(call.held_until.unwrap_or(call.forget_at)),
            Memory::Asking(asking) => Some(asking.until.unwrap_or(asking.forget_at)),
            Memory::Message(message) => Some(message.forget_at),
            Memory::Invitation(invitation) => Some(invitation.forget_at),
            Memory::Matter(rated) => Some(rated.forget_at),
            Memory::Voice(voice) => Some(voice.forget_at),
        }
    }
}
