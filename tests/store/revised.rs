//! Callbacks that are read again: what is left of them, and revisions that an operator asked for, once.

use crate::bench::{Bench, account, record};
use bridge8890::model::{
    CallbackSeq, LaneName, Level, Outcome, Record, RecordId, Revision, Selection,
};
use bridge8890::store::{
    AttemptOutcome, Callback, Concluded, ConcludedEntry, Conclusion, LaneOptions, MemoryChange,
    Opaque, RecordState, Remembered, Revisable, Settled, Share,
};
use jiff::Timestamp;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
const EVER: (Timestamp, Timestamp) = (Timestamp::MIN, Timestamp::MAX);

async fn commit(bench: &Bench, callback: Callback) -> CallbackSeq {
    bench.store().commit(callback).await.expect("it commits").seq
}

/// What is left of all callbacks, page by page.
async fn all(bench: &Bench, span: (Timestamp, Timestamp)) -> Vec<Revisable> {
    let operator = bench.operator().await;
    let (mut after, mut found) = (CallbackSeq::NONE, Vec::new());
    while let Some((last, page)) = operator.revisable(after, span).await.expect("it reads") {
        assert!(after < last);
        after = last;
        found.extend(page);
    }
    found
}

async fn left_of(bench: &Bench, seq: CallbackSeq) -> Revisable {
    let operator = bench.operator().await;
    operator.revisable_one(seq).await.expect("it reads").expect("it is kept")
}

async fn ask(bench: &Bench, seq: CallbackSeq, content: &[u8]) {
    let operator = bench.operator().await;
    let agreed = [b"another", content].map(|content| operator.agreement(content));
    let wanted = [(seq, agreed.to_vec())];
    operator.request_revisions(&wanted, bench.clock.now()).await.expect("it asks");
}

/// The conclusion that records a next revision and ends the request.
fn revision(seq: CallbackSeq, record: &Record) -> Conclusion {
    let mut record = record.clone();
    record.revision.0 += 1;
    let entry = ConcludedEntry {
        account: account(),
        callback: seq,
        received_at: record.received_at,
        dedupe: None,
        outcome: Outcome::Rated,
        records: vec![record],
    };
    Conclusion { entries: vec![entry], revised: Some(seq), ..Conclusion::default() }
}

#[tokio::test]
async fn what_is_left_of_a_callback_is_found_page_by_page() {
    let bench = Bench::new().await;
    let start = bench.clock.now();
    let rating = bench.rating("a", Level::Fair);
    let id = record(&rating).id;
    let first = commit(&bench, rating).await;
    bench.clock.advance(DAY);
    let unmatched = commit(&bench, bench.callback("b", Outcome::Unmatched, Vec::new())).await;
    let repeat = commit(&bench, bench.rating("a", Level::Fair)).await;
    let held = commit(&bench, bench.held("c")).await;

    let found = all(&bench, EVER).await;
    let seqs: Vec<CallbackSeq> = found.iter().map(|one| one.callback.seq).collect();
    assert_eq!(seqs, [first, unmatched, repeat, held]);
    let ids: Vec<RecordId> = found[0].traces.histories.iter().map(|it| it.latest().id).collect();
    assert_eq!((ids, found[0].traces.held), (vec![id], 0));
    let notes = |at: usize| -> Vec<(Option<usize>, Outcome, bool)> {
        let notes = found[at].traces.notes.iter();
        notes.map(|note| (note.place, note.outcome, note.repeats)).collect()
    };
    assert_eq!(notes(0), []);
    assert_eq!(notes(1), [(Some(0), Outcome::Unmatched, false)]);
    assert_eq!(notes(2), [(Some(0), Outcome::Rated, true)]);
    assert_eq!(found[3].traces.held, 1);

    let since = start + DAY;
    assert_eq!(all(&bench, (since, Timestamp::MAX)).await.len(), 3);
    assert_eq!(all(&bench, (Timestamp::MIN, since)).await.len(), 1);
    let operator = bench.operator().await;
    for (span, count) in [((since, Timestamp::MAX), 3), ((Timestamp::MIN, since), 4), (EVER, 4)] {
        assert_eq!(operator.callbacks_between(span).await.expect("it counts"), count);
    }
}

#[tokio::test]
async fn what_a_conversation_concluded_is_told_apart_and_shared_records_are_found_from_both_sides()
{
    let bench = Bench::new().await;
    let rating = bench.rating("a", Level::Fair);
    let first = record(&rating).clone();
    let one = commit(&bench, rating).await;
    let two = commit(&bench, bench.held("b")).await;
    let mut conclusion = bench.take(1).await;
    conclusion.entries = revision(two, &first).entries;
    let mut nothing = conclusion.entries[0].clone();
    (nothing.outcome, nothing.records) = (Outcome::Surplus, Vec::new());
    conclusion.entries.push(nothing);
    bench.conclude(&conclusion).await;

    for seq in [one, two] {
        let traces = left_of(&bench, seq).await.traces;
        let revisions: Vec<(CallbackSeq, Revision)> = traces.histories[0]
            .revisions()
            .iter()
            .map(|made| (made.callback, made.record.revision))
            .collect();
        assert_eq!(revisions, [(one, Revision(1)), (two, Revision(2))]);
        assert_eq!(traces.held, 0);
    }
    let notes = left_of(&bench, two).await.traces.notes;
    assert_eq!((notes[0].place, notes[0].outcome), (None, Outcome::Surplus));
}

