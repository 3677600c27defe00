//! While the platform is away carriers notice nothing; when it is back everything drains.

use crate::support::{Caller, Gateway, Platform, until};
use bridge8890::standin::faults::{Faults, Mishap};
use http::StatusCode;
use std::num::NonZeroU64;

#[tokio::test]
async fn what_comes_while_the_platform_is_down_arrives_when_it_is_back() {
    let platform = Platform::with(Faults { down: true, ..Faults::default() }).await;
    let mut gateway = Gateway::start(&platform).await;
    let ids = gateway.take(&Caller::new(1).take(250)).await;
    assert_eq!(gateway.site.lane().await.pending, 250);
    let holding = "bridge8890_egress_lane_state{lane=\"platform\"}";
    until("the lane leaves the platform alone", async || gateway.metric(holding).await > 0.0).await;
    assert_eq!(gateway.look("/readyz").await.status, 200, "carriers may still call");

    // The backlog outlives the process.
    gateway.stop().await;
    gateway.restart().await;
    assert_eq!(gateway.site.lane().await.pending, 250);
    platform.set_faults(Faults::default());
    gateway.drained().await;
    let effects = platform.effects();
    assert!(effects.keys().eq(&ids) && effects.values().all(|times| *times == 1));
    gateway.finish().await;
}

#[tokio::test]
async fn whatever_a_platform_does_to_requests_each_record_has_one_effect() {
    let every = |mishap, each: u64| Faults {
        mishap: Some(mishap),
        mishap_every: NonZeroU64::new(each),
        ..Faults::default()
    };
    let refuse = |status| Mishap::Refuse { status, retry_after: None };
    let spells = [
        every(Mishap::DropAfterWork, 2),
        every(Mishap::DropBeforeWork, 2),
        every(Mishap::Garbage, 2),
        every(refuse(StatusCode::INTERNAL_SERVER_ERROR), 2),
        every(refuse(StatusCode::UNAUTHORIZED), 2),
        Faults { max_batch: Some(3), ..Faults::default() },
        Faults { down: true, ..Faults::default() },
    ];
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, "destination.max_batch = 10").await;
    let mut caller = Caller::new(1);
    let mut sent = 0;
    for faults in spells {
        platform.set_faults(faults);
        sent += gateway.take(&caller.take(30)).await.len();
    }
    platform.set_faults(Faults::default());
    gateway.drained().await;
    let effects = platform.effects();
    assert_eq!(effects.len(), sent);
    assert!(effects.values().all(|times| *times == 1), "{effects:?}");
    assert_eq!(gateway.site.lane().await.dead, 0, "nobody's fault but the platform's");
    gateway.finish().await;
}

#[tokio::test]
async fn what_refuses_everything_is_soon_left_alone_and_costs_no_record_its_life() {
    // As a proxy does whose limit is wrong.
    for status in [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY] {
        let refuse = Mishap::Refuse { status, retry_after: None };
        let platform = Platform::with(Faults { mishap: Some(refuse), ..Faults::default() }).await;
        let own = "[destination]\nfinal_statuses = []\nbreaker = { open_for = '1m' }";
        let gateway = Gateway::with(&platform, own).await;
        let paused = gateway.site.run("lane pause platform --reason test --by wang").await;
        assert_eq!(paused.code, Some(0), "{paused:?}");
        let paused = "bridge8890_egress_lane_paused{lane=\"platform\"}";
        until("it is paused", async || gateway.metric(paused).await > 0.0).await;
        let ids = gateway.take(&Caller::new(1).take(100)).await;
        let resumed = gateway.site.run("lane resume platform --by wang").await;
        assert_eq!(resumed.code, Some(0), "{resumed:?}");
        let holding = "bridge8890_egress_lane_state{lane=\"platform\"}";
        until("the lane holds", async || gateway.metric(holding).await > 0.0).await;
        until("nothing is under way", async || {
            gateway.metric("bridge8890_egress_requests_in_flight{lane=\"platform\"}").await < 1.0
        })
        .await;
        // Down to a record alone, and ten of those; all of the batch would take 199.
        let requests = platform.requests();
        assert!(requests < 60, "{status}: {requests} requests");

        platform.set_faults(Faults::default());
        until("it may be tried", async || {
            gateway.site.run("lane probe platform --by wang").await.code == Some(0)
        })
        .await;
        gateway.drained().await;
        assert!(platform.effects().keys().eq(&ids), "{status}");
        assert_eq!(gateway.site.lane().await.dead, 0, "{status}");
        gateway.finish().await;
    }
}
