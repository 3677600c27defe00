//! What an event means: a rating or a complaint, with a revision and a history.

use super::{
    AccountName, AreaCode, Caller, InvitationId, Level, Matter, MessageId, OptionCode, RecordId,
    Recording, Revision, Scheme, ServiceNumber, TargetType, Unrated,
};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One revision of one record: what the platform is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The same through all revisions.
    pub id: RecordId,
    /// This revision; the platform keeps the highest.
    pub revision: Revision,
    /// Rating or complaint, and what belongs to that kind alone.
    pub meaning: Meaning,
    /// The account whose callback caused it.
    pub account: AccountName,
    /// Whether it came by text or by keypad.
    pub channel: Channel,
    /// The campaign by which it was read.
    pub campaign: String,
    /// Under which name the citizen knows the hotline.
    pub brand: Brand,
    /// The platform's code of the rating channel (评价渠道 `pf`), from the campaign.
    pub channel_code: Option<u8>,
    /// The district that the extension of the service number names.
    pub area: Option<AreaCode>,
    /// The citizen.
    pub caller: Option<Caller>,
    /// The number the citizen replied to or called.
    pub service: Option<ServiceNumber>,
    /// The carrier's id of the message or call.
    pub message_id: Option<MessageId>,
    /// When the carrier says it happened.
    pub occurred_at: Option<Timestamp>,
    /// When we received it; authoritative for every deadline.
    pub received_at: Timestamp,
    /// The citizen's own words, trimmed; empty when there are none, or when the linked rating
    /// already carries them.
    pub comment: Comment,
    /// The rule that decided the reading, for example `C1`.
    pub rule: Rule,
    /// What the gateway remembered when it was made.
    pub context: Context,
}

/// What the gateway's memory adds to a record. Empty for an answer that needed no memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The invitation it answers.
    pub invitation: Option<InvitationId>,
    /// What the platform told us of the call or case.
    pub matter: Option<Matter>,
    /// How many times the matter was rated, this time included (`assessNumber`); 0 if not counted.
    pub assess_number: u8,
    /// The first rating that this one is a follow-up (追评) of.
    pub follows: Option<RecordId>,
    /// What a human who judges ratings should know.
    pub marks: Vec<Mark>,
}

/// What casts doubt on a record, or tells how it came about. It never changes what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It came after the invitation's end.
    Late,
    /// It could have answered so many invitations; the newest was taken.
    Ambiguous(u8),
    /// Parts of its text never came.
    Partial,
    /// The number of the call never came.
    NoCaller,
    /// It came before the question could have been heard or read.
    TooFast,
    /// The same phone rated so many cases within the campaign's window.
    ManyCases(u8),
    /// The phone is a listed staff line.
    StaffLine,
    /// The citizen chose this reason from a menu (`evalDetail`).
    Chose(OptionCode),
}

/// What a record is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Meaning {
    /// A level was clearly stated.
    Rating {
        /// The level; the score is derived from it.
        level: Level,
        /// What was rated.
        target: Target,
        /// The scheme in force when it was read.
        scheme: Scheme,
    },
    /// Somebody must call back, put it right and report.
    Complaint {
        /// Why it was opened.
        kind: ComplaintKind,
        /// The bad rating that opened it.
        rating: Option<RecordId>,
        /// Until when something must be done; `None` for one that was opened before deadlines
        /// were kept.
        deadlines: Option<Deadlines>,
        /// What the citizen complains about, by the table of tags; they never change a level.
        tags: Vec<Tag>,
        /// What the citizen said aloud in the call, oldest first.
        recordings: Vec<Recording>,
    },
    /// An invitation ended without a rating; one that comes late is its next revision.
    NotRated {
        /// Why.
        why: Unrated,
        /// What was to be rated.
        target: Target,
    },
}

impl Meaning {
    /// The level, of a rating.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        match self {
            Meaning::Rating { level, .. } => Some(*level),
            Meaning::Complaint { .. } | Meaning::NotRated { .. } => None,
        }
    }

    /// The name of the kind, as lists and the platform see it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Meaning::Rating { .. } => "rating",
            Meaning::Complaint { .. } => "complaint",
            Meaning::NotRated { .. } => "not_rated",
        }
    }
}

/// Until when a complaint must be dealt with: the last days on which it is in time, at +08:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// The citizen is called back and the matter verified.
    pub call_back_by: Date,
    /// It is put right.
    pub repair_by: Date,
}

