//! What can no longer be opened stays, and hides nothing behind it, however much of it there is.

use crate::citizens_are_answered::{carrier, said};
use crate::support::{Caller, Gateway, Platform, until};
use bridge8890::standin::faults::Faults;
use sqlx::Connection;

/// More than is looked at at once.
const DAMAGED: u32 = 150;

#[tokio::test]
async fn any_number_of_damaged_events_news_and_memories_hides_nothing_behind_them() {
    let platform = Platform::start().await;
    let (carrier, own) = carrier().await;
    let mut gateway = Gateway::with(&platform, &own).await;
    assert_eq!(said(&gateway, "m-1", "非常满意").await.status, 200);
    let mut database = gateway.site.open_database().await;
    until("it is remembered that thanks were sent", async || {
        let untold = "SELECT count(*) FROM message WHERE state = 0 OR news IS NOT NULL";
        let count = sqlx::query_scalar::<_, i64>(untold).fetch_one(&mut database);
        count.await.expect("it reads") == 0 && carrier.taken().len() == 1
    })
    .await;
    gateway.kill9().await;
    // As a disk may damage them: events, news and memories that are due.
    let numbers = format!(
        "WITH RECURSIVE number(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number
            WHERE value < {DAMAGED})"
    );
    let damage = format!(
        "{numbers} INSERT INTO inbox SELECT 1, value, 'kannel', 0, zeroblob(64) FROM number;
         {numbers} INSERT INTO memory SELECT randomblob(16), value, zeroblob(64) FROM number;
         {numbers} INSERT INTO message SELECT 1000 + value, randomblob(16), 'kannel', 1, 0, 0, 1, 0, 0, 0,
            0, NULL, NULL, zeroblob(64), zeroblob(64) FROM number"
    );
    let damaged = sqlx::raw_sql(sqlx::AssertSqlSafe(damage)).execute(&mut database).await;
    damaged.expect("it runs");
    gateway.restart().await;
    // The citizen's own memory and events are whole, and behind all that.
    assert_eq!(said(&gateway, "m-2", "不满意").await.status, 200);
    until("the citizen is asked why", async || carrier.taken().len() == 2).await;
    assert_eq!(said(&gateway, "m-3", "3天没人来").await.status, 200);
    until("the reason is forwarded", async || platform.taken().len() >= 4).await;
    let passed = gateway.metric("bridge8890_passed_over_total").await;
    assert!(passed >= f64::from(3 * DAMAGED), "{passed}");
    let lines = gateway.log().matches("this stays held").count();
    assert!((1..10).contains(&lines), "{lines} lines");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM inbox")
        .fetch_one(&mut database)
        .await
        .expect("it reads");
    assert_eq!(left, i64::from(DAMAGED), "nothing is thrown away");
    database.close().await.expect("closed");
    gateway.finish().await;
}

#[tokio::test]
async fn records_that_cannot_be_opened_become_dead_letters_and_the_others_arrive() {
    let platform = Platform::with(Faults { down: true, ..Faults::default() }).await;
    let gateway = Gateway::with(&platform, "destination.breaker.failures = 1").await;
    let mut caller = Caller::new(1);
    let ids = gateway.take(&caller.take(20)).await;
    let site = &gateway.site;
    let mut database = site.open_database().await;
    let damage = "UPDATE record SET sealed = zeroblob(64) WHERE seq <= 5";
    sqlx::raw_sql(damage).execute(&mut database).await.expect("it runs");
    platform.set_faults(Faults::default());
    gateway.drained().await;
    assert_eq!((platform.effects().len(), site.lane().await.dead), (ids.len() - 5, 5));
    let set_aside = "bridge8890_egress_records_total{lane=\"platform\",result=\"dead_unreadable\"}";
    assert_eq!(gateway.metric(set_aside).await, 5.0);
    let listed = site.run("dead list --where class=unreadable,bin=ours --json").await.lines();
    assert_eq!(listed.len(), 5);
    for letter in &listed {
        let id = letter["record"]["id"].as_str().expect("an id");
        assert!(letter["record"]["problem"].is_string() && gateway.log().contains(id), "{letter}");
    }
    let replay = site.run("dead replay --where class=unreadable --apply --yes --json").await.json();
    assert_eq!((&replay["replayed"], &replay["unreadable"]), (&0.into(), &5.into()));
    assert_eq!(site.run("records find --json").await.lines().len(), ids.len());
    database.close().await.expect("closed");
    gateway.finish().await;
}
