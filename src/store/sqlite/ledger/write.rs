//! Adding to the ledger, within a transaction of the writer's.

use crate::store::ledger::Fold;
use crate::store::sqlite::json;
use crate::store::sqlite::script::Script;
use sqlx::SqliteConnection;

/// Writes down what a step found, in one transaction; nothing if another was taken meanwhile: whoever looked for it
/// may have been replaced while it waited for the writer.
pub(in crate::store) async fn write(
    connection: &mut SqliteConnection,
    fold: &Fold,
) -> Result<(), sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let steps: i64 =
        sqlx::query_scalar("SELECT steps FROM ledger_fold").fetch_one(&mut *connection).await?;
    if steps != fold.steps {
        sqlx::query("ROLLBACK").execute(connection).await?;
        return Ok(());
    }
    let mut script = Script::default();
    add_callbacks(&mut script, fold)?;
    add_notes(&mut script, fold);
    add_records(&mut script, fold)?;
    script.add("UPDATE ledger_fold SET steps = steps + 1, pages_to = ?, records_to = ?");
    script.bind(fold.pages_to).bind(fold.records_to);
    script.add("COMMIT");
    script.run(connection).await.map(drop)
}

fn add_callbacks(script: &mut Script, fold: &Fold) -> Result<(), sqlx::Error> {
    script.add(
        "INSERT INTO ledger (hour, account, callbacks)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
         ON CONFLICT (hour, account) DO UPDATE SET callbacks = callbacks + excluded.callbacks",
    );
    script.bind(json(&fold.callbacks)?);
    Ok(())
}

/// They are counted here and now, since a conclusion or another reading may change them until then.
fn add_notes(script: &mut Script, fold: &Fold) {
    let Some(upto) = fold.notes_to else { return };
    script.add(
        "INSERT INTO ledger (hour, account, repeats, notes)
         SELECT received_at / 3600000, account, sum(repeats IS NOT NULL), sum(repeats IS NULL)
         FROM note WHERE callback > (SELECT notes_to FROM ledger_fold) AND callback <= ?
         GROUP BY 1, 2
         ON CONFLICT (hour, account) DO UPDATE SET
            repeats = repeats + excluded.repeats, notes = notes + excluded.notes",
    );
    script.bind(upto);
    script.add("UPDATE ledger_fold SET notes_to = ?");
    script.bind(upto);
}

fn add_records(script: &mut Script, fold: &Fold) -> Result<(), sqlx::Error> {
    script.add(
        "INSERT INTO ledger (hour, account, records, first_seq, last_seq)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
         FROM json_each(?) WHERE true
         ON CONFLICT (hour, account) DO UPDATE SET records = records + excluded.records,
            first_seq = coalesce(first_seq, excluded.first_seq), last_seq = excluded.last_seq",
    );
    script.bind(json(&fold.records)?);
    script.add(
        "INSERT INTO ledger_lane (hour, account, lane, place, records)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
         FROM json_each(?) WHERE true
         ON CONFLICT (hour, account, lane, place) DO UPDATE SET records = records + excluded.records",
    );
    script.bind(json(&fold.places())?);
    script.add(
        "INSERT OR REPLACE INTO ledger_open (lane, seq, place)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)",
    );
    script.bind(json(&fold.open)?);
    script.add(
        "DELETE FROM ledger_open
         WHERE (lane, seq) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))",
    );
    script.bind(json(&fold.closed)?);
    script.add(
        "UPDATE lane SET ledger_seq = folded.last
         FROM (SELECT value ->> 0 AS lane, value ->> 1 AS last FROM json_each(?)) AS folded
         WHERE lane.id = folded.lane",
    );
    script.bind(json(&fold.lanes)?);
    Ok(())
}

/// Writes callbacks down of which nothing is stored: hour, account, reason, callbacks.
pub(in crate::store) async fn write_refused(
    connection: &mut SqliteConnection,
    rows: &[(i64, String, &'static str, i64)],
) -> Result<(), sqlx::Error> {
    let mut script = Script::default();
    script.add(
        "INSERT INTO ledger_refused (hour, account, reason, callbacks)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true
         ON CONFLICT (hour, account, reason) DO UPDATE SET callbacks = callbacks + excluded.callbacks",
    );
    script.bind(json(rows)?);
    script.run(connection).await.map(drop)
}

/// Adds what counts notes of callbacks whose notes are counted already. The rows are those of `note`.
pub(in crate::store) fn add_late_notes(script: &mut Script, rows: String) {
    script.add(
        "INSERT INTO ledger (hour, account, repeats, notes)
         SELECT (value ->> 3) / 3600000, value ->> 2,
            sum((value ->> 5) IS NOT NULL), sum((value ->> 5) IS NULL)
         FROM json_each(?) WHERE value ->> 0 <= (SELECT notes_to FROM ledger_fold) GROUP BY 1, 2
         ON CONFLICT (hour, account) DO UPDATE SET
            repeats = repeats + excluded.repeats, notes = notes + excluded.notes",
    );
    script.bind(rows);
}

/// Adds what takes back that a callback's notes of what was unreadable were counted; they go with the same script.
pub(in crate::store) fn forget_garbled(script: &mut Script, callback: i64) {
    script.add(
        "UPDATE ledger SET notes = ledger.notes - garbled.notes
         FROM (SELECT received_at / 3600000 AS hour, account, count(*) AS notes FROM note
               WHERE callback = ? AND outcome = 'garbled' GROUP BY 1, 2) AS garbled
         WHERE ledger.hour = garbled.hour AND ledger.account = garbled.account
            AND ? <= (SELECT notes_to FROM ledger_fold)",
    );
    script.bind(callback).bind(callback);
}
