//! What waits in the inbox for its conclusion, and as what bytes.

use super::decide::Happening;
use super::memory::{self, Heard, Origin, UnknownLayout};
use crate::model::{Event, Invitation};
use serde::{Deserialize, Serialize};

/// Something that happened and is not decided yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Held {
    /// A carrier said something.
    Said(Box<Event>),
    /// The platform asks us to invite somebody.
    Invited(Box<Invitation>),
}

impl Held {
    /// The bytes to store.
    ///
    /// # Errors
    /// Only for want of memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        memory::write(self)
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`UnknownLayout`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Held, UnknownLayout> {
        memory::read(bytes)
    }

    /// What is to be decided; `origin` is that of the callback that brought it.
    #[must_use]
    pub fn happening(self, origin: Origin) -> Happening {
        match self {
            Held::Said(event) => Happening::Said(Box::new(Heard { origin, event: *event })),
            Held::Invited(invitation) => Happening::Invited(invitation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AccountName, CallbackSeq, Channel, InvitationId, InvitationState, Matter, Msisdn,
        TargetType,
    };
    use jiff::Timestamp;

    #[test]
    fn what_is_held_comes_back_as_what_happened() {
        let account = AccountName::new("invitations").expect("a name");
        let asked = Box::new(Invitation {
            id: InvitationId("i-1".to_owned()),
            campaign: "hotline".to_owned(),
            account: account.clone(),
            caller: Msisdn::read("13940000001", "86").expect("a number"),
            service: None,
            channel: Channel::Sms,
            matter: Matter::bare(TargetType::Call),
            send_at: Some(Timestamp::UNIX_EPOCH),
            valid_for: None,
            state: InvitationState::Planned,
            attempted_at: None,
            expires_at: Timestamp::MAX,
        });
        let bytes = Held::Invited(asked.clone()).to_bytes().expect("written");
        let held = Held::from_bytes(&bytes).expect("read");
        let origin =
            Origin { account, callback: CallbackSeq(1), received_at: Timestamp::UNIX_EPOCH };
        assert_eq!(held.happening(origin), Happening::Invited(asked));
        assert_eq!(Held::from_bytes(&[0]), Err(UnknownLayout));
        assert_eq!(Held::from_bytes(&[]), Err(UnknownLayout));
    }
}
