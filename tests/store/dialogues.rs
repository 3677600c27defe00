//! What holds in a dialogue whatever the order of events, conclusions, sendings and crashes.

use crate::bench::{Bench, account, entry, record, remember};
use crate::ground::PART;
use bridge8890::model::{Level, MessageKey, Outcome, Record, RecordId, Revision};
use bridge8890::store::{
    Concluded, Conclusion, DeadClass, Held, MessageLease, MessageSettled, MessageSettlement,
    Opaque, SettledMessage,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::task::JoinSet;

/// One step of a random dialogue.
#[derive(Debug, Clone)]
enum Step {
    Hold(u8),
    Conclude(u32),
    /// The writer is killed after so many steps of 50 µs, while it concludes.
    ConcludeAndCrash(u32, u8),
    /// Somebody else brings the last conclusion once more.
    ConcludeAgain,
    Lease(u8),
    Settle {
        lease: usize,
        verdict: u8,
    },
    Wait(u8),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
            5 => (0..30_u8).prop_map(Step::Hold),
            3 => (1..4_u32).prop_map(Step::Conclude),
            1 => (1..4_u32, 0..30_u8)
    .prop_map(|(events, after)| Step::ConcludeAndCrash(events, after)),
            1 => Just(Step::ConcludeAgain),
            2 => (1..4_u8).prop_map(Step::Lease),
            2 => (0..4_usize, 0..5_u8).prop_map(|(lease, verdict)| Step::Settle { lease, verdict }),
            1 => (1..100_u8).prop_map(Step::Wait),
            1 => Just(Step::Crash),
        ];
    prop::collection::vec(step, 1..40)
}

/// What should be in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    known: BTreeSet<u8>,
    held: Vec<u8>,
    records: i64,
    notes: i64,
    /// The record that was made last, and its revision: what is remembered.
    last: Option<(RecordId, Revision)>,
    messages: BTreeMap<MessageKey, Place>,
    /// What became of messages, and was not told.
    untold: BTreeMap<MessageKey, Vec<u8>>,
    /// The messages that were leased, and not settled since.
    leased: BTreeSet<MessageKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Pending,
    Sent,
    Dropped,
    Dead,
}

/// Of each event: every third is noted, every third rates, every third revises what is remembered.
/// Beside them the news of as many messages are told.
fn decide(bench: &Bench, model: &Model, held: &[Held]) -> (Conclusion, Model) {
    let (mut conclusion, mut model) = (Conclusion::default(), model.clone());
    conclusion.told = model.untold.keys().take(held.len()).copied().collect();
    conclusion.told.iter().for_each(|id| drop(model.untold.remove(id)));
    for event in held {
        let number = model.held.remove(0);
        assert_eq!(
            event.bytes.as_ref().expect("it opens").0,
            format!("13940000001 {number}").into_bytes(),
            "in order"
        );
        conclusion.held.push(event.seq);
        let fresh = record(&bench.rating(&number.to_string(), Level::Fair)).clone();
        let revised = model.last.map(|(id, Revision(number))| (id, Revision(number + 1)));
        let record = match (number % 3, revised) {
            (0, _) => None,
            (2, Some((id, revision))) => Some(Record { id, revision, ..fresh }),
            _ => Some(fresh),
        };
        let outcome = if record.is_some() { Outcome::Rated } else { Outcome::Noted };
        conclusion.entries.push(entry(event.callback, outcome, record.as_slice()));
        let Some(record) = record else {
            model.notes += 1;
            continue;
        };
        model.records += 1;
        model.last = Some((record.id, record.revision));
        conclusion.memory.push(remember("last", &remembered(&record.id, record.revision), None));
        let message = bench.message("thanks");
        model.messages.insert(message.id, Place::Pending);
        conclusion.messages.push(message);
    }
    (conclusion, model)
}

fn remembered(id: &RecordId, revision: Revision) -> Vec<u8> {
    format!("{id} {revision}").into_bytes()
}

/// Concludes while the writer is killed, and tells whether that was in time.
async fn conclude_and_crash(bench: &mut Bench, conclusion: Conclusion, steps: u8) -> bool {
    let first = conclusion.held.first().copied();
    let (store, conclusion) = (bench.store().clone(), bench.owned(conclusion));
    let mut concluding = JoinSet::new();
    concluding.spawn(async move { store.conclude(conclusion).await });
    tokio::time::sleep(Duration::from_micros(50) * u32::from(steps)).await;
    bench.close().await;
    let told = concluding.join_all().await.remove(0);
    bench.reopen().await;
    let left = bench.store().inbox(None, 1).await.expect("it reads");
    let gone = first.is_some() && left.first().map(|one| one.seq) != first;
    assert!(gone || first.is_none() || told.is_err(), "told means stored");
    gone
}

