//! The quarantine, read again: what became readable comes in, and nothing twice.

use crate::bench::{Bench, account, record_mut};
use bridge8890::model::{AccountName, CallbackSeq, Level, Outcome};
use bridge8890::store::{
    Callback, Committed, Entry, Filter, QuarantineFilter, RequestedRereads, Resend,
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
const WINDOW: Duration = Duration::from_secs(7 * 86_400);

fn all() -> QuarantineFilter {
    QuarantineFilter { limit: 100, ..QuarantineFilter::default() }
}

/// A batch of which these events are readable, and some items are not.
fn batch(bench: &Bench, readable: &[&str], garbled: &[&str]) -> Callback {
    let mut callback = bench.callback("", Outcome::Noted, Vec::new());
    callback.entries = readable.iter().map(|message| entry(bench, message)).collect();
    callback.garbled = garbled.iter().map(ToString::to_string).collect();
    callback
}

fn entry(bench: &Bench, message: &str) -> Entry {
    bench.rating(message, Level::Fair).entries.remove(0)
}

async fn commit(bench: &Bench, callback: Callback) -> CallbackSeq {
    bench.store().commit(callback).await.expect("it commits").seq
}

async fn request(bench: &Bench, filter: &QuarantineFilter) -> RequestedRereads {
    let operator = bench.operator().await;
    operator.request_reread(filter, WINDOW, bench.clock.now()).await.expect("it asks")
}

/// Reads the oldest requested callback again, as these events and problems.
async fn reread(bench: &Bench, readable: &[&str], garbled: &[&str]) -> Committed {
    let asked = bench.store().rereads(1).await.expect("it reads");
    let callback = asked[0].callback.as_ref().expect("it is kept");
    let entries: Vec<Entry> = readable
        .iter()
        .map(|message| {
            let mut entry = entry(bench, message);
            record_mut(&mut entry).received_at = callback.received_at;
            entry
        })
        .collect();
    let garbled = garbled.iter().map(ToString::to_string).collect();
    bench.store().commit_reread(callback, &entries, garbled).await.expect("it commits")
}

async fn problems(bench: &Bench) -> Vec<(i64, Vec<String>, bool)> {
    let quarantined = bench.operator().await.quarantined(100).await.expect("it reads");
    quarantined.into_iter().map(|one| (one.seq.0, one.problems, one.neighbours)).collect()
}

async fn tally(bench: &Bench) -> (i64, i64, i64, i64) {
    let counts = bench.store().counts().await.expect("it counts");
    assert!(counts.add_up(), "{counts:?}");
    (counts.callbacks, counts.records, counts.repeats, counts.notes)
}

#[tokio::test]
async fn what_became_readable_is_recorded_as_of_its_arrival_and_queued_now() {
    let mut bench = Bench::new().await;
    let arrived = bench.clock.now();
    let seq = commit(&bench, batch(&bench, &[], &["body: no charset"])).await;
    assert_eq!(problems(&bench).await, [(1, vec!["body: no charset".to_owned()], false)]);
    bench.clock.advance(20 * DAY);
    let requested = request(&bench, &all()).await;
    assert_eq!(requested.callbacks, [seq]);
    bench.reopen().await;
    assert_eq!(bench.operator().await.rereads_left().await.expect("it reads"), 1);

    let done = reread(&bench, &["a", "b"], &[]).await;
    assert_eq!((done.seq, done.fresh), (seq, vec![true, true]));
    assert_eq!(tally(&bench).await, (1, 2, 0, 0));
    assert_eq!(bench.store().pending(), 2);
    assert_eq!(bench.operator().await.rereads_left().await.expect("it reads"), 0);
    assert!(problems(&bench).await.is_empty());
    let lease = bench.lease(10).await;
    for item in &lease.items {
        assert_eq!((item.record.received_at, item.queued_at), (arrived, bench.clock.now()));
    }

    bench.reopen().await;
    assert!(!bench.commit(bench.rating("a", Level::Fair)).await, "its key is remembered");
    assert!(bench.commit(bench.rating("c", Level::Fair)).await);
    let found = bench.operator().await.find(&by_caller()).await.expect("it reads");
    assert_eq!(found.len(), 3, "it is found by its caller");
    let history = bench
        .operator()
        .await
        .history(found[2].record.as_ref().expect("whole").id)
        .await
        .expect("it reads");
    assert_eq!(history[0].callback_seq, seq);
    assert_eq!(history[0].repeats.len(), 1);
}

fn by_caller() -> Filter {
    Filter { caller: Some("+8613940000001".to_owned()), limit: 10, ..Filter::default() }
}

#[tokio::test]
async fn neighbours_that_were_readable_at_first_are_not_counted_again() {
    let bench = Bench::new().await;
    bench.commit(bench.rating("elsewhere", Level::Fair)).await;
    let readable = ["own", "elsewhere"];
    commit(&bench, batch(&bench, &readable, &["body[2]: bad", "body[3]: bad"])).await;
    assert_eq!(tally(&bench).await, (2, 2, 1, 2));
    request(&bench, &all()).await;
    let done = reread(&bench, &["own", "elsewhere", "new"], &["body[3]: worse"]).await;
    assert_eq!(done.fresh, [false, false, true]);
    assert_eq!(tally(&bench).await, (2, 3, 1, 1));
    assert_eq!(problems(&bench).await, [(2, vec!["body[3]: worse".to_owned()], true)]);

    request(&bench, &all()).await;
    let done = reread(&bench, &["own", "elsewhere", "new", "elsewhere"], &[]).await;
    assert_eq!(done.fresh, [false; 4]);
    assert_eq!(tally(&bench).await, (2, 3, 2, 0), "the second of them is a repeat not yet noted");
}

#[tokio::test]
async fn what_another_callback_contributed_meanwhile_is_a_repeat() {
    let bench = Bench::new().await;
    let resent = |message: &str| {
        let mut entry = entry(&bench, message);
        entry.resend = Some(Resend { key: "key".to_owned(), window: WINDOW });
        entry
    };
    commit(&bench, batch(&bench, &[], &["body: bad"])).await;
    bench.clock.advance(DAY);
    let mut second = batch(&bench, &[], &[]);
    second.entries = vec![resent("a")];
    commit(&bench, second).await;
    request(&bench, &all()).await;
    let asked = bench.store().rereads(1).await.expect("it reads");
    let callback = asked[0].callback.as_ref().expect("it is kept");
    let entries = [resent("a"), resent("b")];
    let done = bench.store().commit_reread(callback, &entries, Vec::new()).await;
    assert_eq!(done.expect("it commits").fresh, [false, false], "by its id and by its key");
    assert_eq!(tally(&bench).await, (2, 1, 2, 0));
    // The older callback has not taken the business key from the newer one.
    bench.clock.advance(WINDOW - DAY / 2);
    let mut third = batch(&bench, &[], &[]);
    third.entries = vec![resent("c")];
    assert!(!bench.commit(third).await);
}

#[tokio::test]
async fn an_old_callback_with_readable_neighbours_is_left_alone() {
    let bench = Bench::new().await;
    let with = commit(&bench, batch(&bench, &["a"], &["body[1]: bad"])).await;
    let without = commit(&bench, batch(&bench, &[], &["body: bad"])).await;
    bench.clock.advance(WINDOW);
    assert_eq!(request(&bench, &all()).await.callbacks, [with, without]);
    bench.clock.advance(Duration::from_secs(1));
    let expected = RequestedRereads { callbacks: vec![without], too_old: 1, erased: 0 };
    assert_eq!(request(&bench, &all()).await, expected);

    // What has been asked for in time goes with the keys.
    assert_eq!(bench.operator().await.rereads_left().await.expect("it reads"), 2);
    bench.commit(bench.rating("b", Level::Fair)).await;
    let keep =
        bridge8890::store::Retention { callbacks: 30 * DAY, records: 30 * DAY, keys: WINDOW };
    let asked = bench.store().rereads(1).await.expect("it reads");
    bench.fold().await;
    while bench.store().purge(&keep, 100).await.expect("it purges") > 0 {}
    let callback = asked[0].callback.as_ref().expect("it is kept");
    let late = bench.store().commit_reread(callback, &[entry(&bench, "a")], Vec::new()).await;
    assert_eq!(late.expect("it answers").fresh, [false]);
    assert_eq!(bench.store().rereads(10).await.expect("it reads")[0].seq, without);

    // It had none, until it was read again in part.
    reread(&bench, &["c"], &["body[1]: bad"]).await;
    assert_eq!(request(&bench, &all()).await.too_old, 2);
}

#[tokio::test]
async fn keys_that_are_purged_make_it_too_old_whatever_window_is_named() {
    let bench = Bench::new().await;
    commit(&bench, batch(&bench, &["a"], &["body[1]: bad"])).await;
    bench.file_keys("run").await;
    bench.clock.advance(2 * DAY);
    let keep = bridge8890::store::Retention { callbacks: 30 * DAY, records: 30 * DAY, keys: DAY };
    bench.fold().await;
    while bench.store().purge(&keep, 100).await.expect("it purges") > 0 {}
    let requested = request(&bench, &all()).await;
    assert_eq!((requested.callbacks, requested.too_old), (Vec::new(), 1));
}

#[tokio::test]
async fn reading_again_is_asked_for_by_account_callback_and_time_and_taken_back() {
    let bench = Bench::new().await;
    let garbled = || batch(&bench, &[], &["body: bad"]);
    let mut other = garbled();
    other.account = AccountName::new("yunpian").expect("a name");
    let (first, other) = (commit(&bench, garbled()).await, commit(&bench, other).await);
    bench.clock.advance(DAY);
    let noon = bench.clock.now();
    let last = commit(&bench, garbled()).await;
    for (filter, expected) in [
        (QuarantineFilter { account: Some(account()), ..all() }, vec![first, last]),
        (QuarantineFilter { callback: Some(other), ..all() }, vec![other]),
        (QuarantineFilter { since: Some(noon), ..all() }, vec![last]),
        (QuarantineFilter { until: Some(noon), ..all() }, vec![first, other]),
        (QuarantineFilter { limit: 2, ..all() }, vec![first, other]),
    ] {
        assert_eq!(request(&bench, &filter).await.callbacks, expected);
        let asked = bench.store().rereads(10).await.expect("it reads");
        assert_eq!(asked.iter().map(|one| one.seq).collect::<Vec<_>>(), expected);
        let operator = bench.operator().await;
        let withdrawn = operator.withdraw_rereads().await.expect("it withdraws");
        assert_eq!(withdrawn, expected.len() as u64);
    }
    assert!(bench.store().rereads(10).await.expect("it reads").is_empty());
}

#[tokio::test]
async fn with_an_erased_callback_goes_the_request_and_its_note_stays() {
    let bench = Bench::new().await;
    commit(&bench, batch(&bench, &[], &["body: bad"])).await;
    request(&bench, &all()).await;
    bench.clock.advance(DAY);
    bench.commit(bench.rating("a", Level::Fair)).await;
    // The callback goes without its note, as a purge that was cut short would have it.
    bench.sql("DELETE FROM callback_page WHERE first_seq = 1").await;
    assert!(bench.store().rereads(10).await.expect("it reads").is_empty());
    assert_eq!(request(&bench, &all()).await, RequestedRereads { erased: 1, ..Default::default() });
    bench.purge(2 * DAY).await;
    assert_eq!(bench.operator().await.rereads_left().await.expect("it reads"), 0);
    assert_eq!(problems(&bench).await, [(1, Vec::new(), false)]);
}

#[tokio::test]
async fn a_second_reading_of_the_same_request_changes_nothing() {
    let bench = Bench::new().await;
    commit(&bench, batch(&bench, &[], &["body: bad"])).await;
    request(&bench, &all()).await;
    let asked = bench.store().rereads(1).await.expect("it reads");
    let callback = asked[0].callback.as_ref().expect("it is kept");
    let entries = [entry(&bench, "a")];
    let (one, two) = tokio::join!(
        bench.store().commit_reread(callback, &entries, Vec::new()),
        bench.store().commit_reread(callback, &entries, Vec::new()),
    );
    assert_eq!(one.expect("it commits").fresh, [true]);
    assert_eq!(two.expect("it commits").fresh, [false]);
    assert_eq!(tally(&bench).await, (1, 1, 0, 0));
}

#[tokio::test]
async fn a_reading_that_fails_leaves_everything_as_it_was() {
    let bench = Bench::new().await;
    commit(&bench, batch(&bench, &[], &["body: bad"])).await;
    request(&bench, &all()).await;
    let asked = bench.store().rereads(1).await.expect("it reads");
    let callback = asked[0].callback.as_ref().expect("it is kept");
    let entries = [entry(&bench, "a")];
    bench.sql("ALTER TABLE outbox RENAME TO gone").await;
    assert!(bench.store().commit_reread(callback, &entries, Vec::new()).await.is_err());
    bench.sql("ALTER TABLE gone RENAME TO outbox").await;
    assert_eq!(tally(&bench).await, (1, 0, 0, 1));
    let done = bench.store().commit_reread(callback, &entries, Vec::new()).await;
    assert_eq!(done.expect("it commits").fresh, [true]);
    let [mut entry] = entries;
    assert_eq!(&bench.lease(10).await.items[0].record, record_mut(&mut entry));
}
