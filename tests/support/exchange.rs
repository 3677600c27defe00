//! Recorded exchanges: a raw request, and what a correct gateway makes of it and answers.
//!
//! `tests/fixtures/carriers/<carrier>/<kind>[-variant].http` is the request as it travelled, or
//! `….ndjson` the text frames of a WebSocket, one a line; `….expect.json` beside it is read into
//! [`Expected`]. `accounts.toml` holds the accounts for which they were recorded.

#![expect(clippy::expect_used, clippy::panic, reason = "a broken fixture must stop the test")]

#[path = "request.rs"]
mod request;

use bytes::Bytes;
use http::{HeaderMap, Method};
pub(crate) use request::Request;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The moment at which every recorded signature is fresh: 2026-03-05T02:20:30Z.
pub(crate) const CLOCK: jiff::Timestamp = jiff::Timestamp::constant(1_772_677_230, 0);

/// The secret with which every signed request was signed.
pub(crate) const SECRET: &str = "test-secret";

/// Telnyx's public key; the private one is derived from [`SECRET`].
pub(crate) const TELNYX_KEY: &str = "0kOb+Q50mToOOBSNePM3ocoK0wF3tzkyNfZuYeobvFE=";

/// The accounts for which the exchanges were recorded.
pub(crate) const ACCOUNTS: &str = include_str!("../fixtures/carriers/accounts.toml");

/// The names of the files that hold the accounts' secrets, and what stands in them.
pub(crate) const SECRET_FILES: [(&str, &str); 2] =
    [("carrier.secret", SECRET), ("telnyx.key", TELNYX_KEY)];

/// One recorded exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Carrier and file, for example `yunpian/sms_reply`.
    pub(crate) name: String,
    /// The carrier's key.
    pub(crate) carrier: String,
    /// What the carrier sends: one request, or the frames of a link in order.
    pub(crate) requests: Vec<Request>,
    /// What is to come of it.
    pub(crate) expected: Expected,
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

/// The answer; nothing is compared where nothing is answered.
#[derive(Debug, Deserialize)]
pub(crate) struct Ack {
    pub(crate) status: Option<u16>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Option<String>,
    /// How the body is compared: `exact`, `json`, `xml`, `one-of:A|B`, or not at all: `status-only`,
    /// `unconfirmed`, `none`.
    #[serde(rename = "match")]
    pub(crate) mode: String,
}

/// All recorded exchanges, in order of name.
pub(crate) fn all() -> Vec<Exchange> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/carriers");
    let carriers = entries(&root).into_iter().filter(|path| path.is_dir());
    let files = carriers.flat_map(|carrier| entries(&carrier));
    let recorded = |file: &PathBuf| {
        let extension = file.extension().map(std::ffi::OsStr::to_string_lossy);
        extension.is_some_and(|extension| extension == "http" || extension == "ndjson")
    };
    files.filter(recorded).map(|file| read(&file)).collect()
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
    let raw = std::fs::read(file).expect("what was recorded");
    let requests = if file.extension().is_some_and(|extension| extension == "http") {
        vec![Request::parse(&raw)]
    } else {
        let frames = raw.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        frames.map(|line| frame(&carrier, line)).collect()
    };
    Exchange { name, carrier, requests, expected }
}

/// A text frame of a link to this carrier's account.
fn frame(carrier: &str, frame: &[u8]) -> Request {
    Request {
        method: Method::GET,
        target: format!("/callback/{carrier}"),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(frame),
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
        let Some(expected_status) = self.status else { return };
        assert_eq!(status, expected_status, "{name}: status of the answer {body:?}");
        let compared = !matches!(self.mode.as_str(), "status-only" | "unconfirmed");
        if let Some(expected) = self.content_type.as_deref().filter(|_| compared) {
            assert_eq!(content_type, Some(expected), "{name}: content type");
        }
        let expected = self.body.as_deref().unwrap_or_default();
        let json = |text: &str| {
            serde_json::from_str::<Value>(text)
                .unwrap_or_else(|err| panic!("{name}: {err}: {text:?}"))
        };
        // Space between elements says nothing in the documents that carriers expect.
        let xml = |text: &str| text.split('>').map(str::trim).collect::<Vec<_>>().join(">");
        match self.mode.as_str() {
            "exact" => assert_eq!(body, expected, "{name}: body"),
            "json" => assert_eq!(json(&body), json(expected), "{name}: body"),
            "xml" => assert_eq!(xml(&body), xml(expected), "{name}: body"),
            _ if !compared => {}
            mode => {
                let allowed = mode.strip_prefix("one-of:").expect("a known way to compare");
                assert!(allowed.split('|').any(|one| one == body), "{name}: body {body:?}");
            }
        }
    }
}
