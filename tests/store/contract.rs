//! The store's contract: every verb, by example.

use crate::bench::{Bench, lane, messages, options, record, record_mut, ring};
use crate::ground::SHARED;
use bridge8890::lifecycle::Tasks;
use bridge8890::model::{Level, Outcome, Revision, Secret};
use bridge8890::store::{
    DeadClass, Filter, KEY_LEN, KeyRing, OpenError, RecordState, Retention, Settled, Store,
};
use bridge8890::telemetry::Metrics;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinSet;

#[tokio::test]
async fn a_record_comes_back_as_it_went_in_and_nothing_of_it_is_readable_on_disk() {
    let bench = Bench::new().await;
    let callback = bench.rating("m1", Level::Satisfied);
    let record = record(&callback).clone();
    assert!(bench.commit(callback).await);

    let lease = bench.lease(10).await;
    assert_eq!(lease.items.len(), 1);
    assert_eq!(lease.items[0].record, record);
    assert_eq!(lease.items[0].attempt, 1);

    let history = bench.operator().await.history(record.id).await.expect("it reads");
    assert_eq!(history[0].record, Ok(record));
    let raw = &history[0].callback.as_ref().expect("the callback is kept").raw;
    assert_eq!(raw.body, Bytes::from_static(b"body of m1"));

    for secret in ["13940000001", "等了三天", "body of m1"] {
        assert!(!bench.holds_in_the_clear(secret).await, "{secret} stands in the clear");
    }
}

#[tokio::test]
async fn a_repeat_changes_nothing_in_one_group_in_a_later_one_and_after_a_restart() {
    let mut bench = Bench::new().await;
    let both = tokio::join!(
        bench.store().commit(bench.rating("m1", Level::Fair)),
        bench.store().commit(bench.rating("m1", Level::Fair)),
    );
    let fresh = [both.0.expect("it commits").fresh[0], both.1.expect("it commits").fresh[0]];
    assert_eq!(fresh.iter().filter(|fresh| **fresh).count(), 1);
    assert!(!bench.commit(bench.rating("m1", Level::Fair)).await);
    bench.reopen().await;
    assert!(!bench.commit(bench.rating("m1", Level::Fair)).await);
    assert!(bench.commit(bench.rating("m2", Level::Fair)).await);
    let counts = bench.store().counts().await.expect("it counts");
    assert_eq!((counts.callbacks, counts.records, counts.repeats), (5, 2, 3));
}

#[tokio::test]
async fn sixty_four_at_once_are_one() {
    let bench = Bench::new().await;
    for round in 0..20 {
        let message = format!("m{round}");
        let mut commits = JoinSet::new();
        for _ in 0..64 {
            let store = bench.store().clone();
            let callback = bench.rating(&message, Level::Fair);
            commits.spawn(async move { store.commit(callback).await.expect("it commits") });
        }
        let committed = commits.join_all().await;
        let fresh = committed.iter().filter(|committed| committed.fresh[0]).count();
        assert_eq!(fresh, 1);
    }
}

#[tokio::test]
async fn complaints_go_first_and_a_lease_is_exclusive_until_it_ends() {
    let bench = Bench::new().await;
    for message in ["r1", "r2"] {
        bench.commit(bench.rating(message, Level::Fair)).await;
    }
    bench.commit(bench.complaint("c1")).await;
    let first = bench.lease(2).await;
    assert_eq!(messages(&first), ["c1", "r1"]);
    assert_eq!(messages(&bench.lease(10).await), ["r2"]);
    assert!(bench.lease(10).await.items.is_empty());

    bench.clock.advance(Duration::from_secs(61));
    let second = bench.lease(10).await;
    assert_eq!(second.items.len(), 3);
    assert!(second.items.iter().all(|item| item.attempt == 2));
    // The first lease is over: it settles nothing any more.
    assert_eq!(bench.settle_all(&first, Settled::Delivered).await, 2);
    assert_eq!(bench.settle_all(&second, Settled::Delivered).await, 0);
    assert_eq!(bench.settle_all(&second, Settled::Delivered).await, 3);
    let counts = bench.store().counts().await.expect("it counts");
    assert_eq!((counts.delivered, counts.pending), (3, 0));
    assert_eq!(bench.store().pending(), 0);
}

