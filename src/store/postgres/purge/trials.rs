//! The ledger, the months and the purge on the server that all tests share.

use super::super::ledger;
use super::super::partition::{FEW, Month, RECORDS, TABLES, make_ahead, months};
use super::super::read::Reader;
use super::super::shared::Database;
use super::super::turn::{News, Turn};
use super::months::drop_months;
use super::purge;
use crate::model::Secret;
use crate::store::KeyRing;
use crate::store::job::PurgeJob;
use crate::store::ledger::{Hour, Hours, Reconciled};
use crate::store::seal::Fingerprinter;
use jiff::{Timestamp, ToSpan};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const SCHEMA: &str = include_str!("../../../../migrations/postgres/0001_cluster.sql");
const EVER: Hours = Hours { since: Hour(0), until: Hour(i64::MAX) };

/// A database of a trial's own.
struct Trial {
    options: PgConnectOptions,
    connection: PgConnection,
    reader: Reader,
    _database: Database,
}

impl Trial {
    async fn new() -> Trial {
        let make = async |url: &str| {
            let server: PgConnectOptions = url.parse().expect("a URL");
            let mut connection = server.connect().await.expect("a connection");
            connection.execute(sqlx::raw_sql(SCHEMA)).await.expect("the schema");
            connection.close().await.expect("it closes");
        };
        let database = Database::copy_of("trials", make).await;
        let options: PgConnectOptions = database.url().parse().expect("a URL");
        let connection = options.connect().await.expect("a connection");
        let reader = Reader {
            pool: PgPoolOptions::new().connect_lazy_with(options.clone()),
            ring: Arc::new(KeyRing::new(&Secret::new(vec![7; 32]), &[]).expect("a key")),
            prints: Fingerprinter::new(&[7; 32]),
            node: "here".into(),
        };
        let mut trial = Trial { options, connection, reader, _database: database };
        trial.sql("INSERT INTO lane (name, first_seq) VALUES ('province', 1)").await;
        trial
    }

    async fn another(&self) -> PgConnection {
        self.options.connect().await.expect("a connection")
    }

    async fn sql(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.connection.execute(sql).await.expect("it runs");
    }

    async fn number(&mut self, sql: &str) -> i64 {
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        number.fetch_one(&mut self.connection).await.expect("a number")
    }

    /// Adds records that wait, each with its page, from a number and a time on, a minute apart.
    async fn add(&mut self, (first, count): (i64, i64), at: Timestamp) {
        let (last, at) = (first + count - 1, at.as_millisecond());
        self.sql(&add((first, last), at)).await;
        self.sql(&format!(
            "INSERT INTO outbox SELECT 1, seq, {at} + (seq - {first}) * 60000::bigint, 0, 0, 0, 0, NULL, NULL, 0
             FROM generate_series({first}, {last}) AS seq"
        ))
        .await;
    }

    /// Has some have been sent, or be dead.
    async fn deliver(&mut self, seqs: &str) {
        self.sql(&format!(
            "WITH gone AS (DELETE FROM outbox WHERE seq IN ({seqs}) RETURNING *)
             INSERT INTO attempt SELECT lane, seq, seq, received_at, 1, 1 FROM gone"
        ))
        .await;
    }

    async fn bury(&mut self, seqs: &str) {
        self.sql(&format!(
            "WITH gone AS (DELETE FROM outbox WHERE seq IN ({seqs}) RETURNING *),
             tried AS (INSERT INTO attempt SELECT lane, seq, seq, received_at, 1, 3 FROM gone)
             INSERT INTO dead_letter SELECT lane, seq, received_at, 'age', '', 0, 1, 0, NULL FROM gone"
        ))
        .await;
    }

    async fn fold(&mut self) {
        for _ in 0..2 {
            let mut from = (0, 0);
            loop {
                let young = (Duration::ZERO, at("2026-12-31T00:00:00Z"));
                let (fold, next) = self.reader.fold(from, young).await.expect("it folds");
                let turn = Turn::begin(&mut self.connection).await.expect("a turn");
                ledger::write(&mut self.connection, &fold).await.expect("it writes");
                turn.end(&mut self.connection, News::default()).await.expect("it ends");
                from = next;
                if !fold.more {
                    break;
                }
            }
        }
    }

    async fn reconcile(&self) -> Reconciled {
        self.reader.reconcile(EVER, |_, _| ()).await.expect("it counts")
    }

