//! Adding to the ledger, within a turn.

use crate::store::ledger::Fold;
use crate::store::plan::NoteTuple;
use sqlx::postgres::PgConnection;

/// Writes down what a step found; nothing if another was taken meanwhile: whoever looked for it may have been replaced
/// while it waited for its turn, and so may its node.
pub(in crate::store::postgres) async fn write(
    connection: &mut PgConnection,
    fold: &Fold,
) -> Result<(), sqlx::Error> {
    let (steps, noted): (i64, i64) = sqlx::query_as("SELECT steps, notes_to FROM ledger_fold")
        .fetch_one(&mut *connection)
        .await?;
    if steps != fold.steps {
        return Ok(());
    }
    add_callbacks(connection, fold).await?;
    if let Some(upto) = fold.notes_to {
        add_notes(connection, (noted, upto)).await?;
    }
    add_records(connection, fold).await?;
    add_places(connection, fold).await
}

async fn add_callbacks(connection: &mut PgConnection, fold: &Fold) -> Result<(), sqlx::Error> {
    if fold.callbacks.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO ledger (hour, account, callbacks)
         SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::bigint[])
         ON CONFLICT (hour, account) DO UPDATE SET
            callbacks = ledger.callbacks + excluded.callbacks",
    )
    .bind(column(&fold.callbacks, |row| row.0))
    .bind(column(&fold.callbacks, |row| row.1.as_str()))
    .bind(column(&fold.callbacks, |row| row.2))
    .execute(connection)
    .await
    .map(drop)
}

/// They are counted here and now, since a conclusion or another reading may change them until then.
async fn add_notes(
    connection: &mut PgConnection,
    (noted, upto): (i64, i64),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO ledger (hour, account, repeats, notes)
         SELECT received_at / 3600000, account, count(repeats), count(*) - count(repeats)
         FROM note WHERE callback > $1 AND callback <= $2 GROUP BY 1, 2
         ON CONFLICT (hour, account) DO UPDATE SET
            repeats = ledger.repeats + excluded.repeats, notes = ledger.notes + excluded.notes",
    )
    .bind(noted)
    .bind(upto)
    .execute(connection)
    .await
    .map(drop)
}

async fn add_records(connection: &mut PgConnection, fold: &Fold) -> Result<(), sqlx::Error> {
    if fold.records.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO ledger (hour, account, records, first_seq, last_seq)
         SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
         ON CONFLICT (hour, account) DO UPDATE SET records = ledger.records + excluded.records,
            first_seq = coalesce(ledger.first_seq, excluded.first_seq),
            last_seq = excluded.last_seq",
    )
    .bind(column(&fold.records, |row| row.0))
    .bind(column(&fold.records, |row| row.1.as_str()))
    .bind(column(&fold.records, |row| row.2))
    .bind(column(&fold.records, |row| row.3))
    .bind(column(&fold.records, |row| row.4))
    .execute(connection)
    .await
    .map(drop)
}

/// Adds where the records are, and how far that is, in one trip.
async fn add_places(connection: &mut PgConnection, fold: &Fold) -> Result<(), sqlx::Error> {
    let places = fold.places();
    sqlx::query(
        "WITH placed AS (
            INSERT INTO ledger_lane (hour, account, lane, place, records)
            SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
            ON CONFLICT (hour, account, lane, place) DO UPDATE SET
                records = ledger_lane.records + excluded.records),
         opened AS (
            INSERT INTO ledger_open (lane, seq, place, received_at)
            SELECT * FROM UNNEST($6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
            ON CONFLICT (lane, seq) DO UPDATE SET place = excluded.place),
         closed AS (
            DELETE FROM ledger_open AS o USING UNNEST($10::bigint[], $11::bigint[]) AS c (lane, seq)
            WHERE o.lane = c.lane AND o.seq = c.seq),
         folded AS (
            UPDATE lane SET ledger_seq = f.last
            FROM UNNEST($12::bigint[], $13::bigint[]) AS f (lane, last) WHERE lane.id = f.lane)
         UPDATE ledger_fold SET steps = steps + 1, pages_to = $14, records_to = $15,
            notes_to = coalesce($16, notes_to)",
    )
    .bind(column(&places, |row| row.0))
    .bind(column(&places, |row| row.1))
    .bind(column(&places, |row| row.2))
    .bind(column(&places, |row| row.3))
    .bind(column(&places, |row| row.4))
    .bind(column(&fold.open, |row| row[0]))
    .bind(column(&fold.open, |row| row[1]))
    .bind(column(&fold.open, |row| row[2]))
    .bind(column(&fold.open, |row| row[3]))
    .bind(column(&fold.closed, |row| row[0]))
    .bind(column(&fold.closed, |row| row[1]))
    .bind(column(&fold.lanes, |row| row[0]))
    .bind(column(&fold.lanes, |row| row[1]))
    .bind(fold.pages_to)
    .bind(fold.records_to)
    .bind(fold.notes_to)
    .execute(connection)
    .await
    .map(drop)
}

/// Writes callbacks down of which nothing is stored: hour, account, reason, callbacks.
pub(in crate::store::postgres) async fn write_refused(
    connection: &mut PgConnection,
    rows: &[(i64, String, &'static str, i64)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO ledger_refused (hour, account, reason, callbacks)
         SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::bigint[])
         ON CONFLICT (hour, account, reason) DO UPDATE SET
            callbacks = ledger_refused.callbacks + excluded.callbacks",
    )
    .bind(column(rows, |row| row.0))
    .bind(column(rows, |row| row.1.as_str()))
    .bind(column(rows, |row| row.2))
    .bind(column(rows, |row| row.3))
    .execute(connection)
    .await
    .map(drop)
}

/// Counts notes of callbacks whose notes are counted already; of others they are counted with them.
pub(in crate::store::postgres) async fn add_late_notes(
    connection: &mut PgConnection,
    notes: &[NoteTuple],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO ledger (hour, account, repeats, notes)
         SELECT received_at / 3600000, account, count(repeats), count(*) - count(repeats)
         FROM UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])
            AS late (callback, account, received_at, repeats)
         WHERE callback <= (SELECT notes_to FROM ledger_fold) GROUP BY 1, 2
         ON CONFLICT (hour, account) DO UPDATE SET
            repeats = ledger.repeats + excluded.repeats, notes = ledger.notes + excluded.notes",
    )
    .bind(column(notes, |note| note.0))
    .bind(column(notes, |note| note.2.as_str()))
    .bind(column(notes, |note| note.3))
    .bind(column(notes, |note| note.5))
    .execute(connection)
    .await
    .map(drop)
}

/// Takes back that a callback's notes of what was unreadable were counted; they go in the same turn, behind this.
pub(in crate::store::postgres) async fn forget_garbled(
    connection: &mut PgConnection,
    callback: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE ledger SET notes = ledger.notes - garbled.notes
         FROM (SELECT received_at / 3600000 AS hour, account, count(*) AS notes FROM note
               WHERE callback = $1 AND outcome = 'garbled' GROUP BY 1, 2) AS garbled
         WHERE ledger.hour = garbled.hour AND ledger.account = garbled.account
            AND $1 <= (SELECT notes_to FROM ledger_fold)",
    )
    .bind(callback)
    .execute(connection)
    .await
    .map(drop)
}

/// One column of rows.
fn column<'r, R, T>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
