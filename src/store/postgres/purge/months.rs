//! Erasing whole months that are over: a table's part is taken out in a turn, and dropped when nobody waits for that.

use super::super::partition::{
    ATTEMPTS, FEW, KEYS, Month, NOTES, PAGES, RECORDS, SENDS, TABLES, Table, be_patient, end,
    months,
};
use super::super::turn::Turn;
use crate::store::job::PurgeJob;
use crate::store::rows;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};

/// What the name of a part ends with that was taken out.
const GONE: &str = "_gone";

/// Tables of which a month goes at once, and the time before which it must be over.
fn kinds(job: &PurgeJob) -> [(&'static [Table], i64); 5] {
    let records = job.records_before.as_millisecond();
    let callbacks = job.callbacks_before.as_millisecond();
    [
        (&[PAGES], callbacks),
        (&[NOTES], callbacks),
        (&[ATTEMPTS, RECORDS], records),
        (&[SENDS], records),
        (&[KEYS], job.keys_before.as_millisecond()),
    ]
}

/// Drops the months that are over, each in turns of its own. Records that have not ended stay, in the rest, if they are few; else
/// their month waits, and is purged row by row. So does what somebody reads for long. Returns how many months went.
pub(in super::super) async fn drop_months(
    connection: &mut PgConnection,
    job: &PurgeJob,
) -> Result<u64, sqlx::Error> {
    // What was taken out when a node stopped before this.
    drop_gone(connection).await?;
    let there = months(connection).await?;
    let mut gone = 0;
    for (tables, before) in kinds(job) {
        let mut over: Vec<Month> = there
            .iter()
            .filter(|(table, month)| tables.contains(table) && month.end() <= before)
            .map(|(_, month)| *month)
            .collect();
        over.dedup();
        for month in over {
            // Looked at twice, so that nobody waits for a month that stays.
            if kept(connection, tables, month, &there).await?.is_some()
                && take_out(connection, tables, month, &there).await?
            {
                gone += 1;
            }
        }
    }
    if gone > 0 {
        drop_gone(connection).await?;
    }
    Ok(gone)
}

/// The records of a month that stay; none if the month has to wait.
async fn kept(
    connection: &mut PgConnection,
    tables: &[Table],
    month: Month,
    there: &[(Table, Month)],
) -> Result<Option<Vec<i64>>, sqlx::Error> {
    // A month of which one half lies in the rest is erased there, row by row.
    if tables.iter().any(|table| !there.contains(&(*table, month))) {
        return Ok(None);
    }
    let part = month.part(tables[0]);
    match tables {
        [PAGES] => {
            let sql = format!(
                "SELECT (SELECT max(first_seq) FROM {part}) <=
                    (SELECT least(pages_to, (SELECT max(first_seq) - 1 FROM callback_page))
                     FROM ledger_fold)"
            );
            unless_false(connection, sql).await
        }
        [NOTES] => {
            let sql = format!(
                "SELECT (SELECT max(callback) FROM {part}) <= (SELECT notes_to FROM ledger_fold)"
            );
            unless_false(connection, sql).await
        }
        [ATTEMPTS, RECORDS] => kept_records(connection, month).await,
        _ => Ok(Some(Vec::new())),
    }
}

/// Nothing stays of a month of which this holds, and of an empty one, of which it is unknown.
async fn unless_false(
    connection: &mut PgConnection,
    sql: String,
) -> Result<Option<Vec<i64>>, sqlx::Error> {
    let may_go: Option<bool> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await?;
    Ok(may_go.unwrap_or(true).then(Vec::new))
}

/// Those that have not ended. A month waits that holds many, or one that is not in the ledger, or the newest of all.
async fn kept_records(
    connection: &mut PgConnection,
    month: Month,
) -> Result<Option<Vec<i64>>, sqlx::Error> {
    let sql = format!("SELECT min(seq), max(seq) FROM {}", month.part(RECORDS));
    let ends: (Option<i64>, Option<i64>) =
        sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
    let (Some(first), Some(last)) = ends else { return Ok(Some(Vec::new())) };
    let taken_in: bool = sqlx::query_scalar(
        "SELECT $2 < (SELECT max(seq) FROM record)
            AND $2 <= (SELECT records_to FROM ledger_fold)
            AND NOT EXISTS (SELECT FROM lane WHERE greatest($1, first_seq, ledger_seq + 1)
                <= least($2, last_seq))",
    )
    .bind(first)
    .bind(last)
    .fetch_one(&mut *connection)
    .await?;
    if !taken_in {
        return Ok(None);
    }
    let open = |table| {
        format!(
            "(SELECT seq FROM {table} WHERE lane = ANY(ARRAY(SELECT id FROM lane))
                AND seq >= $1 AND seq <= $2 AND received_at >= $3 AND received_at < $4
              LIMIT {})",
            FEW + 1
        )
    };
    let sql = ["outbox", "dead_letter", "ledger_open"].map(open).join(" UNION ");
    let rows = sqlx::query_scalar(AssertSqlSafe(sql)).bind(first).bind(last);
    let kept: Vec<i64> = rows.bind(month.start()).bind(month.end()).fetch_all(connection).await?;
    Ok((kept.len() <= FEW).then_some(kept))
}

