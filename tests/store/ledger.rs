//! The ledger: whatever happens in whatever order, it is what a full count comes to, and nothing is missing.

use crate::bench::{Bench, account, entry, lane, record, record_mut};
use crate::ground::PART;
use bridge8890::model::{AccountName, LaneName, Level, Outcome, Record, RecordKind, Selection};
use bridge8890::store::{
    Book, Day, DeadClass, Delivered, Figure, Hour, Hours, LaneOptions, Lease, LedgerEntry, Places,
    QuarantineFilter, Reconciled, Retention, SendReport, Settled, Settlement,
};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const EVER: Hours = Hours { since: Hour(0), until: Hour(i64::MAX) };

fn city() -> LaneOptions {
    let only = Selection { kinds: vec![RecordKind::Complaint], ..Selection::default() };
    LaneOptions { only, ..LaneOptions::of_everything(LaneName::new("city").expect("a name")) }
}

async fn book(bench: &Bench) -> Book {
    bench.operator().await.ledger(EVER, None).await.expect("it reads").book
}

async fn reconcile(bench: &Bench) -> Reconciled {
    bench.operator().await.reconcile(EVER, |_, _| ()).await.expect("it counts")
}

async fn assert_balanced(bench: &Bench) {
    let found = reconcile(bench).await.differences;
    assert!(found.is_empty(), "{found:?}");
}

/// One step of a random schedule.
#[derive(Debug, Clone)]
enum Step {
    Commit { other: bool, number: u8, complaint: bool },
    Garble,
    ReadAgain,
    Hold(u8),
    Conclude { records: bool },
    Revise(usize),
    Refuse { other: bool, reason: usize },
    Flush,
    Lease { city: bool, max: u8 },
    Settle { lease: usize, verdicts: Vec<u8> },
    Replay,
    Fold { age: u8 },
    Purge,
    Wait(u8),
    Crash,
    LeaveOrReturn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (any::<bool>(), 0..60_u8, any::<bool>())
            .prop_map(|(other, number, complaint)| Step::Commit { other, number, complaint }),
        1 => Just(Step::Garble),
        1 => Just(Step::ReadAgain),
        1 => (0..20_u8).prop_map(Step::Hold),
        2 => any::<bool>().prop_map(|records| Step::Conclude { records }),
        2 => (0..8_usize).prop_map(Step::Revise),
        2 => (any::<bool>(), 0..2_usize).prop_map(|(other, reason)| Step::Refuse { other, reason }),
        1 => Just(Step::Flush),
        5 => (any::<bool>(), 1..6_u8).prop_map(|(city, max)| Step::Lease { city, max }),
        5 => (0..6_usize, prop::collection::vec(0..3_u8, 6))
            .prop_map(|(lease, verdicts)| Step::Settle { lease, verdicts }),
        2 => Just(Step::Replay),
        3 => (0..20_u8).prop_map(|age| Step::Fold { age }),
        1 => Just(Step::Purge),
        3 => (1..90_u8).prop_map(Step::Wait),
        1 => Just(Step::Crash),
        1 => Just(Step::LeaveOrReturn),
    ];
    prop::collection::vec(step, 1..60)
}

const REASONS: [&str; 2] = ["bad_signature", "too_large"];

fn other() -> AccountName {
    AccountName::new("yunpian").expect("a name")
}

/// What was done, in plain sums.
#[derive(Default)]
struct Model {
    sums: BTreeMap<(Hour, String), LedgerEntry>,
    /// Refused and not written down.
    refused: Vec<((Hour, String), &'static str)>,
    records: Vec<(bridge8890::store::Callback, u32)>,
    leases: Vec<(LaneName, Lease)>,
    number: u32,
}

impl Model {
    fn at(&mut self, account: &AccountName, at: Timestamp) -> &mut LedgerEntry {
        self.sums.entry((Hour::of(at), account.to_string())).or_default()
    }

    async fn commit(&mut self, bench: &Bench, other_account: bool, message: &str, complaint: bool) {
        let mut callback = match complaint {
            true => bench.complaint(message),
            false => bench.rating(message, Level::Fair),
        };
        if other_account {
            callback.account = other();
            record_mut(&mut callback.entries[0]).account = other();
        }
        let fresh = bench.commit(callback.clone()).await;
        let sums = self.at(&callback.account, callback.received_at);
        sums.callbacks += 1;
        match fresh {
            true => sums.records += 1,
            false => sums.repeats += 1,
        }
        if fresh {
            self.records.push((callback, 1));
        }
    }

