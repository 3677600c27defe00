//! Messages to citizens: a queue for each sending account, in which every message stays until it
//! is sent, dropped or given up.

pub(super) mod columns;

use super::callback::Opaque;
use super::job::{
    Job, LeasedMessageRow, MessageLeaseJob, MessageSettleJob, SealedMessage, SealedVerdict,
};
use super::queue::{DeadClass, LeaseToken};
use super::{ReadError, Store, StoreError, rows};
use crate::model::{AccountName, MessageKey};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

/// A queue of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageLane(String);

impl MessageLane {
    /// The texts that an account sends.
    #[must_use]
    pub fn of(account: &AccountName) -> MessageLane {
        MessageLane(account.to_string())
    }

    /// The calls that are put for an account by whoever dials. No account has a name with a blank.
    #[must_use]
    pub fn calls(account: &AccountName) -> MessageLane {
        MessageLane(format!("{CALLS}{account}"))
    }

    /// Whether a lane of this name is one of calls.
    #[must_use]
    pub fn is_of_calls(name: &str) -> bool {
        name.starts_with(CALLS)
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How the lanes of calls begin.
pub(super) const CALLS: &str = "calls of ";

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Its key.
    pub id: MessageKey,
    /// The queue it waits in.
    pub lane: MessageLane,
    /// When it may go out. A time of the wall clock: it stays when the clock is set back.
    pub not_before: Timestamp,
    /// After this its lane drops it.
    pub expires: Timestamp,
    /// Number and text, in the lane's own layout.
    pub bytes: Opaque,
}

/// Messages that are ours to send until a time.
#[derive(Debug, Clone)]
pub struct MessageLease {
    /// The proof.
    pub token: LeaseToken,
    /// Until when.
    pub until: Timestamp,
    /// The messages, oldest first; empty when nothing is due.
    pub items: Vec<LeasedMessage>,
}

/// One leased message.
#[derive(Debug, Clone)]
pub struct LeasedMessage {
    /// Its key.
    pub id: MessageKey,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Whether an earlier lease was never settled, because its sender crashed or its time ran out:
    /// then the citizen may have it already.
    pub in_doubt: bool,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// After this it is to be dropped.
    pub expires: Timestamp,
    /// Number and text; `None`: they were sealed under a key that is gone, or are damaged.
    pub bytes: Option<Opaque>,
}

/// What became of leased messages.
#[derive(Debug, Clone)]
pub struct MessageSettlement {
    /// The lease under which they were sent.
    pub token: LeaseToken,
    /// The verdict for each message.
    pub items: Vec<SettledMessage>,
}

/// What became of one leased message.
#[derive(Debug, Clone)]
pub struct SettledMessage {
    /// Its key.
    pub id: MessageKey,
    /// The verdict.
    pub became: MessageSettled,
    /// What [`Store::untold`] shows of it until a conclusion has taken it in; it takes the place of
    /// earlier news that are untold.
    pub news: Option<Opaque>,
}

/// The place of news among those that are untold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UntoldSeq(pub(super) i64);

/// News of a message that no conclusion has taken in yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// Their place.
    pub seq: UntoldSeq,
    /// The message.
    pub id: MessageKey,
    /// What became of it, as its settlement said; `None`: that was sealed under a key that is gone,
    /// or is damaged.
    pub bytes: Option<Opaque>,
}

/// The verdict for one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageSettled {
    /// The carrier has it.
    Sent,
    /// To be sent again.
    Retry {
        /// Not before.
        due: Timestamp,
        /// Why, in short and without personal data.
        reason: String,
    },
    /// Not sent, or known to be without effect; due at once and the attempt is not counted.
    Released,
    /// Not to be sent any more, and nobody's fault: it expired, or its citizen opted out.
    Dropped {
        /// Why, in short.
        reason: String,
    },
    /// Given up, until an operator replays it.
    Dead {
        /// Which kind.
        class: DeadClass,
        /// The last answer, trimmed and without personal data.
        reason: String,
    },
}

/// A message that was given up.
#[derive(Debug, Clone)]
pub struct DeadMessage {
    /// Its key.
    pub id: MessageKey,
    /// The account whose lane gave it up.
    pub lane: String,
    /// Why, by class.
    pub class: String,
    /// The last answer.
    pub reason: String,
    /// When it was given up.
    pub died_at: Timestamp,
    /// After how many attempts.
    pub attempts: u32,
    /// Since when it had waited.
    pub queued_at: Timestamp,
    /// After this its lane drops it, also when it is replayed.
    pub expires: Timestamp,
    /// Number and text; `None`: they were sealed under a key that is gone, or are damaged.
    pub bytes: Option<Opaque>,
}

/// What stands in a lane of messages: each is in one of `pending`, `sent`, `dropped` and `dead`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageLaneStatus {
    /// The sending account; `calls of NAME` for those that are left to whoever dials.
    pub name: String,
    /// Messages to send.
    pub pending: i64,
    /// Of them under way.
    pub leased: i64,
    /// Of them tried in vain and waiting.
    pub waiting_to_retry: i64,
    /// Since when the oldest waits.
    pub oldest: Option<Timestamp>,
    /// When the next is due.
    pub next_due: Option<Timestamp>,
    /// Sent, and not yet erased.
    pub sent: i64,
    /// Dropped, and not yet erased.
    pub dropped: i64,
    /// Given up.
    pub dead: i64,
}

