//! What is done for each callback looks at no more blocks over a long history than over a short one.
//!
//! The server counts them, when a session ends: so each verb is done by a store of its own.

use crate::bench::{Bench, account, remember};
use bridge8890::model::Level;
use bridge8890::store::{Conclusion, Settled};
use std::time::Duration;

const SHORT: &str = concat!(
    "SET history.records = 20000; SET synchronous_commit = off;",
    include_str!("../../loadtest/src/bench/history.sql")
);
const LONG: &str = concat!(
    "SET history.records = 200000; SET synchronous_commit = off;",
    include_str!("../../loadtest/src/bench/history.sql")
);
/// The server's own vacuum would be counted, too. And what it does not know of its tables is the worst case.
const UNKNOWN: &str = "DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT oid::regclass::text FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', name);
    END LOOP; END $$";
/// Calls of each verb.
const TIMES: i64 = 20;
/// Blocks that a call may look at beyond: indexes have a level more, and there are those of thirteen months.
const LEVELS: i64 = 40;

const VERBS: [&str; 8] = ["commit", "repeat", "send", "hold", "conclude", "recall", "wake", "fold"];

async fn call(bench: &Bench, verb: &str, number: i64) {
    let message = format!("message {number}");
    let store = bench.store();
    match verb {
        "commit" => assert!(bench.commit(bench.rating(&message, Level::Fair)).await),
        "repeat" => assert!(!bench.commit(bench.rating(&message, Level::Fair)).await),
        "send" => {
            let lease = bench.lease(1).await;
            let lost = bench.settle_all(&lease, Settled::Delivered).await;
            assert_eq!((lease.items.len(), lost), (1, 0));
        }
        "hold" => assert!(bench.commit(bench.held(&format!("held {number}"))).await),
        "conclude" => {
            let memory = vec![remember(&message, b"asked", Some(bench.clock.now()))];
            let messages = vec![bench.message(&message)];
            bench.conclude(&Conclusion { memory, messages, ..bench.take(1).await }).await;
        }
        "recall" => assert!(bench.recall(&message).await.is_some()),
        "wake" => {
            assert!(!store.woken(bench.clock.now(), None, 1).await.expect("it reads").is_empty());
            let until = bench.clock.now() + Duration::from_secs(60);
            let lease = store.lease_messages(&account(), 1, until).await.expect("it leases");
            assert_eq!(lease.items.len(), 1);
        }
        "fold" => drop(store.fold_ledger(Duration::ZERO).await.expect("it folds")),
        other => panic!("no verb {other}"),
    }
}

/// Blocks of a call of each verb.
async fn costs(history: &'static str) -> Vec<i64> {
    let mut bench = Bench::new().await;
    bench.sql(history).await;
    bench.sql(UNKNOWN).await;
    let mut costs = Vec::with_capacity(VERBS.len());
    // The first one finds out what the tables are like.
    cost(&mut bench, None).await;
    let idle = cost(&mut bench, None).await;
    for verb in VERBS {
        costs.push((cost(&mut bench, Some(verb)).await - idle) / TIMES);
    }
    costs
}

/// Blocks of a store's whole life, in which it does something or nothing.
async fn cost(bench: &mut Bench, verb: Option<&str>) -> i64 {
    bench.close().await;
    let before = bench.ground.blocks().await;
    bench.reopen().await;
    for number in 0..TIMES {
        if let Some(verb) = verb {
            call(bench, verb, number).await;
        }
    }
    bench.close().await;
    bench.ground.blocks().await - before
}

#[tokio::test]
async fn what_is_done_for_a_callback_costs_the_same_whatever_the_history() {
    let (short, long) = (costs(SHORT).await, costs(LONG).await);
    for ((verb, short), long) in VERBS.iter().zip(short).zip(long) {
        println!("{verb}: {short} blocks over 20,000 records, {long} over 200,000");
        assert!(long <= short + LEVELS, "{verb}: {short} blocks, then {long}");
    }
}
