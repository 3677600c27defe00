//! Databases of other versions: older ones are migrated, newer ones refused.

use crate::bench::{Bench, record, ring};
use bridge8890::model::{Level, Outcome};
use bridge8890::store::{Matched, OpenError, Operator};

/// What the migrations after the first have added, taken back.
const TO_FIRST: &str = "
    DROP TABLE ledger;
    DROP TABLE ledger_refused;
    DROP TABLE ledger_lane;
    DROP TABLE ledger_open;
    DROP TABLE ledger_fold;
    ALTER TABLE lane DROP COLUMN ledger_seq;
    DROP INDEX outbox_case;
    DROP INDEX outbox_call_by;
    ALTER TABLE outbox DROP COLUMN case_key;
    ALTER TABLE outbox DROP COLUMN call_by;
    ALTER TABLE dead_letter DROP COLUMN case_key;
    DROP TABLE dead_replay;
    DROP INDEX dead_letter_died;
    DROP INDEX dead_letter_class;
    DROP TABLE lane_order;
    DROP TABLE lane_trouble;
    ALTER TABLE lane DROP COLUMN first_seq;
    ALTER TABLE lane DROP COLUMN last_seq;
    DROP TABLE revise;
    DROP INDEX record_callback;
    DROP TABLE inbox;
    DROP TABLE memory;
    DROP TABLE message;
    DROP TABLE recording;
    DROP TABLE reread;
    DROP INDEX note_garbled;
    DROP INDEX note_repeats;
    ALTER TABLE note DROP COLUMN problem;
    ALTER TABLE note DROP COLUMN matched;
    DELETE FROM _sqlx_migrations WHERE version > 1";

#[tokio::test]
async fn a_database_of_the_first_version_is_migrated_with_all_it_holds() {
    let mut bench = Bench::new().await;
    let first = bench.rating("a", Level::Fair);
    let id = record(&first).id;
    bench.commit(first).await;
    bench.commit(bench.rating("a", Level::Fair)).await;
    let mut unread = bench.callback("", Outcome::Noted, Vec::new());
    unread.entries.clear();
    unread.garbled.push("body: no field `content`".to_owned());
    bench.store().commit(unread).await.expect("it commits");
    bench.close().await;
    bench.sql(TO_FIRST).await;

    let operator = Operator::open(&bench.place(), ring()).await;
    assert!(matches!(operator, Err(OpenError::OlderSchema)), "a command does not migrate");
    bench.reopen().await;
    assert!(!bench.commit(bench.rating("a", Level::Fair)).await);
    let operator = bench.operator().await;
    let history = operator.history(id).await.expect("it reads");
    let repeats: Vec<_> =
        history[0].repeats.iter().map(|one| (one.callback.0, one.matched)).collect();
    assert_eq!(repeats, [(2, Matched::Id), (4, Matched::Id)]);
    let quarantined = operator.quarantined(10).await.expect("it reads");
    assert_eq!(quarantined[0].problems, ["body: no field `content`"]);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let bench = Bench::new().await;
    bench
        .sql(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'of tomorrow', 1, x'00', 0)",
        )
        .await;
    let operator = Operator::open(&bench.place(), ring()).await;
    assert!(matches!(operator, Err(OpenError::NewerSchema(9999))));
}
