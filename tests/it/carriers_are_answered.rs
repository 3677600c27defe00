//! Every recorded exchange through the program: answered as the carrier expects, a repeat alike,
//! and everything in it accounted for.

use crate::exchange::{self, Exchange};
use crate::support::{Gateway, Platform};
use http::Request;
use http_body_util::Full;

#[tokio::test]
async fn every_recorded_exchange_is_answered_and_accounted_for() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let all = exchange::all();
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
    gateway.finish().await;
}

/// The exchange's request to this gateway.
fn request(gateway: &Gateway, exchange: &Exchange) -> Request<Full<bytes::Bytes>> {
    let recorded = &exchange.request;
    let mut request = Request::new(Full::new(recorded.body.clone()));
    *request.method_mut() = recorded.method.clone();
    *request.uri_mut() = gateway.url(&recorded.target).parse().expect("a URL");
    *request.headers_mut() = recorded.headers.clone();
    request.headers_mut().remove(http::header::HOST);
    request
}
