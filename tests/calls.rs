//! Whole calls through their carrier: what comes of each of its requests, and the next step in its
//! words, in which stands where the next request goes.
//! A new carrier adds files under `tests/fixtures/calls`, never code here.

#![expect(clippy::expect_used, clippy::panic, reason = "a broken fixture must stop the test")]

#[path = "support/request.rs"]
mod request;
#[path = "support/transcript.rs"]
mod transcript;

use bridge8890::carrier::{self, Answer, Call, Decoded, Reply};
use bridge8890::config::dialect::Route;
use bridge8890::config::{self, Account, CallFlow, Campaign, Config, Environment, Prompt};
use bridge8890::dialogue::flow::{self, Next};
use bridge8890::model::{Event, EventBody, Question, Step};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use quick_xml::escape::unescape;
use quick_xml::events::Event as Part;
use request::Request;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::LazyLock;
use std::time::Duration;
use transcript::{Exchange, FLOW, Transcript};

/// The moment at which every recorded signature is fresh: 2026-03-05T02:20:30Z.
const CLOCK: jiff::Timestamp = jiff::Timestamp::constant(1_772_677_230, 0);

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    let telnyx = "0kOb+Q50mToOOBSNePM3ocoK0wF3tzkyNfZuYeobvFE=";
    for (name, content) in [("carrier.secret", "test-secret"), ("telnyx.key", telnyx)] {
        std::fs::write(directory.path().join(name), content).expect("written");
    }
    let environment = Environment::given(directory.path(), &[]);
    let accounts = include_str!("fixtures/carriers/accounts.toml");
    let text = format!("{accounts}zero = \"decline\"\n{FLOW}");
    config::parse(&text, "accounts.toml", &environment)
        .unwrap_or_else(|problems| panic!("{problems}"))
});

static CALLS: LazyLock<Vec<Transcript>> = LazyLock::new(transcript::all);

fn campaign() -> (&'static Campaign, &'static CallFlow) {
    let campaign = CONFIG.campaigns.first().expect("a campaign");
    (campaign, campaign.call.as_ref().expect("it asks"))
}

/// A request to the account that it was recorded for.
struct Subject<'a> {
    account: &'a Account,
    route: &'a Route,
    request: &'a Request,
    url: String,
}

impl<'a> Subject<'a> {
    fn of(name: &str, request: &'a Request) -> Subject<'a> {
        let (account, route) = CONFIG
            .endpoint(request.path())
            .unwrap_or_else(|| panic!("{name}: nobody answers at {}", request.path()));
        let url = format!("https://gateway.8890.example{}", request.target);
        Subject { account, route, request, url }
    }

    fn call(&self) -> Call<'_> {
        Call {
            method: &self.request.method,
            route: self.route,
            target: &self.request.target,
            query: self.request.query(),
            url: &self.url,
            headers: &self.request.headers,
            body: &self.request.body,
        }
    }
}

/// What comes of a request: what was said, and what is answered.
fn heard(name: &str, request: &Request) -> (Decoded, Reply) {
    let subject = Subject::of(name, request);
    let call = subject.call();
    assert!(subject.route.methods.contains(call.method), "{name}: {}", call.method);
    carrier::verify(&call, subject.account, CLOCK)
        .unwrap_or_else(|denied| panic!("{name}: {}: {denied}", request.target));
    let decoded = carrier::decode(&call, subject.account);
    assert_eq!(decoded.garbled, [], "{name}: {}", request.target);
    assert_eq!(decoded.events.len(), 1, "{name}: {}", request.target);
    let reply = match decoded.turn {
        Some(turn) => {
            let (campaign, flow) = campaign();
            let next = flow::next(flow, campaign, turn.step, &decoded.events[0].body);
            carrier::tell(&call, &next).expect("a step")
        }
        None => carrier::answer(&call, &Answer::Accepted),
    };
    (decoded, reply)
}

