//! The words of the field as types: what a carrier said, what it means, and who said it.
//!
//! Layer 0: nothing here knows a socket, a database or a clock.

pub mod call;
pub mod difference;
pub mod event;
pub mod ids;
pub mod invitation;
pub mod level;
pub mod message;
pub mod phone;
pub mod record;
pub mod recording;
pub mod scheme;
pub mod secret;
pub mod segments;
pub mod selection;
pub mod traces;

pub use call::{NotAStep, OptionCode, Question, Step};
pub use difference::{Difference, differences};
pub use event::{CallStatus, Caller, DeliveryStatus, Event, EventBody, TextPart};
pub use ids::{
    AccountName, AreaCode, BadArea, CallbackSeq, LaneName, MessageId, MessageKey, RecordId,
    RecordSeq, Revision, ServiceNumber,
};
pub use invitation::{Invitation, InvitationId, InvitationState, Matter, Unrated};
pub use level::{Level, TargetType};
pub use message::{Content, Message, MessageKind};
pub use phone::Msisdn;
pub use record::{
    Brand, Channel, Comment, ComplaintKind, Context, Deadlines, Mark, Meaning, Outcome, Record,
    Rule, Tag, Target,
};
pub use recording::{
    Audio, AudioFormat, Fetch, Recording, RecordingAddress, RecordingId, RecordingState,
};
pub use scheme::{Direction, NotAScheme, Scheme};
pub use secret::Secret;
pub use segments::segments;
pub use selection::{MOST_DESTINATIONS, RecordKind, Selection};
pub use traces::{History, Made, Note, Traces};
