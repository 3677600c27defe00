//! Recorded exchanges: a raw request, and what a correct gateway makes of it and answers.
//!
//! `tests/fixtures/carriers/<carrier>/<kind>[-variant].http` is the request as it travelled;
//! `….expect.json` beside it is read into [`Expected`].

#![expect(clippy::expect_used, clippy::panic, reason = "a broken fixture must stop the test")]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The moment at which every recorded signature is fresh: 2026-03-05T02:20:30Z.
pub(crate) const CLOCK: jiff::Timestamp = jiff::Timestamp::constant(1_772_677_230, 0);

/// The secret with which every signed request was signed.
pub(crate) const SECRET: &str = "test-secret";

/// One recorded exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Carrier and file, for example `yunpian/sms_reply`.
    pub(crate) name: String,
    /// The carrier's key.
    pub(crate) carrier: String,
    /// What the carrier sends.
    pub(crate) request: Request,
    /// What is to come of it.
    pub(crate) expected: Expected,
}

/// A request as it travelled.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is to come of a request.
#[derive(Debug, Deserialize)]
pub(crate) struct Expected {
    /// The kind of every event.
    pub(crate) kind: String,
    /// The fields of each event; a field that is not listed is not compared.
    pub(crate) events: Vec<Map<String, Value>>,
    /// The places of what cannot be read.
    #[serde(default)]
    pub(crate) garbled: Vec<String>,
    /// Why the request is not to be believed.
    pub(crate) denied: Option<String>,
    /// The fields that identify a repeat.
    #[serde(default)]
    pub(crate) dedupe_fields: Vec<String>,
    pub(crate) ack: Ack,
}

/// The answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Ack {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: String,
    /// How the body is compared: `exact`, `json`, `one-of:A|B` or `status-only`.
    #[serde(rename = "match")]
    pub(crate) mode: String,
}

/// All recorded exchanges, in order of name.
pub(crate) fn all() -> Vec<Exchange> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/carriers");
    let carriers = entries(&root);
    let files = carriers.iter().flat_map(|carrier| entries(carrier));
    files
        .filter(|file| file.extension().is_some_and(|ext| ext == "http"))
        .map(|file| read(&file))
        .collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(directory).expect("a directory of fixtures");
    let mut paths: Vec<PathBuf> =
        listing.map(|entry| entry.expect("a readable directory").path()).collect();
    paths.sort();
    paths
}

fn read(file: &Path) -> Exchange {
    let words = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let carrier = words(file.parent().expect("the carrier's folder"));
    let name = format!("{carrier}/{}", words(file));
    let expected = std::fs::read(file.with_extension("expect.json")).expect("an expectation");
    let expected = serde_json::from_slice(&expected).unwrap_or_else(|err| panic!("{name}: {err}"));
    let request = Request::parse(&std::fs::read(file).expect("a request"));
    Exchange { name, carrier, request, expected }
}

impl Request {
    fn parse(raw: &[u8]) -> Request {
        let end = raw.windows(4).position(|window| window == b"\r\n\r\n").expect("end of headers");
        let head = std::str::from_utf8(&raw[..end]).expect("headers in ASCII");
        let mut lines = head.split("\r\n");
        let mut first = lines.next().expect("a request line").split(' ');
        let headers: HeaderMap = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| {
                let name: HeaderName = name.parse().expect("a header's name");
                (name, HeaderValue::from_str(value).expect("a header's value"))
            })
            .collect();
        let body = Bytes::copy_from_slice(&raw[end + 4..]);
        let promised = headers
            .get(http::header::CONTENT_LENGTH)
            .map_or("0", |value| value.to_str().expect("a length in digits"));
        assert_eq!(promised, body.len().to_string(), "the length is true");
        Request {
            method: first.next().expect("a method").parse().expect("a method"),
            target: first.next().expect("a target").to_owned(),
            headers,
            body,
        }
    }

    /// The query, without `?`.
    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The path's segment after the account, or empty.
    pub(crate) fn route(&self) -> &str {
        let path = self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path);
        path.split('/').nth(3).unwrap_or("")
    }
}

impl Ack {
    /// Asserts that this is the answer that was given.
    pub(crate) fn assert_matches(
        &self,
        name: &str,
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
    ) {
        let body = String::from_utf8_lossy(body);
        assert_eq!(status, self.status, "{name}: status of the answer {body:?}");
        if let Some(expected) = self.content_type.as_deref() {
            assert_eq!(content_type, Some(expected), "{name}: content type");
        }
        let json = |text: &str| {
            serde_json::from_str::<Value>(text)
                .unwrap_or_else(|err| panic!("{name}: {err}: {text:?}"))
        };
        match self.mode.as_str() {
            "exact" => assert_eq!(body, self.body, "{name}: body"),
            "json" => assert_eq!(json(&body), json(&self.body), "{name}: body"),
            "status-only" => {}
            mode => {
                let allowed = mode.strip_prefix("one-of:").expect("a known way to compare");
                assert!(allowed.split('|').any(|one| one == body), "{name}: body {body:?}");
            }
        }
    }
}
