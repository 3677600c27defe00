//! Ratings that look upside down are told to operators, also after a restart; and none is altered.

use crate::support::{Gateway, Platform, until};
use serde_json::json;

const LOOKS: &str = "bridge8890_campaign_upside_down{campaign=\"asked\",account=\"\"}";

/// So many citizens send this digit.
async fn send(gateway: &Gateway, digit: u8, citizens: std::ops::Range<u32>) {
    let replies: Vec<_> = citizens
        .map(|citizen| {
            json!({
                "phone_number": format!("139{citizen:08}"), "send_time": "2026-11-24 10:20:30",
                "content": digit.to_string(), "dest_code": "8890", "sequence_id": citizen,
            })
        })
        .collect();
    let answer = gateway.post("/callback/aliyun-sms/up", json!(replies).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_mixed_up_campaign_is_told_by_metric_log_and_doctor_and_keeps_its_ratings() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::start(&platform).await;
    send(&gateway, 5, 0..90).await;
    assert_eq!(gateway.metric(LOOKS).await, 0.0, "small numbers say nothing");
    assert!(gateway.look("/metrics").await.text().contains(LOOKS));
    send(&gateway, 5, 90..130).await;
    until("it is noticed", async || gateway.metric(LOOKS).await == 1.0).await;
    let warnings = || gateway.log().matches("look upside down").count();
    assert_eq!(warnings(), 2, "of the campaign, and of its one account");
    let doctor = gateway.site.run("doctor --json").await.json();
    let findings = doctor["findings"].as_array().expect("findings");
    assert!(
        findings.iter().any(|it| it["what"] == "ratings" && it["status"] == "warn"),
        "{doctor}"
    );

    gateway.stop().await;
    gateway.restart().await;
    assert_eq!(gateway.metric(LOOKS).await, 1.0, "a restart forgets nothing");
    let found = gateway.site.run("records find --level 1 --limit 1000 --json").await.lines();
    assert_eq!(found.iter().filter(|it| it["kind"] == "rating").count(), 130, "none is altered");
    send(&gateway, 1, 200..400).await;
    until("its end is noticed", async || gateway.metric(LOOKS).await == 0.0).await;
    gateway.finish().await;
}