/// An event in the words of the transcripts.
fn observed(event: &Event, step: Option<Step>) -> Map<String, Value> {
    let call = event.call.as_ref().or(event.message_id.as_ref());
    let own = match &event.body {
        EventBody::Keypad { digits } => json!({ "digits": digits }),
        EventBody::CallStatus { status, .. } => json!({ "status": status }),
        EventBody::Recording { url } => json!({ "url": url }),
        _ => json!({}),
    };
    let common = json!({
        "kind": event.body.kind(),
        "step": step.map(|step| step.to_string()),
        "call": call,
        "citizen": event.caller.as_ref().map(|caller| caller.reveal()),
        "service": event.service,
    });
    let fields = [common, own].into_iter().filter_map(|value| match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    fields.flatten().collect()
}

/// The texts of a well-formed document: values of JSON, attributes and contents of XML.
fn texts(content_type: &str, document: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut texts = Vec::new();
    if content_type.contains("json") {
        values(&serde_json::from_str(document)?, &mut texts);
        return Ok(texts);
    }
    // So XML 1.0, 2.2; the parser does not look.
    let forbidden = |it: char| {
        (it.is_control() && !it.is_whitespace()) || matches!(it, '\u{fffe}' | '\u{ffff}')
    };
    if document.contains(forbidden) {
        return Err("a character that XML forbids".into());
    }
    let mut reader = quick_xml::Reader::from_str(document);
    let (mut depth, mut roots, mut content) = (0, 0, String::new());
    loop {
        let part = reader.read_event()?;
        match &part {
            Part::Start(tag) | Part::Empty(tag) => {
                roots += usize::from(depth == 0);
                depth += usize::from(matches!(part, Part::Start(_)));
                for attribute in tag.attributes() {
                    texts.push(unescape(&attribute?.value)?.into_owned());
                }
            }
            Part::End(_) => depth -= 1,
            Part::Text(text) => content.push_str(text),
            Part::GeneralRef(name) => content.push_str(&unescape(&format!("&{};", &**name))?),
            Part::Eof => break,
            _ => {}
        }
        if matches!(part, Part::Start(_) | Part::Empty(_) | Part::End(_)) {
            texts.push(std::mem::take(&mut content));
        }
    }
    match (depth, roots) {
        (0, 1) => Ok(texts),
        _ => Err(format!("{roots} roots, {depth} left open").into()),
    }
}

fn values(document: &Value, texts: &mut Vec<String>) {
    match document {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| values(item, texts)),
        Value::Object(fields) => fields.values().for_each(|value| values(value, texts)),
        _ => {}
    }
}

fn texts_of(reply: &Reply) -> Result<Vec<String>, Box<dyn Error>> {
    let content_type = reply.content_type.as_ref().and_then(|it| it.to_str().ok());
    texts(content_type.unwrap_or_default(), std::str::from_utf8(&reply.body)?)
}

/// Where a step sends the carrier next: path and query, from the one that it was told in. `None`:
/// nowhere.
fn next_target(name: &str, asked: &Request, reply: &Reply) -> Option<String> {
    let texts = texts_of(reply).unwrap_or_else(|err| panic!("{name}: {err}"));
    let addresses: BTreeSet<&String> = texts.iter().filter(|text| text.contains("step=")).collect();
    assert!(addresses.len() <= 1, "{name}: {addresses:?}");
    let address = addresses.into_iter().next()?;
    Some(match address.strip_prefix("https://gateway.8890.example") {
        Some(target) => target.to_owned(),
        None => {
            let (folder, _) = asked.path().rsplit_once('/').expect("a path");
            format!("{folder}/{address}")
        }
    })
}

fn assert_answer(name: &str, reply: &Reply, expected: &str) {
    // Space between elements says nothing.
    let plain = |text: &str| text.split('>').map(str::trim).collect::<Vec<_>>().join(">");
    let written = String::from_utf8_lossy(&reply.body);
    assert_eq!(plain(&written), plain(expected), "{name}");
    texts_of(reply).unwrap_or_else(|err| panic!("{name}: {err}: {written}"));
}

#[test]
fn every_recorded_call_is_led_to_its_end_and_finds_its_own_way() {
    for call in CALLS.iter() {
        let mut expected_next: Option<String> = None;
        for (at, Exchange { request, event, answer }) in call.exchanges.iter().enumerate() {
            let name = format!("{}, request {}", call.name, at + 1);
            if request.target.contains("step=") {
                let next =
                    expected_next.as_deref().unwrap_or_else(|| panic!("{name}: nobody said so"));
                assert!(request.target.starts_with(next), "{name}: {next}");
            }
            let (decoded, reply) = heard(&name, request);
            let step = decoded.turn.and_then(|turn| turn.step);
            let all = observed(&decoded.events[0], step);
            let observed: Map<String, Value> = event
                .keys()
                .map(|key| (key.clone(), all.get(key).cloned().unwrap_or_default()))
                .collect();
            assert_eq!(&observed, event, "{name}");
            assert_answer(&name, &reply, answer);
            // At the end the address stays: some say there that it is over.
            expected_next = next_target(&name, request, &reply).or(expected_next);
        }
    }
}

