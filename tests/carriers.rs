//! Every recorded exchange through its carrier: request bytes in, events and exact answer out.
//! A new carrier adds files under `tests/fixtures/carriers`, never code here.

#![expect(clippy::expect_used, clippy::panic, reason = "a broken fixture must stop the test")]

#[path = "support/exchange.rs"]
mod exchange;

use bridge8890::carrier::{self, Answer, Call, Decoded, Denied, Verified};
use bridge8890::config::dialect::{Dialect, Route, Scheme, Transport, Trust};
use bridge8890::config::{self, Account, Config, Environment};
use bridge8890::model::{Event, EventBody};
use bytes::Bytes;
use exchange::{CLOCK, Exchange, Request};
use jiff::tz::Offset;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The accounts for which the exchanges were recorded.
static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, content) in exchange::SECRET_FILES {
        std::fs::write(directory.path().join(name), content).expect("written");
    }
    let environment = Environment::given(directory.path(), &[]);
    config::parse(exchange::ACCOUNTS, "accounts.toml", &environment)
        .unwrap_or_else(|problems| panic!("{problems}"))
});

/// A request to the account that it was recorded for.
struct Subject<'a> {
    account: &'a Account,
    route: &'a Route,
    request: &'a Request,
    url: String,
}

impl<'a> Subject<'a> {
    fn of(exchange: &Exchange, request: &'a Request) -> Subject<'a> {
        let (account, route) = CONFIG
            .endpoint(request.path())
            .unwrap_or_else(|| panic!("{}: nobody answers at {}", exchange.name, request.path()));
        assert_eq!(account.dialect.carrier, exchange.carrier, "{}", exchange.name);
        let url = format!("https://gateway.8890.example{}", request.target);
        Subject { account, route, request, url }
    }

    fn call<'b>(&'b self, body: &'b Bytes) -> Call<'b> {
        self.call_at(&self.request.target, body)
    }

    fn call_at<'b>(&'b self, target: &'b str, body: &'b Bytes) -> Call<'b> {
        Call {
            method: &self.request.method,
            route: self.route,
            target,
            query: target.split_once('?').map_or("", |(_, query)| query),
            url: &self.url,
            headers: &self.request.headers,
            body,
        }
    }

    fn verify(&self, call: &Call<'_>) -> Result<Verified, Denied> {
        // The frames of a link are believed with the link.
        match self.account.dialect.transport {
            Transport::Http => carrier::verify(call, self.account, CLOCK),
            Transport::WebSocket => Ok(Verified::default()),
        }
    }

    fn decode(&self, call: &Call<'_>) -> Decoded {
        carrier::decode(call, self.account)
    }

    /// The dedupe keys of the events in this request.
    fn keys(&self, target: &str, body: &Bytes) -> Vec<String> {
        let events = self.decode(&self.call_at(target, body)).events;
        events.into_iter().map(|event| event.dedupe).collect()
    }
}

#[test]
fn every_exchange_is_read_and_answered_as_recorded() {
    for exchange in exchange::all() {
        let (name, expected) = (&exchange.name, &exchange.expected);
        let mut decoded = Decoded::default();
        for request in &exchange.requests {
            let subject = Subject::of(&exchange, request);
            let call = subject.call(&request.body);
            assert!(subject.route.methods.contains(call.method), "{name}: {}", call.method);
            assert!(call.body.len() <= subject.route.max_body, "{name}: too large");
            let verified = subject.verify(&call);
            let denied = verified.as_ref().err().map(|denied| denied.name());
            assert_eq!(denied, expected.denied.as_deref(), "{name}");
            let answers = match verified {
                Ok(_) => {
                    let said = subject.decode(&call);
                    decoded.events.extend(said.events);
                    decoded.garbled.extend(said.garbled);
                    vec![Answer::Accepted, Answer::Duplicate]
                }
                Err(denied) => vec![Answer::Refused(denied)],
            };
            for answer in answers {
                let reply = carrier::answer(&call, &answer);
                let content_type = reply.content_type.as_ref().and_then(|it| it.to_str().ok());
                let status = reply.status.as_u16();
                expected.ack.assert_matches(name, status, content_type, &reply.body);
            }
        }
        if expected.denied.is_none() {
            assert_decoded(&exchange, &decoded);
        }
    }
}

fn assert_decoded(exchange: &Exchange, decoded: &Decoded) {
    let (name, expected) = (&exchange.name, &exchange.expected);
    let garbled: Vec<&str> = decoded.garbled.iter().map(|garbled| garbled.place.as_str()).collect();
    assert_eq!(garbled, expected.garbled, "{name}: what cannot be read: {:?}", decoded.garbled);
    let observed: Vec<Map<String, Value>> = decoded
        .events
        .iter()
        .zip(&expected.events)
        .map(|(event, wanted)| {
            let all = observed(event);
            wanted
                .keys()
                .map(|key| (key.clone(), all.get(key).cloned().unwrap_or_default()))
                .collect()
        })
        .collect();
    assert_eq!(observed, expected.events, "{name}: events");
    assert_eq!(decoded.events.len(), expected.events.len(), "{name}: number of events");
    for event in &decoded.events {
        assert_eq!(event.body.kind(), expected.kind, "{name}");
    }
}