#[tokio::test]
async fn a_revision_that_was_asked_for_is_recorded_once_queued_and_traced() {
    let mut bench = Bench::new().await;
    let rating = bench.rating("a", Level::Fair);
    let first = record(&rating).clone();
    let seq = commit(&bench, rating).await;
    let lease = bench.lease(10).await;
    bench.settle_all(&lease, Settled::Delivered).await;
    assert_eq!(bench.conclude(&revision(seq, &first)).await, Concluded::Void, "nobody asked");

    ask(&bench, seq, b"level 4").await;
    bench.reopen().await;
    let asked = bench.store().revisions(10).await.expect("it reads");
    assert_eq!((asked.len(), asked[0].seq), (1, seq));
    assert!(bench.store().is_agreed(&asked[0], b"level 4"));
    assert!(!bench.store().is_agreed(&asked[0], b"level 5"));
    let key = "caller:a".to_owned();
    let to = Some(Remembered { bytes: Opaque(vec![1]), wake_at: None });
    let memory = vec![MemoryChange { key, to }];
    let conclusion = Conclusion { memory, ..revision(seq, &first) };
    assert_eq!(bench.conclude(&conclusion).await, Concluded::Done { fresh: vec![true] });
    assert_eq!(bench.recall("caller:a").await, Some(vec![1]));

    let operator = bench.operator().await;
    assert_eq!(operator.revisions_left().await.expect("it counts"), 0);
    let history = operator.history(first.id).await.expect("it reads");
    assert_eq!((history.len(), history[1].callback_seq), (2, seq));
    assert_eq!(history[1].record.as_ref().expect("whole").received_at, first.received_at);
    assert!(matches!(history[1].state, RecordState::Pending { .. }));
    let line = &history[1].attempts[0];
    assert_eq!(line.outcome, AttemptOutcome::Replayed);
    assert_eq!(line.answer, "callback 1 was read again for an operator");
    assert_eq!(bench.store().pending(), 1);

    // The same again finds nothing to do, whoever brings it.
    assert_eq!(bench.conclude(&conclusion).await, Concluded::Void);
    let lease = bench.lease(10).await;
    bench.settle_all(&lease, Settled::Delivered).await;
    assert_eq!(bench.state(first.id).await, RecordState::Delivered);
    assert!(bench.store().counts().await.expect("it counts").add_up());
}

#[tokio::test]
async fn a_revision_based_on_one_that_is_not_the_newest_is_void_and_stays_asked_for() {
    let bench = Bench::new().await;
    let rating = bench.rating("a", Level::Fair);
    let first = record(&rating).clone();
    let seq = commit(&bench, rating).await;
    ask(&bench, seq, b"level 4").await;
    let spoken = Conclusion { revised: None, ..revision(seq, &first) };
    assert!(matches!(bench.conclude(&spoken).await, Concluded::Done { .. }));
    assert_eq!(bench.conclude(&revision(seq, &first)).await, Concluded::Void);
    assert_eq!(bench.store().revisions(10).await.expect("it reads").len(), 1);
    // What comes to nothing ends the request as well.
    let nothing = Conclusion { revised: Some(seq), ..Conclusion::default() };
    assert_eq!(bench.conclude(&nothing).await, Concluded::Done { fresh: Vec::new() });
    assert!(bench.store().revisions(10).await.expect("it reads").is_empty());
}

#[tokio::test]
async fn requests_are_withdrawn_and_outlive_what_they_are_about() {
    let bench = Bench::new().await;
    let seq = commit(&bench, bench.rating("a", Level::Fair)).await;
    ask(&bench, seq, b"level 4").await;
    let operator = bench.operator().await;
    assert_eq!(operator.withdraw_revisions().await.expect("it withdraws"), 1);
    assert_eq!(operator.revisions_left().await.expect("it counts"), 0);

    ask(&bench, seq, b"level 4").await;
    bench.clock.advance(10 * DAY);
    commit(&bench, bench.rating("b", Level::Fair)).await;
    bench.purge(DAY).await;
    let asked = bench.store().revisions(10).await.expect("it reads");
    assert!(asked[0].revisable.is_none(), "its time was over");
}

#[tokio::test]
async fn a_revision_for_an_operator_tells_no_lane_of_what_is_not_for_it() {
    let mut bench = Bench::new().await;
    let city = LaneName::new("city").expect("a name");
    let only = Selection { levels: vec![Level::VeryDissatisfied], ..Selection::default() };
    bench.lanes.push(LaneOptions { only, ..LaneOptions::of_everything(city.clone()) });
    bench.reopen().await;
    let rating = bench.rating("a", Level::Fair);
    let first = record(&rating).clone();
    let seq = commit(&bench, rating).await;
    ask(&bench, seq, b"read again").await;
    bench.conclude(&revision(seq, &first)).await;
    let mut later = bench.rating("b", Level::Fair);
    let mut third = record(&later).clone();
    (third.id, third.revision) = (first.id, Revision(3));
    later.entries[0].share = Share::Decided { outcome: Outcome::Rated, records: vec![third] };
    commit(&bench, later).await;
    let until = bench.clock.now() + DAY;
    let lease = bench.store().lease(&city, 10, until).await.expect("it leases");
    assert_eq!(lease.items.len(), 0, "the city was never told of it");
    let counts = bench.store().counts().await.expect("counts");
    assert!(counts.add_up(), "{counts:?}");
    assert_eq!(counts.by_lane[1].not_for_it, 3);
}
