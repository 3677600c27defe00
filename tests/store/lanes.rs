//! Several lanes: each has what it wants, and is held to account for it.

use crate::bench::{Bench, lane, record};
use bridge8890::model::{AreaCode, LaneName, Level, RecordKind, Revision, Selection};
use bridge8890::store::{
    Callback, LaneCounts, LaneOptions, SendReport, Settled, Settlement, Share,
};
use std::time::Duration;

fn city() -> LaneName {
    LaneName::new("city").expect("a name")
}

/// The province has everything, the city what is bad in 沈阳.
async fn two() -> Bench {
    let mut bench = Bench::new().await;
    let only = Selection {
        kinds: vec![RecordKind::Rating],
        levels: vec![Level::VeryDissatisfied],
        areas: vec![AreaCode::new("210100").expect("a code")],
        ..Selection::default()
    };
    bench.lanes.push(LaneOptions { only, ..LaneOptions::of_everything(city()) });
    bench.reopen().await;
    bench
}

async fn commit(bench: &Bench, callback: Callback) {
    bench.store().commit(callback).await.expect("it commits");
}

async fn deliver(bench: &Bench, lane: &LaneName) -> usize {
    let until = bench.clock.now() + Duration::from_secs(60);
    let lease = bench.store().lease(lane, 100, until).await.expect("it leases");
    let items: Vec<_> = lease.items.iter().map(|leased| (leased.seq, Settled::Delivered)).collect();
    let count = items.len();
    let report = SendReport {
        started_at: bench.clock.now(),
        took: Duration::ZERO,
        status: Some(200),
        answer: String::new(),
    };
    let settlement = Settlement { lane: lane.clone(), token: lease.token, report, items };
    assert_eq!(bench.store().settle(settlement).await.expect("it settles"), 0);
    count
}

async fn counts(bench: &Bench) -> Vec<LaneCounts> {
    let counts = bench.store().counts().await.expect("counts");
    assert!(counts.add_up(), "{counts:?}");
    counts.by_lane
}

#[tokio::test]
async fn a_lane_has_what_it_wants_and_the_others_have_no_part_in_it() {
    let bench = two().await;
    commit(&bench, bench.rating("m-1", Level::VeryDissatisfied)).await;
    commit(&bench, bench.rating("m-2", Level::VerySatisfied)).await;
    commit(&bench, bench.complaint("m-3")).await;
    assert_eq!(bench.store().pending(), 4, "three for the province, one for the city");
    assert_eq!(deliver(&bench, &city()).await, 1);
    let [province, city] = &counts(&bench).await[..] else { panic!("two lanes") };
    assert_eq!((province.pending, province.delivered, province.not_for_it), (3, 0, 0));
    assert_eq!((city.pending, city.delivered, city.not_for_it), (0, 1, 2));
    assert_eq!(deliver(&bench, &lane()).await, 3);
    assert_eq!(bench.store().pending(), 0);
    counts(&bench).await;
}

#[tokio::test]
async fn a_lane_is_told_the_end_of_what_it_was_told() {
    let bench = two().await;
    let bad = bench.rating("m-1", Level::VeryDissatisfied);
    let better = |callback: &Callback, message: &str, revision: u32| {
        let mut again = bench.rating(message, Level::VerySatisfied);
        let mut record = record(&again).clone();
        let first = crate::bench::record(callback);
        (record.id, record.revision) = (first.id, Revision(revision));
        let Share::Decided { outcome, .. } = again.entries[0].share else { panic!("decided") };
        again.entries[0].share = Share::Decided { outcome, records: vec![record] };
        again
    };
    commit(&bench, bad.clone()).await;
    assert_eq!(deliver(&bench, &city()).await, 1);
    commit(&bench, better(&bad, "m-2", 2)).await;
    assert_eq!(deliver(&bench, &city()).await, 1, "the city knows of it");
    // What it has not been sent yet is overtaken, and still told.
    let other = bench.rating("m-3", Level::VeryDissatisfied);
    commit(&bench, other.clone()).await;
    commit(&bench, better(&other, "m-4", 2)).await;
    assert_eq!(deliver(&bench, &city()).await, 1);
    let good = bench.rating("m-5", Level::Satisfied);
    commit(&bench, good.clone()).await;
    commit(&bench, better(&good, "m-6", 2)).await;
    assert_eq!(deliver(&bench, &city()).await, 0, "the city never heard of it");
    let by_lane = counts(&bench).await;
    assert_eq!((by_lane[1].superseded, by_lane[1].not_for_it), (1, 2));
}

#[tokio::test]
async fn a_lane_that_comes_later_is_held_to_account_from_then_on() {
    let mut bench = Bench::new().await;
    commit(&bench, bench.rating("m-1", Level::VeryDissatisfied)).await;
    bench.lanes.push(LaneOptions::of_everything(city()));
    bench.reopen().await;
    commit(&bench, bench.rating("m-2", Level::VeryDissatisfied)).await;
    assert_eq!(deliver(&bench, &city()).await, 1);
    let by_lane = counts(&bench).await;
    assert_eq!((by_lane[0].records, by_lane[1].records), (2, 1));
}

#[tokio::test]
async fn a_lane_that_goes_and_comes_back_adds_up_all_the_while() {
    let mut bench = two().await;
    commit(&bench, bench.rating("m-1", Level::VeryDissatisfied)).await;
    assert_eq!(deliver(&bench, &city()).await, 1);
    let both = bench.lanes.clone();
    bench.lanes.truncate(1);
    bench.reopen().await;
    commit(&bench, bench.rating("m-2", Level::VeryDissatisfied)).await;
    let gone = counts(&bench).await;
    assert_eq!((gone[0].records, gone[1].records), (2, 1));
    bench.lanes = both;
    bench.reopen().await;
    commit(&bench, bench.rating("m-3", Level::VeryDissatisfied)).await;
    assert_eq!(deliver(&bench, &city()).await, 1, "what came meanwhile is not for it");
    let back = counts(&bench).await;
    assert_eq!((back[1].records, back[1].delivered, back[1].not_for_it), (3, 2, 1));
}
