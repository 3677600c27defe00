//! What every carrier must keep whatever it is sent. The recorded exchanges are in `tests/carriers.rs`.

use super::*;
use crate::config::Origin;
use crate::model::{AccountName, EventBody, Secret};
use jiff::tz::Offset;
use proptest::prelude::*;

/// An account of this carrier, in Beijing.
pub(super) fn account(carrier: &str, secrets: &[&str]) -> Account {
    Account {
        name: AccountName::new("an-account").expect("a name"),
        carrier: carrier.to_owned(),
        secrets: secrets.iter().map(|secret| Secret::new((*secret).into())).collect(),
        offset: Offset::constant(8),
        country: "86".to_owned(),
        default_campaign: None,
        origin: Origin { file: "gateway.toml".to_owned(), line: 1 },
    }
}

const NOW: Timestamp = Timestamp::constant(1_772_677_230, 0);

/// Verifies and decodes a POST of this body.
fn post(carrier: &dyn Carrier, route: &str, body: &[u8]) -> (bool, Result<Decoded, Garbled>) {
    let (headers, body) = (HeaderMap::new(), Bytes::copy_from_slice(body));
    let call = Call {
        method: &Method::POST,
        route,
        target: "/callback/an-account",
        query: "",
        headers: &headers,
        body: &body,
    };
    let account = account(carrier.spec().key, &["test-secret"]);
    (carrier.verify(&call, &account, NOW).is_ok(), carrier.decode(&call, &account, NOW))
}

fn routes(carrier: &dyn Carrier) -> impl Iterator<Item = &'static str> {
    carrier.spec().routes.iter().copied().chain([""])
}

#[test]
fn the_list_is_in_order_and_every_key_can_be_configured() {
    let keys: Vec<&str> = CARRIERS.iter().map(|carrier| carrier.spec().key).collect();
    assert!(keys.is_sorted_by(|one, next| one < next), "{keys:?}");
    for key in keys {
        assert!(AccountName::new(key).is_ok(), "{key}");
        assert_eq!(find(key).map(|carrier| carrier.spec().key), Some(key));
    }
}

