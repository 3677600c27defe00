//! What operators order of a lane, and what they see of its breaker, outlives whoever serves.

use crate::bench::{Bench, lane};
use bridge8890::model::LaneName;
use bridge8890::store::{Order, Trouble};
use std::time::Duration;

#[tokio::test]
async fn the_newest_pause_or_resume_stands_and_all_orders_are_kept() {
    let mut bench = Bench::new().await;
    let operator = bench.operator().await;
    let now = bench.clock.now();
    let pause = |reason: &str, hours: u64| Order::Pause {
        reason: reason.to_owned(),
        until: now + Duration::from_hours(hours),
    };
    let orders = [
        (pause("their maintenance", 2), "wang"),
        (Order::Probe, "li"),
        (pause("it takes longer", 4), "li"),
    ];
    for (order, by) in &orders {
        assert!(operator.order(&lane(), order, by, now).await.expect("it is ordered"));
    }
    let nowhere = LaneName::new("nowhere").expect("a name");
    assert!(!operator.order(&nowhere, &Order::Resume, "li", now).await.expect("it answers"));

    bench.reopen().await;
    let standing = bench.store().lane_orders(&lane()).await.expect("it reads");
    let held = standing.pause_at(now).expect("it is paused");
    assert_eq!((held.reason.as_str(), held.by.as_str()), ("it takes longer", "li"));
    assert!(standing.pause_at(now + Duration::from_hours(4)).is_none(), "it ends by itself");
    assert!(standing.probe.is_some());

    operator.order(&lane(), &Order::Resume, "wang", now).await.expect("it is ordered");
    let standing = bench.store().lane_orders(&lane()).await.expect("it reads");
    assert_eq!(standing.pause, None);
    let history = operator.order_history(Some(&lane()), 10).await.expect("it reads");
    let told: Vec<_> = history.iter().rev().map(|line| (&line.order, line.by.as_str())).collect();
    let mut expected: Vec<_> = orders.iter().map(|(order, by)| (order, *by)).collect();
    expected.push((&Order::Resume, "wang"));
    assert_eq!(told, expected);
    assert!(operator.order_history(Some(&nowhere), 10).await.expect("it reads").is_empty());
}

#[tokio::test]
async fn a_breaker_is_seen_as_it_was_noted_last() {
    let bench = Bench::new().await;
    let operator = bench.operator().await;
    let since = bench.clock.now();
    let mut trouble = Trouble {
        cause: "401".to_owned(),
        since,
        next_probe: Some(since + Duration::from_secs(5)),
    };
    for next_probe in [trouble.next_probe, None] {
        trouble.next_probe = next_probe;
        bench.store().note_trouble(&lane(), Some(&trouble)).await.expect("it is noted");
        let seen = operator.trouble(lane().as_str()).await.expect("it reads");
        assert_eq!(seen.as_ref(), Some(&trouble));
    }
    bench.store().note_trouble(&lane(), None).await.expect("it is noted");
    assert_eq!(operator.trouble(lane().as_str()).await.expect("it reads"), None);
}
