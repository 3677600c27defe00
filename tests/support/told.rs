//! What comes of a request, in the words of a dialect.

#![expect(clippy::expect_used, reason = "an answer that cannot be shown must stop the test")]

use bridge8890::carrier::{Decoded, Reply};
use bridge8890::model::{Event, EventBody};
use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Map, Value, json};

/// An event in the words of the dialect; what the carrier did not say is left out.
fn told(event: &Event) -> Map<String, Value> {
    let time = |time: Timestamp| time.display_with_offset(Offset::constant(8)).to_string();
    let common = json!({
        "kind": event.body.kind(),
        "id": event.message_id,
        "call": event.call,
        "caller": event.caller.as_ref().map(|caller| caller.reveal()),
        "service": event.service,
        "time": event.occurred_at.map(time),
        "pass_through": event.pass_through,
    });
    let own = match &event.body {
        EventBody::SmsReply { text } => json!({ "text": text }),
        EventBody::Keypad { digits } => json!({ "digits": digits }),
        EventBody::CallStatus { status, raw, digits } => {
            json!({ "state": status, "raw": raw, "digits": digits })
        }
        EventBody::DeliveryReport { status, raw } => json!({ "state": status, "raw": raw }),
        EventBody::Recording { url } => json!({ "url": url }),
        EventBody::OptOut => json!({}),
    };
    let fields = [common, own].into_iter().filter_map(|value| match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    fields.flatten().filter(|(_, value)| !value.is_null()).collect()
}

/// All events, and the places of what cannot be read.
pub(crate) fn events(decoded: &Decoded) -> (Value, Value) {
    let events: Vec<_> = decoded.events.iter().map(told).collect();
    let garbled: Vec<&str> = decoded.garbled.iter().map(|it| it.place.as_str()).collect();
    (json!(events), json!(garbled))
}

/// An answer.
pub(crate) fn answer(reply: &Reply) -> Value {
    let content_type = reply.content_type.as_ref();
    json!({
        "status": reply.status.as_u16(),
        "content_type": content_type.map(|it| it.to_str().expect("ASCII")),
        "body": String::from_utf8_lossy(&reply.body),
    })
}
