//! How a lane gives out its slots, holds, and goes on.

use super::*;
use crate::egress::samples::destination;
use crate::telemetry::Metrics;
use std::time::Duration;

fn lane() -> Arc<Lane<Egress>> {
    let destination = destination();
    let telemetry = Egress::new(&Metrics::new().expect("a registry"), &destination.name);
    let lane = Lane::fixed(4, &destination.breaker, telemetry, Entropy::seeded(1));
    Arc::new(lane.expect("sense"))
}

fn paced(destination: &Destination) -> Arc<Lane<Egress>> {
    let telemetry = Egress::new(&Metrics::new().expect("a registry"), &destination.name);
    let lane = Lane::paced(destination, telemetry, Entropy::seeded(1));
    Arc::new(lane.expect("sense"))
}

fn state(lane: &Lane<Egress>) -> LaneState {
    shown(lane.standing().breaker.state())
}

fn in_flight(lane: &Lane<Egress>) -> usize {
    lane.standing().slots
}

#[tokio::test(start_paused = true)]
async fn gives_every_free_slot_and_waits_for_one() {
    let lane = lane();
    let mut slots = lane.slots().await;
    assert_eq!(slots.len(), 4);
    let first = lane.begin(slots.pop().expect("a slot"));
    assert_eq!(in_flight(&lane), 4);
    drop(slots);
    assert_eq!((in_flight(&lane), lane.slots().await.len()), (1, 3));
    drop(first);
    assert_eq!(lane.slots().await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn holds_on_a_fault_then_probes_with_one_then_sends_again() {
    let lane = lane();
    let started = Instant::now();
    let mut slots = lane.slots().await;
    let mut pass = lane.begin(slots.pop().expect("a slot"));
    pass.report(Health::Faulty, "401");
    drop((pass, slots));
    assert_eq!(state(&lane), LaneState::Holding);

    let mut slots = lane.slots().await;
    assert!(started.elapsed() >= Duration::from_secs(8), "a fifth less than open_for at most");
    assert_eq!(slots.len(), 1);
    let mut probe = lane.begin(slots.pop().expect("a slot"));
    assert_eq!(state(&lane), LaneState::Probing);
    // While one tries, no other starts, however long it takes.
    let other = tokio::time::timeout(Duration::from_secs(60), lane.slots());
    assert!(other.await.is_err());
    probe.report(Health::Failed, "500");
    assert_eq!(state(&lane), LaneState::Holding);
    drop(probe);

    let mut slots = lane.slots().await;
    let mut probe = lane.begin(slots.pop().expect("a slot"));
    let (waiting, ()) = tokio::join!(lane.slots(), async {
        probe.report(Health::Well, "");
    });
    assert_eq!(waiting.len(), 3);
    assert_eq!(state(&lane), LaneState::Sending);
}

#[tokio::test(start_paused = true)]
async fn paused_it_starts_nothing_and_goes_on_when_it_is_not() {
    let lane = lane();
    let slots = lane.slots().await;
    lane.pause(true);
    drop(slots);
    let other = tokio::time::timeout(Duration::from_secs(3600), lane.slots());
    assert!(other.await.is_err());
    let (slots, ()) = tokio::join!(lane.slots(), async { lane.pause(false) });
    assert_eq!(slots.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn says_what_holds_it_and_tries_when_it_is_released() {
    let lane = lane();
    assert_eq!(lane.trouble(), None);
    let since = Instant::now();
    let mut slots = lane.slots().await;
    let wait = Health::Wait(Duration::from_secs(300));
    lane.begin(slots.pop().expect("a slot")).report(wait, "asked to wait for 300 s");
    drop(slots);
    let trouble = lane.trouble().expect("it holds");
    assert_eq!((trouble.cause.as_str(), trouble.since), ("asked to wait for 300 s", since));
    assert_eq!(trouble.next_probe, Some(since + Duration::from_secs(300)));

    let (mut slots, ()) = tokio::join!(lane.slots(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        lane.release();
    });
    assert_eq!((slots.len(), since.elapsed()), (1, Duration::from_secs(1)));
    let mut probe = lane.begin(slots.pop().expect("a slot"));
    assert_eq!(lane.trouble().expect("it tries").next_probe, None);
    probe.report(Health::Faulty, "401");
    let trouble = lane.trouble().expect("it holds");
    assert_eq!((trouble.cause.as_str(), trouble.since), ("401", since));
    lane.release();
    let mut slots = lane.slots().await;
    lane.begin(slots.pop().expect("a slot")).report(Health::Well, "");
    assert_eq!(lane.trouble(), None);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_never_sent_leaves_its_place_to_the_next() {
    let lane = lane();
    let mut slots = lane.slots().await;
    lane.begin(slots.pop().expect("a slot")).report(Health::Faulty, "404");
    drop(slots);
    let mut slots = lane.slots().await;
    let since = Instant::now();
    for _ in 0..3 {
        drop(lane.begin(slots.pop().expect("a slot")));
        assert_eq!(state(&lane), LaneState::Holding);
        slots = lane.slots().await;
        assert_eq!((slots.len(), since.elapsed()), (1, Duration::ZERO));
    }
    let mut probe = lane.begin(slots.pop().expect("a slot"));
    probe.report(Health::Well, "");
    assert_eq!(state(&lane), LaneState::Sending);
}

#[tokio::test(start_paused = true)]
async fn begins_with_the_fewest_and_gives_more_as_they_are_answered() {
    let lane = paced(&Destination { concurrency: 3, ..destination() });
    let limit = |lane: &Lane<Egress>| lane.standing().pace.limit();
    let mut slots = lane.slots().await;
    assert_eq!(slots.len(), 1);
    let mut pass = lane.begin(slots.pop().expect("a slot"));
    // One that waits hears of it, although the batch goes on.
    let (more, ()) = tokio::join!(lane.slots(), async { pass.report(Health::Well, "") });
    assert_eq!((more.len(), limit(&lane)), (1, 2));
    tokio::time::sleep(Duration::from_millis(1)).await;
    pass.report(Health::Failed, "500");
    drop((pass, more));
    assert_eq!((limit(&lane), lane.slots().await.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn each_request_of_a_batch_has_a_turn_of_its_own() {
    let bounds = Destination { concurrency_min: 4, ..destination() };
    let lane = paced(&Destination { rate: Some(1), ..bounds });
    let started = Instant::now();
    let mut slots = lane.slots().await;
    assert_eq!(slots.len(), 1, "the others have no turn soon");
    let mut pass = lane.begin(slots.pop().expect("a slot"));
    for second in 0..3 {
        pass.turn().await;
        assert_eq!(started.elapsed().as_secs(), second);
    }
    let mut slots = lane.slots().await;
    assert_eq!(
        (slots.len(), started.elapsed().as_millis()),
        (1, 3_250),
        "a little before its turn"
    );
    lane.begin(slots.pop().expect("a slot")).turn().await;
    assert_eq!(started.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_on_until_the_lane_is_held_but_for_the_one_that_tries() {
    let lane = lane();
    let mut slots = lane.slots().await;
    let mut pass = lane.begin(slots.pop().expect("a slot"));
    let other = lane.begin(slots.pop().expect("a slot"));
    drop(slots);
    assert!(pass.may_go_on());
    lane.pause(true);
    assert!(!pass.may_go_on());
    lane.pause(false);
    pass.report(Health::Faulty, "401");
    assert!(!pass.may_go_on() && !other.may_go_on());
    drop((pass, other));

    let mut slots = lane.slots().await;
    let mut probe = lane.begin(slots.pop().expect("a slot"));
    assert!(probe.may_go_on());
    probe.report(Health::Well, "");
    assert!(probe.may_go_on(), "the lane is back");
}