#[test]
fn every_course_of_a_call_is_recorded_for_every_carrier_that_asks_for_steps() {
    let asks = |key: &&str| {
        let dialect = config::load_built_in(key).expect("a built-in carrier");
        dialect.routes.iter().any(|route| route.steps.is_some())
    };
    let carriers = config::built_in().map(|(key, _)| key).filter(asks);
    let courses = ["declined", "rated-badly", "rated-well", "silent", "wrong-keys"];
    let wanted = carriers.flat_map(|key| courses.map(|course| format!("{key}/{course}")));
    let recorded: Vec<&str> = CALLS.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(recorded, wanted.collect::<Vec<_>>());
}

#[test]
fn a_citizen_may_hang_up_at_any_question() {
    for call in CALLS.iter().filter(|call| call.name.ends_with("/rated-badly")) {
        let (hang_up, before) = call.exchanges.split_last().expect("exchanges");
        let mut hung_up = BTreeSet::new();
        for (at, Exchange { request, .. }) in before.iter().enumerate() {
            let name = format!("{}, hung up after request {}", call.name, at + 1);
            let (_, reply) = heard(&name, request);
            let Some(next) = next_target(&name, request, &reply) else { continue };
            // Some say it where the next answer would go, some at an address of its own.
            let target = match hang_up.request.target.contains("step=") {
                true => next.clone(),
                false => hang_up.request.target.clone(),
            };
            let Request { method, headers, body, .. } = &hang_up.request;
            let (method, headers, body) = (method.clone(), headers.clone(), body.clone());
            let request = Request { method, target, headers, body };
            let (decoded, reply) = heard(&name, &request);
            let status = observed(&decoded.events[0], None).remove("status");
            assert_eq!(status, Some(json!("completed")), "{name}");
            texts_of(&reply).unwrap_or_else(|err| panic!("{name}: {err}"));
            hung_up.insert(next);
        }
        assert_eq!(hung_up.len(), 4, "{}: {hung_up:?}", call.name);
    }
}

#[test]
fn a_repeat_of_the_carrier_is_one_and_a_second_try_is_not() {
    for call in CALLS.iter() {
        let mut keys = BTreeSet::new();
        for Exchange { request, .. } in &call.exchanges {
            let key = |request| heard(&call.name, request).0.events.remove(0).dedupe;
            assert_eq!(key(request), key(request), "{}", call.name);
            assert!(keys.insert(key(request)), "{}: {}", call.name, request.target);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_prompt_and_no_value_of_a_request_breaks_a_step(
        seed in any::<Index>(),
        words in "(?s).*",
        address in "(?s).*",
        value in "(?s).*",
        asked in select(vec![Question::Rating, Question::Reason, Question::Offer]),
        message in any::<bool>(),
    ) {
        let exchanges: Vec<&Exchange> = CALLS.iter().flat_map(|call| &call.exchanges).collect();
        let request = with_values(&exchanges[seed.index(exchanges.len())].request, &value);
        let subject = Subject::of("any", &request);
        let prompts = [Prompt::Say(words), Prompt::Play(address)];
        let say: Vec<&Prompt> = prompts.iter().collect();
        let next = match message {
            false => Next::Ask { step: Step::first(asked), say, digits: 1, wait: Duration::from_secs(60) },
            true => Next::Record {
                step: Step::first(Question::Message),
                after: say.clone(),
                say,
                longest: Duration::from_secs(60),
            },
        };
        for next in [next, Next::End { say: prompts.iter().collect(), unrated: None }] {
            let Some(reply) = carrier::tell(&subject.call(), &next) else { continue };
            let texts = texts_of(&reply);
            prop_assert!(texts.is_ok(), "{texts:?}: {}", String::from_utf8_lossy(&reply.body));
        }
    }
}

/// The same request with this for every value in its query and its form or JSON.
fn with_values(request: &Request, value: &str) -> Request {
    let again = |form: &[u8]| {
        let names = form_urlencoded::parse(form).map(|(name, _)| (name, value.to_owned()));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(names).finish()
    };
    let body = match serde_json::from_slice::<Map<String, Value>>(&request.body) {
        Ok(fields) => {
            let fields: Map<String, Value> =
                fields.into_iter().map(|(name, _)| (name, Value::from(value))).collect();
            Bytes::from(Value::Object(fields).to_string())
        }
        Err(_) if request.body.starts_with(b"--") => request.body.clone(),
        Err(_) => again(&request.body).into(),
    };
    Request {
        method: request.method.clone(),
        target: format!("{}?{}", request.path(), again(request.query().as_bytes())),
        headers: request.headers.clone(),
        body,
    }
}
