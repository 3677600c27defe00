//! How a carrier speaks, as data: where its fields stand, how they are encoded, how it signs, and
//! what it wants to hear.
//!
//! The built-in carriers are files of `config/carriers/`; an account of the carrier `generic` brings
//! its own, and any account may lay its own keys over its carrier's. `docs/dialects.md` is the
//! reference. The types are checked: a dialect that exists can be spoken.

mod account;
mod read;
mod source;
mod template;
mod trust;

pub(super) use account::{Given, check_account};
pub(super) use read::{read, read_alone};
pub use source::{Place, Segment, Source, SourceFault, read_path};
pub use template::{Filter, Piece, Template, TemplateFault};
pub use trust::Trust;

use crate::model::{CallStatus, DeliveryStatus};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use jiff::tz::Offset;
use std::collections::BTreeMap;
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
    /// The addresses that it calls, at least one, in alphabetical order.
    pub routes: Vec<Route>,
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
}

impl Route {
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

/// Where the fields of a callback stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The query of the URL.
    Query,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// JSON.
    Json,
    /// XML without a document type.
    Xml,
    /// No fields: the body is a text, reached as `body:`.
    Text,
}

impl Format {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, Format); 6] = [
        ("query", Format::Query),
        ("form", Format::Form),
        ("multipart", Format::Multipart),
        ("json", Format::Json),
        ("xml", Format::Xml),
        ("text", Format::Text),
    ];
}

/// What the bytes of a text are. Bytes that do not fit are never guessed: the item is quarantined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, a mark in front is dropped.
    #[default]
    Utf8,
    /// GB 18030 with its four-byte sequences; also GBK and GB 2312, which it contains.
    Gb18030,
    /// UTF-16, big end first unless a mark says otherwise.
    Utf16Be,
    /// UTF-16, little end first unless a mark says otherwise.
    Utf16Le,
    /// ISO 8859-1, in which every byte is a character.
    Latin1,
    /// The GSM 7-bit default alphabet, one character a byte (3GPP TS 23.038, 6.2.1).
    Gsm7,
    /// What the content type announces; UTF-8 where it announces nothing.
    Announced,
    /// By mark, else UTF-8 if it is that throughout, else GB 18030 if it is that throughout.
    Detect,
}

impl Charset {
    /// All of them, with their names in the configuration; the first name of each is the usual.
    pub const NAMES: [(&'static str, Charset); 12] = [
        ("utf-8", Charset::Utf8),
        ("gb18030", Charset::Gb18030),
        ("gbk", Charset::Gb18030),
        ("gb2312", Charset::Gb18030),
        ("utf-16be", Charset::Utf16Be),
        ("ucs-2", Charset::Utf16Be),
        ("utf-16le", Charset::Utf16Le),
        ("latin1", Charset::Latin1),
        ("iso-8859-1", Charset::Latin1),
        ("gsm7", Charset::Gsm7),
        ("announced", Charset::Announced),
        ("detect", Charset::Detect),
    ];

    /// The charset of this name, in any case; `None` for one that is not known.
    #[must_use]
    pub fn named(name: &str) -> Option<Charset> {
        let known = |(label, _): &&(&str, Charset)| label.eq_ignore_ascii_case(name.trim());
        Charset::NAMES.iter().find(known).map(|(_, charset)| *charset)
    }
}

/// One step from the bytes of a value to its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Percent-decoding, once more.
    Percent,
    /// Hexadecimal digits.
    Hex,
    /// Base64, standard or URL-safe, padded or not; spaces are the `+` that a form lost.
    Base64,
}

/// From the bytes of a value to its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decode {
    /// Unpacking, in order.
    pub steps: Vec<Step>,
    /// What the bytes then are; `None`: what the route says.
    pub charset: Option<Charset>,
}

/// Which decoding a value gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoding {
    /// Always the same.
    Always(Decode),
    /// As a neighbouring code says, record by record.
    ByCode {
        /// The field with the code.
        code: Source,
        /// The decodings by code.
        by: BTreeMap<String, Decode>,
        /// For any other code; `None` quarantines the item.
        other: Option<Decode>,
    },
    /// In the charset that a neighbouring field names, after the steps.
    ByName {
        /// The field with the name.
        charset: Source,
        /// Unpacking, in order.
        steps: Vec<Step>,
    },
}

impl Default for Decoding {
    fn default() -> Decoding {
        Decoding::Always(Decode::default())
    }
}

/// A document within a form field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The field's name.
    pub field: String,
    /// The decodings to try, in order: the first whose result looks like the format is taken.
    pub decode: Vec<Vec<Step>>,
    /// What is inside.
    pub format: InsideFormat,
    /// Without such a field the outer document is read instead.
    pub optional: bool,
}

/// What is inside a form field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsideFormat {
    /// A JSON document.
    Json,
    /// An XML document.
    Xml,
    /// Another form.
    Form,
    /// Records of fields, all set apart by characters.
    Records(Records),
}