    async fn purge(&mut self, before: Timestamp) -> u64 {
        let job = job(before);
        let mut turn = Turn::begin(&mut self.connection).await.expect("a turn");
        let purged = purge(&mut self.connection, &mut turn, &job).await.expect("it purges");
        turn.end(&mut self.connection, News::default()).await.expect("it ends");
        purged
    }
}

fn job(before: Timestamp) -> PurgeJob {
    PurgeJob {
        now: before,
        callbacks_before: before,
        records_before: before,
        keys_before: before,
        limit: 100,
    }
}

fn add((first, last): (i64, i64), at: i64) -> String {
    format!(
        "INSERT INTO callback_page SELECT seq, 1, {at} + (seq - {first}) * 60000::bigint, ''
            FROM generate_series({first}, {last}) AS seq;
         INSERT INTO note SELECT seq, 0, 'a', {at} + (seq - {first}) * 60000::bigint, 'noted', NULLIF(seq % 2, 0)
            FROM generate_series({first}, {last}) AS seq;
         INSERT INTO dedupe_key SELECT gen_random_uuid(), seq, {at} + (seq - {first}) * 60000::bigint
            FROM generate_series({first}, {last}) AS seq;
         INSERT INTO send SELECT seq, 1, {at} + (seq - {first}) * 60000::bigint, 1, 200, ''
            FROM generate_series({first}, {last}) AS seq;
         INSERT INTO record SELECT seq, gen_random_uuid(), 1, seq, {at} + (seq - {first}) * 60000::bigint, 0, 5, 'a',
            NULL, '' FROM generate_series({first}, {last}) AS seq"
    )
}

fn at(time: &str) -> Timestamp {
    time.parse().expect("a time")
}

#[tokio::test]
async fn the_ledger_is_what_a_full_count_comes_to() {
    let mut trial = Trial::new().await;
    make_ahead(&mut trial.connection, at("2026-01-15T00:00:00Z")).await.expect("months");
    trial.add((1, 3000), at("2026-01-31T12:00:00Z")).await;
    assert_eq!(trial.reader.unfolded().await.expect("a number"), 3000);
    trial.fold().await;
    assert_eq!(trial.reader.unfolded().await.expect("a number"), 0);
    let found = trial.reconcile().await;
    assert_eq!((found.differences, found.compared > 50), (Vec::new(), true));
    // The ledger does not know of this, but a count brings it forward.
    trial.deliver("SELECT generate_series(1, 2500)").await;
    trial.bury("2501, 2502").await;
    assert_eq!(trial.reconcile().await.differences, []);
    trial.fold().await;
    let ledger = trial.reader.ledger(EVER, Some("a")).await.expect("a ledger");
    let sum = |of: fn(&crate::store::ledger::Places) -> i64| {
        ledger.book.values().map(|entry| of(&entry.lanes["province"])).sum::<i64>()
    };
    assert_eq!((sum(|p| p.delivered), sum(|p| p.dead), sum(|p| p.pending)), (2500, 2, 498));
    assert_eq!(ledger.book.values().map(|entry| entry.notes).sum::<i64>(), 1500);
    let found = trial.reconcile().await;
    assert_eq!(found.differences, []);
    assert_eq!(
        found
            .delivered
            .values()
            .map(|day| (day.ratings, day.unsure))
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        (2500, 500)
    );
    // What is lost is found, here and in the last hours.
    trial.sql("DELETE FROM outbox WHERE seq = 3000; DELETE FROM record WHERE seq = 2999").await;
    assert_eq!(trial.reconcile().await.differences.len(), 3);
    let since = Hour::of(at("2026-02-01T00:00:00Z"));
    let recent = trial.reader.recent(since).await.expect("hours");
    assert!(recent.last == 3000 && recent.after > 0 && recent.after < 1000, "{recent:?}");
    let part = trial.reader.recent_part(since, (2000, 3000)).await.expect("a part");
    assert_eq!(part.found.values().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)), (999, 1));
    assert_eq!(trial.reader.whole_since().await.expect("an hour"), Hour(0));
    ledger::write_refused(&mut trial.connection, &[(5, "a".to_owned(), "spent", 3)])
        .await
        .expect("it writes");
    let note = (1, 9, "a".to_owned(), 7_200_000, "garbled", None, None, None);
    ledger::add_late_notes(&mut trial.connection, &[note]).await.expect("it writes");
    trial.sql("INSERT INTO note VALUES (1, 9, 'a', 7200000, 'garbled')").await;
    let noted = "SELECT notes FROM ledger WHERE hour = 2";
    assert_eq!(trial.number(noted).await, 1);
    ledger::forget_garbled(&mut trial.connection, 1).await.expect("it writes");
    assert_eq!(trial.number(noted).await, 0);
}

