//! Recorded calls: what a carrier asks, what is understood, and the step that it is told.
//!
//! `tests/fixtures/calls/<carrier>/<course>.call` holds a call in order. `>` begins a line of a
//! request as it travelled, without its length; `=` the event that comes of it, of which fields
//! that are not named are not compared; `<` what is answered, in one or several lines.

#![expect(clippy::expect_used, clippy::panic, reason = "a broken fixture must stop the test")]

use crate::request::Request;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// What the recorded calls ask.
pub(crate) const FLOW: &str = r#"
[campaigns.asked.call]
greeting = "您好，这里是\"8890\"<便民>热线 & 'AT&T'。"
rating = "非常满意请按1，很不满意请按5"
wrong_key = "按键有误。"
silence = { play = "https://ivr.example/silence.wav?a=1&b='2'" }
thanks = "谢谢，再见。"
goodbye = "再见。"
wait = "6s"
repeats = 2

[campaigns.asked.call.reason]
ask = "服务态度请按1，其他请按2"
keys = { 1 = ["214", "115"], 2 = [] }

[campaigns.asked.call.message]
ask = "需要留言请按1"
record = "请在提示音后留言，按#号键结束"
longest = "2m"
"#;

/// A recorded call.
#[derive(Debug)]
pub(crate) struct Transcript {
    /// Carrier and course, for example `twilio/silent`.
    pub(crate) name: String,
    /// Request by request.
    pub(crate) exchanges: Vec<Exchange>,
}

/// One request of a call.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    /// The fields of the event that comes of it.
    pub(crate) event: Map<String, Value>,
    /// What is answered.
    pub(crate) answer: String,
}

/// All recorded calls, in order of name.
pub(crate) fn all() -> Vec<Transcript> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/calls");
    entries(&root).iter().flat_map(|carrier| entries(carrier)).map(|file| read(&file)).collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(directory).expect("a directory of fixtures");
    let mut paths: Vec<PathBuf> =
        listing.map(|entry| entry.expect("a readable directory").path()).collect();
    paths.sort();
    paths
}

fn read(file: &Path) -> Transcript {
    let words = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let name = format!("{}/{}", words(file.parent().expect("the carrier's folder")), words(file));
    let text = fs::read_to_string(file).expect("a transcript");
    let exchanges = text.split("\n\n").map(|text| exchange(&name, text)).collect();
    Transcript { name, exchanges }
}

fn exchange(name: &str, text: &str) -> Exchange {
    let part = |mark: &str| -> Vec<&str> {
        let marked = text.lines().filter_map(|line| line.strip_prefix(mark));
        marked.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect()
    };
    let request = part(">");
    let end = request.iter().position(|line| line.is_empty()).expect("end of headers");
    let (head, body) = (request[..end].join("\r\n"), request[end + 1..].join("\r\n"));
    let raw = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    Exchange {
        request: Request::parse(raw.as_bytes()),
        event: serde_json::from_str(&part("=").concat())
            .unwrap_or_else(|err| panic!("{name}: {err}: {text}")),
        answer: part("<").concat(),
    }
}
