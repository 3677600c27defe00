//! How a carrier speaks, as data: where its fields stand, how they are encoded, how it signs, and
//! what it wants to hear.
//!
//! The built-in carriers are files of `config/carriers/`; an account of the carrier `generic` brings
//! its own, and any account may lay its own keys over its carrier's. `docs/dialects.md` is the
//! reference. The types are checked: a dialect that exists can be spoken.

mod account;
mod decoding;
mod document;
mod field;
mod proof;
mod read;
mod rule;
mod send;
mod source;
mod steps;
mod template;
mod trust;

pub(super) use account::{Given, check_account};
pub use decoding::{Charset, Decode, Decoding, Step};
pub use document::{Format, Inside, InsideFormat, Records};
pub use field::{CallerField, Field, Origin, TimeField, TimeForm};
pub use proof::{Algorithm, Auth, Check, Digest, Scheme, Sorted, SortedOf, Written};
pub(super) use read::{code_of, code_place, named, send_url, texts};
pub(super) use read::{read, read_alone};
pub use rule::{Condition, DedupePart, Each, EventRule, PartFields, RuleKind, StateField, Test};
pub use send::{
    AnswerFormat, CarrierId, Code, CodePlace, NumberForm, SendAnswer, SendBody, SendProof,
    Submission, is_value,
};
pub use source::{Place, Segment, Source, SourceFault, read_path};
pub use steps::{STEP, Steps, step_source};
pub(super) use template::parts as template_parts;
pub use template::{Filter, Piece, Template, TemplateFault};
pub use trust::Trust;

use http::{HeaderName, HeaderValue, Method, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// A carrier's whole way of speaking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// The carrier's key, `carrier = "…"`; `generic` for one that is all configuration.
    pub carrier: String,
    /// The name for people.
    pub title: String,
    /// Where the format is documented.
    pub reference: String,
    /// What the carrier documents about giving up, for operators.
    pub patience: String,
    /// The pauses after which it documents to try again, in order; empty: none are documented.
    pub retries: Vec<Duration>,
    /// How its messages travel.
    pub transport: Transport,
    /// The addresses that it calls, in alphabetical order; none: it is only sent through.
    pub routes: Vec<Route>,
    /// How it is told to send a message; `None`: it cannot, or nobody has written down how.
    pub send: Option<Arc<Submission>>,
}

impl Dialect {
    /// The route of this name; the bare address is the empty name.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// The proofs of the routes that want one.
    fn checked(&self) -> impl Iterator<Item = &Auth> {
        self.routes.iter().map(|route| &route.auth).filter(|auth| !auth.schemes.is_empty())
    }

    /// Whether any route checks a secret, and whether all that do go without one as well.
    #[must_use]
    pub fn secrets(&self) -> SecretUse {
        let checked: Vec<&Auth> = self.checked().collect();
        match checked.iter().all(|auth| auth.optional) {
            _ if checked.is_empty() => SecretUse::Never,
            true => SecretUse::Optional,
            false => SecretUse::Required,
        }
    }
}

/// Whether a dialect uses its account's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretUse {
    /// It has nothing to check them with.
    Never,
    /// It checks what is there; without secrets it believes unsigned requests.
    Optional,
    /// Without secrets nothing would be believed.
    Required,
}

/// How messages travel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// One HTTP request for each callback.
    #[default]
    Http,
    /// Text frames of a WebSocket, one callback each; nothing is answered.
    WebSocket,
}

/// One address of a carrier, and what is said there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What follows the account's address, without `/` in front; empty for the bare address.
    pub name: String,
    /// The methods it is called by.
    pub methods: Vec<Method>,
    /// The largest body, in bytes; also the most that a compressed one may unpack to.
    pub max_body: usize,
    /// The most events in one callback; beyond it the callback is quarantined whole.
    pub max_items: usize,
    /// Where the fields stand. GET and HEAD read the query; of the others the body's first bytes
    /// decide, and the content type only where these leave it open.
    pub formats: Vec<Format>,
    /// What the bytes of values are, where no field says otherwise.
    pub charset: Charset,
    /// A document within a form field.
    pub inside: Option<Inside>,
    /// What must be proven.
    pub auth: Auth,
    /// What is said, in the order in which rules are tried.
    pub events: Vec<EventRule>,
    /// What is answered.
    pub answers: Answers,
    /// How the steps of a call are told; `None`: the carrier asks for none here.
    pub steps: Option<Steps>,
}

impl Route {
    /// Whether anything here tells where a call was recorded.
    #[must_use]
    pub fn hears_recordings(&self) -> bool {
        self.events.iter().any(|rule| matches!(rule.kind, RuleKind::Recording { .. }))
    }

    /// Whether anything here may become a rating or a complaint.
    #[must_use]
    pub fn hears_citizens(&self) -> bool {
        self.events.iter().any(|rule| {
            matches!(
                rule.kind,
                RuleKind::SmsReply { .. } | RuleKind::Keypad { .. } | RuleKind::OptOut
            )
        })
    }
}

/// What is answered, in the carrier's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// It is committed.
    pub accepted: AnswerForm,
    /// It was committed before.
    pub duplicate: AnswerForm,
    /// Come again later.
    pub busy: AnswerForm,
    /// It is not believed.
    pub refused: AnswerForm,
    /// It carries no proof at all.
    pub unsigned: AnswerForm,
    /// What is answered instead of `accepted` and `duplicate`: the first whose conditions hold.
    pub cases: Vec<AnswerCase>,
}

/// What is answered to some requests only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerCase {
    /// All must hold, of the document and what is around it.
    pub when: Vec<Condition>,
    /// The answer.
    pub form: AnswerForm,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerForm {
    /// The status.
    pub status: StatusCode,
    /// The content type; `None` sends none.
    pub content_type: Option<HeaderValue>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body. What it echoes of the request is escaped for the content type.
    pub body: Template,
}