#[tokio::test]
async fn months_are_made_once_whoever_asks_and_take_over_what_came_before_them() {
    let mut trial = Trial::new().await;
    let now = at("2026-11-30T00:00:00Z");
    trial.add((1, 10), now).await;
    let mut other = trial.another().await;
    let both = tokio::join!(make_ahead(&mut trial.connection, now), make_ahead(&mut other, now));
    assert!(both.0.expect("made") && both.1.expect("made"));
    let there = months(&mut other).await.expect("months");
    assert_eq!(there.len(), 3 * TABLES.len());
    assert_eq!(there[0].1, Month::of(now));
    assert_eq!(trial.number("SELECT count(*) FROM record_rest").await, 0);
    assert_eq!(trial.number("SELECT count(*) FROM record_2026_11").await, 10);
    // A month of which much lies in the rest stays there.
    let later = now.checked_add(2400.hours()).expect("a time");
    let (many, first) = (i64::try_from(FEW).expect("few") + 1, later.as_millisecond());
    trial.sql(&format!("INSERT INTO send SELECT id, 1, {first}, 1, 200, '' FROM generate_series(1, {many}) AS id")).await;
    assert!(!make_ahead(&mut other, later).await.expect("made"));
    assert_eq!(months(&mut other).await.expect("months").len(), 6 * TABLES.len() - 1);
}

#[tokio::test]
async fn a_reader_that_takes_long_puts_a_month_off() {
    let mut trial = Trial::new().await;
    let mut reader = trial.another().await;
    let mut reading = reader.begin().await.expect("a transaction");
    reading.execute("SELECT count(*) FROM record").await.expect("it reads");
    let now = at("2026-11-30T00:00:00Z");
    assert!(!make_ahead(&mut trial.connection, now).await.expect("no error"));
    reading.rollback().await.expect("it ends");
    assert!(make_ahead(&mut trial.connection, now).await.expect("no error"));
}

#[tokio::test]
async fn a_month_that_is_over_goes_and_what_has_not_ended_stays() {
    let mut trial = Trial::new().await;
    make_ahead(&mut trial.connection, at("2026-01-15T00:00:00Z")).await.expect("months");
    trial.add((1, 2000), at("2026-01-31T12:00:00Z")).await;
    trial.deliver("SELECT generate_series(1, 500)").await;
    trial.bury("501").await;
    let (february, march) = (at("2026-02-01T00:00:00Z"), at("2026-03-01T00:00:00Z"));
    // Nothing goes that the ledger has not seen.
    assert_eq!(drop_months(&mut trial.connection, &job(february)).await.expect("it drops"), 2);
    assert_eq!(trial.number("SELECT count(*) FROM record").await, 2000);
    trial.fold().await;
    // Of January are 720 records: 500 delivered, 220 not.
    assert_eq!(drop_months(&mut trial.connection, &job(february)).await.expect("it drops"), 3);
    assert_eq!(trial.number("SELECT count(*) FROM record").await, 1500);
    assert_eq!(trial.number("SELECT count(*) FROM record_rest").await, 220);
    assert_eq!(trial.number("SELECT count(*) FROM attempt").await, 1);
    assert_eq!(trial.number("SELECT count(*) FROM callback_page").await, 1280);
    assert_eq!(
        trial.number("SELECT records_erased FROM ledger_fold").await,
        february.as_millisecond()
    );
    assert_eq!(
        trial.number("SELECT callbacks_erased FROM ledger_fold").await,
        february.as_millisecond()
    );
    assert_eq!(trial.reconcile().await.differences, []);
    let gone = "SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_2026\\_01%'";
    assert_eq!(trial.number(gone).await, 0);
    // The rest goes row by row once it has ended, but for the newest.
    trial.deliver("SELECT generate_series(502, 2000)").await;
    trial.fold().await;
    trial.sql("INSERT INTO reread VALUES (1, 0), (2000, 0)").await;
    while trial.purge(march).await > 0 {}
    while trial.purge(march).await > 0 {}
    assert_eq!(trial.number("SELECT count(*) FROM record").await, 2);
    assert_eq!(trial.number("SELECT count(*) FROM attempt").await, 2);
    assert_eq!(trial.number("SELECT count(*) FROM callback_page").await, 1);
    assert_eq!(trial.number("SELECT count(*) FROM note").await, 0);
    assert_eq!(trial.number("SELECT count(*) FROM send").await, 0);
    assert_eq!(trial.number("SELECT count(*) FROM reread").await, 0);
    assert_eq!(trial.number("SELECT keys_from FROM place").await, march.as_millisecond());
    assert_eq!(trial.reconcile().await.differences, []);
    // Its month waits with the newest of all; those of notes, sends and keys go.
    assert_eq!(drop_months(&mut trial.connection, &job(march)).await.expect("it drops"), 3);
    let there = months(&mut trial.connection).await.expect("months");
    assert!(there.contains(&(RECORDS, Month::of(february))));
}

