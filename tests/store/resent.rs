//! Carriers that resend under new ids: one event by its business key, within a window.

use crate::bench::{Bench, record};
use bridge8890::model::{Level, RecordId};
use bridge8890::store::{Callback, Matched, Repeat, Resend};
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(60);

/// A rating under an id of its own and a business key.
fn resent(bench: &Bench, message: &str, key: &str) -> Callback {
    let mut callback = bench.rating(message, Level::Fair);
    callback.entries[0].resend = Some(Resend { key: key.to_owned(), window: WINDOW });
    callback
}

async fn repeats(bench: &Bench, id: RecordId) -> Vec<(i64, Matched)> {
    let history = bench.operator().await.history(id).await.expect("it reads");
    let repeat = |repeat: &Repeat| (repeat.callback.0, repeat.matched);
    history[0].repeats.iter().map(repeat).collect()
}

#[tokio::test]
async fn under_a_new_id_within_the_window_it_is_a_repeat_with_a_visible_link() {
    let mut bench = Bench::new().await;
    let first = resent(&bench, "a", "key");
    let id = record(&first).id;
    assert!(bench.commit(first).await);
    bench.clock.advance(WINDOW);
    assert!(!bench.commit(resent(&bench, "b", "key")).await, "the last moment is within");
    assert!(!bench.commit(resent(&bench, "b", "key")).await, "the new id is known, too");
    assert!(!bench.commit(bench.rating("a", Level::Fair)).await);
    assert!(bench.commit(resent(&bench, "c", "another key")).await);

    bench.reopen().await;
    assert!(!bench.commit(resent(&bench, "b", "key")).await);
    assert!(!bench.commit(resent(&bench, "d", "key")).await);
    let links = [(2, Matched::Resend), (3, Matched::Id), (4, Matched::Id)];
    let later = [(6, Matched::Id), (7, Matched::Resend)];
    assert_eq!(repeats(&bench, id).await, [&links[..], &later[..]].concat());
    let counts = bench.store().counts().await.expect("it counts");
    assert_eq!((counts.callbacks, counts.records, counts.repeats), (7, 2, 5));
}

#[tokio::test]
async fn after_the_window_it_is_new_and_the_newest_counts() {
    let mut bench = Bench::new().await;
    assert!(bench.commit(resent(&bench, "a", "key")).await);
    bench.clock.advance(WINDOW + Duration::from_millis(1));
    let second = resent(&bench, "b", "key");
    let id = record(&second).id;
    assert!(bench.commit(second).await);
    bench.clock.advance(WINDOW);
    assert!(!bench.commit(resent(&bench, "c", "key")).await, "as seen from the second");
    bench.reopen().await;
    assert!(!bench.commit(resent(&bench, "d", "key")).await);
    assert_eq!(repeats(&bench, id).await, [(3, Matched::Resend), (4, Matched::Resend)]);
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.commit(resent(&bench, "e", "key")).await, "repeats do not stretch the window");
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_stretch_the_window() {
    let bench = Bench::new().await;
    assert!(bench.commit(resent(&bench, "a", "key")).await);
    bench.clock.set_back(2 * WINDOW);
    assert!(bench.commit(resent(&bench, "b", "key")).await);
}

#[tokio::test]
async fn sixty_four_ids_at_once_are_one_event() {
    let bench = Bench::new().await;
    let mut commits = tokio::task::JoinSet::new();
    for number in 0..64 {
        let store = bench.store().clone();
        let callback = resent(&bench, &number.to_string(), "key");
        commits.spawn(async move { store.commit(callback).await.expect("it commits").fresh[0] });
    }
    let fresh = commits.join_all().await;
    assert_eq!(fresh.iter().filter(|fresh| **fresh).count(), 1);
}

#[tokio::test]
async fn within_a_group_each_callback_counts_by_its_own_time() {
    let bench = Bench::new().await;
    let first = resent(&bench, "a", "key");
    bench.clock.advance(WINDOW);
    let within = resent(&bench, "b", "key");
    bench.clock.advance(Duration::from_secs(1));
    let beyond = resent(&bench, "c", "key");
    let store = bench.store();
    let (first, within, beyond) =
        tokio::join!(store.commit(first), store.commit(within), store.commit(beyond));
    let fresh = [first, within, beyond].map(|done| done.expect("it commits").fresh[0]);
    assert_eq!(fresh, [true, false, true]);
}

#[tokio::test]
async fn a_key_and_an_id_that_read_alike_are_two_things() {
    let bench = Bench::new().await;
    assert!(bench.commit(resent(&bench, "a", "b")).await);
    assert!(bench.commit(bench.rating("b", Level::Fair)).await);
}

#[tokio::test]
async fn filed_keys_lead_to_the_newest_too() {
    let mut bench = Bench::new().await;
    assert!(bench.commit(resent(&bench, "a", "key")).await);
    bench.file_keys("first").await;
    bench.clock.advance(WINDOW / 2);
    assert!(!bench.commit(resent(&bench, "b", "key")).await);
    bench.clock.advance(WINDOW);
    let second = resent(&bench, "c", "key");
    let id = record(&second).id;
    assert!(bench.commit(second).await);
    bench.file_keys("second").await;
    for _ in 0..2 {
        let last = resent(&bench, "d", "key");
        assert!(!bench.commit(last).await);
        bench.reopen().await;
    }
    let linked = repeats(&bench, id).await;
    assert_eq!(
        linked.iter().map(|(_, matched)| *matched).collect::<Vec<_>>(),
        [Matched::Resend, Matched::Id]
    );
}
