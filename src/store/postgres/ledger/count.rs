//! Counting everything anew, straight from the tables, beside the ledger as of the same moment.

use super::{MOMENT, millis, place, read};
use crate::store::ReadError;
use crate::store::ledger::{Count, Erased, ForwardRow, Hours, Reconciled, compare, tally};
use crate::store::postgres::read::Reader;
use crate::store::rows::timestamp;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, FromRow, Row};

/// Records counted by one statement.
const STEP: i64 = 20_000;

/// What is in a record's columns of its hour and account.
const OF: &str = "r.received_at / 3600000, r.account";
/// The records of a step, of the hours that are asked for: only of these are months read.
const SPAN: &str = "r.seq > $1 AND r.seq <= $2 AND r.received_at >= $3 AND r.received_at < $4";
/// Whether a lane has a part in a record.
const OF_LANE: &str = "r.seq >= l.first_seq AND r.seq <= coalesce(l.last_seq, r.seq)";
/// Whether the ledger has taken it in for the lane.
const FOLDED: &str = "r.seq <= l.ledger_seq";

/// How far the ledger is, as of the moment.
struct Upto {
    pages: i64,
    notes: i64,
    records: i64,
}

impl Reader {
    /// Compares the ledger of some hours with a full count, both as of one moment: so the server keeps what is erased or
    /// changed for as long as this takes.
    pub(in crate::store) async fn reconcile(
        &self,
        hours: Hours,
        mut progress: impl FnMut(i64, i64),
    ) -> Result<Reconciled, ReadError> {
        let mut moment = self.pool.begin_with(MOMENT).await?;
        let span = millis(hours);
        let row = sqlx::query(
            "SELECT pages_to, notes_to, records_to, callbacks_erased, records_erased,
                coalesce((SELECT min(seq) FROM record
                          WHERE received_at >= $1 AND received_at < $2), 1),
                coalesce((SELECT max(seq) FROM record
                          WHERE received_at >= $1 AND received_at < $2), 0)
             FROM ledger_fold",
        )
        .bind(span.0)
        .bind(span.1)
        .fetch_one(&mut *moment)
        .await?;
        let upto = Upto { pages: row.get(0), notes: row.get(1), records: row.get(2) };
        let before = |place| Some(row.get::<i64, _>(place)).filter(|at| *at > 0).map(timestamp);
        let erased = Erased { callbacks: before(3), records: before(4) };
        let mut ledger = read::entries(&mut moment, hours).await?;
        let mut count = Count::of(hours);
        self.count_callbacks(&mut moment, &mut count, span, &upto).await?;
        let (first, last): (i64, i64) = (row.get(5), row.get(6));
        let mut after = first - 1;
        while after < last {
            let to = last.min(after + STEP);
            let step = (after, to);
            count_records(&mut moment, &mut count, (step, span), upto.records).await?;
            let moved = moved(&mut moment, (step, span)).await?;
            count.bring_forward(&mut ledger, moved);
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
        moment: &mut PgConnection,
        count: &mut Count,
        (since, until): (i64, i64),
        upto: &Upto,
    ) -> Result<(), ReadError> {
        // Of a page only the newest callback's time is told, so that later ones may hold some, too.
        let mut pages = sqlx::query(
            "SELECT first_seq, count, received_at, sealed FROM callback_page
             WHERE first_seq <= $1 AND received_at >= $2",
        )
        .bind(upto.pages)
        .bind(since)
        .fetch(&mut *moment);
        while let Some(page) = pages.try_next().await? {
            let (first, of) = (page.get(0), (page.get(1), page.get(2)));
            count.callbacks(tally(&self.ring, first, of, page.get(3)));
        }
        drop(pages);
        let notes = sqlx::query_as(
            "SELECT received_at / 3600000, account, count(repeats), count(*) - count(repeats)
             FROM note WHERE callback <= $1 AND received_at >= $2 AND received_at < $3
             GROUP BY 1, 2",
        );
        let notes = notes.bind(upto.notes).bind(since).bind(until);
        count.notes(notes.fetch_all(moment).await?);
        Ok(())
    }
}

/// The records behind one and up to another, of those that were received from a time on and before another.
type Span = ((i64, i64), (i64, i64));

/// Counts records; of what the ledger has not taken in, what was delivered.
async fn count_records(
    moment: &mut PgConnection,
    count: &mut Count,
    (step, span): Span,
    folded: i64,
) -> Result<(), sqlx::Error> {
    let taken_in = ((step.0, step.1.min(folded)), span);
    let sql = format!("SELECT {OF}, count(*) FROM record AS r WHERE {SPAN} GROUP BY 1, 2");
    count.records(rows(moment, sql, taken_in).await?);
    let sql = format!(
        "SELECT {OF}, l.name, count(*) FROM record AS r CROSS JOIN lane AS l
         WHERE {SPAN} AND {OF_LANE} AND {FOLDED} GROUP BY 1, 2, 3"
    );
    count.accounted_for(rows(moment, sql, taken_in).await?);
    for (table, place) in
        [("outbox", "2::bigint"), ("dead_letter", "3::bigint"), ("attempt", "p.outcome::bigint")]
    {
        let ended = if table == "attempt" { "AND p.outcome IN (1, 4, 6)" } else { "" };
        let sql = format!(
            "SELECT {OF}, l.name, {place}, r.urgent <> 0, r.level IS NOT NULL, count(*), {FOLDED}
             FROM lane AS l JOIN {table} AS p ON p.lane = l.id AND p.seq > $1 AND p.seq <= $2
                AND p.received_at >= $3 AND p.received_at < $4
             JOIN record AS r ON r.seq = p.seq AND r.received_at = p.received_at
             WHERE {SPAN} AND {OF_LANE} {ended} GROUP BY 1, 2, 3, 4, 5, 6, 8"
        );
        count.placed(rows(moment, sql, (step, span)).await?);
    }
    Ok(())
}

/// What has come into another place since the ledger looked.
async fn moved(moment: &mut PgConnection, span: Span) -> Result<Vec<ForwardRow>, sqlx::Error> {
    let sql = format!(
        "SELECT hour, account, name, before, now, count(*) FROM (
            SELECT r.received_at / 3600000 AS hour, r.account, l.name, o.place AS before, {} AS now
            FROM lane AS l
            JOIN ledger_open AS o ON o.lane = l.id AND o.seq > $1 AND o.seq <= $2
            JOIN record AS r ON r.seq = o.seq AND r.received_at = o.received_at
            WHERE {SPAN}) AS open
         WHERE now <> before GROUP BY 1, 2, 3, 4, 5",
        place("o.lane", "o.seq", "o.received_at")
    );
    rows(moment, sql, span).await
}

async fn rows<T>(
    moment: &mut PgConnection,
    sql: String,
    ((after, to), (since, until)): Span,
) -> Result<Vec<T>, sqlx::Error>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let rows = sqlx::query_as(AssertSqlSafe(sql)).bind(after).bind(to).bind(since).bind(until);
    rows.fetch_all(moment).await
}