#[tokio::test]
async fn steps_do_not_read_the_history() {
    let mut trial = Trial::new().await;
    make_ahead(&mut trial.connection, at("2026-01-15T00:00:00Z")).await.expect("months");
    trial.add((1, 100_000), at("2026-01-15T00:00:00Z")).await;
    trial.deliver("SELECT generate_series(1, 99000)").await;
    trial
        .sql("UPDATE ledger_fold SET pages_to = 98000, notes_to = 98000, records_to = 98000")
        .await;
    trial.sql("UPDATE lane SET ledger_seq = 98000; ANALYZE").await;
    let read = "SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_user_tables
        WHERE relname ~ '^(callback_page|note|record|send|attempt)_'";
    trial.connection = trial.another().await;
    trial.number("SELECT count(*) FROM pg_sleep(2)").await;
    let before = trial.number(read).await;
    trial.fold().await;
    assert!(trial.purge(at("2026-01-16T00:00:00Z")).await > 0);
    trial.reader.recent_part(Hour(0), (98_000, 99_000)).await.expect("a part");
    trial.reader.pool.close().await;
    trial.connection = trial.another().await;
    trial.number("SELECT count(*) FROM pg_sleep(2)").await;
    let after = trial.number(read).await;
    assert!(after - before < 5_000, "{before} {after}");
}

#[tokio::test]
async fn months_come_and_go_while_others_add_and_read() {
    let mut trial = Trial::new().await;
    let now = at("2026-01-15T00:00:00Z");
    make_ahead(&mut trial.connection, now).await.expect("months");
    trial.add((1, 1000), now).await;
    trial.deliver("SELECT generate_series(1, 1000)").await;
    trial.fold().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut crowd = JoinSet::new();
    for _ in 0..2 {
        let (mut connection, stopped) = (trial.another().await, Arc::clone(&stop));
        crowd.spawn(async move {
            let mut turns = 0;
            while !stopped.load(Ordering::Relaxed) {
                let mut turn = Turn::begin(&mut connection).await.expect("a turn");
                let first = turn.places.record + 2000;
                let sql = add((first, first + 4), at("2026-03-15T00:00:00Z").as_millisecond());
                connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.expect("it adds");
                turn.places.record += 5;
                turn.end(&mut connection, News::default()).await.expect("it ends");
                turns += 1;
            }
            turns
        });
        let (reader, stopped) = (trial.reader.clone(), Arc::clone(&stop));
        crowd.spawn(async move {
            let mut reads = 0;
            while !stopped.load(Ordering::Relaxed) {
                let hour = Hour::of(at("2026-01-15T00:00:00Z"));
                reader.recent_part(hour, (0, 1000)).await.expect("a part");
                reader.unfolded().await.expect("a number");
                reads += 1;
            }
            reads
        });
    }
    for month in 1..=2 {
        let over = at(&format!("2026-{:02}-01T00:00:00Z", month + 1));
        while !make_ahead(&mut trial.connection, over).await.expect("no error") {}
        loop {
            drop_months(&mut trial.connection, &job(over)).await.expect("no error");
            let there = months(&mut trial.connection).await.expect("months");
            if there[0].1 >= Month::of(over) {
                break;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    for rounds in crowd.join_all().await {
        assert!(rounds > 0, "somebody was held up all the time");
    }
}
