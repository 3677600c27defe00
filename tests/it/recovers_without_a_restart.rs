//! Whatever its platform and its store go through, the gateway goes on by itself: the same process
//! delivers everything, and in the end a lone record without a follower.

use crate::support::{Caller, Gateway, Platform, is_taken, until};
use bridge8890::standin::faults::{Faults, Mishap};
use bridge8890::standin::program::{Phase, Program};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

/// Deadlines that are short, so that what hangs is cut off within the test.
const SHORT: &str = "destination = { request_timeout = '500ms', lease = '6s' }";

#[tokio::test]
async fn after_every_fault_of_the_platform_all_is_delivered_by_the_same_process() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, SHORT).await;
    let process = gateway.id();
    let mut caller = Caller::new(1);
    let mut ids = BTreeSet::new();
    for (name, Program(phases)) in Program::built_in(Duration::from_millis(150)) {
        // The platform is bad while they come, and then well for a moment.
        for Phase { faults, lasts } in phases {
            platform.set_faults(faults);
            ids.extend(gateway.take(&caller.take(5)).await);
            sleep(lasts).await;
        }
        platform.set_faults(Faults::default());
        until(name, async || platform.effects().len() == ids.len()).await;
    }
    let lone = gateway.take(&caller.take(1)).await;
    until("a lone record arrives", async || {
        lone.iter().all(|id| platform.effects().contains_key(id))
    })
    .await;
    ids.extend(lone);
    let effects = platform.effects();
    assert!(effects.keys().eq(&ids) && effects.values().all(|times| *times == 1));
    assert_eq!(gateway.id(), process);
    gateway.finish().await;
}

#[tokio::test]
async fn workers_that_a_held_store_stalls_are_replaced_and_all_flows_when_it_is_let_go() {
    let platform = Platform::start().await;
    // A store that somebody else holds refuses after 5 s: to this watchdog that is a hang.
    let own = format!("watchdog.after = '1s'\n{SHORT}");
    let gateway = Gateway::with(&platform, &own).await;
    let process = gateway.id();
    let mut caller = Caller::new(2);
    let mut ids = gateway.take(&caller.take(3)).await;
    gateway.drained().await;
    let stalled = "bridge8890_worker_replaced_total{worker=\"lane\",why=\"stalled\"}";
    // The platform is bad as well.
    platform.set_faults(Mishap::DropBeforeWork.into());
    ids.extend(gateway.take(&caller.take(2)).await);
    let mut holder = hold(&gateway).await;
    until("the lane is replaced", async || gateway.metric(stalled).await > 0.0).await;
    let refused = caller.next();
    assert!(!is_taken(&refused, &gateway.call(&refused).await));
    sqlx::query("ROLLBACK").execute(&mut holder).await.expect("it was open");
    holder.close().await.expect("closed");
    platform.set_faults(Faults::default());
    until("the store commits", async || gateway.look("/readyz").await.status == 200).await;
    ids.extend(gateway.take(&caller.take(1)).await);
    gateway.drained().await;
    let effects = platform.effects();
    assert!(effects.keys().eq(&ids) && effects.values().all(|times| *times == 1));
    assert_eq!(gateway.id(), process);
    gateway.finish().await;
}

#[tokio::test]
async fn a_lane_that_waits_for_its_platform_with_more_to_send_is_no_worker_that_hangs() {
    let platform = Platform::with(Mishap::Hang.into()).await;
    let own = "watchdog.after = '1s'\n\
        destination = { request_timeout = '4s', lease = '10s', max_batch = 1, concurrency = 1 }";
    let gateway = Gateway::with(&platform, own).await;
    gateway.take(&Caller::new(3).take(3)).await;
    until("all that may be under way is", async || platform.requests() > 0).await;
    // Longer than a worker may stand still, and less than the request's deadline.
    sleep(Duration::from_secs(3)).await;
    let stalled = "bridge8890_worker_replaced_total{worker=\"lane\",why=\"stalled\"}";
    assert!(gateway.metric(stalled).await.abs() < f64::EPSILON);
    platform.set_faults(Faults::default());
    gateway.drained().await;
    gateway.finish().await;
}

/// Takes the store for itself.
async fn hold(gateway: &Gateway) -> SqliteConnection {
    let database = SqliteConnectOptions::new().filename(gateway.site.database());
    let mut holder = database.connect().await.expect("it opens");
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut holder).await.expect("nobody writes for long");
    holder
}
