//! The platform is asked no faster than it may be and bears: a rate holds for every request, and
//! after an outage forwarding begins with a few.

use crate::support::{Caller, Gateway, Platform, until};
use bridge8890::standin::faults::{Faults, Mishap};
use http::StatusCode;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

const LIMIT: &str = "bridge8890_egress_concurrency_limit{lane=\"platform\"}";
const STATE: &str = "bridge8890_egress_lane_state{lane=\"platform\"}";

#[tokio::test]
async fn a_rate_is_held_over_the_whole_run_by_first_tries_halves_retries_and_replays() {
    const RATE: f64 = 25.0;
    let every = NonZeroU64::new;
    // One in four: a batch is refused, then its halves are tried, and some of it always gets through.
    let failing = Faults {
        mishap: Some(Mishap::Refuse {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            retry_after: None,
        }),
        mishap_every: every(4),
        reject_every: every(5),
        max_batch: Some(2),
        ..Faults::default()
    };
    let platform = Platform::with(Faults { down: true, ..Faults::default() }).await;
    let own = format!("destination = {{ rate = {RATE}, max_batch = 4 }}");
    let gateway = Gateway::with(&platform, &own).await;
    let site = &gateway.site;
    let ids = gateway.take(&Caller::new(1).take(80)).await;
    let begun = Instant::now();
    platform.set_faults(failing);
    gateway.drained().await;
    let rejected = site.lane().await.dead;
    assert!(rejected > 0 && platform.requests() > 80 / 2, "it was refused and halved");

    platform.set_faults(Faults { reject_every: None, ..failing });
    let replayed = site.run("dead replay --where class=rejected --apply --yes --json").await.json();
    assert_eq!(replayed["replayed"], rejected);
    gateway.drained().await;
    let (requests, took) = (platform.requests(), begun.elapsed());
    // The first needs no wait.
    let least = Duration::from_secs_f64((requests - 1) as f64 / RATE);
    assert!(took >= least, "{requests} requests in {took:?}");
    let waits = "bridge8890_egress_rate_waits_total{lane=\"platform\"}";
    assert!(gateway.metric(waits).await > 0.0);
    let effects = platform.effects();
    assert!(effects.keys().eq(&ids) && effects.values().all(|times| *times == 1));
    gateway.finish().await;
}

#[tokio::test]
async fn after_an_outage_it_begins_with_the_fewest_and_then_goes_up_to_the_most() {
    let down = Faults { down: true, ..Faults::default() };
    let platform = Platform::with(down).await;
    let own = "destination = { max_batch = 1, concurrency = 8, request_timeout = '20s' }";
    let gateway = Gateway::with(&platform, own).await;
    let mut caller = Caller::new(1);
    let mut ids = gateway.take(&caller.take(200)).await;
    assert_eq!(gateway.metric(LIMIT).await, 1.0);
    platform.set_faults(Faults::default());
    gateway.drained().await;
    assert_eq!(gateway.metric(LIMIT).await, 8.0);

    platform.set_faults(down);
    ids.extend(gateway.take(&caller.take(200)).await);
    until("the lane holds", async || gateway.metric(STATE).await > 0.0).await;
    let before = platform.requests();
    platform.set_faults(Faults { latency: Duration::from_secs(2), ..Faults::default() });
    until("one request tries", async || platform.requests() > before).await;
    // What follows it hangs, so that all of it is under way at once.
    platform.set_faults(Faults { mishap: Some(Mishap::Hang), ..Faults::default() });
    until("others follow", async || platform.requests() > before + 1).await;
    assert_eq!(gateway.metric(LIMIT).await, 1.0);
    let under_way = "bridge8890_egress_requests_in_flight{lane=\"platform\"}";
    assert_eq!(gateway.metric(under_way).await, 1.0);
    assert_eq!(platform.requests(), before + 2);

    // What hangs is cut off.
    platform.set_faults(down);
    until("nothing hangs", async || gateway.metric(STATE).await > 0.0).await;
    platform.set_faults(Faults::default());
    gateway.drained().await;
    assert_eq!(gateway.metric(LIMIT).await, 8.0);
    let effects = platform.effects();
    assert!(effects.keys().eq(&ids) && effects.values().all(|times| *times == 1));
    gateway.finish().await;
}
