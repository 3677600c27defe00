//! Every recorded exchange through its carrier: request bytes in, events and exact answer out.
//! A new carrier adds files under `tests/fixtures/carriers`, never code here.

#[path = "support/exchange.rs"]
mod exchange;

use bridge8890::carrier::{self, Answer, Call, Carrier, Decoded, Denied, Garbled, Proof};
use bridge8890::config::{Account, Origin};
use bridge8890::model::{AccountName, Event, EventBody, Secret};
use bytes::Bytes;
use exchange::{CLOCK, Exchange, SECRET};
use jiff::tz::Offset;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A carrier with the account that the recorded requests were made for.
struct Subject {
    carrier: &'static dyn Carrier,
    account: Account,
}

impl Subject {
    #[expect(
        clippy::expect_used,
        clippy::panic,
        reason = "a folder of no carrier must stop the test"
    )]
    fn of(exchange: &Exchange) -> Subject {
        let key = exchange.carrier.as_str();
        let carrier = carrier::find(key).unwrap_or_else(|| panic!("no carrier `{key}`"));
        let account = Account {
            name: AccountName::new(key).expect("a name"),
            carrier: key.to_owned(),
            secrets: match carrier.spec().proof {
                Proof::Nothing => Vec::new(),
                Proof::Signature { .. } => vec![Secret::new(SECRET.into())],
            },
            offset: Offset::constant(8),
            country: "86".to_owned(),
            default_campaign: None,
            origin: Origin { file: "gateway.toml".to_owned(), line: 1 },
        };
        Subject { carrier, account }
    }

    fn verify(&self, call: &Call<'_>) -> Result<(), Denied> {
        self.carrier.verify(call, &self.account, CLOCK)
    }

    fn decode(&self, call: &Call<'_>) -> Decoded {
        self.carrier.decode(call, &self.account, CLOCK).unwrap_or_else(|garbled: Garbled| Decoded {
            garbled: vec![garbled],
            ..Decoded::default()
        })
    }

    /// The dedupe keys of the events in this body.
    fn keys(&self, exchange: &Exchange, body: &Bytes) -> Vec<String> {
        let events = self.decode(&call(exchange, body)).events;
        events.into_iter().map(|event| event.dedupe).collect()
    }
}

fn call<'a>(exchange: &'a Exchange, body: &'a Bytes) -> Call<'a> {
    Call {
        method: &exchange.request.method,
        route: exchange.request.route(),
        target: &exchange.request.target,
        query: exchange.request.query(),
        headers: &exchange.request.headers,
        body,
    }
}

#[test]
fn every_exchange_is_read_and_answered_as_recorded() {
    for exchange in exchange::all() {
        let (name, expected) = (&exchange.name, &exchange.expected);
        let subject = Subject::of(&exchange);
        let call = call(&exchange, &exchange.request.body);
        let spec = subject.carrier.spec();
        assert!(spec.methods.contains(call.method), "{name}: {}", call.method);
        assert!(call.route.is_empty() || spec.routes.contains(&call.route), "{name}: route");
        assert!(call.body.len() <= spec.max_body, "{name}: larger than the carrier may send");

        let verified = subject.verify(&call);
        assert_eq!(verified.err().map(Denied::name), expected.denied.as_deref(), "{name}");
        let answers = match verified {
            Ok(()) => {
                assert_decoded(&exchange, &subject.decode(&call));
                vec![Answer::Accepted, Answer::Duplicate]
            }
            Err(denied) => vec![Answer::Refused(denied)],
        };
        for answer in answers {
            let reply = subject.carrier.reply(&call, &answer);
            expected.ack.assert_matches(
                name,
                reply.status.as_u16(),
                reply.content_type,
                &reply.body,
            );
        }
    }
}

