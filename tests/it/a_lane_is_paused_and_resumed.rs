//! An operator holds a destination back and lets it go again; nothing is lost, and the others
//! notice nothing.

use crate::support::{Caller, Gateway, Platform, Site, Stream, until};
use bridge8890::standin::faults::{Faults, Mishap};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::Connection;
use std::collections::BTreeMap;

const PAUSED: &str = "bridge8890_egress_lane_paused{lane=\"platform\"}";
const IN_FLIGHT: &str = "bridge8890_egress_requests_in_flight{lane=\"platform\"}";

/// Configuration of a second destination.
fn city(platform: &Platform) -> String {
    format!(
        "[destinations.city]\nurl = '{}'\nallow_http = true\nsecret = \"file:platform.key\"",
        platform.url()
    )
}

/// What `lane status` says of a lane.
async fn status(site: &Site, lane: &str) -> Value {
    let status = site.run("lane status --json").await.json();
    let lanes = status["lanes"].as_array().expect("lanes").iter();
    lanes.into_iter().find(|it| it["name"] == lane).expect("the lane").clone()
}

#[tokio::test]
async fn a_pause_holds_one_lane_through_a_kill_until_somebody_resumes() {
    let (platform, other) = (Platform::start().await, Platform::start().await);
    let mut gateway = Gateway::with(&platform, &city(&other)).await;
    let stream = Stream::start(gateway.carriers(), 1..3);
    until("records flow", async || !platform.taken().is_empty()).await;
    let paused = gateway.site.run("lane pause platform --reason maintenance --by wang").await;
    assert_eq!(paused.code, Some(0), "{paused:?}");
    until("the gateway has seen it", async || gateway.metric(PAUSED).await > 0.0).await;
    let before = other.taken().len();
    until("the other lane goes on", async || other.taken().len() > before + 20).await;
    until("nothing is under way", async || gateway.metric(IN_FLIGHT).await < 1.0).await;
    gateway.kill9().await;
    let acknowledged = stream.ended().await.acknowledged;

    // From its first moment the next process knows of the pause.
    let taken = platform.taken().len();
    gateway.restart().await;
    let ids = gateway.take(&Caller::new(9).take(30)).await;
    let has_all = |effects: &BTreeMap<String, usize>| ids.iter().all(|id| effects.contains_key(id));
    until("the other lane has it all", async || has_all(&other.effects())).await;
    assert_eq!(platform.taken().len(), taken);
    let seen = status(&gateway.site, "platform").await;
    assert_eq!((&seen["state"], &seen["breaker"]), (&"paused".into(), &Value::Null));
    assert_eq!(
        (&seen["pause"]["reason"], &seen["pause"]["by"]),
        (&"maintenance".into(), &"wang".into())
    );
    let time = |key: &str| seen["pause"][key].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let lasts = time("until").zip(time("since")).map(|(until, since)| until.duration_since(since));
    assert_eq!(lasts.map(|lasts| lasts.as_hours()), Some(24), "if nothing is said");
    assert_eq!(status(&gateway.site, "city").await["state"], "sending");
    let text = gateway.site.run("lane status").await.stdout;
    assert!(text.contains("  paused by wang since ") && text.contains(": maintenance\n"), "{text}");

    let resumed = gateway.site.run("lane resume platform --by li").await;
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    gateway.drained().await;
    let effects = platform.effects();
    assert!(has_all(&effects) && effects.values().all(|times| *times == 1));
    assert!(acknowledged.iter().all(|call| effects.contains_key(&call.message_id.0)));
    assert_eq!(effects, other.effects());

    let history = gateway.site.run("lane history platform --json").await.lines();
    let told: Vec<_> = history.iter().map(|line| (&line["order"], &line["by"])).collect();
    let expected = [("resume", "li"), ("pause", "wang")].map(|(what, by)| (what.into(), by.into()));
    assert_eq!(told, expected.each_ref().map(|(what, by)| (what, by)));
    gateway.finish().await;
}

#[tokio::test]
async fn a_pause_ends_though_nobody_ends_it() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let site = &gateway.site;
    let pause = "lane pause platform --reason maintenance --for 1h --by wang";
    assert_eq!(site.run(pause).await.code, Some(0));
    until("the gateway has seen it", async || gateway.metric(PAUSED).await > 0.0).await;
    gateway.take(&Caller::new(1).take(5)).await;
    assert_eq!(site.lane().await.pending, 5);

    // The hour is over.
    let mut database = site.open_database().await;
    let over = sqlx::query("UPDATE lane_order SET until = at").execute(&mut database).await;
    over.expect("it writes");
    database.close().await.expect("closed");
    gateway.drained().await;
    assert!(gateway.metric(PAUSED).await < 1.0);
    assert_eq!(status(site, "platform").await["state"], "sending");
    let resumed = site.run("lane resume platform --by li").await;
    assert_eq!((resumed.code, resumed.stdout.as_str()), (Some(1), "platform was not paused\n"));
    assert_eq!(site.run("lane pause nowhere --reason none --by li").await.code, Some(1));
    assert_eq!(site.run("lane pause platform --by li").await.code, Some(2), "a reason is wanted");
    gateway.finish().await;
}

#[tokio::test]
async fn what_the_breaker_holds_is_explained_and_may_be_tried_at_once() {
    let unauthorized = Mishap::Refuse { status: StatusCode::UNAUTHORIZED, retry_after: None };
    let platform = Platform::with(Faults { mishap: Some(unauthorized), ..Faults::default() }).await;
    let gateway = Gateway::with(&platform, "destination.breaker.open_for = '5m'").await;
    let site = &gateway.site;
    let idle = site.run("lane probe platform --by li").await;
    assert_eq!(idle.code, Some(1), "it does not hold: {idle:?}");
    let ids = gateway.take(&Caller::new(1).take(5)).await;
    until("the breaker is seen", async || status(site, "platform").await["state"] == "holding")
        .await;
    let breaker = &status(site, "platform").await["breaker"];
    assert!(breaker["cause"].as_str().is_some_and(|cause| cause.starts_with("401")), "{breaker}");
    assert!(breaker["since"].is_string() && breaker["next_probe"].is_string(), "{breaker}");
    let text = site.run("lane status").await.stdout;
    assert!(text.contains("  holding by breaker since "), "{text}");

    platform.set_faults(Faults::default());
    let probed = site.run("lane probe platform --by li").await;
    assert_eq!(probed.code, Some(0), "{probed:?}");
    gateway.drained().await;
    assert!(platform.effects().keys().eq(&ids));
    until("it is seen to send", async || status(site, "platform").await["state"] == "sending")
        .await;
    assert_eq!(status(site, "platform").await["breaker"], Value::Null);
    gateway.finish().await;
}