#[test]
fn a_batch_of_any_size_is_read_whole() {
    let carrier = find("aliyun-sms").expect("a carrier");
    for size in [0, 1, 1000] {
        let items: Vec<String> = (0..size)
            .map(|n| {
                // Above 2^63, and above 2^64.
                format!(r#"{{"phone_number":"13940000001","content":"1","sequence_id":9223372045854775808000{n}}}"#)
            })
            .collect();
        let (_, decoded) = post(carrier, "up", format!("[{}]", items.join(",")).as_bytes());
        let decoded = decoded.expect("an array");
        assert!(decoded.garbled.is_empty());
        let ids: Vec<String> = decoded
            .events
            .iter()
            .flat_map(|event| &event.message_id)
            .map(ToString::to_string)
            .collect();
        let sent: Vec<String> = (0..size).map(|n| format!("9223372045854775808000{n}")).collect();
        assert_eq!(ids, sent);
    }
}

#[test]
fn an_unsigned_reply_gets_in_by_no_door() {
    let carrier = find("yunpian").expect("a carrier");
    let unsigned = br#"sms_reply={"id":"1","mobile":"13940000001","text":"1"}"#;
    for route in routes(carrier) {
        let (verified, decoded) = post(carrier, route, unsigned);
        let events = decoded.unwrap_or_default().events;
        assert!(!verified || events.is_empty(), "{route}");
    }
}

#[test]
fn no_byte_of_what_was_said_can_be_changed_under_a_signature() {
    let carrier = find("yunpian").expect("a carrier");
    let recorded = include_bytes!("../../tests/fixtures/carriers/yunpian/sms_reply.http");
    let head = recorded.windows(4).position(|end| end == b"\r\n\r\n").expect("headers");
    let body = &recorded[head + 4..];
    let said = |body: &[u8]| {
        let (verified, decoded) = post(carrier, "reply", body);
        let events = if verified { decoded.unwrap_or_default().events } else { Vec::new() };
        events.into_iter().map(|event| (event.message_id, event.caller, event.body)).next()
    };
    let genuine = said(body);
    assert!(genuine.is_some());
    for at in 0..body.len() {
        for bit in 0..8 {
            let mut damaged = body.to_vec();
            damaged[at] ^= 1 << bit;
            // `None`: not believed, or a name that the scheme does not cover is gone.
            assert!(said(&damaged).is_none_or(|said| Some(said) == genuine), "byte {at}");
        }
    }
}

/// Bodies that get past the first checks: JSON with the carriers' own names, as it is and in a form.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    const NAMES: [&str; 16] = [
        "sequence_id",
        "phone_number",
        "content",
        "send_time",
        "biz_id",
        "success",
        "err_code",
        "callid",
        "keypress",
        "mobile",
        "result",
        "end_calltime",
        "id",
        "sid",
        "report_status",
        "_sign",
    ];
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<i128>().prop_map(|number| number.to_string()),
        "[0-9]{1,14}".prop_map(|text| format!("\"{text}\"")),
        "\\PC{0,8}".prop_map(|text| serde_json::Value::from(text).to_string()),
        Just("\"\\ud83d\"".to_owned()),
    ];
    let object = |value: BoxedStrategy<String>| {
        prop::collection::vec((prop::sample::select(&NAMES[..]), value), 0..8).prop_map(|fields| {
            let fields: Vec<String> =
                fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        })
    };
    let json = scalar.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            object(inner.clone().boxed()),
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    });
    let wrapped = (
        prop::sample::select(vec!["voicekey_callback", "voiceprompt_callback", "x"]),
        json.clone(),
    )
        .prop_map(|(key, json)| format!("{{\"{key}\":{json}}}"));
    let form = (prop::sample::select(vec!["sms_reply", "sms_status"]), json.clone())
        .prop_map(|(name, json)| format!("{name}={json}"));
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        prop_oneof![json, wrapped, form].prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn no_body_makes_a_carrier_panic(body in bodies()) {
        for carrier in CARRIERS {
            for route in routes(*carrier) {
                let (_verified, _decoded) = post(*carrier, route, &body);
            }
        }
    }

    #[test]
    fn every_item_is_an_event_or_garbled(items in prop::collection::vec(any::<bool>(), 0..20)) {
        let good = r#"{"sid":1,"mobile":"13940000001","report_status":"SUCCESS"}"#;
        let bad = r#"{"sid":1,"mobile":["13940000001"]}"#;
        let json: Vec<&str> = items.iter().map(|is_good| if *is_good { good } else { bad }).collect();
        let body = format!("sms_status=[{}]", json.join(","));
        let (_, decoded) = post(find("yunpian").expect("a carrier"), "status", body.as_bytes());
        let decoded = decoded.expect("an array");
        prop_assert_eq!(decoded.events.len(), items.iter().filter(|is_good| **is_good).count());
        prop_assert_eq!(decoded.events.len() + decoded.garbled.len(), items.len());
        for garbled in decoded.garbled {
            prop_assert!(!garbled.to_string().contains("1394"), "{}", garbled);
        }
    }

    #[test]
    fn events_are_told_apart_by_kind_and_id(id in "[0-9|:]{1,12}", keys in "[0-9*#]{0,3}") {
        let carrier = find("tencent-vms").expect("a carrier");
        let fields = format!(r#""callid":"{id}","keypress":"{keys}","result":"0","mobile":"13940000001""#);
        let body = format!(r#"{{"voicekey_callback":{{{fields}}},"voicecode_callback":{{{fields}}}}}"#);
        let decoded = post(carrier, "", body.as_bytes()).1.expect("two callbacks");
        let [key, status] = &decoded.events[..] else { panic!("{decoded:?}") };
        prop_assert_eq!(&key.body, &EventBody::Keypad { digits: keys });
        prop_assert_ne!(&key.dedupe, &status.dedupe);
    }
}
