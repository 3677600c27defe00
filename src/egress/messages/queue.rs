//! Where messages wait: what their lanes need of the store.

use crate::dialogue::memory::UnknownLayout;
use crate::model::{AccountName, Message, MessageId, MessageKey, Unrated};
use crate::store::{DeadClass, LeaseToken, MessageLease, ReadError, StoreError};
use jiff::Timestamp;
use std::future::Future;
use tokio::sync::watch;

/// A durable queue of messages by account. Cloning shares it.
pub trait Queue: Clone + Send + Sync + 'static {
    /// Leases up to `max` due messages of an account until `until`, each a [`crate::model::Message`] as
    /// [`crate::dialogue::memory::write`] laid it out. Each lease counts as an attempt
    /// from this moment, whatever becomes of the sender.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is leased.
    fn lease(
        &self,
        account: &AccountName,
        max: usize,
        until: Timestamp,
    ) -> impl Future<Output = Result<MessageLease, StoreError>> + Send;

    /// Settles what became of a leased message, and stores `news`, [`crate::dialogue::News`] as
    /// bytes, for the dialogue with it. Returns whether the message was still under this lease;
    /// otherwise nothing is changed.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is settled, and the lease runs on.
    fn settle(
        &self,
        token: LeaseToken,
        message: MessageKey,
        became: Became,
        news: Option<Vec<u8>>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// When the next message of an account is due, if there is any.
    ///
    /// # Errors
    /// [`ReadError`].
    fn next_due(
        &self,
        account: &AccountName,
    ) -> impl Future<Output = Result<Option<Timestamp>, ReadError>> + Send;

    /// Whether a message may go out now, by what is remembered of its citizen: they may have opted
    /// out since it was decided.
    ///
    /// # Errors
    /// [`RecallError`]; nobody knows.
    fn may_send(
        &self,
        message: &Message,
        now: Timestamp,
    ) -> impl Future<Output = Result<Result<(), Unrated>, RecallError>> + Send;

    /// A watch that changes with every commit that queued messages. Take it before looking.
    fn arrivals(&self) -> watch::Receiver<()>;

    /// How many nodes send from it; 0 while the others do not know of this one.
    fn nodes(&self) -> watch::Receiver<u32>;
}

/// Why it is not known what is remembered of a citizen.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It was written by a newer version.
    #[error(transparent)]
    Layout(#[from] UnknownLayout),
}

/// What became of a leased message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// The carrier has it.
    Sent {
        /// Its id of it, where it gives one.
        carrier_id: Option<MessageId>,
    },
    /// To be sent again.
    Retry {
        /// Not before.
        due: Timestamp,
        /// Why, in short and without personal data.
        reason: String,
    },
    /// Not sent; due at once, and the attempt is not counted.
    Released,
    /// Not to be sent any more, and nobody's fault.
    Dropped {
        /// Why, in short.
        reason: String,
    },
    /// Given up, until an operator replays it.
    Dead {
        /// Which kind.
        class: DeadClass,
        /// The last answer in short and without personal data.
        reason: String,
    },
}
