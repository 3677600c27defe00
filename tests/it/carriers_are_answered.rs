//! Every recorded exchange through the program: answered as the carrier expects, a repeat alike,
//! and everything in it accounted for.

use crate::exchange::{self, Exchange};
use crate::support::{Gateway, Platform};
use http::Request;
use http_body_util::Full;
use std::fmt::Write;

/// The exchanges were signed in March 2026: every account forgives that here, for five years. Two
/// of Huawei's were recorded with one nonce, which is good for one content only, so the other one
/// goes to an account of its own that Huawei knows by the same URL.
fn accounts() -> String {
    let mut config = exchange::ACCOUNTS.to_owned();
    for line in exchange::ACCOUNTS.lines().filter(|line| line.starts_with("[accounts.")) {
        let name = line.trim_matches(['[', ']']);
        config = config.replace(line, &format!("{line}\ntolerance = \"1800d\""));
        assert!(config.contains(name), "{name}");
    }
    let other = "
        [accounts.huawei-voicecall-other]
        carrier = 'huawei-voicecall'
        user = 'exampleAppKey'
        secrets = ['file:carrier.secret']
        external_url = 'https://gateway.8890.example/callback/huawei-voicecall'
        tolerance = '1800d'
        allow_http = true
        [store]
        dedupe_window = '3650d'
        keep_callbacks = '3650d'";
    write!(config, "{other}").expect("a text");
    config
}

#[tokio::test]
async fn every_recorded_exchange_is_answered_and_accounted_for() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, &accounts()).await;
    let all: Vec<Exchange> =
        exchange::all().into_iter().filter(|it| it.carrier != "asterisk-ari").collect();
    for exchange in &all {
        // The second time as the carrier's repeat.
        for _ in 0..2 {
            let answer = gateway.send(request(&gateway, exchange)).await;
            let content_type = answer.header("content-type");
            exchange.expected.ack.assert_matches(
                &exchange.name,
                answer.status,
                content_type,
                &answer.body,
            );
        }
    }
    gateway.drained().await;

    let believed = || all.iter().filter(|exchange| exchange.expected.denied.is_none());
    let events: usize = believed().map(|exchange| exchange.expected.events.len()).sum();
    let unread: usize = believed().map(|exchange| exchange.expected.garbled.len()).sum();
    let lane = gateway.site.lane().await;
    assert_eq!(lane.callbacks, 2 * believed().count() as u64, "what is refused is not kept");
    assert!(lane.repeats >= events as u64, "every second time is a repeat: {lane:?}");
    assert_eq!(lane.delivered, lane.records);
    let found = gateway.site.run("records find --json --limit 1000").await.lines();
    assert_eq!(found.len(), platform.taken().len());
    assert!(found.iter().all(|record| record["state"] == "delivered"), "{found:?}");

    let garbled = gateway.metric("bridge8890_events_total{outcome=\"garbled\"}").await;
    assert_eq!(garbled, 2.0 * unread as f64);
    let quarantined = gateway.site.run("records find --quarantined --json --limit 1000").await;
    let kept = believed().filter(|exchange| !exchange.expected.garbled.is_empty()).count();
    assert_eq!(quarantined.lines().len(), 2 * kept);

    let effects = platform.effects();
    // A grievance by text; and keys pressed in a call that two exchanges tell of.
    assert_eq!((effects.get("1234567890"), effects.get("8d2c7e60-1")), (Some(&1), Some(&2)));
    // The clock of every carrier that signs the time was seen to be behind.
    let skew = "bridge8890_carrier_clock_skew_seconds{account=\"telnyx\"}";
    assert!(gateway.metric(skew).await < -1e6);
    gateway.finish().await;
}

/// The exchange's request to this gateway.
fn request(gateway: &Gateway, exchange: &Exchange) -> Request<Full<bytes::Bytes>> {
    let recorded = &exchange.requests[0];
    let mut target = recorded.target.clone();
    if exchange.name == "huawei-voicecall/call_status" {
        target = target.replace("huawei-voicecall", "huawei-voicecall-other");
    }
    let mut request = Request::new(Full::new(recorded.body.clone()));
    *request.method_mut() = recorded.method.clone();
    *request.uri_mut() = gateway.url(&target).parse().expect("a URL");
    *request.headers_mut() = recorded.headers.clone();
    request
}