/// What a complaint is about, for example 推诿: a name from the table of tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(pub Cow<'static, str>);

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Under which name the citizen knows the hotline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Brand {
    /// 8890, the older name of the province's platform.
    #[default]
    #[serde(rename = "8890")]
    Hotline8890,
    /// 12345, the one number of all hotlines.
    #[serde(rename = "12345")]
    Hotline12345,
}

impl Brand {
    /// Both.
    pub const ALL: [Brand; 2] = [Brand::Hotline8890, Brand::Hotline12345];

    /// The name, as the platform is told it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Brand::Hotline8890 => "8890",
            Brand::Hotline12345 => "12345",
        }
    }
}

/// What was rated, as far as we know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// A call or a case.
    pub target_type: TargetType,
    /// The call id or case number (办件编号), where one is known.
    pub reference: Option<String>,
}

/// Why a complaint was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComplaintKind {
    /// A level of 1 or 2 (差评).
    BadRating,
    /// Free text with a grievance.
    Grievance,
}

impl ComplaintKind {
    /// The name, as lists and the platform see it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ComplaintKind::BadRating => "bad_rating",
            ComplaintKind::Grievance => "grievance",
        }
    }
}

/// How the citizen answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A text message.
    Sms,
    /// Keys in a call.
    Ivr,
}

impl Channel {
    /// The name, as lists and the platform see it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Channel::Sms => "sms",
            Channel::Ivr => "ivr",
        }
    }
}

/// The name of the rule that decided a reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rule(pub Cow<'static, str>);

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The citizen's words: sensitive, so `Debug` shows only their length.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Comment(pub String);

impl std::fmt::Debug for Comment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Comment({} characters)", self.0.chars().count())
    }
}

impl Record {
    /// The key under which the platform sees every attempt at this revision. It never changes,
    /// so a retry after an unknown outcome has no second effect.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}:{}", self.id, self.revision)
    }

    /// The reason that the citizen chose from a menu, while it is one for the level of the rating.
    #[must_use]
    pub fn chosen(&self) -> Option<OptionCode> {
        let Meaning::Rating { level, .. } = self.meaning else { return None };
        self.context.marks.iter().find_map(|mark| match mark {
            Mark::Chose(code) if code.level() == level => Some(*code),
            _ => None,
        })
    }

    /// Whether it goes before others in its lane: complaints before ratings.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        matches!(self.meaning, Meaning::Complaint { .. })
    }
}

/// What became of an event. Every event of every stored callback has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A rating (and, if bad, its complaint).
    Rated,
    /// A complaint from free text.
    Complaint,
    /// Nothing that could be read as an answer.
    Unrecognised,
    /// An answer that no campaign claims.
    Unmatched,
    /// The citizen refuses further messages.
    OptOut,
    /// The citizen declines to rate, as the campaign lets them.
    Declined,
    /// A fact about a call or a message, kept but not an answer.
    Noted,
    /// A part of the callback that its carrier's file could not read; quarantined.
    Garbled,
    /// What was wrong, asked after a bad rating: the comment of that rating.
    Reason,
    /// A further rating of what was rated; kept, and by the campaign's rule not forwarded.
    Surplus,
    /// A part of a longer text, read when the others are there.
    Part,
    /// An invitation that ended without a rating.
    NotRated,
    /// It waits for what the gateway remembers; its conclusion has an outcome of its own.
    Held,
}

impl Outcome {
    /// All of them, in the order of the metric's documentation.
    pub const ALL: [Outcome; 13] = [
        Outcome::Rated,
        Outcome::Complaint,
        Outcome::Unrecognised,
        Outcome::Unmatched,
        Outcome::OptOut,
        Outcome::Declined,
        Outcome::Noted,
        Outcome::Garbled,
        Outcome::Reason,
        Outcome::Surplus,
        Outcome::Part,
        Outcome::NotRated,
        Outcome::Held,
    ];

    /// The name, as metrics and lists show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Rated => "rated",
            Outcome::Complaint => "complaint",
            Outcome::Unrecognised => "unrecognised",
            Outcome::Unmatched => "unmatched",
            Outcome::OptOut => "opt_out",
            Outcome::Declined => "declined",
            Outcome::Noted => "noted",
            Outcome::Garbled => "garbled",
            Outcome::Reason => "reason",
            Outcome::Surplus => "surplus",
            Outcome::Part => "part",
            Outcome::NotRated => "not_rated",
            Outcome::Held => "held",
        }
    }

    /// The outcome of this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}