#[tokio::test]
async fn each_verdict_puts_a_record_where_it_belongs() {
    let bench = Bench::new().await;
    let mut ids = BTreeMap::new();
    for message in ["delivered", "retry", "released", "dead"] {
        let callback = bench.rating(message, Level::Fair);
        ids.insert(message, record(&callback).id);
        bench.commit(callback).await;
    }
    let lease = bench.lease(10).await;
    let due = bench.clock.now() + Duration::from_secs(10);
    let verdicts = lease.items.iter().zip(messages(&lease)).map(|(item, message)| {
        let verdict = match message.as_str() {
            "delivered" => Settled::Delivered,
            "retry" => Settled::Retry { due, reason: "503".to_owned() },
            "released" => Settled::Released,
            _ => Settled::Dead { class: DeadClass::Rejected, reason: "no such case".to_owned() },
        };
        (item.seq, verdict)
    });
    assert_eq!(bench.settle(&lease, verdicts.collect()).await, 0);
    assert_eq!(bench.state(ids["delivered"]).await, RecordState::Delivered);
    assert_eq!(bench.state(ids["retry"]).await, RecordState::Pending { due, leased: false });
    assert_eq!(bench.state(ids["dead"]).await, RecordState::Dead { class: "rejected".to_owned() });

    let again = bench.lease(10).await;
    assert_eq!(messages(&again), ["released"]);
    assert_eq!(again.items[0].attempt, 1, "a released attempt does not count");
    assert_eq!(bench.store().next_due(&lane()).await.expect("it reads"), Some(due));
    bench.clock.advance(Duration::from_secs(11));
    let retried = bench.lease(10).await;
    assert_eq!((messages(&retried), retried.items[0].attempt), (vec!["retry".to_owned()], 2));

    let operator = bench.operator().await;
    let dead = bench.dead(&[]).await;
    assert_eq!((dead.len(), dead[0].reason.as_str()), (1, "no such case"));
    assert_eq!(bench.replay(&dead).await.queued, 1);
    let last = bench.lease(10).await;
    assert_eq!((messages(&last), last.items[0].attempt), (vec!["dead".to_owned()], 1));
    bench.settle_all(&last, Settled::Delivered).await;
    let history = operator.history(ids["dead"]).await.expect("it reads");
    assert_eq!(history[0].attempts.len(), 3);
}

#[tokio::test]
async fn a_later_revision_takes_the_place_of_an_unsent_one() {
    let bench = Bench::new().await;
    let first = bench.rating("m1", Level::Dissatisfied);
    let mut second = bench.rating("m2", Level::Satisfied);
    let id = record(&first).id;
    let later = record_mut(&mut second.entries[0]);
    (later.id, later.revision) = (id, Revision(2));
    bench.commit(first).await;
    bench.commit(second).await;
    let lease = bench.lease(10).await;
    assert_eq!(messages(&lease), ["m2"]);
    assert_eq!(bench.store().pending(), 1);
    bench.settle_all(&lease, Settled::Delivered).await;
    let history = bench.operator().await.history(id).await.expect("it reads");
    let states: Vec<RecordState> = history.into_iter().map(|revision| revision.state).collect();
    assert_eq!(states, [RecordState::Superseded, RecordState::Delivered]);
    assert!(bench.store().counts().await.expect("it counts").add_up());
}