/// Delimited records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// What ends a record; an empty last record is none.
    pub record: String,
    /// What ends a field.
    pub field: String,
    /// The fields' names in order; an empty name is a field that says nothing.
    pub columns: Vec<String>,
    /// The column that takes what is too much, as a text with unescaped delimiters is.
    pub surplus: Option<usize>,
    /// Split the form value as sent and percent-decode each field after; else the reverse.
    pub split_encoded: bool,
}

/// A value of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it stands; of several the first that is there and not empty counts.
    pub from: Origin,
    /// From its bytes to its text.
    pub decoding: Decoding,
    /// Values that mean others.
    pub map: BTreeMap<String, String>,
    /// Taken off the front where it stands there, the first that fits.
    pub strip: Vec<String>,
    /// Without it the item is quarantined; a text that must be there may still be empty.
    pub required: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Places, of which the first that is there and not empty counts.
    Places(Vec<Source>),
    /// Several values in one; it is there if any of them is.
    Template(Template),
    /// Always this.
    Constant(String),
}

/// The citizen's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerField {
    /// The number.
    pub number: Field,
    /// The field with its calling code; the account's country where there is none.
    pub country: Option<Source>,
}

/// A point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeField {
    /// The text of it.
    pub field: Field,
    /// How it is written.
    pub form: TimeForm,
    /// The zone of forms without one; `None`: the account's.
    pub zone: Option<Offset>,
}

/// How a time is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeForm {
    /// Without a zone: `2026-03-05 10:20:30`, with `T` or `/` or a fraction, or 14 digits.
    Local,
    /// Seconds since 1970, a fraction is allowed.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// Microseconds since 1970.
    EpochMicros,
    /// Seconds, milliseconds or microseconds since 1970 by the number of digits: 10, 13, 16.
    Epoch,
    /// ISO 8601 with a zone: `Z`, `+08:00` or `+0800`.
    Iso,
    /// RFC 2822, as in mail headers.
    Rfc2822,
    /// A strptime pattern; what it writes as a literal, a `Z` too, says nothing about the zone.
    Pattern(String),
}

impl TimeForm {
    /// The forms that have names; anything with `%` is a pattern.
    pub const NAMES: [(&'static str, TimeForm); 7] = [
        ("local", TimeForm::Local),
        ("epoch_s", TimeForm::EpochSeconds),
        ("epoch_ms", TimeForm::EpochMillis),
        ("epoch_us", TimeForm::EpochMicros),
        ("epoch", TimeForm::Epoch),
        ("iso", TimeForm::Iso),
        ("rfc2822", TimeForm::Rfc2822),
    ];
}

/// What one kind of item is, and where its parts stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// The kind's name within this dialect, which starts every dedupe key of it.
    pub name: String,
    /// All must hold.
    pub when: Vec<Condition>,
    /// Where in the document its items stand: an array's elements, each of repeated XML elements,
    /// or one object. Empty: the document itself. Rules with a place that is there go before those
    /// without one.
    pub items: Vec<Segment>,
    /// The carrier's id of the message or call.
    pub id: Option<Field>,
    /// The id of the call or conversation, where `id` is another one.
    pub call: Option<Field>,
    /// The citizen.
    pub caller: Option<CallerField>,
    /// The service code or hotline number.
    pub service: Option<Field>,
    /// When it happened.
    pub time: Option<TimeField>,
    /// What we gave the carrier to hand back.
    pub pass_through: Option<Field>,
    /// What happened.
    pub kind: RuleKind,
    /// What identifies a repeat; what is missing counts as empty. Empty for ignored kinds only.
    pub dedupe: Vec<DedupePart>,
    /// How long the same answer under a new id is taken for the carrier's resending.
    pub resend_window: Option<Duration>,
}

/// One part of a dedupe key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DedupePart {
    /// A value as it was sent.
    Value(Source),
    /// The event's time, cut down to a multiple of this.
    Time(Duration),
}

/// What must hold for a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Of this value,
    pub source: Source,
    /// this.
    pub test: Test,
}

/// What a value is tested for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is one of these.
    OneOf(Vec<String>),
    /// It is there and not empty, or it is not.
    Present(bool),
}

/// What happened, and the parts that only this kind has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// The citizen sent a text.
    SmsReply {
        /// The text.
        text: Field,
    },
    /// The citizen pressed keys.
    Keypad {
        /// The keys.
        digits: Field,
    },
    /// A call changed its state.
    CallStatus {
        /// What became of it.
        state: Box<StateField<CallStatus>>,
        /// The keys pressed during the call, where the status brings them.
        digits: Option<Box<Field>>,
    },
    /// What became of a message of ours.
    DeliveryReport {
        /// What became of it.
        state: Box<StateField<DeliveryStatus>>,
    },
    /// A recording can be fetched.
    Recording {
        /// Where.
        url: Field,
    },
    /// The citizen refuses further messages.
    OptOut,
    /// Known, kept with the callback, and of no interest.
    Ignored,
}

