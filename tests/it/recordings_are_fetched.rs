//! Recordings of calls, from a stand-in for the carrier's host: fetched where the account lists the host,
//! kept sealed, and never asked for elsewhere; across refusals, redirects, oversize and a kill.

use crate::support::{Gateway, Platform, until};
use bridge8890::lifecycle::Tasks;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SAID: &[u8] = b"RIFF\x24\x00\x00\x00WAVEfmt said aloud, and nobody else's business";

/// Where a carrier keeps recordings.
struct Host {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    /// What is answered, by path: status line, headers, body.
    pages: HashMap<String, (&'static str, String, Vec<u8>)>,
    /// The requests so far: path, host and password.
    asked: Vec<(String, String, Option<String>)>,
    connections: usize,
}

impl Host {
    async fn start() -> Host {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let book: Arc<Mutex<Book>> = Arc::default();
        let (shared, tasks) = (Arc::clone(&book), Tasks::new());
        let connections = tasks.clone();
        drop(tasks.spawn("host", async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().expect("a book").connections += 1;
                // A client that leaves early is no failure of the host.
                drop(connections.spawn("connection", serve(stream, Arc::clone(&shared))));
            }
        }));
        Host { address, book }
    }

    fn answers(&self, path: &str, status: &'static str, headers: &str, body: &[u8]) {
        let page = (status, headers.to_owned(), body.to_vec());
        self.book.lock().expect("a book").pages.insert(path.to_owned(), page);
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }

    fn asked(&self, path: &str) -> Vec<(String, Option<String>)> {
        let book = self.book.lock().expect("a book");
        let of = book.asked.iter().filter(|(asked, ..)| asked == path);
        of.map(|(_, host, password)| (host.clone(), password.clone())).collect()
    }

    fn connections(&self) -> usize {
        self.book.lock().expect("a book").connections
    }
}

async fn serve(mut stream: TcpStream, book: Arc<Mutex<Book>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    };
    let page = {
        let mut book = book.lock().expect("a book");
        book.asked.push((
            path.clone(),
            header("host").unwrap_or_default(),
            header("authorization"),
        ));
        book.pages.get(&path).cloned()
    };
    let (status, headers, body) = page.unwrap_or(("404 Not Found", String::new(), Vec::new()));
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

/// A voice carrier of JSON, whose recordings are fetched as these keys say.
fn configuration(recordings: &str) -> String {
    format!(
        r#"
        [accounts.voice]
        carrier = "generic"
        allow_http = true
        [accounts.voice.dialect]
        formats = ["json"]
        answers.accepted = {{ body = "ok" }}
        answers.busy = {{ status = 503, body = "busy" }}
        answers.refused = {{ status = 403, body = "no" }}
        [[accounts.voice.dialect.events]]
        when = {{ kind = "keys" }}
        kind = "ivr_keypad"
        id = "call"
        caller = "from"
        service = "to"
        digits = "digits"
        dedupe = ["call", "digits"]
        [[accounts.voice.dialect.events]]
        when = {{ kind = "recording" }}
        kind = "recording"
        id = "id"
        call = "call"
        url = "url"
        [campaigns.asked]
        ivr_channel_code = 8
        [campaigns.asked.conversation]
        [accounts.voice.recordings]
        {recordings}
        "#
    )
}

/// Only this host, by its number, is asked.
fn listed_only(host: &Host) -> String {
    let hosts = format!("hosts = [\"{}\"]", host.address);
    configuration(&format!("{hosts}{LISTED}"))
}

const LISTED: &str = r#"
networks = ["127.0.0.0/8"]
allow_http = true
max_size = "1 KiB"
request_timeout = "5s"
user = "AC8890"
secret = "file:carrier.secret"
backoff = { base = "50ms", cap = "100ms", max_attempts = 1000 }
"#;

