//! What holds in the store whatever the order of commits, leases, settlements and crashes.

use crate::bench::Bench;
use crate::ground::PART;
use bridge8890::model::{Level, RecordSeq};
use bridge8890::store::{
    DeadClass, Entry, Lease, Nonce, QuarantineFilter, Resend, Settled, StoreError,
};
use jiff::Timestamp;
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
    #![proptest_config(ProptestConfig { cases: 48 / PART, ..ProptestConfig::default() })]

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

/// What carriers send when they repeat, resend, forge, and garble.
#[derive(Debug, Clone)]
enum Sent {
    /// An event under an id and a business key, maybe under a token, maybe with another event
    /// beside it that cannot be read yet.
    Callback {
        id: u8,
        key: u8,
        token: Option<(u8, u8)>,
        hidden: Option<u8>,
    },
    Wait(u8),
    Crash,
    ReadAgain,
}

fn traffic() -> impl Strategy<Value = Vec<Sent>> {
    let token = prop::option::of((0..3_u8, 0..2_u8));
    let step = prop_oneof![
        6 => (0..12_u8, 0..3_u8, token, prop::option::weighted(0.3, 0..12_u8))
            .prop_map(|(id, key, token, hidden)| Sent::Callback { id, key, token, hidden }),
        2 => (1..50_u8).prop_map(Sent::Wait),
        1 => Just(Sent::Crash),
        1 => Just(Sent::ReadAgain),
    ];
    prop::collection::vec(step, 1..40)
}

const WINDOW: Duration = Duration::from_secs(60);

/// What should be known, in plain maps.
#[derive(Default)]
struct Model {
    ids: BTreeSet<u8>,
    keys: BTreeMap<u8, Timestamp>,
    tokens: BTreeMap<u8, u8>,
    quarantine: Vec<(u8, u8)>,
    records: i64,
}

impl Model {
    /// Whether a token says what it said before, if it did.
    fn believes(&mut self, token: Option<(u8, u8)>) -> bool {
        token.is_none_or(|(token, content)| *self.tokens.entry(token).or_insert(content) == content)
    }

    fn is_fresh(&mut self, id: u8, key: Option<u8>, now: Timestamp) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        let counted = key.and_then(|key| self.keys.get(&key));
        if counted.is_some_and(|counted| now <= *counted + WINDOW) {
            return false;
        }
        self.keys.extend(key.map(|key| (key, now)));
        self.records += 1;
        true
    }
}

fn entry(bench: &Bench, id: u8, key: Option<u8>) -> Entry {
    let mut entry = bench.rating(&id.to_string(), Level::Fair).entries.remove(0);
    entry.resend = key.map(|key| Resend { key: key.to_string(), window: WINDOW });
    entry
}

async fn send(bench: &Bench, model: &mut Model, sent: (u8, u8, Option<(u8, u8)>, Option<u8>)) {
    let (id, key, token, hidden) = sent;
    let mut callback = bench.rating("", Level::Fair);
    callback.entries = vec![entry(bench, id, Some(key))];
    callback.garbled.extend(hidden.map(|_| "body[1]: bad".to_owned()));
    callback.nonce =
        token.map(|(token, content)| Nonce { value: token.to_string(), content: [content; 32] });
    let done = bench.store().commit(callback).await;
    if !model.believes(token) {
        assert!(matches!(done, Err(StoreError::Replayed)), "{done:?}");
        return;
    }
    let fresh = done.expect("it commits").fresh;
    assert_eq!(fresh, [model.is_fresh(id, Some(key), bench.clock.now())]);
    model.quarantine.extend(hidden.map(|hidden| (id, hidden)));
}

async fn read_again(bench: &Bench, model: &mut Model) {
    let filter = QuarantineFilter { limit: 100, ..QuarantineFilter::default() };
    let (operator, window) = (bench.operator().await, Duration::from_secs(86_400));
    let requested = operator.request_reread(&filter, window, bench.clock.now()).await;
    assert_eq!(requested.expect("it asks").callbacks.len(), model.quarantine.len());
    let asked = bench.store().rereads(100).await.expect("it reads");
    for (one, (id, hidden)) in asked.iter().zip(std::mem::take(&mut model.quarantine)) {
        let callback = one.callback.as_ref().expect("it is kept");
        let entries = [entry(bench, id, None), entry(bench, hidden, None)];
        let done = bench.store().commit_reread(callback, &entries, Vec::new()).await;
        let fresh = model.is_fresh(hidden, None, callback.received_at);
        assert_eq!(done.expect("it commits").fresh, [false, fresh]);
    }
    assert!(operator.quarantined(1).await.expect("it reads").is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48 / PART, ..ProptestConfig::default() })]

    #[test]
    fn every_event_counts_once_however_it_comes(traffic in traffic()) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async move {
            let mut bench = Bench::new().await;
            let mut model = Model::default();
            for step in traffic {
                match step {
                    Sent::Callback { id, key, token, hidden } => {
                        send(&bench, &mut model, (id, key, token, hidden)).await;
                    }
                    Sent::Wait(seconds) => {
                        bench.clock.advance(Duration::from_secs(u64::from(seconds)));
                    }
                    Sent::Crash => bench.reopen().await,
                    Sent::ReadAgain => read_again(&bench, &mut model).await,
                }
                let counts = bench.store().counts().await.expect("it counts");
                assert!(counts.add_up(), "{counts:?}");
                assert_eq!(counts.records, model.records);
                assert_eq!(bench.store().pending(), model.records);
            }
        });
    }
}