#[tokio::test]
async fn operators_find_records_by_caller_and_what_could_not_be_read() {
    let bench = Bench::new().await;
    bench.commit(bench.rating("m1", Level::Fair)).await;
    bench.commit(bench.complaint("m2")).await;
    let mut unread = bench.callback("x", Outcome::Noted, Vec::new());
    unread.entries.clear();
    unread.garbled.push("body[0]: no field `content`".to_owned());
    bench.store().commit(unread).await.expect("it commits");

    let operator = bench.operator().await;
    let by = |caller: &str, complaints| Filter {
        caller: Some(caller.to_owned()),
        complaints,
        limit: 10,
        ..Filter::default()
    };
    let found = operator.find(&by("+8613940000001", None)).await.expect("it reads");
    assert_eq!(found.len(), 2);
    let found = operator.find(&by("+8613940000001", Some(true))).await.expect("it reads");
    assert_eq!(found.len(), 1);
    assert!(operator.find(&by("+8613940000002", None)).await.expect("it reads").is_empty());
    let quarantined = operator.quarantined(10).await.expect("it reads");
    assert_eq!(quarantined.len(), 1);
    let callback = quarantined[0].callback.as_ref().expect("it is kept");
    assert_eq!(callback.garbled, ["body[0]: no field `content`"]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_nothing() {
    let hour = Duration::from_secs(3600);
    let mut bench = Bench::new().await;
    bench.commit(bench.rating("m1", Level::Fair)).await;
    bench.clock.set_back(hour);
    let lease = bench.lease(10).await;
    assert_eq!(messages(&lease), ["m1"]);
    if SHARED {
        // Another node's lease would run on, and no step of its clock would end it.
        bench.settle_all(&lease, Settled::Released).await;
    }
    bench.commit(bench.rating("m2", Level::Fair)).await;
    // Over a restart nobody has seen the later time.
    bench.clock.set_back(hour);
    bench.reopen().await;
    assert_eq!(messages(&bench.lease(10).await), ["m1", "m2"]);
}

#[tokio::test]
async fn a_purge_erases_what_is_old_and_delivered_and_keeps_the_order() {
    let mut bench = Bench::new().await;
    for message in ["sent", "waiting"] {
        bench.commit(bench.rating(message, Level::Fair)).await;
    }
    let lease = bench.lease(1).await;
    bench.settle_all(&lease, Settled::Delivered).await;
    bench.clock.advance(Duration::from_secs(100 * 86_400));
    bench.commit(bench.rating("new", Level::Fair)).await;
    let day = Duration::from_secs(86_400);
    let keep = Retention { callbacks: day, records: day, keys: day };
    bench.fold().await;
    while bench.store().purge(&keep, 100).await.expect("it purges") > 0 {}
    let counts = bench.store().counts().await.expect("it counts");
    assert_eq!((counts.callbacks, counts.records, counts.pending), (1, 2, 2));
    bench.reopen().await;
    let committed = bench.store().commit(bench.rating("newer", Level::Fair)).await;
    assert_eq!(committed.expect("it commits").seq.0, 4);
}

#[tokio::test]
async fn dead_letters_at_the_old_end_do_not_hold_up_a_purge() {
    let bench = Bench::new().await;
    for number in 0..10 {
        bench.commit(bench.rating(&number.to_string(), Level::Fair)).await;
    }
    let lease = bench.lease(4).await;
    bench.settle_all(&lease, Settled::Dead { class: DeadClass::Age, reason: String::new() }).await;
    let lease = bench.lease(10).await;
    bench.settle_all(&lease, Settled::Delivered).await;
    bench.clock.advance(Duration::from_secs(100 * 86_400));
    bench.commit(bench.rating("new", Level::Fair)).await;
    let day = Duration::from_secs(86_400);
    let keep = Retention { callbacks: day, records: day, keys: day };
    bench.fold().await;
    while bench.store().purge(&keep, 2).await.expect("it purges") > 0 {}
    let counts = bench.store().counts().await.expect("it counts");
    assert_eq!((counts.records, counts.dead, counts.pending), (5, 4, 1));
}

#[tokio::test]
async fn a_second_gateway_and_a_wrong_key_are_told_so() {
    let mut bench = Bench::new().await;
    let (place, clock, entropy) = (bench.place(), bench.clock.clone(), bench.entropy.clone());
    let open = |ring| {
        let (clock, entropy) = (clock.clone(), entropy.clone());
        let options = options(place.clone());
        async move {
            let metrics = Metrics::new().expect("a registry");
            Store::open(&options, ring, clock, entropy, &metrics, &Tasks::new()).await
        }
    };
    let second = open(ring()).await;
    assert!(if SHARED { second.is_ok() } else { matches!(second, Err(OpenError::Locked(_))) });
    drop(second);
    let (store, tasks) = bench.open.take().expect("it is open");
    drop(store);
    tasks.shut_down(Duration::from_secs(5), |_| ()).await;
    let other = KeyRing::new(&Secret::new(vec![8; KEY_LEN]), &[]).expect("a key");
    assert!(matches!(open(other).await, Err(OpenError::Key(_))));
}

#[tokio::test]
async fn a_store_that_cannot_commit_says_so_and_recovers() {
    let bench = Bench::new().await;
    bench.commit(bench.rating("m1", Level::Fair)).await;
    // The table is gone for the writer: every commit fails until it is back.
    bench.sql("ALTER TABLE callback_page RENAME TO gone").await;
    assert!(bench.store().commit(bench.rating("m2", Level::Fair)).await.is_err());
    assert!(bench.store().admits().is_err());
    bench.sql("ALTER TABLE gone RENAME TO callback_page").await;
    while bench.store().admits().is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(bench.commit(bench.rating("m2", Level::Fair)).await, "the failed commit left no key");
    assert!(!bench.commit(bench.rating("m1", Level::Fair)).await);
}

#[tokio::test]
async fn an_answer_with_a_nul_in_it_is_an_answer() {
    let bench = Bench::new().await;
    bench.commit(bench.rating("m1", Level::Fair)).await;
    let lease = bench.lease(1).await;
    let class = DeadClass::Rejected;
    let verdict = Settled::Dead { class, reason: "no\0such matter".to_owned() };
    assert_eq!(bench.settle_all(&lease, verdict).await, 0);
    assert!(bench.dead(&[]).await[0].reason.ends_with("such matter"));
}
