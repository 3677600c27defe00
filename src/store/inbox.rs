//! The inbox: events that wait for what the gateway remembers, and the conclusions drawn from them.

use super::callback::Opaque;
use super::job::{ConcludeJob, ConcludedItem, Job};
use super::memory::MemoryChange;
use super::message::NewMessage;
use super::ownership::OwnerToken;
use super::recording::NewRecording;
use super::{KeyRing, ReadError, Store, StoreError, UnknownLayout, rows};
use crate::model::{AccountName, CallbackSeq, MessageKey, Outcome, Record, RecordingId};
use jiff::Timestamp;
use tokio::sync::watch;

/// A held event's place in the order of arrival. It is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboxSeq {
    pub(super) callback: CallbackSeq,
    pub(super) item: i64,
}

/// An event that waits for its conclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its place.
    pub seq: InboxSeq,
    /// The callback that brought it.
    pub callback: CallbackSeq,
    /// Whose it is.
    pub account: AccountName,
    /// When that callback arrived.
    pub received_at: Timestamp,
    /// The event, as it was given to be held; `None`: it was sealed under a key that is gone, or is
    /// damaged.
    pub bytes: Option<Opaque>,
}

/// What becomes of held events, or of a memory that woke: all of it, or nothing.
#[derive(Debug, Clone, Default)]
pub struct Conclusion {
    /// In whose name the dialogue draws it, as [`Ownership::token`](super::Ownership::token) said before anything of it was
    /// read; `None` only where one process has the store to itself.
    pub owner: Option<OwnerToken>,
    /// The events that it concludes; they leave the inbox.
    pub held: Vec<InboxSeq>,
    /// What came of them.
    pub entries: Vec<ConcludedEntry>,
    /// What is remembered or forgotten from now on. Of two changes to one key the later counts.
    pub memory: Vec<MemoryChange>,
    /// What is sent to citizens. A key that is known already is not queued again.
    pub messages: Vec<NewMessage>,
    /// The messages whose news it takes in; [`Store::untold`] shows those no more.
    pub told: Vec<MessageKey>,
    /// The callback whose answers were read again; [`Store::revisions`] shows it no more, and what is
    /// recorded leaves a line in the records' histories.
    pub revised: Option<CallbackSeq>,
    /// What is to be fetched.
    pub recordings: Vec<NewRecording>,
    /// The recordings of which it takes in what became of them.
    pub fetched: Vec<RecordingId>,
}

/// One thing that a conclusion came to.
#[derive(Debug, Clone)]
pub struct ConcludedEntry {
    /// Whose it is.
    pub account: AccountName,
    /// The callback that caused it, or [`CallbackSeq::NONE`].
    pub callback: CallbackSeq,
    /// When that callback arrived.
    pub received_at: Timestamp,
    /// What makes it the same thing when it comes to be concluded again; digested like that of
    /// [`Entry::dedupe`](super::Entry::dedupe), and among those, so it must differ from the held
    /// event's own. `None` where leaving the inbox is enough.
    pub dedupe: Option<String>,
    /// What became of it; noted when there are no records.
    pub outcome: Outcome,
    /// First or later revisions; a later one takes the place of earlier ones that nobody is sending.
    pub records: Vec<Record>,
}

/// What a conclusion came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concluded {
    /// It is on disk.
    Done {
        /// For each entry, in order, whether it was new; `false` is a repeat that changed nothing.
        fresh: Vec<bool>,
    },
    /// An event is no longer held, news are no longer untold, a callback is no longer to be read
    /// again, or a record revision is there already: somebody else concluded it, or this very
    /// conclusion came before. Nothing was changed.
    Void,
}

impl Concluded {
    /// For each entry of one that is on disk, whether it was new.
    #[must_use]
    pub fn fresh(&self) -> &[bool] {
        match self {
            Concluded::Done { fresh } => fresh,
            Concluded::Void => &[],
        }
    }
}

/// The columns callback, item, account, received_at, sealed.
pub(super) type HeldRow = (i64, i64, String, i64, Vec<u8>);

impl Held {
    pub(super) fn of_row(
        (callback, item, account, received_at, sealed): HeldRow,
        ring: &KeyRing,
    ) -> Result<Held, UnknownLayout> {
        let callback = CallbackSeq(callback);
        let place = rows::held_place(callback.0, item);
        Ok(Held {
            seq: InboxSeq { callback, item },
            callback,
            account: AccountName::new(&account).map_err(|_| UnknownLayout)?,
            received_at: rows::timestamp(received_at),
            bytes: ring.open(&place, &sealed).ok().map(Opaque),
        })
    }
}

impl Store {
    /// Held events behind a place, oldest first. Each is shown until a conclusion takes it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn inbox(
        &self,
        behind: Option<InboxSeq>,
        limit: u32,
    ) -> Result<Vec<Held>, ReadError> {
        self.reader.inbox(behind, limit).await
    }

    /// A watch that changes with every commit that held an event or brought news of a message.
    /// Take it before looking.
    #[must_use]
    pub fn arrivals(&self) -> watch::Receiver<()> {
        self.shared.arrived.subscribe()
    }

    /// Draws a conclusion, and returns once it is on disk: records are queued as of now, with the
    /// callback and time of arrival given. Whoever got an error should look anew what is held or
    /// woken, and not bring the same again: after a disk that failed at the very end of a commit it
    /// may be stored.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::NotOwner`] when another node owns the dialogue by now; nothing is changed.
    pub async fn conclude(&self, conclusion: Conclusion) -> Result<Concluded, StoreError> {
        let Conclusion {
            owner,
            held,
            entries,
            memory,
            messages,
            told,
            revised,
            recordings,
            fetched,
        } = conclusion;
        let items = entries.iter().map(|entry| self.seal_concluded(entry));
        let items = items.collect::<Result<_, StoreError>>()?;
        let memory = memory.iter().map(|change| self.seal_memory(change));
        let memory = memory.collect::<Result<_, StoreError>>()?;
        let messages = messages.iter().map(|message| self.seal_message(message)).collect();
        let recordings = recordings.iter().map(|new| self.seal_recording(new)).collect();
        let job = |answer| ConcludeJob {
            owner,
            held,
            items,
            memory,
            messages,
            told,
            revised,
            recordings,
            fetched,
            answer,
        };
        self.ask(|answer| Job::Conclude(Box::new(job(answer)))).await
    }

    fn seal_concluded(&self, entry: &ConcludedEntry) -> Result<ConcludedItem, StoreError> {
        let account = entry.account.as_str();
        Ok(ConcludedItem {
            account: entry.account.clone(),
            callback: entry.callback,
            received_at: entry.received_at,
            dedupe: entry.dedupe.as_ref().map(|key| self.prints.dedupe(account, key)),
            outcome: entry.outcome,
            records: self.seal_records(&entry.records)?,
        })
    }
}
