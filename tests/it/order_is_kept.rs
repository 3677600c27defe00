//! What is forwarded first, what waits for what, and how much goes into one request.

use crate::support::{ALIYUN_SMS, Caller, Gateway, Platform, until};
use bridge8890::standin::faults::Faults;
use sqlx::Connection;

const DOWN: Faults = Faults {
    down: true,
    latency: std::time::Duration::ZERO,
    mishap: None,
    mishap_every: None,
    reject_every: None,
    poison_every: None,
    max_batch: None,
    records_per_second: None,
};
const TOO_LARGE: &str = "bridge8890_egress_requests_total{lane=\"platform\",result=\"too_large\"}";

/// A citizen's text, each of another phone.
async fn said(gateway: &Gateway, id: u32, text: &str) {
    let body = format!(
        r#"[{{"phone_number":"1394{id:07}","content":"{text}","dest_code":"8890","sequence_id":"{id}",
            "send_time":"2026-11-24 10:20:30"}}]"#
    );
    assert_eq!(gateway.post(ALIYUN_SMS, body).await.status, 200);
}

/// The records that arrived: kind and message.
fn arrived(platform: &Platform) -> Vec<(String, String)> {
    let taken = platform.taken().into_iter();
    taken.map(|it| (it.kind, it.message_id.unwrap_or_default())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned())).collect()
}

/// Changes what waits, behind the gateway's back.
async fn change(gateway: &Gateway, sql: &'static str) {
    let mut database = gateway.site.open_database().await;
    sqlx::raw_sql(sql).execute(&mut database).await.expect("it runs");
    database.close().await.expect("closed");
}

#[tokio::test]
async fn a_complaint_and_its_rating_overtake_a_backlog_and_the_nearest_deadline_comes_first() {
    let platform = Platform::with(DOWN).await;
    let own = "destination = { max_batch = 1, concurrency = 1, urgent_before = '1d' }";
    let gateway = Gateway::with(&platform, own).await;
    for id in 1..=30 {
        said(&gateway, id, "非常满意").await;
    }
    for id in [31, 32, 33] {
        said(&gateway, id, "非常不满意").await;
    }
    let near = "UPDATE outbox SET call_by = 1 WHERE call_by IS NOT NULL AND seq =
        (SELECT max(seq) FROM outbox WHERE call_by IS NOT NULL)";
    change(&gateway, near).await;
    platform.set_faults(Faults::default());
    gateway.drained().await;
    let order = arrived(&platform);
    // What was leased before the change may come first.
    let urgent: Vec<_> = order.iter().filter(|(_, id)| id.as_str() > "30").cloned().collect();
    assert!(order[..7].iter().filter(|one| urgent.contains(one)).count() == 6, "{order:?}");
    let place = |kind: &str, id: &str| {
        let found = urgent.iter().position(|it| it.0 == kind && it.1 == id);
        found.unwrap_or_else(|| panic!("{kind} {id}: {urgent:?}"))
    };
    for id in ["31", "32", "33"] {
        assert!(place("rating", id) < place("complaint", id), "{urgent:?}");
    }
    assert!(place("complaint", "33") < place("complaint", "31"), "{urgent:?}");
    gateway.finish().await;
}

