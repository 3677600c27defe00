//! How the database goes about leasing: by its indexes, however much waits and whatever is blocked.

use super::*;
use crate::model::LaneName;
use crate::store::case::Ties;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;

async fn database() -> SqliteConnection {
    let mut database = SqliteConnection::connect("sqlite::memory:").await.expect("it opens");
    sqlx::migrate!("migrations/sqlite").run(&mut database).await.expect("it migrates");
    database
}

fn job(max: usize, now: i64) -> LeaseJob {
    LeaseJob {
        lane: LaneName::new("province").expect("a name"),
        max,
        now: timestamp(now),
        until: timestamp(now + 60_000),
        near: Timestamp::MAX,
        answer: oneshot::channel().0,
    }
}

#[tokio::test]
async fn nothing_that_a_lease_or_a_settlement_does_reads_or_sorts_what_waits() {
    let mut database = database().await;
    let mut script = Script::default();
    lease(&mut script, 1, LeaseToken(1), &job(100, 0));
    let report = SendReport {
        started_at: timestamp(0),
        took: std::time::Duration::ZERO,
        status: None,
        answer: String::new(),
    };
    let due = timestamp(0);
    let dead = Settled::Dead { class: DeadClass::Age, reason: String::new() };
    let again = Settled::Retry { due, reason: String::new() };
    let verdicts = [Settled::Delivered, again, Settled::Released, dead];
    let items = (1..).map(RecordSeq).zip(verdicts).collect();
    let lane = LaneName::new("province").expect("a name");
    let settlement = Settlement { lane, token: LeaseToken(1), report, items };
    settle(&mut script, 1, 0, &settlement).expect("a script");
    let ties = Ties { case: Some(1), links: vec![RecordId(uuid::Uuid::nil())], call_by: Some(0) };
    let tied = order::Tied::new(&[(1, ties)]).expect("JSON").expect("some");
    tied.join(&mut script, 1).expect("a script");
    tied.line_up(&mut script, 1, 0);
    order::rejoin(&mut script, 1, &Query::listed("[1]".to_owned()));
    for statement in script.statements() {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan = sqlx::query(explain).fetch_all(&mut database).await.expect("a plan");
        let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        for step in &steps {
            // The highest rank is the end of an index, whatever the plan calls it, and whether there are cases its beginning.
            let step = format!("{step} ");
            let whole = ["SCAN outbox", "SCAN o ", "SCAN e ", "SCAN n ", "SCAN d ", "(lane=?) "];
            let is_whole = whole.iter().any(|part| step.contains(part))
                && !step.contains("COVERING INDEX outbox_case (lane=?) ")
                && !(statement.starts_with(RANKS) && step.contains("outbox_due"));
            assert!(!is_whole && !step.contains("AUTOMATIC"), "{statement}\n{steps:#?}");
        }
    }
}

#[tokio::test]
async fn a_hundred_thousand_blocked_records_are_never_looked_at() {
    let mut database = database().await;
    // A head for each ten of the blocked, which waits for its retry; and behind all of them one that is due.
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 110000)
        INSERT INTO outbox (lane, seq, urgent, due_at, token, attempts, queued_at, case_key)
        SELECT 1, i, 0, iif(i % 11 = 0, 1000000, 9223372036854775807), 0, 0, 0, i / 11 FROM n;
        INSERT INTO outbox VALUES (1, 200000, 0, 10, 0, 0, 10, NULL, NULL);
        INSERT INTO record VALUES (200000, zeroblob(16), 1, 1, 0, 0, 5, 'kannel', zeroblob(64))";
    sqlx::raw_sql(fill).execute(&mut database).await.expect("it fills");
    let mut script = Script::default();
    let place = lease(&mut script, 1, LeaseToken(1), &job(100, 20));
    let (done, steps) = run_counted(&mut database, script).await;
    assert_eq!(done.rows(place).len(), 1);
    assert!((1..5_000).contains(&steps), "{steps} steps of the database's machine");
}

#[tokio::test]
async fn complaints_near_their_deadline_in_one_large_case_are_not_looked_at_over_and_over() {
    let mut database = database().await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO outbox
            (lane, seq, urgent, due_at, token, attempts, queued_at, case_key, call_by)
        SELECT 1, i, i % 10 = 0, iif(i = 1, 1000000, 9223372036854775807), 0, 0, 0, 7,
            iif(i % 10 = 0, 0, NULL) FROM n";
    sqlx::raw_sql(fill).execute(&mut database).await.expect("it fills");
    for _ in 0..4 {
        let mut script = Script::default();
        lease(&mut script, 1, LeaseToken(1), &job(100, 20));
        let (_, steps) = run_counted(&mut database, script).await;
        assert!((1..2_000_000).contains(&steps), "{steps} steps of the database's machine");
    }
    let near = "SELECT count(*), count(DISTINCT urgent) FROM outbox WHERE urgent > 1";
    let near = sqlx::query(near).fetch_one(&mut database).await.expect("it reads");
    assert_eq!((near.get(0), near.get(1)), (20_000, 1));
}

/// Runs a script, and counts the steps of the database's machine.
async fn run_counted(database: &mut SqliteConnection, script: Script) -> (Done, usize) {
    let counted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&counted);
    let mut handle = database.lock_handle().await.expect("a handle");
    handle.set_progress_handler(10, move || {
        count.fetch_add(1, Ordering::Relaxed);
        true
    });
    drop(handle);
    let done = script.run(database).await.expect("it leases");
    (done, counted.load(Ordering::Relaxed) * 10)
}
