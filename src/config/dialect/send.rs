//! How a carrier is told to send a message, and how it answers.

use super::{Digest, Place, Source, Template, TimeForm};
use http::{HeaderName, Method};
use std::collections::BTreeSet;

/// How a carrier is told to send a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Where, from the scheme on; `None`: each account says it.
    pub url: Option<Template>,
    /// The method.
    pub method: Method,
    /// How the citizen's number is written.
    pub to: NumberForm,
    /// How `${time}` is written.
    pub time: TimeForm,
    /// Headers beyond those of body and proof.
    pub headers: Vec<(HeaderName, Template)>,
    /// Fields of the query, in order; those that come out empty are left out.
    pub query: Vec<(String, Template)>,
    /// The body.
    pub body: SendBody,
    /// What proves who we are.
    pub proof: SendProof,
    /// How the answer is read.
    pub answer: SendAnswer,
    /// The carrier knows a message again by `${key}`, so that one whose fate is unknown may be
    /// sent once more.
    pub repeatable: bool,
}

impl Submission {
    /// The values that every message has, as templates name them.
    pub const VALUES: [&'static str; 9] =
        ["to", "from", "text", "template", "parameters", "parameter_list", "key", "time", "nonce"];

    /// Where in a request the signature of the scheme `digest` goes.
    pub const SIGNATURE: &'static str = "signature";

    /// Whether it can carry a text.
    #[must_use]
    pub fn takes_texts(&self) -> bool {
        self.names("text")
    }

    /// Whether it can name a template that the carrier knows.
    #[must_use]
    pub fn takes_templates(&self) -> bool {
        self.names("template")
    }

    /// Whether any template names this value.
    #[must_use]
    pub fn names(&self, value: &str) -> bool {
        self.sources().any(|source| is_value(source, value))
    }

    /// The values that an account must bring, `send.values`.
    #[must_use]
    pub fn own_values(&self) -> BTreeSet<&str> {
        let named = self.sources().filter_map(value_name);
        named
            .filter(|name| !Submission::VALUES.contains(name) && *name != Submission::SIGNATURE)
            .collect()
    }

    /// Whether any template names this place.
    #[must_use]
    pub fn uses(&self, place: &Place) -> bool {
        self.sources().any(|source| source.place == *place)
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        let form: &[(String, Template)] = match &self.body {
            SendBody::Form(fields) => fields,
            SendBody::Nothing | SendBody::Json(_) => &[],
        };
        let json = match &self.body {
            SendBody::Json(template) => Some(template),
            SendBody::Nothing | SendBody::Form(_) => None,
        };
        let signed = match &self.proof {
            SendProof::Digest(digest) => Some(&digest.over),
            _ => None,
        };
        let pairs = self.query.iter().chain(form).map(|(_, template)| template);
        let headers = self.headers.iter().map(|(_, template)| template);
        let all = pairs.chain(headers).chain(json).chain(signed).chain(&self.url);
        all.flat_map(Template::sources)
    }
}

/// Whether a source is the value of this name.
#[must_use]
pub fn is_value(source: &Source, name: &str) -> bool {
    value_name(source) == Some(name)
}

/// The name of a message's or account's value.
fn value_name(source: &Source) -> Option<&str> {
    match (&source.place, source.path.as_slice()) {
        (Place::Item, [name]) => Some(name),
        _ => None,
    }
}

/// How a citizen's number is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NumberForm {
    /// `+8613900000001`.
    #[default]
    E164,
    /// The same without `+`.
    Digits,
    /// Numbers of the account's country without its calling code; others as [`NumberForm::Digits`].
    National,
}

impl NumberForm {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, NumberForm); 3] = [
        ("e164", NumberForm::E164),
        ("digits", NumberForm::Digits),
        ("national", NumberForm::National),
    ];
}

/// The body of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SendBody {
    /// None.
    #[default]
    Nothing,
    /// `application/x-www-form-urlencoded`, in order; fields that come out empty are left out.
    Form(Vec<(String, Template)>),
    /// A JSON document. Values are escaped as parts of a string, but for `${parameters}` and
    /// `${parameter_list}`, which are JSON themselves.
    Json(Template),
}

/// What proves to a carrier who we are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SendProof {
    /// Nothing, or what templates say with `${user}` and `${secret}`.
    #[default]
    Nothing,
    /// HTTP basic authentication.
    Basic,
    /// The secret as a bearer token.
    Bearer,
    /// A digest, HMAC or signature over a template, which goes where `${signature}` stands. What
    /// is signed is the request without the fields that hold it.
    Digest(Box<Digest>),
    /// Aliyun's RPC signature 1.0: HMAC-SHA1 over the fields in order.
    AliyunRpc,
    /// Tencent Cloud's TC3-HMAC-SHA256.
    TencentTc3 {
        /// The service, a part of the signing key.
        service: String,
    },
    /// Huawei's WSSE `UsernameToken`.
    HuaweiWsse,
}

impl SendProof {
    /// Whether it needs the account's user.
    #[must_use]
    pub fn needs_user(&self) -> bool {
        !matches!(self, SendProof::Nothing | SendProof::Bearer | SendProof::Digest(_))
    }

    /// Whether it needs the account's secret.
    #[must_use]
    pub fn needs_secret(&self) -> bool {
        *self != SendProof::Nothing
    }
}

/// How the answer is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendAnswer {
    /// What it is written in.
    pub format: AnswerFormat,
    /// Where the code stands that says what became of the message: of several places the first
    /// that is there and not empty.
    pub code: Vec<CodePlace>,
    /// The codes of success. The status must be one too, unless it is the code.
    pub sent: Vec<Code>,
    /// The codes that mean: later, and slower.
    pub throttled: Vec<Code>,
    /// The codes that no repeat would change. With any other the message is sent again.
    pub rejected: Vec<Code>,
    /// The carrier's id of the message, by which delivery reports name it.
    pub id: Option<CarrierId>,
}

/// What an answer is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFormat {
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// A text without fields.
    Text,
}

impl AnswerFormat {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, AnswerFormat); 3] =
        [("json", AnswerFormat::Json), ("xml", AnswerFormat::Xml), ("text", AnswerFormat::Text)];
}

/// Where the code of an answer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodePlace {
    /// It is the status.
    Status,
    /// It is the whole body.
    Body,
    /// In the document.
    Path(Vec<String>),
}

/// A code, or the start or a part of some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// Exactly this.
    Exact(String),
    /// Whatever starts so, written with `*` at its end.
    Prefix(String),
    /// Whatever has this in it, written between two `*`.
    Part(String),
}

impl Code {
    /// Whether it is this code.
    #[must_use]
    pub fn fits(&self, code: &str) -> bool {
        match self {
            Code::Exact(exact) => code == exact,
            Code::Prefix(start) => code.starts_with(start.as_str()),
            Code::Part(part) => code.contains(part.as_str()),
        }
    }
}

/// The carrier's id of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarrierId {
    /// It is ours, `${key}`, which the carrier hands back.
    Ours,
    /// What stands at a place, between two texts where these are not empty.
    Given {
        /// The place.
        place: CodePlace,
        /// What stands before it.
        after: String,
        /// What stands behind it.
        before: String,
    },
}
