//! Under the floor of free disk space nothing new is accepted, and nothing that waits is lost.

use crate::support::{Caller, Gateway, Platform, Site, is_taken, until};

#[tokio::test]
async fn carriers_are_told_to_come_back_and_the_outbox_drains_all_the_same() {
    let platform = Platform::start().await;
    let site = Site::new(&platform, "store.disk_floor = '100 TiB'");
    let gateway = Gateway::unready(site).await;
    until("the disk was looked at", async || gateway.look("/readyz").await.status == 503).await;
    let unready = gateway.look("/readyz").await.text();
    assert!(unready.contains("less room than store.disk_floor"), "{unready}");
    let request = Caller::new(1).next();
    let answer = gateway.call(&request).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")));
    assert!(!is_taken(&request, &answer), "{answer:?}");
    let series = "bridge8890_callbacks_busy_total{account=\"aliyun-sms\",reason=\"disk_floor\"}";
    assert_eq!(gateway.metric(series).await, 1.0);
    assert_eq!(gateway.site.lane().await.callbacks, 0);
    let doctor = gateway.site.run("doctor").await;
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.stdout.contains("or lower store.disk_floor"), "{}", doctor.stdout);
    gateway.finish().await;
}
