//! On SIGHUP campaigns are exchanged under a gateway that serves; what is wrong, or needs a restart,
//! changes nothing.

use crate::support::{Gateway, Platform};
use serde_json::Value;

/// Has a citizen answer 3 to a service number.
async fn answer(gateway: &Gateway, id: u32, service: &str) {
    let body = format!(
        r#"[{{"phone_number":"13940000001","send_time":"2026-03-05 10:20:30","content":"3",
            "dest_code":"{service}","sequence_id":{id}}}]"#
    );
    let answer = gateway.post("/callback/aliyun-sms/up", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The newest rating: its level, brand and district.
async fn newest(gateway: &Gateway) -> (i64, String, Option<String>) {
    let found = gateway.site.run("records find --json").await.lines();
    let rating = found.iter().find(|record| record["kind"] == "rating").expect("a rating");
    let text = |key: &str| rating[key].as_str().map(str::to_owned);
    (rating["level"].as_i64().expect("a level"), text("brand").expect("a brand"), text("area"))
}

/// Whether a line of the log has this message, and what else it says.
fn said(gateway: &Gateway, message: &str) -> Option<Value> {
    let log = gateway.log();
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["message"].as_str().is_some_and(|it| it.contains(message)))
}

const THREE: &str = r#"
    [campaigns.asked]
    levels = 3
    brand = "12345"
    extensions = { "01" = "210100" }
"#;

#[tokio::test]
async fn campaigns_hold_from_the_next_callback_on() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    answer(&gateway, 1, "889001").await;
    assert_eq!(newest(&gateway).await, (3, "8890".to_owned(), None));

    gateway.site.configure(&platform, THREE);
    gateway.reload().await;
    assert_eq!(gateway.reloads("applied").await, 1.0);
    let line = said(&gateway, "read again and holds now").expect("a line");
    let changed = "campaigns.asked.brand, campaigns.asked.extensions.01, campaigns.asked.levels";
    assert_eq!(line["changed"], changed);
    answer(&gateway, 2, "889001").await;
    assert_eq!(newest(&gateway).await, (2, "12345".to_owned(), Some("210100".to_owned())));
    answer(&gateway, 3, "889002").await;
    assert_eq!(newest(&gateway).await, (2, "12345".to_owned(), None));

    gateway.reload().await;
    assert_eq!(gateway.reloads("unchanged").await, 1.0);
    gateway.finish().await;
}

#[tokio::test]
async fn what_is_wrong_or_needs_a_restart_changes_nothing() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let read_at = gateway.metric("bridge8890_config_read_timestamp_seconds").await;

    gateway.site.configure(&platform, &format!("{THREE}zero = 'never'\n[http]\nlisten = []"));
    gateway.reload().await;
    assert_eq!(gateway.reloads("wrong").await, 1.0);
    for part in ["campaigns.asked.zero: \"never\" is not", "http.listen: is empty"] {
        assert!(said(&gateway, part).is_some(), "{part} is not in\n{}", gateway.log());
    }

    gateway.site.configure(&platform, &format!("{THREE}[http]\nlimits.max_body = '2 MiB'"));
    gateway.reload().await;
    assert_eq!(gateway.reloads("needs_restart").await, 1.0);
    let line = said(&gateway, "these keys need a restart").expect("a line");
    assert_eq!(line["keys"], "http.limits.max_body");

    answer(&gateway, 1, "889001").await;
    assert_eq!(newest(&gateway).await, (3, "8890".to_owned(), None), "as it was");
    assert_eq!(gateway.metric("bridge8890_config_read_timestamp_seconds").await, read_at);
    gateway.finish().await;
}

#[tokio::test]
async fn the_log_is_filtered_anew() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, "log.filter = 'warn,bridge8890::cli=info'").await;
    gateway.site.configure(&platform, "log.filter = 'info'");
    gateway.reload().await;
    assert!(said(&gateway, "read again and holds now").is_some(), "{}", gateway.log());
    gateway.finish().await;
}