/// A state and the carrier's word for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateField<T> {
    /// The word or code that decides.
    pub code: Field,
    /// What the words mean; others are unknown.
    pub map: BTreeMap<String, T>,
    /// What is kept as the carrier's own word, where that is another field.
    pub raw: Option<Field>,
}

impl RuleKind {
    /// The names of the kinds in the configuration.
    pub const NAMES: [&'static str; 7] = [
        "sms_reply",
        "ivr_keypad",
        "call_status",
        "delivery_report",
        "recording",
        "opt_out",
        "ignored",
    ];
}

/// What must be proven.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// Any of them will do; none: nothing is checked.
    pub schemes: Vec<Scheme>,
    /// An account without secrets believes everything.
    pub optional: bool,
}

/// One way of proving where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// What is compared or computed.
    pub check: Check,
    /// Must be the account's `user`, where the account has one.
    pub user: Option<Source>,
    /// When it was signed, by the carrier's clock, where that stands in a field of the request;
    /// tokens and canonical requests tell it by themselves.
    pub time: Option<TimeField>,
    /// How far that may be from our clock, either way; an account may set its own.
    pub tolerance: Duration,
    /// A value that is good for one content only; remembered.
    pub nonce: Option<Source>,
}

/// What is compared or computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// HTTP basic authentication: the account's `user`, and a secret as password.
    Basic,
    /// A secret that travels with the request.
    Token {
        /// Where.
        given: Source,
        /// What stands in front of it, `Bearer ` for example.
        prefix: String,
    },
    /// A digest, HMAC or signature over a template.
    Digest(Digest),
    /// A JSON web token, HS256, HS384 or HS512, whose claims hold a digest of the body.
    Jwt {
        /// Where.
        given: Source,
        /// What stands in front of it.
        prefix: String,
        /// The claim with the hexadecimal SHA-256 of the body, which must be there when there is
        /// a body.
        body_hash: String,
    },
    /// Huawei Cloud's `SDK-HMAC-SHA256` over a canonical request.
    SdkHmacSha256,
    /// Twilio's `X-Twilio-Signature`.
    Twilio,
    /// Plivo's `X-Plivo-Signature-V2`, which does not cover the parameters.
    PlivoV2,
    /// Plivo's `X-Plivo-Signature-V3`.
    PlivoV3,
}

/// A digest, HMAC or signature over a template of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The algorithms; any of them will do.
    pub algorithms: Vec<Algorithm>,
    /// What is signed. `${secret}` is a secret of the account, `${user}` its user, `${sorted}` the
    /// fields in order.
    pub over: Template,
    /// Where the signature stands.
    pub given: Source,
    /// What stands in front of it.
    pub prefix: String,
    /// How it is written.
    pub written: Written,
    /// How `${sorted}` is made.
    pub sorted: Option<Sorted>,
    /// How the account's secrets are written.
    pub key: Written,
}

/// How bytes are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Written {
    /// As they are.
    #[default]
    Plain,
    /// Hexadecimal in either case.
    Hex,
    /// Base64, standard or URL-safe, padded or not.
    Base64,
}

/// Algorithms of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// SM3 (GB/T 32905).
    Sm3,
    /// HMAC with MD5.
    HmacMd5,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
    /// HMAC with SM3.
    HmacSm3,
    /// Ed25519 (RFC 8032); the account's secrets are public keys.
    Ed25519,
}

impl Algorithm {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, Algorithm); 11] = [
        ("md5", Algorithm::Md5),
        ("sha1", Algorithm::Sha1),
        ("sha256", Algorithm::Sha256),
        ("sha512", Algorithm::Sha512),
        ("sm3", Algorithm::Sm3),
        ("hmac-md5", Algorithm::HmacMd5),
        ("hmac-sha1", Algorithm::HmacSha1),
        ("hmac-sha256", Algorithm::HmacSha256),
        ("hmac-sha512", Algorithm::HmacSha512),
        ("hmac-sm3", Algorithm::HmacSm3),
        ("ed25519", Algorithm::Ed25519),
    ];

    /// Whether the secret is the key of it, and so need not stand in the template.
    #[must_use]
    pub fn is_keyed(self) -> bool {
        !matches!(
            self,
            Algorithm::Md5
                | Algorithm::Sha1
                | Algorithm::Sha256
                | Algorithm::Sha512
                | Algorithm::Sm3
        )
    }
}

/// How the fields of a request are put in order for signing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted {
    /// Of where: the query, the form, or the document (a JSON object, its scalars as sent).
    pub of: SortedOf,
    /// Fields that are left out: the signature itself.
    pub except: Vec<String>,
    /// One field; `${name}` and `${value}`.
    pub pair: Template,
    /// What stands between two.
    pub join: String,
    /// Whether fields with an empty value are left out.
    pub skip_empty: bool,
    /// Texts within values that stand for others in the signed text.
    pub replace: BTreeMap<String, String>,
}

/// Which fields are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortedOf {
    /// Those of the query.
    Query,
    /// Those of the form, outside of a document within.
    Form,
    /// Those of the document that is read: the one within a field, where there is one. For GET
    /// that is the query.
    Document,
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
