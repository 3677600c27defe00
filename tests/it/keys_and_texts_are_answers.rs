//! Answers by key and by text over sockets: calls of any few keys, and two open invitations that are
//! answered crosswise and repeatedly.

use crate::citizens_are_answered::{carrier, said};
use crate::support::{Answer, Gateway, Platform, TENCENT_VMS};
use bridge8890::standin::sms::SmsCarrier;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A sample; `dialogue/tests/calls.rs` walks all calls.
const CALLS: u32 = 120;

/// What a call is made of: keys, silence and the end of the call.
const STEPS: [&str; 14] =
    ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#", "", "hang-up"];

async fn start() -> (Platform, SmsCarrier, Gateway) {
    let platform = Platform::start().await;
    let (carrier, own) = carrier().await;
    let gateway = Gateway::with(&platform, &own).await;
    (platform, carrier, gateway)
}

/// Something that happens in a call, as its carrier tells it.
async fn calls(gateway: &Gateway, call: &str, mobile: &str, step: &str) -> Answer {
    let mut about = json!({
        "call_from": "10690088", "callid": call, "mobile": mobile, "nationcode": "86",
    });
    let (kind, key, value) = match step {
        "hang-up" => ("voiceprompt_callback", "result", "0"),
        keys => ("voicekey_callback", "keypress", keys),
    };
    about[key] = value.into();
    gateway.post(TENCENT_VMS, json!({ kind: about }).to_string()).await
}

/// What should become of a call: the levels of its ratings that count, and how many do not.
///
/// The carrier names a key press by its call and key, so the same key again is a repeat.
fn expected(steps: &[&str]) -> (Vec<i64>, usize) {
    let mut seen = BTreeSet::new();
    let digits = steps.iter().filter(|step| seen.insert(**step)).filter_map(|step| match *step {
        "1" => Some(5),
        "2" => Some(4),
        "3" => Some(3),
        "4" => Some(2),
        "5" => Some(1),
        _ => None,
    });
    let mut levels: Vec<i64> = digits.collect();
    let surplus = levels.len().saturating_sub(2);
    levels.truncate(2);
    (levels, surplus)
}

async fn records(gateway: &Gateway, kind: &str) -> Vec<Value> {
    let mut found = gateway.site.run("records find --limit 1000 --json").await.lines();
    found.retain(|record| record["kind"] == kind);
    found.reverse();
    found
}

#[tokio::test]
async fn a_call_of_any_few_keys_is_rated_as_its_first_keys_say() {
    let (_platform, _carrier, gateway) = start().await;
    let mut draw = 8890_u64;
    let mut planned: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for number in 0..CALLS {
        // Numerical Recipes' generator; its high bits are good enough to draw keys.
        let mut next = |below: usize| {
            draw = draw
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(draw >> 33).expect("31 bits") % below
        };
        let steps: Vec<&str> = (0..=next(4)).map(|_| STEPS[next(STEPS.len())]).collect();
        let call = format!("call-{number}");
        for step in &steps {
            let answer = calls(&gateway, &call, &format!("139400{number:05}"), step).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        planned.insert(call, steps);
    }
    gateway.settled().await;
    let mut found: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    for record in records(&gateway, "rating").await {
        let call = record["message_id"].as_str().expect("a call").to_owned();
        let number = |key: &str| record[key].as_i64().expect("a number");
        found.entry(call).or_default().push((number("revision"), number("level")));
    }
    let mut surplus = 0;
    for (call, steps) in &planned {
        let (levels, more) = expected(steps);
        let revisions = (1..).zip(levels).collect::<Vec<_>>();
        assert_eq!(found.remove(call).unwrap_or_default(), revisions, "{call}: {steps:?}");
        surplus += more;
    }
    assert!(found.is_empty(), "{found:?}");
    let counted = gateway.metric("bridge8890_events_total{outcome=\"surplus\"}").await;
    assert_eq!(counted.to_string(), surplus.to_string());
    gateway.finish().await;
}

#[tokio::test]
async fn two_invitations_answered_crosswise_and_repeatedly_each_get_their_own() {
    const MOBILE: &str = "13940000001";
    let (platform, carrier, mut gateway) = start().await;
    let invitation = |number: u32| {
        json!({
            "id": format!("i-{number}"), "campaign": "talk", "channel": "sms", "mobile": MOBILE,
            "projectNo": format!("P-{number}"), "callId": format!("c-{number}"),
            "taskName": "身份证换领", "senderNumber": "10690088",
        })
    };
    for number in [1, 2] {
        assert_eq!(gateway.ask(&json!([invitation(number)])).await.status, 200);
        gateway.settled().await;
    }
    // The text answers the newest question, the key the one that its call is about. Whatever is
    // said is said three times, once after a crash.
    for round in 0..3 {
        assert_eq!(said(&gateway, "m-1", "1").await.status, 200);
        gateway.settled().await;
        assert_eq!(calls(&gateway, "c-1", MOBILE, "4").await.status, 200);
        gateway.settled().await;
        if round == 0 {
            gateway.kill9().await;
            gateway.restart().await;
        }
    }
    // What was wrong, since the key was a bad one; then a second thought about each.
    for (id, text) in [("m-2", "3天没人来"), ("m-3", "2")] {
        assert_eq!(said(&gateway, id, text).await.status, 200);
        gateway.settled().await;
    }
    for (call, key) in [("c-2", "5"), ("c-1", "1"), ("c-1", "2")] {
        assert_eq!(calls(&gateway, call, MOBILE, key).await.status, 200);
        gateway.settled().await;
    }
    let mut taken: Vec<_> = platform
        .taken()
        .into_iter()
        .map(|it| (it.invitation.expect("an invitation"), it.kind, it.key.revision.0))
        .collect();
    taken.sort();
    let of = |id: &str, kind: &str, revision| (id.to_owned(), kind.to_owned(), revision);
    let expected = [
        of("i-1", "complaint", 1),
        of("i-1", "rating", 1),
        of("i-1", "rating", 2),
        of("i-1", "rating", 3),
        of("i-2", "rating", 1),
        of("i-2", "rating", 2),
    ];
    assert_eq!(taken, expected);
    let levels: Vec<_> =
        records(&gateway, "rating").await.iter().map(|it| it["level"].as_i64()).collect();
    assert_eq!(levels, [5, 2, 2, 4, 5].map(Some));
    // One more about each is kept, and not forwarded.
    let surplus = gateway.metric("bridge8890_events_total{outcome=\"surplus\"}").await;
    assert_eq!(surplus.to_string(), "2");
    let told: Vec<String> = carrier.taken().into_iter().map(|taken| taken.content).collect();
    let ask = "请评价身份证换领";
    assert_eq!(told, [ask, ask, "感谢您的评价", "请问哪里不满意？", "感谢您的评价"]);
    gateway.finish().await;
}