/// Takes a month out of its tables; not where somebody reads these for long.
async fn take_out(
    connection: &mut PgConnection,
    tables: &[Table],
    month: Month,
    there: &[(Table, Month)],
) -> Result<bool, sqlx::Error> {
    let turn = Turn::begin(connection).await?;
    let done = async {
        let kept = kept(connection, tables, month, there).await?;
        let Some(kept) = kept else { return Ok(false) };
        be_patient(connection).await?;
        for table in tables {
            detach(connection, *table, month, &kept).await?;
        }
        Ok(true)
    };
    let done = done.await;
    let out = end(connection, turn, done).await?;
    Ok(out.unwrap_or(false))
}

/// Has a table know a month no more, but for the records that stay, and the ledger that it alone remembers the others.
async fn detach(
    connection: &mut PgConnection,
    table: Table,
    month: Month,
    kept: &[i64],
) -> Result<(), sqlx::Error> {
    let (name, part) = (table.name, month.part(table));
    let sql = format!(
        "ALTER TABLE {name} DETACH PARTITION {part}; ALTER TABLE {part} RENAME TO {part}{GONE}"
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    if !kept.is_empty() {
        let lanes = match table {
            ATTEMPTS => "lane = ANY(ARRAY(SELECT id FROM lane)) AND",
            _ => "",
        };
        let sql =
            format!("INSERT INTO {name} SELECT * FROM {part}{GONE} WHERE {lanes} seq = ANY($1)");
        sqlx::query(AssertSqlSafe(sql)).bind(kept).execute(&mut *connection).await?;
    }
    let (what, came) = match table {
        PAGES | NOTES => ("callbacks_erased", "callbacks + repeats + notes"),
        RECORDS => ("records_erased", "records"),
        _ => return Ok(()),
    };
    // To find the newest of them would be to read them all.
    let sql = format!(
        "UPDATE ledger_fold SET {what} = greatest({what},
            (SELECT (max(hour) + 1) * 3600000 FROM ledger
             WHERE hour >= $1 AND hour < $2 AND {came} > 0))
         WHERE EXISTS (SELECT FROM {part}{GONE} OFFSET {})",
        kept.len()
    );
    let (start, end) = (rows::hour(month.start()), rows::hour(month.end()));
    let note = sqlx::query(AssertSqlSafe(sql)).bind(start).bind(end);
    note.execute(connection).await.map(drop)
}

/// Drops what was taken out: nobody reads it, so that however long the server erases its files nobody waits.
async fn drop_gone(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let parts: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relkind = 'r' AND NOT relispartition AND right(relname, length($1)) = $1
            AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'place'::regclass)",
    )
    .bind(GONE)
    .fetch_all(&mut *connection)
    .await?;
    for part in parts {
        let month = part.strip_suffix(GONE);
        if month.is_some_and(|month| TABLES.iter().any(|of| Month::of_part(*of, month).is_some())) {
            let sql = format!("DROP TABLE {part}");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        }
    }
    Ok(())
}
