//! Events that are held, and the conclusions drawn from them: all of each, once, or nothing.

use crate::bench::{Bench, account, entry, messages, record, record_mut, remember};
use bridge8890::model::{CallbackSeq, Level, Outcome, Record, Revision};
use bridge8890::store::{
    Concluded, Conclusion, LeasedMessage, MAX_MEMORY, MemoryChange, MessageSettled,
    MessageSettlement, Opaque, QuarantineFilter, RecordState, SettledMessage, Share, StoreError,
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

fn done(fresh: &[bool]) -> Concluded {
    Concluded::Done { fresh: fresh.to_vec() }
}

/// The texts of the events that are held, oldest first.
async fn held(bench: &Bench) -> Vec<String> {
    let held = bench.store().inbox(None, 100).await.expect("it reads");
    held.into_iter()
        .map(|one| String::from_utf8(one.bytes.expect("it opens").0).expect("a text"))
        .collect()
}

fn rated(bench: &Bench, message: &str) -> Record {
    record(&bench.rating(message, Level::Fair)).clone()
}

#[tokio::test]
async fn a_held_event_waits_in_order_through_crashes_and_purges_and_is_not_readable_on_disk() {
    let mut bench = Bench::new().await;
    let mut arrivals = bench.store().arrivals();
    arrivals.mark_unchanged();
    let arrived = bench.clock.now();
    for message in ["a", "b"] {
        assert!(bench.commit(bench.held(message)).await);
    }
    assert!(arrivals.has_changed().expect("the store is open"));
    assert!(!bench.commit(bench.held("a")).await, "a repeat holds nothing");
    bench.commit(bench.rating("c", Level::Fair)).await;
    bench.reopen().await;
    bench.clock.advance(100 * DAY);
    bench.commit(bench.rating("d", Level::Fair)).await;
    bench.purge(DAY).await;

    let inbox = bench.store().inbox(None, 100).await.expect("it reads");
    assert_eq!(held(&bench).await, ["13940000001 a", "13940000001 b"]);
    assert_eq!((inbox[0].callback, inbox[1].callback), (CallbackSeq(1), CallbackSeq(2)));
    assert_eq!((&inbox[0].account, inbox[0].received_at), (&account(), arrived));
    assert_eq!(bench.store().inbox(None, 1).await.expect("it reads")[..], inbox[..1]);
    let counts = bench.store().counts().await.expect("it counts");
    assert_eq!((counts.held, counts.records, counts.notes), (2, 2, 0));
    assert!(!bench.holds_in_the_clear("13940000001").await, "in the clear");
}

#[tokio::test]
async fn a_conclusion_brings_records_notes_memory_and_messages_and_takes_the_event() {
    let bench = Bench::new().await;
    let arrived = bench.clock.now();
    bench.commit(bench.held("a")).await;
    bench.clock.advance(DAY);
    let mut conclusion = bench.take(10).await;
    let record = Record { received_at: arrived, ..rated(&bench, "a") };
    let mut noted = entry(CallbackSeq(1), Outcome::OptOut, &[]);
    noted.received_at = arrived;
    conclusion.entries = vec![
        entry(CallbackSeq(1), Outcome::Rated, std::slice::from_ref(&record)),
        noted.clone(),
        noted,
    ];
    conclusion.memory = vec![remember("caller", b"1", None)];
    conclusion.messages = vec![bench.message("thanks")];
    let mut queued = bench.store().messages();
    queued.mark_unchanged();
    assert_eq!(bench.conclude(&conclusion).await, done(&[true; 3]));

    assert!(held(&bench).await.is_empty());
    assert!(queued.has_changed().expect("the store is open"));
    assert_eq!(bench.recall("caller").await, Some(b"1".to_vec()));
    let counts = bench.store().counts().await.expect("it counts");
    assert_eq!((counts.held, counts.records, counts.notes), (0, 1, 2));
    let lease = bench.lease(10).await;
    assert_eq!(lease.items[0].record, record);
    assert_eq!(lease.items[0].queued_at, bench.clock.now());
    let history = bench.operator().await.history(record.id).await.expect("it reads");
    assert_eq!(history[0].callback_seq, CallbackSeq(1));
    let found = bench.store().message_lanes().await.expect("it counts");
    assert_eq!((found[0].name.as_str(), found[0].pending), ("aliyun-sms", 1));

    // Notes of a later conclusion about the same callback stand beside the first ones.
    let later = Conclusion {
        entries: vec![entry(CallbackSeq(1), Outcome::Noted, &[])],
        ..Conclusion::default()
    };
    assert_eq!(bench.conclude(&later).await, done(&[true]));
    assert_eq!(bench.store().counts().await.expect("it counts").notes, 3);
}

#[tokio::test]
async fn a_conclusion_about_an_event_that_is_gone_is_void() {
    let mut bench = Bench::new().await;
    for message in ["a", "b"] {
        bench.commit(bench.held(message)).await;
    }
    let mut first = bench.take(1).await;
    first.memory = vec![remember("caller", b"1", None)];
    first.messages = vec![bench.message("thanks")];
    first.entries = vec![entry(CallbackSeq(1), Outcome::Rated, &[rated(&bench, "a")])];
    let mut both = bench.take(2).await;
    both.memory = vec![remember("caller", b"2", None)];
    both.entries = vec![entry(CallbackSeq(2), Outcome::Noted, &[])];

    // Within one group, too.
    let store = bench.store();
    let (one, two) = tokio::join!(
        store.conclude(bench.owned(first.clone())),
        store.conclude(bench.owned(both.clone()))
    );
    assert_eq!(one.expect("it concludes"), done(&[true]));
    assert_eq!(two.expect("it concludes"), Concluded::Void);
    for _ in 0..2 {
        assert_eq!(bench.conclude(&both).await, Concluded::Void);
        assert_eq!(bench.conclude(&first).await, Concluded::Void);
        assert_eq!(held(&bench).await, ["13940000001 b"]);
        assert_eq!(bench.recall("caller").await, Some(b"1".to_vec()));
        let counts = bench.store().counts().await.expect("it counts");
        assert_eq!((counts.records, counts.notes), (1, 0));
        assert_eq!(bench.store().message_lanes().await.expect("it counts")[0].pending, 1);
        bench.reopen().await;
    }
}

#[tokio::test]
async fn a_place_in_the_inbox_is_never_given_twice() {
    let mut bench = Bench::new().await;
    bench.commit(bench.held("a")).await;
    let first = bench.take(1).await;
    assert_eq!(bench.conclude(&first).await, done(&[]));
    bench.reopen().await;
    bench.commit(bench.held("b")).await;
    assert_eq!(bench.conclude(&first).await, Concluded::Void);
    assert_eq!(held(&bench).await, ["13940000001 b"]);
}

#[tokio::test]
async fn a_later_revision_takes_the_place_of_an_unsent_one_and_comes_once() {
    let bench = Bench::new().await;
    bench.commit(bench.held("a")).await;
    bench.commit(bench.held("b")).await;
    let first = rated(&bench, "a");
    let later = Record { revision: Revision(2), ..first.clone() };
    let mut conclusion = bench.take(1).await;
    conclusion.entries = vec![entry(CallbackSeq(1), Outcome::Rated, std::slice::from_ref(&first))];
    bench.conclude(&conclusion).await;
    let mut conclusion = bench.take(1).await;
    conclusion.entries = vec![entry(CallbackSeq(2), Outcome::Rated, std::slice::from_ref(&later))];
    assert_eq!(bench.conclude(&conclusion).await, done(&[true]));
    assert_eq!(bench.store().pending(), 1);

    // A memory that woke twice brings the same revision, and harms nobody else in its group.
    let again = Conclusion { held: Vec::new(), ..conclusion };
    let twice = Conclusion {
        entries: vec![entry(CallbackSeq::NONE, Outcome::Rated, &[rated(&bench, "c")]); 2],
        ..Conclusion::default()
    };
    let store = bench.store();
    let (commit, again, twice) = tokio::join!(
        store.commit(bench.rating("d", Level::Fair)),
        store.conclude(bench.owned(again)),
        store.conclude(bench.owned(twice))
    );
    assert_eq!(commit.expect("it commits").fresh, [true]);
    assert_eq!(again.expect("it concludes"), Concluded::Void);
    assert_eq!(twice.expect("it concludes"), Concluded::Void);

    let history = bench.operator().await.history(first.id).await.expect("it reads");
    let states: Vec<RecordState> = history.into_iter().map(|one| one.state).collect();
    assert!(matches!(states[..], [RecordState::Superseded, RecordState::Pending { .. }]));
    assert_eq!(messages(&bench.lease(10).await), ["a", "d"]);
    assert!(bench.store().counts().await.expect("it counts").add_up());
}

#[tokio::test]
async fn what_a_key_says_was_concluded_before_is_a_repeat() {
    let mut bench = Bench::new().await;
    let conclusion = |message: &str| {
        let mut once = entry(CallbackSeq::NONE, Outcome::Rated, &[rated(&bench, message)]);
        once.dedupe = Some("once per call".to_owned());
        Conclusion { entries: vec![once], ..Conclusion::default() }
    };
    let (one, two, three) = (conclusion("a"), conclusion("b"), conclusion("c"));
    let store = bench.store();
    let (one, two) =
        tokio::join!(store.conclude(bench.owned(one)), store.conclude(bench.owned(two)));
    assert_eq!(one.expect("it concludes"), done(&[true]));
    assert_eq!(two.expect("it concludes"), done(&[false]));
    bench.reopen().await;
    bench.file_keys("run").await;
    let records = bench.store().counts().await.expect("it counts").records;
    assert_eq!(bench.conclude(&three).await, done(&[false]));
    let counts = bench.store().counts().await.expect("it counts");
    assert_eq!((counts.records, counts.repeats), (records, 2));
    assert!(!bench.commit(bench.rating("once per call", Level::Fair)).await);
}

#[tokio::test]
async fn memory_is_recalled_by_key_wakes_in_time_and_is_forgotten() {
    let mut bench = Bench::new().await;
    let now = bench.clock.now();
    let later = now + Duration::from_secs(60);
    let memory = vec![
        remember("a 13940000001", b"old", Some(now)),
        remember("a 13940000001", b"new", Some(later)),
        remember("b", b"", Some(now)),
        remember("c", &vec![1; MAX_MEMORY], None),
        remember("d", b"d", None),
        MemoryChange { key: "d".to_owned(), to: None },
    ];
    bench.conclude(&Conclusion { memory, ..Conclusion::default() }).await;
    bench.reopen().await;
    let recalled = bench.store().recall(&["c", "a 13940000001", "x", "b", "d", "b"]).await;
    let values = [Some(vec![1; MAX_MEMORY]), Some(b"new".to_vec()), None, Some(Vec::new()), None];
    let expected: Vec<_> = values.into_iter().chain([Some(Vec::new())]).collect();
    let recalled = recalled.expect("it recalls").into_iter();
    assert_eq!(recalled.map(|value| value.map(|bytes| bytes.0)).collect::<Vec<_>>(), expected);

    let keys = async |at| {
        let woken = bench.store().woken(at, None, 10).await.expect("it reads");
        woken.into_iter().map(|one| one.key.expect("it opens")).collect::<Vec<_>>()
    };
    assert_eq!(bench.store().next_wake().await.expect("it reads"), Some(now));
    assert_eq!(keys(now).await, ["b"]);
    assert_eq!(keys(later).await, ["b", "a 13940000001"]);
    let first = bench.store().woken(later, None, 1).await.expect("it reads").remove(0);
    let second = bench.store().woken(later, Some(first.seq), 10).await.expect("it reads");
    assert_eq!((first.key.as_deref(), second.len()), (Some("b"), 1));
    let memory = vec![
        MemoryChange { key: "b".to_owned(), to: None },
        remember("a 13940000001", b"awake", None),
    ];
    bench.conclude(&Conclusion { memory, ..Conclusion::default() }).await;
    assert_eq!(bench.store().next_wake().await.expect("it reads"), None);
    assert_eq!(bench.recall("b").await, None);
    assert_eq!(bench.recall("a 13940000001").await, Some(b"awake".to_vec()));
    assert!(!bench.holds_in_the_clear("13940000001").await, "in the clear");
}

#[tokio::test]
async fn a_memory_that_is_too_large_is_refused_with_all_its_conclusion() {
    let bench = Bench::new().await;
    bench.commit(bench.held("a")).await;
    let mut conclusion = bench.take(1).await;
    conclusion.memory = vec![remember("a", &vec![0; MAX_MEMORY + 1], None)];
    let refused = bench.store().conclude(bench.owned(conclusion)).await;
    assert!(matches!(refused, Err(StoreError::TooLarge(length)) if length == MAX_MEMORY + 1));
    assert_eq!(held(&bench).await.len(), 1);
}

#[tokio::test]
async fn a_conclusion_that_fails_leaves_everything_as_it_was() {
    let bench = Bench::new().await;
    bench.commit(bench.held("a")).await;
    let mut conclusion = bench.take(1).await;
    conclusion.entries = vec![entry(CallbackSeq(1), Outcome::Rated, &[rated(&bench, "a")])];
    conclusion.memory = vec![remember("a", b"1", None)];
    conclusion.messages = vec![bench.message("thanks")];
    bench.sql("ALTER TABLE message RENAME TO gone").await;
    assert!(bench.store().conclude(bench.owned(conclusion.clone())).await.is_err());
    bench.sql("ALTER TABLE gone RENAME TO message").await;
    assert_eq!(held(&bench).await.len(), 1);
    assert_eq!(bench.recall("a").await, None);
    assert_eq!(bench.conclude(&conclusion).await, done(&[true]));
}

#[tokio::test]
async fn what_became_readable_may_be_held_too() {
    let bench = Bench::new().await;
    let mut batch = bench.held("a");
    batch.garbled = vec!["body[1]: bad".to_owned()];
    bench.commit(batch).await;
    bench.commit(bench.held("c")).await;
    let filter = QuarantineFilter { limit: 10, ..QuarantineFilter::default() };
    let operator = bench.operator().await;
    operator.request_reread(&filter, DAY, bench.clock.now()).await.expect("it asks");
    let asked = bench.store().rereads(1).await.expect("it reads");
    let callback = asked[0].callback.as_ref().expect("it is kept");
    let entries = [bench.held("a").entries.remove(0), bench.held("b").entries.remove(0)];
    let read = bench.store().commit_reread(callback, &entries, Vec::new()).await;
    assert_eq!(read.expect("it commits").fresh, [false, true]);
    assert_eq!(held(&bench).await, ["13940000001 a", "13940000001 b", "13940000001 c"]);
    let all = bench.take(10).await;
    assert_eq!(bench.conclude(&all).await, done(&[]));
}

#[tokio::test]
async fn beside_a_held_event_others_of_its_callback_are_decided_at_once() {
    let bench = Bench::new().await;
    let mut batch = bench.rating("a", Level::Fair);
    batch.entries.extend(bench.held("b").entries);
    batch.entries.extend(bench.rating("c", Level::Fair).entries);
    record_mut(&mut batch.entries[2]).comment.0.clear();
    assert_eq!(batch.entries[1].share.outcome(), Outcome::Held);
    assert!(matches!(batch.entries[2].share, Share::Decided { .. }));
    bench.store().commit(batch).await.expect("it commits");
    let counts = bench.store().counts().await.expect("it counts");
    assert_eq!((counts.records, counts.held), (2, 1));
}

#[tokio::test]
async fn a_damaged_event_hides_none_behind_it() {
    let bench = Bench::new().await;
    for message in ["a", "b"] {
        assert!(bench.commit(bench.held(message)).await);
    }
    bench
        .sql("UPDATE inbox SET sealed = zeroblob(length(sealed)) WHERE callback = (SELECT min(callback) FROM inbox)")
        .await;
    let held = bench.store().inbox(None, 10).await.expect("it reads");
    let readable: Vec<bool> = held.iter().map(|one| one.bytes.is_some()).collect();
    assert_eq!(readable, [false, true]);
    let behind = bench.store().inbox(Some(held[0].seq), 10).await.expect("it reads");
    assert_eq!(behind, held[1..]);
}

#[tokio::test]
async fn damaged_memories_and_news_hide_none_behind_them() {
    let bench = Bench::new().await;
    let now = bench.clock.now();
    let memory = ["a", "b"].map(|key| remember(key, b"asleep", Some(now))).to_vec();
    let messages = vec![bench.message("one"), bench.message("two")];
    bench.conclude(&Conclusion { memory, messages, ..Conclusion::default() }).await;
    let until = now + Duration::from_secs(60);
    let lease = bench.store().lease_messages(&account(), 2, until).await.expect("it leases");
    let news = Some(Opaque(b"news".to_vec()));
    let settled = |item: &LeasedMessage| SettledMessage {
        id: item.id,
        became: MessageSettled::Sent,
        news: news.clone(),
    };
    let items = lease.items.iter().map(settled).collect();
    let settlement = MessageSettlement { token: lease.token, items };
    bench.store().settle_messages(settlement).await.expect("it settles");
    bench
        .sql(
            "UPDATE memory SET sealed = zeroblob(length(sealed))
                WHERE digest = (SELECT digest FROM memory ORDER BY digest LIMIT 1);
             UPDATE message SET news = zeroblob(length(news))
                WHERE seq = (SELECT min(seq) FROM message)",
        )
        .await;
    let woken = bench.store().woken(now, None, 10).await.expect("it reads");
    assert!(matches!(&woken[..], [one, two] if one.key.is_none() && two.key.is_some()));
    let untold = bench.store().untold(None, 10).await.expect("it reads");
    assert!(matches!(&untold[..], [one, two] if one.bytes.is_none() && two.bytes == news));
}
