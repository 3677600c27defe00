//! Counting everything anew, straight from the tables, beside the ledger as of the same moment.

use super::{place, read};
use crate::store::ReadError;
use crate::store::ledger::{Book, Count, Erased, Hours, Reconciled, compare, tally};
use crate::store::rows::timestamp;
use crate::store::sqlite::read::Reader;
use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row, SqliteConnection};

/// Records counted by one statement.
const STEP: i64 = 20_000;

/// What is in a record's columns of its hour and account.
const OF: &str = "r.received_at / 3600000, r.account";

/// How far the ledger is, as of the moment.
struct Upto {
    pages: i64,
    notes: i64,
    records: i64,
}

impl Reader {
    /// Compares the ledger of some hours with a full count, both as of one moment: so the log of the database grows for as
    /// long as this takes.
    pub(in crate::store) async fn reconcile(
        &self,
        hours: Hours,
        mut progress: impl FnMut(i64, i64),
    ) -> Result<Reconciled, ReadError> {
        let mut moment = self.pool.begin().await?;
        let row = sqlx::query(
            "SELECT pages_to, notes_to, records_to, callbacks_erased, records_erased,
                coalesce((SELECT min(seq) FROM record), 1), coalesce((SELECT max(seq) FROM record), 0)
             FROM ledger_fold",
        )
        .fetch_one(&mut *moment)
        .await?;
        let upto = Upto { pages: row.get(0), notes: row.get(1), records: row.get(2) };
        let before = |place| Some(row.get::<i64, _>(place)).filter(|at| *at > 0).map(timestamp);
        let erased = Erased { callbacks: before(3), records: before(4) };
        let mut ledger = read::entries(&mut moment, hours).await?;
        let mut count = Count::of(hours);
        self.count_callbacks(&mut moment, &mut count, &upto).await?;
        let (first, last): (i64, i64) = (row.get(5), row.get(6));
        let mut after = first - 1;
        while after < last {
            let to = last.min(after + STEP);
            count_records(&mut moment, &mut count, (after, to), upto.records).await?;
            bring_forward(&mut moment, &mut ledger, (after, to), &count).await?;
            after = to;
            progress(after - first + 1, last - first + 1);
        }
        moment.rollback().await?;
        let Count { book, delivered, .. } = count;
        let (compared, differences) = compare(&ledger, &book, erased);
        Ok(Reconciled { compared, differences, delivered, erased })
    }

    async fn count_callbacks(
        &self,
        moment: &mut SqliteConnection,
        count: &mut Count,
        upto: &Upto,
    ) -> Result<(), ReadError> {
        let mut pages = sqlx::query(
            "SELECT first_seq, count, received_at, sealed FROM callback_page
             WHERE first_seq <= ? ORDER BY first_seq",
        )
        .bind(upto.pages)
        .fetch(&mut *moment);
        while let Some(page) = pages.try_next().await? {
            let (first, of) = (page.get(0), (page.get(1), page.get(2)));
            count.callbacks(tally(&self.ring, first, of, page.get(3)));
        }
        drop(pages);
        let notes = sqlx::query_as(
            "SELECT received_at / 3600000, account, sum(repeats IS NOT NULL), sum(repeats IS NULL)
             FROM note WHERE callback <= ? GROUP BY 1, 2",
        );
        count.notes(notes.bind(upto.notes).fetch_all(moment).await?);
        Ok(())
    }
}

/// Whether a lane has a part in a record.
const OF_LANE: &str = "r.seq >= l.first_seq AND r.seq <= coalesce(l.last_seq, r.seq)";
/// Whether the ledger has taken it in for the lane.
const FOLDED: &str = "r.seq <= l.ledger_seq";

/// Counts the records behind one and up to another; of what the ledger has not taken in, what was delivered.
async fn count_records(
    moment: &mut SqliteConnection,
    count: &mut Count,
    span: (i64, i64),
    folded: i64,
) -> Result<(), sqlx::Error> {
    let taken_in = (span.0, span.1.min(folded));
    let sql = format!(
        "SELECT {OF}, count(*) FROM record AS r WHERE r.seq > ? AND r.seq <= ? GROUP BY 1, 2"
    );
    count.records(rows(moment, sql, taken_in).await?);
    let sql = format!(
        "SELECT {OF}, l.name, count(*) FROM record AS r CROSS JOIN lane AS l
         WHERE r.seq > ? AND r.seq <= ? AND {OF_LANE} AND {FOLDED} GROUP BY 1, 2, 3"
    );
    count.accounted_for(rows(moment, sql, taken_in).await?);
    for (table, place) in [("outbox", "2"), ("dead_letter", "3"), ("attempt", "p.outcome")] {
        let ended = if table == "attempt" { "AND p.outcome IN (1, 4, 6)" } else { "" };
        let sql = format!(
            "SELECT {OF}, l.name, {place}, r.urgent, r.level IS NOT NULL, count(*), {FOLDED}
             FROM lane AS l CROSS JOIN {table} AS p ON p.lane = l.id
             CROSS JOIN record AS r ON r.seq = p.seq
             WHERE p.seq > ? AND p.seq <= ? AND {OF_LANE} {ended} GROUP BY 1, 2, 3, 4, 5, 6, 8"
        );
        count.placed(rows(moment, sql, span).await?);
    }
    Ok(())
}

/// Moves what has come into another place since the ledger looked.
async fn bring_forward(
    moment: &mut SqliteConnection,
    ledger: &mut Book,
    span: (i64, i64),
    count: &Count,
) -> Result<(), sqlx::Error> {
    let sql = format!(
        "SELECT {OF}, l.name, o.place, {} AS now, count(*)
         FROM lane AS l CROSS JOIN ledger_open AS o ON o.lane = l.id
         CROSS JOIN record AS r ON r.seq = o.seq
         WHERE o.seq > ? AND o.seq <= ? AND now <> o.place GROUP BY 1, 2, 3, 4, 5",
        place("o.lane", "o.seq")
    );
    count.bring_forward(ledger, rows(moment, sql, span).await?);
    Ok(())
}

async fn rows<T>(
    moment: &mut SqliteConnection,
    sql: String,
    (after, to): (i64, i64),
) -> Result<Vec<T>, sqlx::Error>
where
    T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    sqlx::query_as(AssertSqlSafe(sql)).bind(after).bind(to).fetch_all(moment).await
}
