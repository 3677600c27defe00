//! What became of a message of ours, or of a recording, on its way to the dialogue.

use super::decide::Happening;
use super::memory::{self, UnknownLayout};
use crate::model::{AccountName, Message, MessageId, RecordingId, RecordingState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of a message of ours, or of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// The carrier took it, or may have.
    Sent {
        /// The message.
        message: Message,
        /// The carrier's id of it, by which its delivery report is known.
        carrier_id: Option<MessageId>,
        /// When it was handed over.
        at: Timestamp,
    },
    /// It will not be sent.
    NotSent(Message),
    /// A recording was fetched, or will not be.
    Fetched(Fetched),
}

/// What became of a recording that was to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// Whose call it was made in.
    pub account: AccountName,
    /// That call.
    pub call: MessageId,
    /// The recording.
    pub recording: RecordingId,
    /// How it stands now.
    pub state: RecordingState,
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
            News::Fetched(fetched) => Happening::Fetched(Box::new(fetched)),
        }
    }
}
