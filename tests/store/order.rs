//! The order within a lane: complaints first, those near their deadline before others, and each case one after the other.

use crate::bench::{Bench, lane, messages, record, record_mut};
use crate::ground::SHARED;
use bridge8890::model::{
    ComplaintKind, Deadlines, Level, Matter, Meaning, Outcome, Record, RecordId, Revision,
    TargetType,
};
use bridge8890::store::{
    Callback, DeadClass, LaneOptions, Lease, RecordState, Replayed, Settled, Share,
};
use jiff::civil::{Date, date};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

fn dead() -> Settled {
    Settled::Dead { class: DeadClass::Rejected, reason: String::new() }
}

/// A complaint that some rating opened, to be called back by some day.
fn complaint(bench: &Bench, message: &str, rating: Option<RecordId>, by: Option<Date>) -> Callback {
    let mut callback = bench.complaint(message);
    record_mut(&mut callback.entries[0]).meaning = Meaning::Complaint {
        kind: ComplaintKind::BadRating,
        rating,
        deadlines: by.map(|day| Deadlines { call_back_by: day, repair_by: day }),
        tags: Vec::new(),
        recordings: Vec::new(),
    };
    callback
}

/// A rating of a matter.
fn of_matter(bench: &Bench, message: &str, project_no: &str) -> Callback {
    let mut callback = bench.rating(message, Level::Fair);
    record_mut(&mut callback.entries[0]).context.matter =
        Some(Matter { project_no: Some(project_no.to_owned()), ..Matter::bare(TargetType::Case) });
    callback
}

/// A bad rating and the complaint that it opened, in one event.
fn bad(bench: &Bench, message: &str) -> Callback {
    let rating = bench.rating(message, Level::VeryDissatisfied);
    let opened = complaint(bench, &format!("{message} complaint"), Some(record(&rating).id), None);
    let records: Vec<Record> = vec![record(&rating).clone(), record(&opened).clone()];
    let mut both = rating;
    both.entries[0].share = Share::Decided { outcome: Outcome::Rated, records };
    both
}

/// Leases and delivers one after the other, until nothing is due.
async fn drained(bench: &Bench) -> Vec<String> {
    let mut order = Vec::new();
    loop {
        let lease = bench.lease(1).await;
        if lease.items.is_empty() {
            return order;
        }
        order.extend(messages(&lease));
        bench.settle_all(&lease, Settled::Delivered).await;
    }
}

fn first(lease: &Lease) -> (bridge8890::model::RecordSeq, &Record) {
    (lease.items[0].seq, &lease.items[0].record)
}

#[tokio::test]
async fn a_complaint_and_the_rating_that_opened_it_overtake_a_backlog_in_order() {
    let bench = Bench::new().await;
    for number in 0..50 {
        bench.commit(bench.rating(&format!("old {number}"), Level::Fair)).await;
    }
    bench.commit(bad(&bench, "bad")).await;
    let one = bench.lease(2).await;
    assert_eq!(messages(&one), ["bad", "old 0"], "its complaint is behind it, not beside it");
    bench.settle_all(&one, Settled::Delivered).await;
    assert_eq!(messages(&bench.lease(1).await), ["bad complaint"]);
}

#[tokio::test]
async fn a_complaint_that_comes_later_takes_its_waiting_rating_along() {
    let bench = Bench::new().await;
    let rating = bench.rating("rating", Level::Dissatisfied);
    let id = record(&rating).id;
    for number in 0..20 {
        bench.commit(bench.rating(&format!("old {number}"), Level::Fair)).await;
    }
    bench.commit(rating).await;
    bench.commit(complaint(&bench, "complaint", Some(id), None)).await;
    bench.commit(complaint(&bench, "another", None, None)).await;
    let order = drained(&bench).await;
    assert_eq!(order[..3], ["rating", "complaint", "another"].map(String::from));
    assert_eq!(order.len(), 23);
}

#[tokio::test]
async fn near_its_deadline_a_complaint_goes_before_all_others_and_the_nearest_first() {
    let mut bench = Bench::new().await;
    bench.lanes =
        vec![LaneOptions { urgent_before: 24 * HOUR, ..LaneOptions::of_everything(lane()) }];
    bench.reopen().await;
    let open = |message: &str, by| complaint(&bench, message, None, by);
    let rating = of_matter(&bench, "rating", "p");
    let mut of_rating = open("of rating", Some(date(2026, 3, 6)));
    record_mut(&mut of_rating.entries[0]).context = record(&rating).context.clone();
    for callback in [
        open("no deadline", None),
        open("in a week", Some(date(2026, 3, 12))),
        rating,
        of_rating,
        open("tomorrow", Some(date(2026, 3, 6))),
    ] {
        bench.commit(callback).await;
    }
    bench.commit(open("today", Some(date(2026, 3, 5)))).await;
    bench.commit(open("yesterday", Some(date(2026, 3, 4)))).await;
    // It is the 5th, 10:20; what waits for a day becomes urgent.
    assert_eq!(messages(&bench.lease(2).await), ["yesterday", "today"]);
    bench.clock.advance(14 * HOUR);
    let order = drained(&bench).await;
    assert_eq!(
        order,
        ["yesterday", "today", "rating", "of rating", "tomorrow", "no deadline", "in a week"]
    );
}

