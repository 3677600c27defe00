//! Requests and routes for the tests of this module.

use super::Call;
use crate::config::dialect::{
    AnswerForm, Answers, Auth, Charset, Dialect, Format, Route, Scheme, Template, Transport,
};
use crate::config::{Account, Origin};
use crate::model::{AccountName, Secret};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::tz::Offset;
use std::sync::Arc;

/// The moment at which every recorded signature is fresh: 2026-03-05T02:20:30Z.
pub(super) const CLOCK: jiff::Timestamp = jiff::Timestamp::constant(1_772_677_230, 0);

/// What every recorded request was signed with.
pub(super) const SECRET: &str = "test-secret";

/// The address that carriers know, before the target.
const EXTERNAL: &str = "https://gateway.8890.example";

/// A request that a test can change.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Sample {
    /// A POST with this body.
    pub(super) fn post(body: impl Into<Bytes>) -> Sample {
        let (method, headers) = (Method::POST, HeaderMap::new());
        Sample { method, url: format!("{EXTERNAL}/callback/x"), headers, body: body.into() }
    }

    /// A GET of this path and query.
    pub(super) fn get(target: &str) -> Sample {
        Sample { method: Method::GET, ..Sample::post("").to(target) }
    }

    /// The same to another path and query.
    pub(super) fn to(self, target: &str) -> Sample {
        Sample { url: format!("{EXTERNAL}{target}"), ..self }
    }

    /// The same with a header.
    pub(super) fn with(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Sample {
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header's value");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// A request of `tests/fixtures/carriers`.
    pub(super) fn recorded(bytes: &'static [u8]) -> Sample {
        let end = bytes.windows(4).position(|at| at == b"\r\n\r\n").expect("the end of the head");
        let head = std::str::from_utf8(&bytes[..end]).expect("UTF-8");
        let (line, headers) = head.split_once("\r\n").expect("a header");
        let mut words = line.split(' ');
        let method = words.next().and_then(|word| word.parse().ok()).expect("a method");
        let mut sample = Sample::post(&bytes[end + 4..]).to(words.next().expect("a target"));
        for header in headers.split("\r\n") {
            let (name, value) = header.split_once(": ").expect("a header");
            let name: HeaderName = name.parse().expect("a header's name");
            sample.headers.append(name, value.parse().expect("a header's value"));
        }
        Sample { method, ..sample }
    }

    /// As a call of the route.
    pub(super) fn call<'a>(&'a self, route: &'a Route) -> Call<'a> {
        let authority = self.url.find("://").map_or(0, |at| at + 3);
        let path = self.url[authority..].find('/').map_or(self.url.len(), |at| authority + at);
        let target = &self.url[path..];
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let (method, headers, body) = (&self.method, &self.headers, &self.body);
        Call { method, route, target, query, url: &self.url, headers, body }
    }
}

/// A route of these formats that wants no proof.
pub(super) fn route(formats: &[Format]) -> Route {
    let accepted = answer(None, "");
    Route {
        name: String::new(),
        methods: vec![Method::GET, Method::POST],
        max_body: 1 << 20,
        max_items: 10_000,
        formats: formats.to_vec(),
        charset: Charset::Utf8,
        inside: None,
        auth: Auth::default(),
        events: Vec::new(),
        answers: Answers {
            duplicate: accepted.clone(),
            busy: accepted.clone(),
            refused: accepted.clone(),
            unsigned: accepted.clone(),
            cases: Vec::new(),
            accepted,
        },
        steps: None,
    }
}

/// A 200 of this type and template.
pub(super) fn answer(content_type: Option<&'static str>, body: &str) -> AnswerForm {
    AnswerForm {
        status: StatusCode::OK,
        content_type: content_type.map(HeaderValue::from_static),
        headers: Vec::new(),
        body: Template::read(body).expect("a template"),
    }
}

/// A route of all usual formats that wants any of these proofs.
pub(super) fn proven_by(schemes: Vec<Scheme>) -> Route {
    let auth = Auth { schemes, optional: false };
    Route { auth, ..route(&[Format::Query, Format::Form, Format::Json]) }
}

/// An account with these live secrets.
pub(super) fn account(secrets: &[&str]) -> Account {
    Account {
        access: crate::config::Access::default(),
        name: AccountName::new("test").expect("a name"),
        dialect: Arc::new(Dialect {
            retries: Vec::new(),
            carrier: "generic".to_owned(),
            title: String::new(),
            reference: String::new(),
            patience: String::new(),
            transport: Transport::Http,
            send: None,
            routes: Vec::new(),
        }),
        user: None,
        secrets: secrets.iter().map(|secret| Secret::new(secret.as_bytes().to_vec())).collect(),
        tolerance: None,
        offset: Offset::constant(8),
        country: "86".to_owned(),
        default_campaign: None,
        send: None,
        recordings: None,
        origin: Origin { file: "gateway.toml".to_owned(), line: 1 },
    }
}