fn assert_decoded(exchange: &Exchange, decoded: &Decoded) {
    let (name, expected) = (&exchange.name, &exchange.expected);
    let garbled: Vec<&str> = decoded.garbled.iter().map(|garbled| garbled.place.as_str()).collect();
    assert_eq!(garbled, expected.garbled, "{name}: what cannot be read");
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

/// An event in the words of the expectations.
fn observed(event: &Event) -> Map<String, Value> {
    let at_beijing =
        |time: jiff::Timestamp| time.display_with_offset(Offset::constant(8)).to_string();
    let common = json!({
        "message_id": event.message_id,
        "from_e164": event.caller.as_ref().map(|caller| caller.reveal()),
        "to": event.service,
        "out_id": event.pass_through,
        "received_at": event.occurred_at.map(at_beijing),
    });
    let own = match &event.body {
        EventBody::SmsReply { text } => json!({ "text": text }),
        EventBody::Keypad { digits } => json!({ "digits": digits }),
        EventBody::CallStatus { status, raw } => json!({ "status": status, "raw_status": raw }),
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
    for exchange in exchange::all() {
        let (name, body) = (&exchange.name, &exchange.request.body);
        let subject = Subject::of(&exchange);
        let keys = subject.keys(&exchange, body);
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{name}: distinct keys");
        for field in &exchange.expected.dedupe_fields {
            let unchanged = rewrite(body, &|_, _| {});
            assert_eq!(subject.keys(&exchange, &unchanged), keys, "{name}: a repeat, reordered");
            let changed = rewrite(body, &|key, value| {
                if key == field && !value.is_null() {
                    *value = another(value);
                }
            });
            let changed = subject.keys(&exchange, &changed);
            assert_eq!(changed.len(), keys.len(), "{name}: still readable with another {field}");
            for (key, changed) in keys.iter().zip(changed) {
                assert_ne!(*key, changed, "{name}: {field} is part of the key");
            }
        }
    }
}

/// Another value of the same form: its last digit is the next one.
fn another(value: &Value) -> Value {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let next = match text.char_indices().next_back() {
        Some((at, last @ '0'..='8')) => format!("{}{}", &text[..at], char::from(last as u8 + 1)),
        Some((at, '9')) => format!("{}0", &text[..at]),
        _ => format!("{text}1"),
    };
    Value::String(next)
}

/// The same body written anew, after `edit` has seen every named value: a JSON document, or a form
/// whose values may be JSON documents.
fn rewrite(body: &[u8], edit: &dyn Fn(&str, &mut Value)) -> Bytes {
    if let Ok(mut document) = serde_json::from_slice::<Value>(body) {
        walk(&mut document, edit);
        return document.to_string().into();
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(body) {
        let mut value = serde_json::from_str(&value).unwrap_or(Value::String(value.into_owned()));
        edit(&name, &mut value);
        walk(&mut value, edit);
        form.append_pair(&name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    form.finish().into()
}

fn walk(document: &mut Value, edit: &dyn Fn(&str, &mut Value)) {
    match document {
        Value::Object(fields) => {
            for (key, value) in fields {
                edit(key, value);
                walk(value, edit);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, edit)),
        _ => {}
    }
}

#[test]
fn a_request_cut_or_damaged_anywhere_makes_nobody_panic() {
    for exchange in exchange::all() {
        let subject = Subject::of(&exchange);
        let whole = &exchange.request.body;
        for at in 0..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 0x80;
            for body in [whole.slice(..at), damaged.into()] {
                let call = call(&exchange, &body);
                let (_verified, _decoded) = (subject.verify(&call), subject.decode(&call));
            }
        }
    }
}

#[test]
fn busy_and_refused_are_never_taken_for_success() {
    for exchange in exchange::all() {
        let (name, subject) = (&exchange.name, Subject::of(&exchange));
        let call = call(&exchange, &exchange.request.body);
        let accepted = subject.carrier.reply(&call, &Answer::Accepted);
        let busy = subject.carrier.reply(&call, &Answer::Busy(std::time::Duration::from_secs(1)));
        assert_eq!(busy.status.as_u16(), 503, "{name}");
        assert_ne!(busy.body, accepted.body, "{name}");
        for denied in Denied::ALL {
            let refused = subject.carrier.reply(&call, &Answer::Refused(denied));
            assert!(refused.status.is_client_error(), "{name}: {denied}");
            assert_ne!(refused.body, accepted.body, "{name}: {denied}");
        }
    }
}

#[test]
fn every_carrier_has_recorded_exchanges() {
    let recorded: BTreeSet<String> =
        exchange::all().into_iter().map(|exchange| exchange.carrier).collect();
    let carriers: BTreeSet<String> =
        carrier::CARRIERS.iter().map(|carrier| carrier.spec().key.to_owned()).collect();
    assert_eq!(recorded, carriers);
}

#[test]
fn the_documentation_lists_the_carriers_as_they_are() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/carriers.md"))
        .expect("the page");
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> = carrier::CARRIERS.iter().map(|carrier| row(*carrier)).collect();
    assert_eq!(listed, expected, "put these rows into docs/carriers.md");
}

fn row(carrier: &dyn Carrier) -> String {
    let spec = carrier.spec();
    let routes = match spec.routes {
        [] => "–".to_owned(),
        routes => routes.join(", "),
    };
    let trust = spec.proof.name();
    format!("| `{}` | {} | {routes} | {trust} | {} |", spec.key, spec.title, spec.patience)
}