/// An event in the words of the expectations, which call what was handed back by each carrier's
/// own name.
fn observed(event: &Event) -> Map<String, Value> {
    let at_beijing =
        |time: jiff::Timestamp| time.display_with_offset(Offset::constant(8)).to_string();
    let common = json!({
        "message_id": event.message_id,
        "from_e164": event.caller.as_ref().map(|caller| caller.reveal()),
        "to": event.service,
        "call_id": event.call,
        "conversation_id": event.call,
        "out_id": event.pass_through,
        "user_data": event.pass_through,
        "call_record_id": event.pass_through,
        "received_at": event.occurred_at.map(at_beijing),
    });
    let own = match &event.body {
        EventBody::SmsReply { text } => json!({ "text": text }),
        EventBody::Keypad { digits } => json!({ "digits": digits }),
        EventBody::CallStatus { status, raw, digits } => {
            json!({ "status": status, "raw_status": raw, "digits": digits })
        }
        EventBody::DeliveryReport { status, raw } => json!({ "status": status, "raw_status": raw }),
        EventBody::Recording { url } => json!({ "recording_url": url }),
        EventBody::OptOut => json!({}),
    };
    let fields = [common, own].into_iter().filter_map(|value| match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    fields.flatten().collect()
}

#[test]
fn a_repeat_has_the_same_key_and_another_event_has_not() {
    let mut changed_fields = 0;
    for exchange in exchange::all() {
        for request in &exchange.requests {
            let (name, subject) = (&exchange.name, Subject::of(&exchange, request));
            let keys = subject.keys(&request.target, &request.body);
            assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{name}: distinct");
            let Some(unchanged) = rewrite(request, &mut |_, _| {}) else { continue };
            assert_eq!(subject.keys(&unchanged.0, &unchanged.1), keys, "{name}: reordered");
            for field in &exchange.expected.dedupe_fields {
                let mut found = false;
                let changed = rewrite(request, &mut |path, value| {
                    let named = path == field || path.rsplit('.').next() == Some(field);
                    if named && !value.is_null() {
                        *value = another(value);
                        found = true;
                    }
                });
                let Some((target, body)) = changed.filter(|_| found) else { continue };
                let changed = subject.keys(&target, &body);
                if changed.len() != keys.len() {
                    // A word that only its own rule reads.
                    continue;
                }
                for (key, changed) in keys.iter().zip(changed) {
                    assert_ne!(*key, changed, "{name}: {field} is part of the key");
                    changed_fields += 1;
                }
            }
        }
    }
    assert!(changed_fields > 60, "only {changed_fields} fields could be changed");
}

/// Another value of the same form: its last digit is another one.
fn another(value: &Value) -> Value {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let last = text.char_indices().rev().find(|(_, character)| character.is_ascii_digit());
    Value::String(match last {
        Some((at, digit)) => {
            let next = if digit == '3' { '4' } else { '3' };
            format!("{}{next}{}", &text[..at], &text[at + 1..])
        }
        None => format!("{text}1"),
    })
}

/// The same request written anew, after `edit` has seen every value with its path: target and
/// body, of which each may be a form whose values may be JSON documents, and the body JSON. `None`
/// for what is neither.
fn rewrite(request: &Request, edit: &mut dyn FnMut(&str, &mut Value)) -> Option<(String, Bytes)> {
    let query = rewrite_form(request.query().as_bytes(), edit)?;
    let target = match query.as_str() {
        "" => request.path().to_owned(),
        query => format!("{}?{query}", request.path()),
    };
    if let Ok(mut document) = serde_json::from_slice::<Value>(&request.body) {
        walk("", &mut document, edit);
        return Some((target, document.to_string().into()));
    }
    Some((target, rewrite_form(&request.body, edit)?.into()))
}

fn rewrite_form(form: &[u8], edit: &mut dyn FnMut(&str, &mut Value)) -> Option<String> {
    let text = form_urlencoded::parse(form);
    let utf8 = |text: &str| !text.contains(char::REPLACEMENT_CHARACTER);
    if form.starts_with(b"<")
        || form.starts_with(b"--")
        || !text.into_iter().all(|(name, value)| utf8(&name) && utf8(&value))
    {
        return None;
    }
    let mut written = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(form) {
        let document = serde_json::from_str(&value).ok().filter(|it: &Value| !it.is_number());
        let mut value = document.unwrap_or(Value::String(value.into_owned()));
        edit(&name, &mut value);
        walk("", &mut value, edit);
        written
            .append_pair(&name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    Some(written.finish())
}

fn walk(path: &str, document: &mut Value, edit: &mut dyn FnMut(&str, &mut Value)) {
    match document {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                edit(&path, value);
                walk(&path, value, edit);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(path, item, edit)),
        _ => {}
    }
}

#[test]
fn a_request_cut_or_damaged_anywhere_makes_nobody_panic() {
    for exchange in exchange::all() {
        for request in &exchange.requests {
            let subject = Subject::of(&exchange, request);
            let whole = &request.body;
            for at in 0..whole.len() {
                let mut damaged = whole.to_vec();
                damaged[at] ^= 0x80;
                for body in [whole.slice(..at), damaged.into()] {
                    let call = subject.call(&body);
                    let (_verified, _decoded) = (subject.verify(&call), subject.decode(&call));
                }
            }
        }
    }
}

#[test]
fn no_bit_of_what_was_said_can_be_changed_under_a_signature_over_it() {
    for exchange in exchange::all() {
        for request in &exchange.requests {
            let subject = Subject::of(&exchange, request);
            let schemes = &subject.route.auth.schemes;
            let trust = |scheme: &Scheme| scheme.trust(&subject.route.formats);
            let covered = schemes.iter().all(|scheme| trust(scheme) == Trust::SignedBody);
            if schemes.is_empty() || !covered || exchange.expected.events.is_empty() {
                continue;
            }
            let said = |body: &Bytes| {
                let call = subject.call(body);
                let events = subject.verify(&call).map(|_| subject.decode(&call).events);
                // Of what was said the signature covers the values, not always the names: with its
                // name changed, what need not be there is missing.
                let events = events.unwrap_or_default().into_iter();
                events.map(|it| (it.message_id, it.caller, it.body)).collect::<Vec<_>>()
            };
            let genuine = said(&request.body);
            assert!(!genuine.is_empty(), "{}", exchange.name);
            for at in 0..request.body.len() {
                for bit in 0..8 {
                    let mut damaged = request.body.to_vec();
                    damaged[at] ^= 1 << bit;
                    let said = said(&damaged.into());
                    // Nothing: not believed, or a name that the scheme does not cover is gone.
                    assert!(said.is_empty() || said == genuine, "{}: byte {at}", exchange.name);
                }
            }
        }
    }
}

#[test]
fn busy_and_refused_are_never_taken_for_success() {
    for exchange in exchange::all() {
        for request in &exchange.requests {
            let (name, subject) = (&exchange.name, Subject::of(&exchange, request));
            let call = subject.call(&request.body);
            let busy = carrier::answer(&call, &Answer::Busy(std::time::Duration::from_secs(1)));
            assert_eq!(busy.status.as_u16(), 503, "{name}");
            for denied in Denied::ALL {
                let refused = carrier::answer(&call, &Answer::Refused(denied));
                let status = refused.status;
                assert!(status.is_client_error() || status.is_server_error(), "{name}: {denied}");
            }
        }
    }
}

#[test]
fn every_carrier_has_recorded_exchanges() {
    let recorded: BTreeSet<String> =
        exchange::all().into_iter().map(|exchange| exchange.carrier).collect();
    let carriers: BTreeSet<String> = config::built_in().map(|(key, _)| key.to_owned()).collect();
    assert_eq!(recorded, carriers);
}

#[test]
fn the_documentation_lists_the_carriers_as_they_are() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/carriers.md"))
        .expect("the page");
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let of_carriers: Vec<&str> =
        listed.into_iter().filter(|line| line.matches(" | ").count() == 4).collect();
    let expected: Vec<String> = config::built_in()
        .filter_map(|(key, _)| config::load_built_in(key))
        .map(|dialect| row(&dialect))
        .collect();
    assert_eq!(of_carriers, expected, "put these rows into docs/carriers.md");
}

#[test]
fn the_documentation_lists_who_can_send() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/carriers.md"))
        .expect("the page");
    let (_, list) = page.split_once("### Who can send").expect("the section");
    let (list, _) = list.split_once("\n### ").expect("its end");
    let listed: Vec<&str> = list
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next())
        .filter(|key| *key != "carrier")
        .collect();
    let sending = config::built_in()
        .map(|(key, _)| key)
        .filter(|key| config::load_built_in(key).is_some_and(|dialect| dialect.send.is_some()));
    assert_eq!(listed, sending.collect::<Vec<_>>());
}

fn row(dialect: &Dialect) -> String {
    let routes: Vec<&str> = dialect.routes.iter().map(|route| route.name.as_str()).collect();
    let routes = match routes.join(", ") {
        routes if routes.is_empty() => "–".to_owned(),
        routes => routes,
    };
    let Dialect { carrier, title, patience, .. } = dialect;
    format!("| `{carrier}` | {title} | {routes} | {} | {patience} |", dialect.trust().name())
}
