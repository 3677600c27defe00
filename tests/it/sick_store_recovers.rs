//! A store that cannot commit: carriers are told to come back, and it recovers by itself.

use crate::support::{Caller, Gateway, Platform, is_taken, until};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

#[tokio::test]
async fn carriers_are_told_to_come_back_until_it_commits_again() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let mut caller = Caller::new(1);
    let before = gateway.take(&caller.take(3)).await;
    gateway.drained().await;

    // Somebody else writes, for longer than the gateway waits.
    let database = SqliteConnectOptions::new().filename(gateway.site.database());
    let mut other = database.connect().await.expect("it opens");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("nobody writes now");
    let refused = caller.next();
    let answer = gateway.call(&refused).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()));
    assert!(!is_taken(&refused, &answer), "{answer:?}");

    // From now on it says so before it reads, and load balancers go elsewhere.
    let answer = gateway.call(&caller.next()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    let unready = gateway.look("/readyz").await;
    assert_eq!(unready.status, 503);
    assert!(unready.text().contains("the last commit failed"), "{}", unready.text());
    assert_eq!(gateway.look("/livez").await.status, 200, "a restart would not help");
    let failed = "bridge8890_callbacks_busy_total{account=\"aliyun-sms\",reason=\"store_failing\"}";
    assert_eq!(gateway.metric(failed).await, 1.0);

    sqlx::query("ROLLBACK").execute(&mut other).await.expect("it was open");
    other.close().await.expect("closed");
    until("the store commits again", async || gateway.look("/readyz").await.status == 200).await;
    let answer = gateway.call(&refused).await;
    assert!(is_taken(&refused, &answer), "{answer:?}");
    gateway.drained().await;
    let lane = gateway.site.lane().await;
    assert_eq!((lane.records, lane.repeats), (4, 0), "what was told to come back was not stored");
    let effects = platform.effects();
    assert!(before.iter().chain([&refused.message_id.0]).all(|id| effects.get(id) == Some(&1)));
    gateway.finish().await;
}
