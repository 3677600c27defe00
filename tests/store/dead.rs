//! Dead letters: found by what they died of, and put back once and only once.

use crate::bench::{Bench, lane, messages, record, record_mut};
use bridge8890::model::{LaneName, Level, RecordSeq, Revision};
use bridge8890::store::{
    Bin, DeadClass, DeadCondition, DeadLetter, DeadOrder, DeadPage, Filter, RecordState, Replayed,
    Settled,
};
use jiff::Timestamp;
use std::time::Duration;

fn seqs(letters: &[DeadLetter]) -> Vec<i64> {
    letters.iter().map(|letter| letter.seq.0).collect()
}

/// Four letters that died one second after the other, of different things.
async fn graveyard() -> (Bench, Timestamp) {
    let bench = Bench::new().await;
    let began = bench.clock.now();
    for (message, class, reason) in [
        ("a", DeadClass::Rejected, "422: no campaign 'x'"),
        ("b", DeadClass::Age, "503"),
        ("c", DeadClass::TooLarge, "too large even alone"),
        ("d", DeadClass::Rejected, "no such case"),
    ] {
        bench.commit(bench.rating(message, Level::Fair)).await;
        bench.bury(class, reason).await;
        bench.clock.advance(Duration::from_secs(1));
    }
    (bench, began)
}

#[tokio::test]
async fn letters_are_found_by_what_they_died_of() {
    let (bench, began) = graveyard().await;
    let second = began + Duration::from_secs(1);
    let other = LaneName::new("city").expect("a name");
    for (condition, found) in [
        (DeadCondition::Bin(Bin::Theirs), vec![1, 4]),
        (DeadCondition::Bin(Bin::Ours), vec![2, 3]),
        (DeadCondition::Class(DeadClass::TooLarge), vec![3]),
        (DeadCondition::Reason("campaign 'x'".to_owned()), vec![1]),
        (DeadCondition::Lane(lane()), vec![1, 2, 3, 4]),
        (DeadCondition::Lane(other), vec![]),
        (DeadCondition::Since(second), vec![2, 3, 4]),
        (DeadCondition::Until(second), vec![1]),
        (DeadCondition::Numbered(vec![RecordSeq(4), RecordSeq(2)]), vec![2, 4]),
    ] {
        assert_eq!(
            seqs(&bench.dead(std::slice::from_ref(&condition)).await),
            found,
            "{condition:?}"
        );
    }
    let lanes = bench.store().lanes().await.expect("it reads");
    assert_eq!((lanes[0].dead, lanes[0].dead_theirs), (4, 2));
    let both = [DeadCondition::Bin(Bin::Theirs), DeadCondition::Since(second)];
    let letters = bench.dead(&both).await;
    assert_eq!(seqs(&letters), [4]);
    let DeadLetter { first_tried_at, died_at, attempts, .. } = letters[0];
    assert_eq!((first_tried_at, attempts), (Some(died_at), 1));
}

#[tokio::test]
async fn pages_have_every_letter_once_in_both_orders() {
    let bench = Bench::new().await;
    for message in 0..7 {
        bench.commit(bench.rating(&message.to_string(), Level::Fair)).await;
    }
    // All at the same time.
    bench.bury(DeadClass::Age, "").await;
    let operator = bench.operator().await;
    for order in [DeadOrder::Oldest, DeadOrder::Newest] {
        let (mut found, mut behind) = (Vec::new(), None);
        loop {
            let page = DeadPage { order, behind, limit: 3 };
            let letters = operator.dead_letters(&[], page).await.expect("it reads");
            let Some(last) = letters.last() else { break };
            behind = Some(last.place);
            found.extend(seqs(&letters));
        }
        if order == DeadOrder::Newest {
            found.reverse();
        }
        assert_eq!(found, [1, 2, 3, 4, 5, 6, 7]);
    }
}

#[tokio::test]
async fn a_letter_is_put_back_once_whoever_asks() {
    let (bench, _) = graveyard().await;
    let letters = bench.dead(&[]).await;
    let (one, other) = tokio::join!(bench.replay(&letters[..3]), bench.replay(&letters[1..]));
    assert_eq!(one.queued + other.queued, 4);
    assert_eq!(bench.replay(&letters).await, Replayed::default());
    // One that died again is another, which nobody was shown.
    bench.clock.advance(Duration::from_secs(1));
    bench.bury(DeadClass::Rejected, "again").await;
    assert_eq!(bench.replay(&letters).await, Replayed::default());
    let again = bench.dead(&[]).await;
    assert_eq!(bench.replay(&again[..1]).await.queued, 1);
    assert!(bench.store().counts().await.expect("it counts").add_up());
    let lease = bench.lease(10).await;
    assert_eq!((lease.items.len(), lease.items[0].attempt), (1, 1));
    assert_eq!(lease.items[0].queued_at, bench.clock.now(), "its age counts anew");
}