/// A citizen is called, presses 5 (very dissatisfied), and says why.
async fn complains(gateway: &Gateway, call: &str, url: &str) {
    let keys =
        json!({"kind": "keys", "call": call, "from": "13940000001", "to": "8890", "digits": "5"});
    let recording =
        json!({"kind": "recording", "id": format!("R-{call}"), "call": call, "url": url});
    for body in [keys, recording] {
        let answer = gateway.post("/callback/voice", body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

async fn listed(gateway: &Gateway) -> Vec<Value> {
    gateway.site.run("recordings list --json").await.lines()
}

/// The recording of a call, once it has come to this.
async fn becomes(gateway: &Gateway, call: &str, state: &str) -> Value {
    let mut found = Value::Null;
    until(&format!("the recording of {call} is {state}"), async || {
        let all = listed(gateway).await;
        let own = all.into_iter().find(|it| it["call"] == call && it["state"] == state);
        found = own.unwrap_or_default();
        !found.is_null()
    })
    .await;
    found
}

/// The states of the recordings of all complaints, by complaint and revision, as they are stored.
async fn told(gateway: &Gateway, complaint: &Value) -> Vec<Value> {
    let found = gateway.site.run("records find --complaints --json").await.lines();
    let own = found.into_iter().filter(|record| record["id"] == *complaint);
    let mut own: Vec<Value> = own.collect();
    own.sort_by_key(|record| record["revision"].as_u64());
    let state = |record: &Value| record["recordings"][0]["state"].clone();
    own.iter().map(state).collect()
}

#[tokio::test]
async fn what_was_said_is_fetched_kept_sealed_and_told_to_the_platform() {
    let platform = Platform::start().await;
    let host = Host::start().await;
    host.answers("/said.wav", "200 OK", "content-type: audio/x-wav\r\n", SAID);
    let gateway = Gateway::with(&platform, &listed_only(&host)).await;
    complains(&gateway, "c1", &host.url("127.0.0.1", "/said.wav")).await;
    let kept = becomes(&gateway, "c1", "kept").await;
    assert_eq!((&kept["length"], &kept["media_type"]), (&SAID.len().into(), &"audio/wav".into()));
    let (_, password) = host.asked("/said.wav").pop().expect("it was asked for");
    assert!(password.is_some_and(|it| it.starts_with("Basic ")), "the host demands a password");
    until("the platform is told", async || {
        told(&gateway, &kept["complaint"]).await == [Value::Null, "waiting".into(), "kept".into()]
    })
    .await;
    gateway.drained().await;
    let last = platform.taken().into_iter().rfind(|it| it.kind == "complaint");
    assert_eq!(last.expect("a complaint").key.revision.0, 3);

    let id = kept["id"].as_str().expect("an id");
    let export = gateway.site.run(&format!("recordings export {id} said.wav")).await;
    assert_eq!(export.code, Some(0), "{export:?}");
    assert_eq!(std::fs::read(gateway.site.path("said.wav")).expect("a file"), SAID);
    let again = gateway.site.run(&format!("recordings export {id} said.wav")).await;
    assert_eq!(again.code, Some(2), "nothing is overwritten: {again:?}");
    let sealed = std::fs::read(gateway.site.path(&format!("data/recordings/{id}.sealed")));
    assert!(!sealed.expect("a file").windows(4).any(|it| it == b"RIFF"), "it is sealed");
    assert!(!gateway.log().contains("said.wav"), "an address opens to whoever has it");
    gateway.finish().await;
}

#[tokio::test]
async fn nobody_is_asked_who_is_not_listed() {
    let platform = Platform::start().await;
    let host = Host::start().await;
    host.answers("/said.wav", "200 OK", "content-type: audio/wav\r\n", SAID);
    let elsewhere = host.url("localhost", "/said.wav");
    host.answers("/moved", "302 Found", &format!("location: {elsewhere}\r\n"), b"");
    let gateway = Gateway::with(&platform, &listed_only(&host)).await;
    complains(&gateway, "unlisted", &elsewhere).await;
    complains(&gateway, "moved", &host.url("127.0.0.1", "/moved")).await;
    let lost = becomes(&gateway, "moved", "lost").await;
    assert!(lost["reason"].as_str().is_some_and(|it| it.contains("not listed")), "{lost}");
    assert_eq!(host.asked("/said.wav"), [], "neither at once nor by a redirect");
    assert!(listed(&gateway).await.iter().all(|it| it["call"] != "unlisted"), "it is not queued");
    let found = gateway.site.run("records find --complaints --json").await.lines();
    let states = found.iter().filter_map(|it| it["recordings"][0]["state"].as_str());
    assert!(states.into_iter().any(|state| state == "unlisted"), "it is attached all the same");
    gateway.finish().await;
}

#[tokio::test]
async fn a_listed_name_that_leads_inside_is_not_connected_to() {
    let platform = Platform::start().await;
    let host = Host::start().await;
    let port = host.address.port();
    let hosts = format!("hosts = [\"localhost:{port}\", \"127.0.0.1:{port}\"]\nallow_http = true");
    let gateway = Gateway::with(&platform, &configuration(&hosts)).await;
    complains(&gateway, "name", &host.url("localhost", "/said.wav")).await;
    complains(&gateway, "number", &host.url("127.0.0.1", "/said.wav")).await;
    let lost = becomes(&gateway, "name", "lost").await;
    assert!(lost["reason"].as_str().is_some_and(|it| it.contains("public network")), "{lost}");
    gateway.drained().await;
    assert_eq!(host.connections(), 0);
    gateway.finish().await;
}

#[tokio::test]
async fn what_is_too_large_is_given_up_and_can_be_tried_again() {
    let platform = Platform::start().await;
    let host = Host::start().await;
    host.answers(
        "/long.wav",
        "200 OK",
        "content-type: audio/wav\r\n",
        &[SAID, &[0; 2048]].concat(),
    );
    let gateway = Gateway::with(&platform, &listed_only(&host)).await;
    complains(&gateway, "long", &host.url("127.0.0.1", "/long.wav")).await;
    let lost = becomes(&gateway, "long", "lost").await;
    assert!(lost["reason"].as_str().is_some_and(|it| it.contains("max_size")), "{lost}");
    host.answers("/long.wav", "200 OK", "content-type: audio/wav\r\n", SAID);
    until("it can be tried again", async || {
        gateway.site.run("recordings retry --all").await.code == Some(0)
    })
    .await;
    let kept = becomes(&gateway, "long", "kept").await;
    until("the platform is told", async || {
        told(&gateway, &kept["complaint"]).await.last() == Some(&"kept".into())
    })
    .await;
    gateway.finish().await;
}

#[tokio::test]
async fn what_waits_to_be_fetched_outlives_a_kill() {
    let platform = Platform::start().await;
    let host = Host::start().await;
    host.answers("/later.wav", "503 Service Unavailable", "", b"");
    let mut gateway = Gateway::with(&platform, &listed_only(&host)).await;
    complains(&gateway, "later", &host.url("127.0.0.1", "/later.wav")).await;
    until("it was tried", async || !host.asked("/later.wav").is_empty()).await;
    gateway.kill9().await;
    host.answers("/later.wav", "200 OK", "content-type: text/html\r\n", b"<html>sorry</html>");
    gateway.restart().await;
    let tried = host.asked("/later.wav").len();
    until("it is tried again", async || host.asked("/later.wav").len() > tried).await;
    host.answers("/later.wav", "200 OK", "content-type: application/octet-stream\r\n", SAID);
    let kept = becomes(&gateway, "later", "kept").await;
    assert!(kept["attempts"].as_u64().is_some_and(|attempts| attempts >= 3), "{kept}");
    gateway.finish().await;
}
