//! The store as the queue of messages.

use super::queue::{Became, Queue, RecallError};
use crate::dialogue::memory::{Memory, MemoryKey};
use crate::dialogue::{Known, may_send};
use crate::model::{AccountName, Message, MessageKey, Unrated};
use crate::store::{
    LeaseToken, MessageLease, MessageSettled, MessageSettlement, Opaque, ReadError, SettledMessage,
    Store, StoreError,
};
use jiff::Timestamp;
use tokio::sync::watch;

impl Queue for Store {
    async fn lease(
        &self,
        account: &AccountName,
        max: usize,
        until: Timestamp,
    ) -> Result<MessageLease, StoreError> {
        self.lease_messages(account, max, until).await
    }

    async fn settle(
        &self,
        token: LeaseToken,
        message: MessageKey,
        became: Became,
        news: Option<Vec<u8>>,
    ) -> Result<bool, StoreError> {
        let became = match became {
            Became::Sent { .. } => MessageSettled::Sent,
            Became::Retry { due, reason } => MessageSettled::Retry { due, reason },
            Became::Released => MessageSettled::Released,
            Became::Dropped { reason } => MessageSettled::Dropped { reason },
            Became::Dead { class, reason } => MessageSettled::Dead { class, reason },
        };
        let settled = SettledMessage { id: message, became, news: news.map(Opaque) };
        let settlement = MessageSettlement { token, items: vec![settled] };
        Ok(self.settle_messages(settlement).await? == 0)
    }

    async fn next_due(&self, account: &AccountName) -> Result<Option<Timestamp>, ReadError> {
        self.next_message_due(account).await
    }

    async fn may_send(
        &self,
        message: &Message,
        now: Timestamp,
    ) -> Result<Result<(), Unrated>, RecallError> {
        let key = MemoryKey::Caller(message.to.clone());
        let found = self.recall(&[&key.text()]).await?.pop().flatten();
        let mut known = Known::nothing();
        known.recall(key, found.map(|bytes| Memory::from_bytes(&bytes.0)).transpose()?);
        Ok(may_send(message, known.caller(&message.to), now))
    }

    fn arrivals(&self) -> watch::Receiver<()> {
        self.messages()
    }

    fn nodes(&self) -> watch::Receiver<u32> {
        self.living_nodes()
    }
}