#[tokio::test]
async fn a_case_whose_first_record_is_stuck_holds_up_only_itself() {
    let platform = Platform::with(DOWN).await;
    let gateway = Gateway::with(&platform, "destination.breaker.open_for = '50ms'").await;
    said(&gateway, 1, "非常不满意").await;
    said(&gateway, 2, "非常不满意").await;
    said(&gateway, 3, "非常满意").await;
    let mut gateway = gateway;
    gateway.kill9().await;
    // As a retry leaves it.
    let later = "UPDATE outbox SET token = 0, due_at = 9999999999999 WHERE seq = 1";
    change(&gateway, later).await;
    platform.set_faults(Faults::default());
    gateway.restart().await;
    until("the others arrive", async || platform.taken().len() == 3).await;
    let mut others = arrived(&platform);
    others.sort();
    assert_eq!(others, pairs(&[("complaint", "2"), ("rating", "2"), ("rating", "3")]));
    let found = gateway.site.run("records find --json").await.lines();
    let behind: Vec<_> = found.iter().filter(|record| record["state"] == "behind").collect();
    let [behind] = &behind[..] else { panic!("{found:?}") };
    let first = found.iter().find(|record| record["id"] == behind["first"]).expect("it is there");
    assert_eq!((&first["kind"], &first["message_id"]), (&"rating".into(), &"1".into()));
    let shown =
        gateway.site.run(&format!("records show {}", behind["id"].as_str().expect("an id"))).await;
    let words =
        format!("behind {} r1, the first of its case", first["id"].as_str().expect("an id"));
    assert!(shown.stdout.contains(&words), "{}", shown.stdout);
    change(&gateway, "UPDATE outbox SET due_at = 0 WHERE seq = 1").await;
    gateway.drained().await;
    assert_eq!(arrived(&platform)[3..], pairs(&[("rating", "1"), ("complaint", "1")]));
    gateway.finish().await;
}

#[tokio::test]
async fn a_rejected_record_holds_up_nothing_of_its_case() {
    let everything = std::num::NonZeroU64::new(1);
    let platform = Platform::with(Faults { reject_every: everything, ..Faults::default() }).await;
    let gateway = Gateway::start(&platform).await;
    said(&gateway, 1, "非常不满意").await;
    until("both are dead", async || gateway.site.lane().await.dead == 2).await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_body_is_no_larger_than_configured_and_that_costs_nobody_an_attempt() {
    let platform = Platform::with(DOWN).await;
    let gateway = Gateway::with(&platform, "destination.max_bytes = '4 KiB'").await;
    let ids = gateway.take(&Caller::new(1).take(100)).await;
    platform.set_faults(Faults::default());
    let tried = platform.requests();
    gateway.drained().await;
    // A record takes about half a KiB.
    let requests = platform.requests() - tried;
    assert!((10..=100).contains(&requests), "{requests} requests");
    assert_eq!((gateway.metric(TOO_LARGE).await, platform.effects().len()), (0.0, ids.len()));
    gateway.finish().await;
}

#[tokio::test]
async fn what_a_413_taught_is_remembered() {
    let platform = Platform::with(DOWN).await;
    let gateway = Gateway::with(&platform, "destination.concurrency = 1").await;
    let ids = gateway.take(&Caller::new(1).take(1000)).await;
    platform.set_faults(Faults { max_batch: Some(10), ..Faults::default() });
    gateway.drained().await;
    let refused = gateway.metric(TOO_LARGE).await;
    assert!((1.0..40.0).contains(&refused), "{refused} refusals; without a memory it would be 150");
    let limit = "bridge8890_egress_batch_limit_records{lane=\"platform\"}";
    assert!(gateway.metric(limit).await < 20.0);
    let effects = platform.effects();
    assert!(effects.keys().eq(&ids) && effects.values().all(|times| *times == 1));
    assert_eq!(gateway.site.lane().await.dead, 0);
    gateway.finish().await;
}

#[tokio::test]
async fn a_rating_waits_for_company_but_not_with_a_full_batch_or_a_complaint() {
    let platform = Platform::start().await;
    let own = "destination = { max_batch = 5, max_delay = '5m', concurrency_min = 4 }";
    let gateway = Gateway::with(&platform, own).await;
    for id in 1..=5 {
        assert_eq!(platform.requests(), 0, "nobody goes alone");
        said(&gateway, id, "非常满意").await;
    }
    gateway.drained().await;
    assert_eq!(platform.requests(), 1);
    said(&gateway, 6, "非常满意").await;
    said(&gateway, 7, "非常不满意").await;
    gateway.drained().await;
    assert_eq!(platform.taken().len(), 8);
    gateway.finish().await;
}
