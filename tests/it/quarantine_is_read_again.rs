//! A profile that reads nothing is corrected, and what it could not read is read again: with its
//! original time, once, and forwarded; beside a gateway that serves and without one.

use crate::support::{Gateway, Platform, Site};

/// A city's own interface, with the name that the text has in it.
fn city(text: &str) -> String {
    format!(
        "
        [accounts.city]
        carrier = 'generic'
        default_campaign = 'asked'
        allow_http = true
        [accounts.city.dialect]
        formats = ['json']
        [[accounts.city.dialect.events]]
        items = 'list'
        kind = 'sms_reply'
        id = 'no'
        caller = 'phone'
        service = 'port'
        text = '{text}'
        [accounts.city.dialect.answers.accepted]
        content_type = 'application/json'
        body = '{{\"ok\":true}}'"
    )
}

const BODY: &str = r#"{"list":[{"no":"a-1","phone":"13940000001","port":"8890","message":"1"},
                                {"no":"a-2","phone":"13940000002","port":"8890","message":"5"}]}"#;

/// A gateway whose profile looks for the text in the wrong place, with two callbacks in
/// quarantine.
async fn with_quarantine(platform: &Platform) -> Gateway {
    let gateway = Gateway::with(platform, &city("content")).await;
    for body in [BODY.to_owned(), BODY.replace("a-", "b-")] {
        let answer = gateway.post("/callback/city", body).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"ok":true}"#));
    }
    assert_eq!(gateway.site.run("records find").await.code, Some(1), "there is no record");
    let listed = gateway.site.run("records find --quarantined --json").await.lines();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["problems"][0], "body.list[0].content: missing");
    gateway
}

fn arrivals(lines: &[serde_json::Value]) -> Vec<String> {
    let mut times: Vec<String> =
        lines.iter().map(|line| line["received_at"].as_str().expect("a time").to_owned()).collect();
    times.sort();
    times.dedup();
    times
}

#[tokio::test]
async fn beside_a_gateway_that_serves() {
    let platform = Platform::start().await;
    let mut gateway = with_quarantine(&platform).await;
    let arrived = arrivals(&gateway.site.run("records find --quarantined --json").await.lines());
    gateway.stop().await;
    gateway.site.configure(&platform, &city("message"));
    gateway.restart().await;

    let preview = gateway.site.run("records replay --quarantine --dry-run --json").await;
    assert_eq!((preview.code, preview.lines().len()), (Some(0), 2), "{preview:?}");
    assert_eq!(preview.lines()[0]["events"], 2);
    let replayed = gateway.site.run("records replay --quarantine --account city --json").await;
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    assert_eq!(replayed.json()["read"], 2);
    gateway.drained().await;
    // Four ratings, of which two are bad and open a complaint each.
    assert_eq!(platform.taken().len(), 6);
    let found = gateway.site.run("records find --json").await.lines();
    assert_eq!(arrivals(&found), arrived, "they count from when they came");
    assert_eq!(gateway.site.run("records find --quarantined").await.code, Some(1));

    // Neither another reading nor the carrier's repeat counts again.
    assert_eq!(gateway.site.run("records replay --quarantine").await.code, Some(1));
    assert_eq!(gateway.post("/callback/city", BODY).await.status, 200);
    gateway.drained().await;
    assert_eq!(platform.taken().len(), 6);
    gateway.finish().await;
}

#[tokio::test]
async fn without_a_gateway_and_one_by_one() {
    let platform = Platform::start().await;
    let mut gateway = with_quarantine(&platform).await;
    let listed = gateway.site.run("records find --quarantined --json").await.lines();
    let seq = listed[0]["callback"].as_i64().expect("a number");
    gateway.stop().await;
    gateway.site.configure(&platform, &city("message"));

    let only = format!("records replay --quarantine --callback {seq} --json");
    let replayed = gateway.site.run(&only).await;
    assert_eq!((replayed.code, &replayed.json()["read"]), (Some(0), &1.into()), "{replayed:?}");
    assert_eq!(gateway.site.run("records find --quarantined --json").await.lines().len(), 1);
    gateway.restart().await;
    gateway.drained().await;
    assert_eq!(platform.taken().len(), 3);
    gateway.finish().await;
}

#[tokio::test]
async fn what_is_still_wrong_stays_and_is_told_and_can_be_looked_at() {
    let platform = Platform::start().await;
    let gateway = with_quarantine(&platform).await;
    let site: &Site = &gateway.site;
    let replayed = site.run("records replay --quarantine --json").await;
    assert_eq!(replayed.code, Some(1));
    let report = replayed.json();
    assert_eq!((&report["read"], &report["still_quarantined"]), (&0.into(), &2.into()));
    let listed = site.run("records find --quarantined --json").await.lines();
    let seq = listed[0]["callback"].as_i64().expect("a number");

    let hidden = site.run(&format!("carrier decode --callback {seq}")).await;
    assert_eq!((hidden.code, hidden.stdout.as_str()), (Some(2), ""), "only with --reveal");
    let shown = site.run(&format!("carrier decode --callback {seq} --reveal --json")).await;
    assert_eq!(shown.code, Some(1));
    assert_eq!(shown.json()["garbled"][0]["place"], "body.list[0].content");
    let raw = site.run(&format!("carrier decode --callback {seq} --reveal --raw")).await;
    assert!(raw.stdout.starts_with("POST /callback/city HTTP/1.1\r\n"), "{}", raw.stdout);
    assert!(raw.stdout.ends_with("}]}"), "{}", raw.stdout);
    gateway.finish().await;
}
