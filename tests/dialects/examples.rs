//! The worked examples of docs/dialects.md: each account is right, and each request comes to what
//! the page says.

use super::told;
use bridge8890::carrier::{self, Answer, Call};
use bridge8890::config::dialect::SecretUse;
use bridge8890::config::{self, Account, Config, Environment};
use bridge8890::dialogue::flow;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::Path;

const PAGE: &str = include_str!("../../docs/dialects.md");

/// 2026-03-05T02:20:30Z.
const CLOCK: Timestamp = Timestamp::constant(1_772_677_230, 0);

/// One example: its heading, and its blocks of TOML, HTTP and JSON.
struct Example {
    title: &'static str,
    account: &'static str,
    request: &'static str,
    outcome: Value,
}

fn examples() -> Vec<Example> {
    let (_, examples) = PAGE.split_once("## Ten worked examples").expect("the section");
    let example = |text: &'static str| {
        let block = |language: &str| {
            let opening = format!("```{language}\n");
            let (_, rest) = text.split_once(&opening).unwrap_or_else(|| panic!("{opening}{text}"));
            rest.split_once("```").expect("an end").0
        };
        Example {
            title: text.lines().next().expect("a heading"),
            account: block("toml"),
            request: block("http"),
            outcome: serde_json::from_str(block("json")).expect("JSON"),
        }
    };
    examples.split("\n### ").skip(1).map(example).collect()
}

fn parse(account: &str, secret: &str) -> Config {
    let variables = [("BRIDGE8890_EXAMPLE_KEY", secret)];
    let environment = Environment::given(Path::new(""), &variables);
    let behind_a_proxy = format!("{account}\n[http]\ntrusted_proxies = [\"127.0.0.1\"]");
    let config = config::parse(&behind_a_proxy, "dialects.md", &environment)
        .unwrap_or_else(|problems| panic!("{account}\n{problems}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    config
}

/// A request as the page shows it.
struct Request {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    fn read(text: &str) -> Request {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let first: Vec<&str> = lines.next().expect("a request line").split(' ').collect();
        let [method, target, "HTTP/1.1"] = first.as_slice() else { panic!("{first:?}") };
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a header");
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            (name, HeaderValue::from_str(value).expect("a header's value"))
        };
        Request {
            method: method.parse().expect("a method"),
            target: (*target).to_owned(),
            headers: lines.map(header).collect(),
            body: bytes(body.strip_suffix('\n').unwrap_or(body)).into(),
        }
    }
}

/// The bytes of a text in which `\xNN` is a byte.
fn bytes(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two hex digits"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

/// The call that a request to the account is.
fn call<'a>(account: &'a Account, request: &'a Request) -> Call<'a> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let base = format!("/callback/{}", account.name);
    let route = path.strip_prefix(&base).expect("the account's address").trim_matches('/');
    let Request { method, target, headers, body } = request;
    let route = account.dialect.route(route).expect("a route");
    assert!(route.methods.contains(method), "{path}");
    Call { method, route, target, query, url: target, headers, body }
}

/// What comes of a request, as the page writes it.
fn outcome(call: &Call<'_>, account: &Account) -> Value {
    let (events, garbled) = told::events(&carrier::decode(call, account));
    let answer = told::answer(&carrier::answer(call, &Answer::Accepted));
    json!({ "events": events, "garbled": garbled, "answer": answer })
}

#[test]
fn every_example_comes_to_what_the_page_says() {
    let examples = examples();
    assert_eq!(examples.len(), 10);
    for Example { title, account, request, outcome: mut expected } in examples {
        let config = parse(account, "test-secret");
        let [account] = config.accounts.values().collect::<Vec<_>>()[..] else {
            panic!("{title}: one account")
        };
        let shown = expected.as_object_mut().expect("an object");
        shown.entry("garbled").or_insert_with(|| json!([]));
        let answer = shown["answer"].as_object_mut().expect("an object");
        answer.entry("content_type").or_insert(Value::Null);

        let request = Request::read(request);
        let call = call(account, &request);
        assert_eq!(carrier::verify(&call, account, CLOCK).err(), None, "{title}");
        assert_eq!(outcome(&call, account), expected, "{title}");
    }
}

#[test]
fn the_example_of_sending_is_right() {
    let (_, section) = PAGE.split_once("\n## Sending\n").expect("the section");
    let (_, account) = section.split_once("```toml\n").expect("an example");
    let account = account.split_once("```").expect("an end").0;
    let config = parse(account, "test-secret");
    let sends = config.accounts.values().filter(|account| account.send.is_some());
    assert_eq!(sends.count(), 1);
}

#[test]
fn the_example_of_the_steps_of_a_call_is_told_what_the_page_says() {
    let (_, section) = PAGE.split_once("\n## Steps of a call\n").expect("the section");
    let block = |language: &str| {
        let (_, rest) = section.split_once(&format!("```{language}\n")).expect("a block");
        rest.split_once("\n```").expect("an end").0
    };
    let config = parse(block("toml"), "test-secret");
    let account = config.accounts.values().next().expect("the account");
    let request = Request::read(block("http"));
    let url = format!("https://gateway.8890.example{}", request.target);
    let call = Call { url: &url, ..call(account, &request) };
    assert_eq!(carrier::verify(&call, account, CLOCK).err(), None);
    let decoded = carrier::decode(&call, account);
    let campaign = config.campaigns.first().expect("the campaign");
    let (turn, asked) = (decoded.turn.expect("our turn"), campaign.call.as_ref().expect("it asks"));
    let next = flow::next(asked, campaign, turn.step, &decoded.events[0].body);
    let told = carrier::tell(&call, &next).expect("a step");
    assert_eq!(String::from_utf8_lossy(&told.body), block("xml"));
}

#[test]
fn no_example_that_proves_anything_is_believed_under_another_secret() {
    for Example { title, account, request, .. } in examples() {
        let config = parse(account, "another");
        let account = config.accounts.values().next().expect("the account");
        let believed = carrier::verify(&call(account, &Request::read(request)), account, CLOCK);
        let proves = account.dialect.secrets() != SecretUse::Never;
        assert_eq!(believed.is_err(), proves, "{title}");
    }
}