    /// A later revision of a record, in a callback of its own.
    async fn revise(&mut self, bench: &Bench, place: usize) {
        let Some((mut callback, revision)) = self.records.get(place).cloned() else { return };
        self.number += 1;
        callback.received_at = bench.clock.now();
        callback.entries[0].dedupe = format!("revision {}", self.number);
        let later = record_mut(&mut callback.entries[0]);
        (later.revision.0, later.received_at) = (revision + 1, callback.received_at);
        bench.commit(callback.clone()).await;
        let sums = self.at(&callback.account, callback.received_at);
        (sums.callbacks, sums.records) = (sums.callbacks + 1, sums.records + 1);
        self.records[place].1 += 1;
    }

    async fn conclude(&mut self, bench: &Bench, records: bool) {
        let held = bench.store().inbox(None, 2).await.expect("it reads");
        let mut conclusion = bench.take(2).await;
        for one in &held {
            let sums = self.at(&account(), one.received_at);
            let mut concluded = entry(one.callback, Outcome::Noted, &[]);
            concluded.received_at = one.received_at;
            if records {
                let mut made: Record = record(&bench.rating("", Level::Fair)).clone();
                made.received_at = one.received_at;
                concluded.records.push(made);
                sums.records += 1;
            } else {
                sums.notes += 1;
            }
            conclusion.entries.push(concluded);
        }
        bench.conclude(&conclusion).await;
    }

    async fn garble(&mut self, bench: &Bench) {
        let mut callback = bench.rating("", Level::Fair);
        callback.entries.clear();
        callback.garbled.push("body: bad".to_owned());
        bench.store().commit(callback).await.expect("it commits");
        let sums = self.at(&account(), bench.clock.now());
        (sums.callbacks, sums.notes) = (sums.callbacks + 1, sums.notes + 1);
    }

    async fn read_again(&mut self, bench: &Bench) {
        let filter = QuarantineFilter { limit: 100, ..QuarantineFilter::default() };
        let window = Duration::from_secs(1_000_000);
        let operator = bench.operator().await;
        operator.request_reread(&filter, window, bench.clock.now()).await.expect("it asks");
        for one in bench.store().rereads(100).await.expect("it reads") {
            let Some(callback) = &one.callback else { continue };
            self.number += 1;
            let mut event = bench.rating(&format!("read {}", self.number), Level::Fair);
            let entry = event.entries.remove(0);
            let done = bench.store().commit_reread(callback, &[entry], Vec::new()).await;
            assert_eq!(done.expect("it commits").fresh, [true]);
            let sums = self.at(&account(), callback.received_at);
            (sums.notes, sums.records) = (sums.notes - 1, sums.records + 1);
        }
    }

    fn refuse(&mut self, bench: &Bench, other_account: bool, reason: &'static str) {
        let account = if other_account { other() } else { account() };
        bench.store().refusals().count(&account, reason);
        self.refused.push(((Hour::of(bench.clock.now()), account.to_string()), reason));
    }

    async fn flush(&mut self, bench: &Bench) {
        bench.store().write_refusals().await.expect("it writes");
        for (of, reason) in self.refused.drain(..) {
            *self.sums.entry(of).or_default().refused.entry(reason.to_owned()).or_default() += 1;
        }
    }

    async fn crash(&mut self, bench: &mut Bench) {
        bench.reopen().await;
        self.refused.clear();
    }

    async fn lease(&mut self, bench: &Bench, in_city: bool, max: u8) {
        let lane = if in_city { city().name } else { lane() };
        if !bench.lanes.iter().any(|known| known.name == lane) {
            return;
        }
        let until = bench.clock.now() + Duration::from_secs(600);
        let lease = bench.store().lease(&lane, usize::from(max), until).await.expect("it leases");
        self.leases.push((lane, lease));
    }

