//! What cannot be read is acknowledged as the carrier expects, kept whole, listed and counted.

use crate::support::{Gateway, Platform};

#[tokio::test]
async fn a_truncated_callback_is_kept_for_operators() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let body = r#"[{"phone_number":"13940000001","cont"#;
    let answer = gateway.post("/callback/aliyun-sms/up", body).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"code":0,"msg":"接收成功"}"#));

    let quarantined = gateway.site.run("records find --quarantined --json").await;
    let listed = quarantined.lines();
    assert_eq!((quarantined.code, listed.len()), (Some(0), 1));
    assert_eq!((&listed[0]["account"], &listed[0]["bytes"]), (&"aliyun-sms".into(), &36.into()));
    assert!(listed[0]["problems"][0].as_str().is_some_and(|problem| problem.starts_with("body")));
    assert!(!quarantined.stdout.contains("13940000001"), "{}", quarantined.stdout);
    assert_eq!(gateway.metric("bridge8890_events_total{outcome=\"garbled\"}").await, 1.0);
    assert_eq!(gateway.site.run("records find").await.code, Some(1), "there is no record");
    gateway.finish().await;
    assert!(platform.taken().is_empty());
}

#[tokio::test]
async fn the_readable_part_of_a_callback_is_taken() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let body = r#"[{"phone_number":"13940000001","content":"1","send_time":"2026-03-05 10:20:30",
                    "dest_code":"8890","sequence_id":"7"}, {"sequence_id":"8"}]"#;
    assert_eq!(gateway.post("/callback/aliyun-sms/up", body).await.status, 200);
    assert_eq!(gateway.site.run("records find --quarantined --json").await.lines().len(), 1);
    gateway.drained().await;
    assert_eq!(platform.effects().into_keys().collect::<Vec<_>>(), ["7"]);
    gateway.finish().await;
}