#[tokio::test]
async fn a_case_that_is_stuck_holds_its_followers_and_nobody_else() {
    let bench = Bench::new().await;
    for (message, case) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("b2", "b")] {
        bench.commit(of_matter(&bench, message, case)).await;
    }
    bench.commit(bench.rating("other", Level::Fair)).await;
    let lease = bench.lease(10).await;
    assert_eq!(messages(&lease), ["a1", "b1", "other"]);
    let id = bench.operator().await;
    let found = id.find(&bridge8890::store::Filter { limit: 10, ..Default::default() }).await;
    let behind = found.expect("it reads").into_iter().filter_map(|it| match it.state {
        RecordState::Behind { first, first_revision } => Some((it.seq.0, first, first_revision)),
        _ => None,
    });
    let first = |place: usize| (lease.items[place].record.id, lease.items[place].record.revision);
    let (a, b) = (first(0), first(1));
    assert_eq!(behind.collect::<Vec<_>>(), [(5, b.0, b.1), (4, a.0, a.1), (2, a.0, a.1)]);
    assert_eq!(bench.store().lanes().await.expect("it reads")[0].behind, 3);
    let due = bench.clock.now() + HOUR;
    let again = Settled::Retry { due, reason: String::new() };
    let verdicts = [again, Settled::Delivered, Settled::Delivered];
    let items = lease.items.iter().map(|item| item.seq).zip(verdicts).collect();
    assert_eq!(bench.settle(&lease, items).await, 0);
    let next = bench.lease(10).await;
    assert_eq!(messages(&next), ["b2"], "a waits for its retry");
    bench.settle_all(&next, Settled::Delivered).await;
    assert_eq!(bench.store().next_due(&lane()).await.expect("it reads"), Some(due));
    bench.clock.advance(HOUR);
    let lease = bench.lease(1).await;
    assert_eq!(messages(&lease), ["a1"]);
    bench.settle_all(&lease, dead()).await;
    assert_eq!(drained(&bench).await, ["a2", "a3"], "the dead hold up nothing");
    assert!(bench.store().counts().await.expect("it counts").add_up());
}

#[tokio::test]
async fn whose_turn_has_come_is_told_at_once_and_nobody_is_woken_for_nothing() {
    let bench = Bench::new().await;
    for message in ["a1", "a2"] {
        bench.commit(of_matter(&bench, message, "a")).await;
    }
    bench.commit(bench.rating("other", Level::Fair)).await;
    let (case, other) = (bench.lease(1).await, bench.lease(1).await);
    assert_eq!([messages(&case), messages(&other)], [["a1"], ["other"]]);
    let mut commits = bench.store().commits();
    commits.borrow_and_update();
    bench.settle_all(&other, Settled::Delivered).await;
    assert!(!commits.has_changed().expect("it is open"));
    bench.settle_all(&case, Settled::Delivered).await;
    assert!(commits.has_changed().expect("it is open"), "a2 need not wait for the next look");
}

#[tokio::test]
async fn a_rating_that_died_alone_comes_back_before_the_complaint_that_came_meanwhile() {
    let bench = Bench::new().await;
    let rating = bench.rating("rating", Level::Dissatisfied);
    let id = record(&rating).id;
    bench.commit(rating).await;
    bench.settle_all(&bench.lease(1).await, dead()).await;
    bench.commit(complaint(&bench, "complaint", Some(id), None)).await;
    bench.replay(&bench.dead(&[]).await).await;
    let lease = bench.lease(10).await;
    assert_eq!(messages(&lease), ["rating"]);
    bench.settle_all(&lease, Settled::Delivered).await;
    assert_eq!(drained(&bench).await, ["complaint"]);
}