async fn settle(bench: &Bench, model: &mut Model, lease: &MessageLease, verdict: u8) {
    let due = bench.clock.now() + Duration::from_secs(30);
    let (verdict, place) = match verdict {
        0 => (MessageSettled::Sent, Place::Sent),
        1 => (MessageSettled::Dropped { reason: String::new() }, Place::Dropped),
        2 => (MessageSettled::Retry { due, reason: String::new() }, Place::Pending),
        3 => (MessageSettled::Released, Place::Pending),
        _ => {
            let (class, reason) = (DeadClass::Attempts, String::new());
            (MessageSettled::Dead { class, reason }, Place::Dead)
        }
    };
    for item in &lease.items {
        // A retry is no news to anybody.
        let news = (place != Place::Pending).then(|| format!("{place:?}").into_bytes());
        let (became, told) = (verdict.clone(), news.clone().map(Opaque));
        let items = vec![SettledMessage { id: item.id, became, news: told }];
        let settlement = MessageSettlement { token: lease.token, items };
        if bench.store().settle_messages(settlement).await.expect("it settles") == 0 {
            model.messages.insert(item.id, place);
            model.leased.remove(&item.id);
            model.untold.extend(news.map(|news| (item.id, news)));
        }
    }
}

async fn check(bench: &Bench, model: &Model) {
    let counts = bench.store().counts().await.expect("it counts");
    assert!(counts.add_up(), "{counts:?}");
    assert_eq!(counts.held, i64::try_from(model.held.len()).expect("small"));
    assert_eq!((counts.records, counts.notes), (model.records, model.notes));
    assert_eq!(bench.store().pending(), counts.pending);
    let last = model.last.map(|(id, revision)| remembered(&id, revision));
    assert_eq!(bench.recall("last").await, last);
    let untold = bench.store().untold(None, 100).await.expect("it reads");
    let untold = untold.into_iter().map(|one| (one.id, one.bytes.expect("it opens").0));
    assert_eq!(untold.collect::<BTreeMap<_, _>>(), model.untold);
    let lanes = bench.store().message_lanes().await.expect("it counts");
    let found = lanes.first().map(|lane| [lane.pending, lane.sent, lane.dropped, lane.dead]);
    let places = [Place::Pending, Place::Sent, Place::Dropped, Place::Dead];
    let count = |place| model.messages.values().filter(|at| **at == place).count();
    let expected = places.map(|place| i64::try_from(count(place)).expect("small"));
    assert_eq!(found.unwrap_or_default(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48 / PART, ..ProptestConfig::default() })]

    #[test]
    fn every_held_event_is_concluded_once_and_wholly(steps in steps()) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async move {
            let mut bench = Bench::new().await;
            let mut model = Model::default();
            // They end with the process that holds them.
            let mut leases: Vec<MessageLease> = Vec::new();
            let mut last = Conclusion::default();
            for step in steps {
                match step {
                    Step::Hold(number) => {
                        let fresh = bench.commit(bench.held(&number.to_string())).await;
                        assert_eq!(fresh, model.known.insert(number), "no event twice");
                        model.held.extend(fresh.then_some(number));
                    }
                    Step::Conclude(events) => {
                        let held = bench.store().inbox(None, events).await.expect("it reads");
                        let (conclusion, after) = decide(&bench, &model, &held);
                        let fresh = vec![true; held.len()];
                        let done = bench.conclude(&conclusion).await;
                        assert_eq!(done, Concluded::Done { fresh });
                        (last, model) = (conclusion, after);
                    }
                    Step::ConcludeAndCrash(events, after_steps) => {
                        let held = bench.store().inbox(None, events).await.expect("it reads");
                        let (conclusion, after) = decide(&bench, &model, &held);
                        if conclude_and_crash(&mut bench, conclusion.clone(), after_steps).await {
                            (last, model) = (conclusion, after);
                        }
                        leases.clear();
                    }
                    Step::ConcludeAgain if last.held.is_empty() => {}
                    Step::ConcludeAgain => {
                        assert_eq!(bench.conclude(&last).await, Concluded::Void);
                    }
                    Step::Lease(max) => {
                        let until = bench.clock.now() + Duration::from_secs(60);
                        let (lane, max) = (account(), usize::from(max));
                        let lease = bench.store().lease_messages(&lane, max, until).await;
                        let lease = lease.expect("it leases");
                        for item in &lease.items {
                            assert_eq!(model.messages[&item.id], Place::Pending);
                            assert_eq!(item.in_doubt, !model.leased.insert(item.id));
                        }
                        leases.push(lease);
                    }
                    Step::Settle { lease, verdict } => {
                        if let Some(lease) = leases.get(lease) {
                            settle(&bench, &mut model, lease, verdict).await;
                        }
                    }
                    Step::Wait(seconds) => {
                        bench.clock.advance(Duration::from_secs(u64::from(seconds)));
                    }
                    Step::Crash => {
                        bench.reopen().await;
                        leases.clear();
                    }
                }
                check(&bench, &model).await;
            }
        });
    }
}
