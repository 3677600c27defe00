//! What became of a message of ours, on its way from the one who sends to the dialogue.

use super::decide::Happening;
use super::memory::{self, UnknownLayout};
use crate::model::{Message, MessageId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of a message of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// The carrier took it.
    Sent {
        /// The message.
        message: Message,
        /// The carrier's id of it, by which its delivery report is known.
        carrier_id: Option<MessageId>,
        /// When it was handed over.
        at: Timestamp,
    },
    /// It will not be sent, or nobody knows whether it was.
    NotSent(Message),
}

impl News {
    /// The bytes to store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        memory::write(self)
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`UnknownLayout`].
    pub fn from_bytes(bytes: &[u8]) -> Result<News, UnknownLayout> {
        memory::read(bytes)
    }
}

impl From<News> for Happening {
    fn from(news: News) -> Happening {
        match news {
            News::Sent { message, carrier_id, at } => {
                Happening::Sent { message: Box::new(message), carrier_id, at }
            }
            News::NotSent(message) => Happening::NotSent(Box::new(message)),
        }
    }
}
