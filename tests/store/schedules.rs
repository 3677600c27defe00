//! What holds in the store whatever the order of commits, leases, settlements and crashes.

use crate::bench::Bench;
use bridge8890::model::{Level, RecordSeq};
use bridge8890::store::{DeadClass, Lease, Settled};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One step of a random schedule.
#[derive(Debug, Clone)]
enum Step {
    Commit(u8),
    Lease(u8),
    Settle { lease: usize, verdicts: Vec<u8> },
    Wait(u8),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..40_u8).prop_map(Step::Commit),
        3 => (1..6_u8).prop_map(Step::Lease),
        3 => (0..4_usize, prop::collection::vec(0..4_u8, 6))
            .prop_map(|(lease, verdicts)| Step::Settle { lease, verdicts }),
        1 => (1..100_u8).prop_map(Step::Wait),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_acknowledged_record_is_in_exactly_one_place(steps in steps()) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async move {
            let mut bench = Bench::new().await;
            let mut acknowledged = BTreeSet::new();
            let mut leases: Vec<Lease> = Vec::new();
            let mut attempts: BTreeMap<RecordSeq, u32> = BTreeMap::new();
            let mut delivered = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Commit(number) => {
                        let message = number.to_string();
                        let fresh = bench.commit(bench.rating(&message, Level::Fair)).await;
                        assert_eq!(fresh, acknowledged.insert(message), "no key twice");
                    }
                    Step::Lease(max) => {
                        let lease = bench.lease(usize::from(max)).await;
                        for item in &lease.items {
                            assert!(!delivered.contains(&item.seq), "delivered and leased again");
                            let before = attempts.insert(item.seq, item.attempt).unwrap_or(0);
                            assert!(item.attempt > before, "attempts never fall");
                        }
                        leases.push(lease);
                    }
                    Step::Settle { lease, verdicts } => {
                        let Some(lease) = leases.get(lease) else { continue };
                        let verdict = |verdict: &u8| match verdict {
                            0 => Settled::Delivered,
                            1 => Settled::Retry { due: bench.clock.now(), reason: String::new() },
                            2 => Settled::Retry {
                                due: bench.clock.now() + Duration::from_secs(30),
                                reason: String::new(),
                            },
                            _ => Settled::Dead { class: DeadClass::Age, reason: String::new() },
                        };
                        let items: Vec<(RecordSeq, Settled)> = lease
                            .items
                            .iter()
                            .zip(verdicts.iter().cycle())
                            .map(|(item, number)| (item.seq, verdict(number)))
                            .collect();
                        let lost = bench.settle(lease, items.clone()).await;
                        if lost == 0 {
                            let gone = items.iter().filter(|(_, to)| *to == Settled::Delivered);
                            delivered.extend(gone.map(|(seq, _)| *seq));
                        }
                    }
                    Step::Wait(seconds) => {
                        bench.clock.advance(Duration::from_secs(u64::from(seconds)));
                    }
                    Step::Crash => bench.reopen().await,
                }
                let counts = bench.store().counts().await.expect("it counts");
                assert!(counts.add_up(), "{counts:?}");
                let expected = i64::try_from(acknowledged.len()).expect("small");
                assert_eq!(counts.records, expected, "acknowledged means stored");
            }
        });
    }
}