#[tokio::test]
async fn what_was_sent_beside_the_first_of_its_case_goes_behind_it_when_it_comes_back() {
    for verdict in [Some(Settled::Released), None] {
        let mut bench = Bench::new().await;
        let (rating, other) = (bench.rating("rating", Level::Fair), bench.complaint("other"));
        let (first, second) = (record(&rating).id, record(&other).id);
        bench.commit(rating).await;
        bench.commit(other).await;
        let sending = bench.lease(1).await;
        assert_eq!(messages(&sending), ["other"]);
        // One that belongs to both.
        let mut both = complaint(&bench, "both", Some(first), None);
        record_mut(&mut both.entries[0]).context.follows = Some(second);
        bench.commit(both).await;
        match verdict {
            Some(verdict) => drop(bench.settle_all(&sending, verdict).await),
            None => bench.reopen().await,
        }
        assert_eq!(messages(&bench.lease(10).await), ["rating"]);
    }
}

#[tokio::test]
async fn a_revision_that_failed_is_not_tried_again_where_a_later_one_waits() {
    let bench = Bench::new().await;
    let first_one = bench.rating("r1", Level::Fair);
    let id = record(&first_one).id;
    bench.commit(first_one).await;
    let lease = bench.lease(1).await;
    let mut later = bench.rating("r2", Level::Satisfied);
    let record = record_mut(&mut later.entries[0]);
    (record.id, record.revision) = (id, Revision(2));
    bench.commit(later).await;
    let again = Settled::Retry { due: bench.clock.now() + HOUR, reason: String::new() };
    assert_eq!(bench.settle_all(&lease, again).await, 0);
    assert_eq!(drained(&bench).await, ["r2"]);
    assert_eq!(bench.store().pending(), 0);
    assert!(bench.store().counts().await.expect("it counts").add_up());
}

#[tokio::test]
async fn revisions_go_one_after_the_other_and_an_unsent_one_not_at_all() {
    let bench = Bench::new().await;
    let first_one = bench.rating("r1", Level::Fair);
    let id = record(&first_one).id;
    let revised = |message: &str, revision| {
        let mut later = bench.rating(message, Level::Satisfied);
        let record = record_mut(&mut later.entries[0]);
        (record.id, record.revision) = (id, Revision(revision));
        later
    };
    bench.commit(first_one).await;
    let lease = bench.lease(1).await;
    bench.commit(revised("r2", 2)).await;
    bench.commit(revised("r3", 3)).await;
    assert!(bench.lease(10).await.items.is_empty(), "the first is on its way");
    bench
        .settle_all(&lease, Settled::Retry { due: bench.clock.now(), reason: String::new() })
        .await;
    // Now it is unsent again, and the next revision takes its place.
    bench.commit(revised("r4", 4)).await;
    assert_eq!(drained(&bench).await, ["r4"]);
    let history = bench.operator().await.history(id).await.expect("it reads");
    let states: Vec<_> = history.into_iter().map(|one| one.state).collect();
    use RecordState::{Delivered, Superseded};
    assert_eq!(states, [Superseded, Superseded, Superseded, Delivered]);
}

#[tokio::test]
async fn what_is_replayed_takes_its_place_before_the_others_of_its_case() {
    let bench = Bench::new().await;
    for message in ["a1", "a2", "a3"] {
        bench.commit(of_matter(&bench, message, "a")).await;
    }
    let lease = bench.lease(1).await;
    bench.settle_all(&lease, dead()).await;
    assert_eq!(bench.replay(&bench.dead(&[]).await).await, Replayed { queued: 1, superseded: 0 });
    assert_eq!(drained(&bench).await, ["a1", "a2", "a3"]);

    // One that was overtaken by what is on its way now is in order no more, and holds up nothing.
    for message in ["b1", "b2", "b3"] {
        bench.commit(of_matter(&bench, message, "b")).await;
    }
    bench.settle_all(&bench.lease(1).await, dead()).await;
    let sending = bench.lease(1).await;
    assert_eq!(messages(&sending), ["b2"]);
    bench.replay(&bench.dead(&[]).await).await;
    let (seq, _) = first(&bench.lease(10).await);
    assert_eq!(seq.0, 4);
    bench.settle_all(&sending, Settled::Delivered).await;
    assert_eq!(messages(&bench.lease(10).await), ["b3"]);
}

#[tokio::test]
async fn after_a_restart_and_a_clock_set_back_the_order_stands() {
    let mut bench = Bench::new().await;
    for message in ["a1", "a2"] {
        bench.commit(of_matter(&bench, message, "a")).await;
    }
    assert_eq!(messages(&bench.lease(10).await), ["a1"]);
    bench.reopen_when_leases_end().await;
    let lease = bench.lease(10).await;
    assert_eq!(messages(&lease), ["a1"]);
    if SHARED {
        // Another node's lease would run on, and no step of its clock would end it.
        bench.settle_all(&lease, Settled::Released).await;
    }
    bench.clock.set_back(HOUR);
    bench.commit(bench.rating("other", Level::Fair)).await;
    bench.reopen().await;
    assert_eq!(drained(&bench).await, ["a1", "a2", "other"]);
}
