//! Messages in the database: queueing, leasing, settling, telling, listing, replaying and erasing

use super::Connector;
use super::read::Reader;
use crate::model::MessageKey;
use crate::store::message::{DeadMessage, MessageLaneStatus, StoredMessage, Untold, UntoldSeq};
use crate::store::rows::{self};
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;

/// Puts dead messages back into their lanes with their attempts forgotten, on a connection of the
/// operator's own. Returns how many there were.
pub(in crate::store) async fn replay(
    connector: &Connector,
    ids: &[MessageKey],
    now: Timestamp,
) -> Result<u64, OpenError> {
    todo!()
}

impl Reader {
    /// Messages of a lane that are due, not expired and not leased, longest due first.
    pub(in crate::store) async fn due_messages(
        &self,
        lane: &str,
        now: i64,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, ReadError> {
        todo!()
    }

    /// These messages, as far as they are there, in the order of their queueing.
    pub(in crate::store) async fn messages(
        &self,
        ids: &[MessageKey],
    ) -> Result<Vec<StoredMessage>, ReadError> {
        todo!()
    }

    /// When the next message of a lane is due.
    pub(in crate::store) async fn next_message_due(
        &self,
        lane: &str,
    ) -> Result<Option<i64>, ReadError> {
        todo!()
    }

    /// News of messages behind a place, oldest message first.
    pub(in crate::store) async fn untold(
        &self,
        behind: Option<UntoldSeq>,
        limit: u32,
    ) -> Result<Vec<Untold>, ReadError> {
        todo!()
    }

    /// What stands in each lane of messages.
    pub(in crate::store) async fn message_lanes(
        &self,
    ) -> Result<Vec<MessageLaneStatus>, ReadError> {
        todo!()
    }

    /// Messages that were given up, newest first.
    pub(in crate::store) async fn dead_messages(
        &self,
        limit: u32,
    ) -> Result<Vec<DeadMessage>, ReadError> {
        todo!()
    }
}
