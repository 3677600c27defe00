//! One-time tokens: each stands for one content, durably and whatever else happens.

use crate::bench::Bench;
use bridge8890::model::{AccountName, Level};
use bridge8890::store::{Callback, Committed, Nonce, StoreError};
use std::time::Duration;

/// A callback under a token that says what `message` says.
fn signed(bench: &Bench, message: &str, token: &str, content: u8) -> Callback {
    let mut callback = bench.rating(message, Level::Fair);
    callback.nonce = Some(Nonce { value: token.to_owned(), content: [content; 32] });
    callback
}

fn is_replayed(done: &Result<Committed, StoreError>) -> bool {
    matches!(done, Err(StoreError::Replayed))
}

#[tokio::test]
async fn a_token_with_other_content_is_refused_whole_now_and_after_a_restart() {
    let mut bench = Bench::new().await;
    assert!(bench.commit(signed(&bench, "a", "token", 1)).await);
    for _ in 0..2 {
        let forged = bench.store().commit(signed(&bench, "b", "token", 2)).await;
        assert!(is_replayed(&forged));
        assert!(!bench.commit(signed(&bench, "a", "token", 1)).await, "an honest repeat");
        bench.reopen().await;
    }
    assert!(bench.store().admits().is_ok(), "a forgery is no failure of the store");
    let counts = bench.store().counts().await.expect("it counts");
    assert_eq!((counts.callbacks, counts.records, counts.repeats), (3, 1, 2));

    let next = bench.store().commit(signed(&bench, "b", "other token", 2)).await;
    let next = next.expect("it commits");
    assert_eq!((next.seq.0, next.fresh), (4, vec![true]), "what was refused left no key");
}

#[tokio::test]
async fn tokens_belong_to_their_account() {
    let bench = Bench::new().await;
    assert!(bench.commit(signed(&bench, "a", "token", 1)).await);
    let mut other = signed(&bench, "a", "token", 2);
    other.account = AccountName::new("yunpian").expect("a name");
    assert!(bench.commit(other).await);
}

#[tokio::test]
async fn within_one_group_the_first_content_stands() {
    let bench = Bench::new().await;
    let store = bench.store();
    let (first, forged, repeat, plain) = tokio::join!(
        store.commit(signed(&bench, "a", "token", 1)),
        store.commit(signed(&bench, "b", "token", 2)),
        store.commit(signed(&bench, "a", "token", 1)),
        store.commit(bench.rating("c", Level::Fair)),
    );
    assert!(is_replayed(&forged));
    let fresh = [first, repeat, plain].map(|done| done.expect("it commits").fresh[0]);
    assert_eq!(fresh, [true, false, true]);
    let operator = bench.operator().await;
    let seqs = [1, 2, 3].map(bridge8890::model::CallbackSeq);
    for (seq, body) in seqs.into_iter().zip(["body of a", "body of a", "body of c"]) {
        let callback = operator.callback(seq).await.expect("it reads").expect("it is kept");
        assert_eq!(callback.raw.body, body.as_bytes());
    }
    assert_eq!(store.counts().await.expect("it counts").callbacks, 3);
}

#[tokio::test]
async fn a_group_of_nothing_but_forgeries_leaves_nothing() {
    let bench = Bench::new().await;
    assert!(bench.commit(signed(&bench, "a", "token", 1)).await);
    let (one, two) = tokio::join!(
        bench.store().commit(signed(&bench, "b", "token", 2)),
        bench.store().commit(signed(&bench, "c", "token", 3)),
    );
    assert!(is_replayed(&one) && is_replayed(&two));
    assert_eq!(bench.store().counts().await.expect("it counts").callbacks, 1);
    assert_eq!(bench.store().pending(), 1);
}

#[tokio::test]
async fn sixty_four_repeats_at_once_are_honest() {
    let bench = Bench::new().await;
    let mut commits = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let store = bench.store().clone();
        let callback = signed(&bench, "a", "token", 1);
        commits.spawn(async move { store.commit(callback).await.expect("it commits").fresh[0] });
    }
    let fresh = commits.join_all().await;
    assert_eq!(fresh.iter().filter(|fresh| **fresh).count(), 1);
}

#[tokio::test]
async fn filed_tokens_are_remembered_until_their_window_is_over() {
    let mut bench = Bench::new().await;
    assert!(bench.commit(signed(&bench, "a", "token", 1)).await);
    bench.file_keys("first").await;
    for _ in 0..2 {
        assert!(is_replayed(&bench.store().commit(signed(&bench, "b", "token", 2)).await));
        assert!(!bench.commit(signed(&bench, "a", "token", 1)).await);
        bench.reopen().await;
    }
    bench.clock.advance(Duration::from_secs(10 * 86_400));
    bench.purge(Duration::from_secs(7 * 86_400)).await;
    assert!(bench.commit(signed(&bench, "b", "token", 2)).await);
}