#[tokio::test]
async fn a_fresh_complaint_goes_before_whatever_is_replayed() {
    let bench = Bench::new().await;
    bench.commit(bench.complaint("old complaint")).await;
    bench.commit(bench.rating("old rating", Level::Fair)).await;
    bench.bury(DeadClass::Age, "").await;
    bench.replay(&bench.dead(&[]).await).await;
    bench.clock.advance(Duration::from_secs(1));
    bench.commit(bench.complaint("new complaint")).await;
    bench.commit(bench.rating("new rating", Level::Fair)).await;
    assert_eq!(messages(&bench.lease(1).await), ["new complaint"]);
    let rest = messages(&bench.lease(10).await);
    assert_eq!(rest, ["old complaint", "old rating", "new rating"]);
}

#[tokio::test]
async fn an_older_revision_does_not_follow_the_later_one() {
    let bench = Bench::new().await;
    let first = bench.rating("m1", Level::Dissatisfied);
    let id = record(&first).id;
    bench.commit(first.clone()).await;
    bench.bury(DeadClass::Rejected, "").await;
    let revised = |message: &str, revision| {
        let mut later = bench.rating(message, Level::Satisfied);
        let record = record_mut(&mut later.entries[0]);
        (record.id, record.revision) = (id, Revision(revision));
        later
    };
    bench.commit(revised("m2", 2)).await;
    bench.clock.advance(Duration::from_secs(1));
    bench.bury(DeadClass::Rejected, "").await;
    // Both are dead: the later one goes out.
    let both = bench.dead(&[]).await;
    assert_eq!(bench.replay(&both).await, Replayed { queued: 1, superseded: 1 });
    let lease = bench.lease(10).await;
    assert_eq!(messages(&lease), ["m2"]);
    bench.settle_all(&lease, Settled::Delivered).await;
    // The last one dies, though the one before arrived; nothing is later than it.
    bench.commit(revised("m3", 3)).await;
    bench.bury(DeadClass::Rejected, "").await;
    assert_eq!(bench.replay(&bench.dead(&[]).await).await.queued, 1);
    let history = bench.operator().await.history(id).await.expect("it reads");
    let states: Vec<_> = history.into_iter().map(|revision| revision.state).collect();
    assert_eq!(states[..2], [RecordState::Superseded, RecordState::Delivered]);
    assert!(matches!(states[2], RecordState::Pending { .. }));
    assert!(bench.store().counts().await.expect("it counts").add_up());
}

#[tokio::test]
async fn a_run_is_kept_with_what_each_of_its_steps_did() {
    let (mut bench, began) = graveyard().await;
    let operator = bench.operator().await;
    let letters = bench.dead(&[DeadCondition::Bin(Bin::Theirs)]).await;
    let run = operator.begin_replay("li", "bin=theirs", began).await.expect("it begins");
    for letter in &letters {
        bench.clock.advance(Duration::from_secs(1));
        let now = bench.clock.now();
        operator.replay(run, &[letter.place], now).await.expect("it replays");
    }
    let last = bench.clock.now();
    bench.reopen().await;
    let kept = bench.operator().await.replays(10).await.expect("it reads");
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].operator.as_str(), kept[0].filter.as_str()), ("li", "bin=theirs"));
    assert_eq!((kept[0].started_at, kept[0].last_at), (began, last));
    assert_eq!(kept[0].replayed, Replayed { queued: 2, superseded: 0 });
}

#[tokio::test]
async fn what_cannot_be_opened_is_set_aside_at_once_and_holds_up_nothing() {
    let bench = Bench::new().await;
    for message in ["a", "b", "c", "d"] {
        bench.commit(bench.rating(message, Level::Fair)).await;
    }
    bench.sql("UPDATE record SET sealed = zeroblob(64) WHERE seq IN (1, 3)").await;
    let lease = bench.lease(10).await;
    assert_eq!((messages(&lease), lease.unreadable), (vec!["b".to_owned(), "d".to_owned()], 2));
    let letters = bench.dead(&[DeadCondition::Class(DeadClass::Unreadable)]).await;
    assert_eq!(seqs(&letters), [1, 3]);
    assert!(letters.iter().all(|letter| letter.record.is_err() && letter.class == "unreadable"));
    assert_eq!(Bin::of_class("unreadable"), Bin::Ours);
    assert!(bench.store().counts().await.expect("it counts").add_up());
    let found = bench.operator().await.find(&Filter { limit: 10, ..Filter::default() }).await;
    let whole = found.expect("it reads").iter().filter(|one| one.record.is_ok()).count();
    assert_eq!(whole, 2, "the others are listed all the same");
}
