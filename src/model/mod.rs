//! The words of the field as types: what a carrier said, what it means, and who said it.
//!
//! Layer 0: nothing here knows a socket, a database or a clock.

pub mod event;
pub mod ids;
pub mod invitation;
pub mod level;
pub mod message;
pub mod phone;
pub mod record;
pub mod secret;

pub use event::{CallStatus, Caller, DeliveryStatus, Event, EventBody, TextPart};
pub use ids::{
    AccountName, CallbackSeq, LaneName, MessageId, RecordId, RecordSeq, Revision, ServiceNumber,
};
pub use invitation::{Invitation, InvitationId, InvitationState, Matter, Unrated};
pub use level::{Level, Scheme, TargetType};
pub use message::{Content, Message, MessageKey, MessageKind};
pub use phone::Msisdn;
pub use record::{
    Channel, Comment, ComplaintKind, Context, Mark, Meaning, Outcome, Record, Rule, Target,
};
pub use secret::Secret;