/// A message as it is stored.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// Its key.
    pub id: MessageKey,
    /// The queue it waits or waited in.
    pub lane: String,
    /// Where it stands.
    pub state: MessageState,
    /// When it is due, if it waits.
    pub due: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was sent, dropped or given up.
    pub ended_at: Option<Timestamp>,
    /// The last failure.
    pub reason: Option<String>,
    /// Number and text; `None`: they cannot be opened.
    pub bytes: Option<Opaque>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// To be sent.
    Waiting,
    /// The carrier has it; of a call: it was handed over.
    Sent,
    /// Not worth sending any more.
    Dropped,
    /// Given up.
    Dead,
}

impl Store {
    /// Messages of a lane that are due and nobody is sending, longest due first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn due_messages(
        &self,
        lane: &MessageLane,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, ReadError> {
        self.reader.due_messages(lane.as_str(), self.clock.now().as_millisecond(), limit).await
    }

    /// A message, if it is there.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn message(&self, id: MessageKey) -> Result<Option<StoredMessage>, ReadError> {
        Ok(self.reader.messages(&[id]).await?.pop())
    }

    /// Settles a message that waits and that nobody leases, because nobody sends in its lane. Returns
    /// whether it still waited.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is settled.
    pub async fn settle_unleased(&self, item: SettledMessage) -> Result<bool, StoreError> {
        let settlement = MessageSettlement { token: LeaseToken::NONE, items: vec![item] };
        Ok(self.settle_messages(settlement).await? == 0)
    }

    /// Leases up to `max` due messages of a lane until `until`: those that have been due for
    /// longest. Each lease counts as an attempt from this moment, whatever becomes of the sender.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is leased.
    pub async fn lease_messages(
        &self,
        lane: &AccountName,
        max: usize,
        until: Timestamp,
    ) -> Result<MessageLease, StoreError> {
        let (lane, now) = (lane.clone(), self.clock.now());
        let job = |answer| Job::LeaseMessages(MessageLeaseJob { lane, max, now, until, answer });
        let raw = self.ask(job).await?;
        let open = |row: LeasedMessageRow| {
            // The others are leased too, so one that cannot be opened is no failure of the lease.
            let bytes = self.shared.ring.open(&rows::message_place(row.id), &row.sealed);
            let bytes = bytes.ok().map(Opaque);
            let LeasedMessageRow { id, attempt, in_doubt, queued_at, expires, .. } = row;
            LeasedMessage { id, attempt, in_doubt, queued_at, expires, bytes }
        };
        let items = raw.rows.into_iter().map(open).collect();
        Ok(MessageLease { token: raw.token, until, items })
    }

    /// Settles what became of leased messages. Returns how many were no longer under this lease
    /// and so were left alone, with their news. News wake those who watch [`Store::arrivals`].
    ///
    /// # Errors
    /// [`StoreError`]; nothing is settled, and the leases run on.
    pub async fn settle_messages(
        &self,
        settlement: MessageSettlement,
    ) -> Result<usize, StoreError> {
        let MessageSettlement { token, items } = settlement;
        let items = items.into_iter().map(|item| self.seal_verdict(item)).collect();
        self.ask(|answer| Job::SettleMessages(MessageSettleJob { token, items, answer })).await
    }

    /// News of messages behind a place, oldest message first. Each is shown until a conclusion takes
    /// it in.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn untold(
        &self,
        behind: Option<UntoldSeq>,
        limit: u32,
    ) -> Result<Vec<Untold>, ReadError> {
        self.reader.untold(behind, limit).await
    }

    /// When the next message of a lane is due, if there is any.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn next_message_due(
        &self,
        lane: &AccountName,
    ) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.reader.next_message_due(lane.as_str()).await?.map(rows::timestamp))
    }

    /// A watch that changes with every commit that queued messages. Take it before looking.
    #[must_use]
    pub fn messages(&self) -> watch::Receiver<()> {
        self.shared.messages.subscribe()
    }

    /// What stands in each lane of messages; it takes a while when the history is long.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn message_lanes(&self) -> Result<Vec<MessageLaneStatus>, ReadError> {
        self.reader.message_lanes().await
    }

    fn seal_verdict(&self, settled: SettledMessage) -> SealedVerdict {
        let SettledMessage { id, became, news } = settled;
        let seal = |news: Opaque| self.shared.sealer().seal(&rows::news_place(id), &news.0);
        SealedVerdict { id, became, news: news.map(seal) }
    }

    pub(super) fn seal_message(&self, message: &NewMessage) -> SealedMessage {
        let place = rows::message_place(message.id);
        SealedMessage {
            id: message.id,
            lane: message.lane.clone(),
            not_before: message.not_before,
            expires: message.expires,
            sealed: self.shared.sealer().seal(&place, &message.bytes.0),
        }
    }
}