    async fn settle(&self, bench: &Bench, lease: usize, verdicts: &[u8]) {
        let Some((lane, lease)) = self.leases.get(lease) else { return };
        if !bench.lanes.iter().any(|known| known.name == *lane) {
            return;
        }
        let verdict = |verdict: &u8| match verdict {
            0 => Settled::Delivered,
            1 => Settled::Retry { due: bench.clock.now(), reason: String::new() },
            _ => Settled::Dead { class: DeadClass::Age, reason: String::new() },
        };
        let items = lease.items.iter().zip(verdicts.iter().cycle());
        let report = SendReport {
            started_at: bench.clock.now(),
            took: Duration::ZERO,
            status: None,
            answer: String::new(),
        };
        let settlement = Settlement {
            lane: lane.clone(),
            token: lease.token,
            report,
            items: items.map(|(item, number)| (item.seq, verdict(number))).collect(),
        };
        bench.store().settle(settlement).await.expect("it settles");
    }

    async fn take(&mut self, bench: &mut Bench, step: Step) {
        match step {
            Step::Commit { other, number, complaint } => {
                self.commit(bench, other, &number.to_string(), complaint).await;
            }
            Step::Garble => self.garble(bench).await,
            Step::ReadAgain => self.read_again(bench).await,
            Step::Hold(number) => {
                let fresh = bench.commit(bench.held(&format!("held {number}"))).await;
                let sums = self.at(&account(), bench.clock.now());
                sums.callbacks += 1;
                sums.repeats += i64::from(!fresh);
            }
            Step::Conclude { records } => self.conclude(bench, records).await,
            Step::Revise(place) => self.revise(bench, place).await,
            Step::Refuse { other, reason } => self.refuse(bench, other, REASONS[reason]),
            Step::Flush => self.flush(bench).await,
            Step::Lease { city, max } => self.lease(bench, city, max).await,
            Step::Settle { lease, verdicts } => self.settle(bench, lease, &verdicts).await,
            Step::Replay => {
                let dead = bench.dead(&[]).await;
                bench.replay(&dead).await;
            }
            Step::Fold { age } => {
                let age = Duration::from_secs(60) * age.into();
                bench.store().fold_ledger(age).await.expect("it folds");
            }
            Step::Purge => {
                let kept = Duration::from_secs(7_200);
                let keep = Retention { callbacks: kept, records: kept, keys: kept * 1_000 };
                while bench.store().purge(&keep, 3).await.expect("it purges") > 0 {}
            }
            Step::Wait(minutes) => bench.clock.advance(Duration::from_secs(60) * minutes.into()),
            Step::Crash => self.crash(bench).await,
            Step::LeaveOrReturn => {
                match bench.lanes.len() {
                    1 => bench.lanes.push(city()),
                    _ => drop(bench.lanes.pop()),
                }
                self.crash(bench).await;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48 / PART, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_is_what_a_full_count_comes_to_and_forgets_nothing(steps in steps()) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async move {
            let mut bench = Bench::new().await;
            bench.lanes.push(city());
            bench.reopen().await;
            let mut model = Model::default();
            for step in steps {
                model.take(&mut bench, step).await;
                assert_balanced(&bench).await;
            }
            bench.fold().await;
            model.flush(&bench).await;
            assert_balanced(&bench).await;
            let mut book = book(&bench).await;
            for entry in book.values_mut() {
                let lanes = std::mem::take(&mut entry.lanes);
                assert_eq!(entry.records, lanes.get("province").map_or(0, Places::records));
                assert!(lanes.values().all(|places| places.difference == 0), "{lanes:?}");
            }
            model.sums.retain(|_, entry| *entry != LedgerEntry::default());
            book.retain(|_, entry| *entry != LedgerEntry::default());
            assert_eq!(book, model.sums);
        });
    }
}

#[tokio::test]
async fn an_outage_of_96_hours_balances_in_every_hour() {
    let bench = Bench::new().await;
    let first = Hour::of(bench.clock.now());
    for hour in 0..96 {
        for number in 0..4 {
            bench.commit(bench.rating(&format!("{hour} {number}"), Level::Fair)).await;
        }
        let lease = bench.lease(1_000).await;
        let now = bench.clock.now();
        let verdict = |received: Timestamp| match now.duration_since(received).as_hours() {
            48.. => Settled::Dead { class: DeadClass::Age, reason: "too old".to_owned() },
            _ => Settled::Retry { due: now, reason: "unreachable".to_owned() },
        };
        let items = lease.items.iter().map(|it| (it.seq, verdict(it.record.received_at)));
        bench.settle(&lease, items.collect()).await;
        bench.fold().await;
        bench.clock.advance(Duration::from_secs(3_600));
    }
    let places = |book: &Book, hour: i64| {
        let entry = &book[&(Hour(first.0 + hour), account().to_string())];
        assert_eq!((entry.callbacks, entry.records), (4, 4));
        entry.lanes["province"]
    };
    let down = book(&bench).await;
    assert_eq!(down.len(), 96);
    for hour in 0..96 {
        let (dead, pending) = if hour < 48 { (4, 0) } else { (0, 4) };
        assert_eq!(places(&down, hour), Places { dead, pending, ..Places::default() });
    }
    let lease = bench.lease(1_000).await;
    bench.settle_all(&lease, Settled::Delivered).await;
    bench.replay(&bench.dead(&[]).await[..1]).await;
    bench.fold().await;
    assert_balanced(&bench).await;
    let up = book(&bench).await;
    assert_eq!(places(&up, 0), Places { dead: 3, pending: 1, ..Places::default() });
    for hour in 1..96 {
        let (dead, delivered) = if hour < 48 { (4, 0) } else { (0, 4) };
        assert_eq!(places(&up, hour), Places { dead, delivered, ..Places::default() });
    }
}

#[tokio::test]
async fn what_is_lost_behind_the_gateways_back_is_found() {
    let bench = Bench::new().await;
    for message in ["a", "b", "c"] {
        bench.commit(bench.rating(message, Level::Fair)).await;
    }
    let lease = bench.lease(1).await;
    bench.settle_all(&lease, Settled::Delivered).await;
    bench.fold().await;
    assert_balanced(&bench).await;
    let found = async |bench: &Bench| {
        let found = reconcile(bench).await.differences;
        let found = found.iter().map(|it| (it.figure, it.ledger, it.counted));
        found.collect::<Vec<_>>()
    };

    // One that waited is in no place any more; the ledger sees it when it looks next.
    bench.sql("DELETE FROM outbox WHERE seq = 3").await;
    assert_eq!(found(&bench).await, [(Figure::InNoPlace, 1, 1)]);
    bench.fold().await;
    assert_eq!(found(&bench).await, [(Figure::InNoPlace, 1, 1)]);
    let places = book(&bench).await.pop_first().expect("an hour").1.lanes["province"];
    let expected = Places { delivered: 1, pending: 1, difference: 1, ..Places::default() };
    assert_eq!(places, expected);

    // One that ended is gone from a table that the ledger does not look at again.
    bench.sql("DELETE FROM attempt WHERE seq = 1").await;
    let gone = [(Figure::Delivered, 1, 0), (Figure::InNoPlace, 1, 2)];
    assert_eq!(found(&bench).await, gone);

    // A record that is gone as a whole.
    bench.sql("DELETE FROM record WHERE seq = 1").await;
    let gone = [(Figure::Records, 3, 2), (Figure::Delivered, 1, 0), (Figure::InNoPlace, 1, 1)];
    assert_eq!(found(&bench).await, gone);
    bench.sql("DELETE FROM callback_page WHERE first_seq = 2").await;
    assert_eq!(found(&bench).await[0], (Figure::Callbacks, 3, 2));
}

#[tokio::test]
async fn what_was_delivered_is_counted_by_day_and_kind() {
    let bench = Bench::new().await;
    bench.commit(bench.rating("a", Level::Fair)).await;
    bench.commit(bench.complaint("b")).await;
    bench.commit(bench.rating("c", Level::Fair)).await;
    let lease = bench.lease(2).await;
    bench.settle_all(&lease, Settled::Delivered).await;
    bench.fold().await;
    let counted = reconcile(&bench).await;
    let day = Day::of(Hour::of(bench.clock.now()));
    let expected = Delivered { ratings: 1, complaints: 1, not_rated: 0, unsure: 1 };
    assert_eq!(counted.delivered, BTreeMap::from([((lane().to_string(), day), expected)]));
}

#[tokio::test]
async fn what_is_young_is_left_for_later_but_not_what_a_clock_that_ran_ahead_dated() {
    let bench = Bench::new().await;
    let age = Duration::from_secs(10);
    let unfolded = async |bench: &Bench| {
        while bench.store().fold_ledger(age).await.expect("it folds") {}
        bench.operator().await.ledger(EVER, None).await.expect("it reads").unfolded
    };
    for message in ["a", "b", "c"] {
        bench.commit(bench.rating(message, Level::Fair)).await;
        bench.clock.advance(Duration::from_secs(4));
    }
    assert_eq!(unfolded(&bench).await, 2);
    let day = Duration::from_secs(86_400);
    bench.clock.advance(day);
    bench.commit(bench.rating("from the future", Level::Fair)).await;
    bench.clock.set_back(day);
    bench.commit(bench.rating("d", Level::Fair)).await;
    assert_eq!(unfolded(&bench).await, 4);
    bench.clock.advance(age);
    assert_eq!(unfolded(&bench).await, 0);

    // What the platform is asked about is not bound to the ledger.
    bench.commit(bench.rating("e", Level::Fair)).await;
    bench.settle_all(&bench.lease(10).await, Settled::Delivered).await;
    assert_eq!(unfolded(&bench).await, 1);
    let found = reconcile(&bench).await;
    assert!(found.differences.is_empty(), "{:?}", found.differences);
    assert_eq!(found.delivered.values().map(|it| it.ratings).sum::<i64>(), 6);
}

#[tokio::test]
async fn a_purge_by_a_clock_that_ran_ahead_does_not_hide_what_is_lost_after_it() {
    let bench = Bench::new().await;
    bench.commit(bench.rating("old", Level::Fair)).await;
    bench.commit(bench.rating("newer", Level::Fair)).await;
    bench.settle_all(&bench.lease(2).await, Settled::Delivered).await;
    let ahead = Duration::from_secs(1_000_000);
    bench.clock.advance(ahead);
    bench.purge(Duration::from_secs(3_600)).await;
    assert_eq!(bench.store().counts().await.expect("it counts").callbacks, 1);
    bench.clock.set_back(ahead - Duration::from_secs(7_200));
    for message in ["a", "b", "c"] {
        bench.commit(bench.rating(message, Level::Fair)).await;
    }
    bench.fold().await;
    assert_balanced(&bench).await;
    bench
        .sql("DELETE FROM record WHERE seq = 4; DELETE FROM callback_page WHERE first_seq = 4")
        .await;
    let found = reconcile(&bench).await.differences;
    let found: Vec<Figure> = found.iter().map(|it| it.figure).collect();
    assert_eq!(found, [Figure::Callbacks, Figure::Records, Figure::Pending]);
}

#[tokio::test]
async fn open_records_that_do_not_move_do_not_hurry_the_ledger() {
    let bench = Bench::new().await;
    let mut callback = bench.rating("", Level::Fair);
    let many = (0..2_001).map(|number| bench.rating(&number.to_string(), Level::Fair));
    callback.entries = many.map(|mut one| one.entries.remove(0)).collect();
    bench.commit(callback).await;
    let more =
        async |bench: &Bench| bench.store().fold_ledger(Duration::ZERO).await.expect("it folds");
    while more(&bench).await {}
    assert_eq!([more(&bench).await, more(&bench).await, more(&bench).await], [false; 3]);
    bench.settle_all(&bench.lease(1).await, Settled::Delivered).await;
    assert!([more(&bench).await, more(&bench).await].contains(&true));
    assert_balanced(&bench).await;
}

#[tokio::test]
async fn a_database_from_before_the_ledger_is_taken_in_whole() {
    let mut bench = Bench::new().await;
    for number in 0..50 {
        bench.commit(bench.rating(&number.to_string(), Level::Fair)).await;
        bench.clock.advance(Duration::from_secs(600));
    }
    bench.bury(DeadClass::Rejected, "no").await;
    // Nothing is erased that the ledger has not seen.
    let keep = Retention {
        callbacks: Duration::ZERO,
        records: Duration::ZERO,
        keys: Duration::from_secs(1_000_000),
    };
    while bench.store().purge(&keep, 100).await.expect("it purges") > 0 {}
    assert_eq!(bench.store().counts().await.expect("it counts").callbacks, 50);
    bench.reopen().await;
    bench.fold().await;
    assert_balanced(&bench).await;
    let sum: i64 = book(&bench).await.values().map(|entry| entry.lanes["province"].dead).sum();
    assert_eq!(sum, 50);
}
