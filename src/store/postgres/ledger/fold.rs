//! Looking for what the ledger has not taken in yet, as of one moment.
//!
//! Numbers are given in the order of commits, so whatever is behind the last one that was taken in is all there is.

use super::{MOMENT, place};
use crate::store::ReadError;
use crate::store::ledger::{Fold, FoldedTo, tally};
use crate::store::postgres::read::Reader;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes of pages that one step opens, beyond which it takes no further page.
const PAGE_BYTES: usize = 1 << 20;
/// Rows of a kind in one step. It stands in the statements, since the server plans for what it knows.
const ROWS: i64 = 2_000;
/// Notes in one step: these are counted by the writer.
const NOTES: i64 = 500;

impl Reader {
    /// Looks for what is new, of records those that came before the last `age`, and among the open records behind `from`
    /// for those that moved. Returns also where the next step goes on.
    pub(in crate::store) async fn fold(
        &self,
        from: FoldedTo,
        (age, now): (Duration, Timestamp),
    ) -> Result<(Fold, FoldedTo), ReadError> {
        let mut moment = self.pool.begin_with(MOMENT).await?;
        let row = sqlx::query("SELECT pages_to, notes_to, records_to, steps FROM ledger_fold");
        let row = row.fetch_one(&mut *moment).await?;
        let (pages_to, records_to) = (row.get(0), row.get(2));
        let mut fold = Fold { steps: row.get(3), pages_to, records_to, ..Fold::default() };
        self.fold_pages(&mut moment, &mut fold).await?;
        fold_notes(&mut moment, &mut fold, row.get(1)).await?;
        fold_records(&mut moment, &mut fold, (age, now)).await?;
        fold_lanes(&mut moment, &mut fold).await?;
        let next = fold_open(&mut moment, &mut fold, from).await?;
        moment.rollback().await?;
        Ok((fold, next))
    }

    async fn fold_pages(
        &self,
        moment: &mut PgConnection,
        fold: &mut Fold,
    ) -> Result<(), ReadError> {
        let sql = format!(
            "SELECT first_seq, count, received_at, sealed FROM callback_page
             WHERE first_seq > $1 ORDER BY first_seq LIMIT {ROWS}"
        );
        let mut pages = sqlx::query(AssertSqlSafe(sql)).bind(fold.pages_to).fetch(moment);
        let (mut sums, mut bytes, mut rows) = (BTreeMap::<(i64, String), i64>::new(), 0, 0);
        while let Some(page) = pages.try_next().await? {
            let sealed: &[u8] = page.get(3);
            (bytes, rows) = (bytes + sealed.len(), rows + 1);
            fold.pages_to = page.get(0);
            let of = (page.get(1), page.get(2));
            for (of, callbacks) in tally(&self.ring, fold.pages_to, of, sealed) {
                *sums.entry(of).or_default() += callbacks;
            }
            if bytes > PAGE_BYTES || rows == ROWS {
                fold.more = true;
                break;
            }
            // Opening pages takes a while, and others wait for this thread.
            tokio::task::yield_now().await;
        }
        fold.callbacks = sums.into_iter().map(|((hour, account), n)| (hour, account, n)).collect();
        Ok(())
    }
}

async fn fold_notes(
    moment: &mut PgConnection,
    fold: &mut Fold,
    noted: i64,
) -> Result<(), sqlx::Error> {
    let sql = format!(
        "SELECT count(*), max(callback) FROM
            (SELECT callback FROM note WHERE callback > $1 ORDER BY callback, item LIMIT {NOTES})
            AS next"
    );
    let (notes, last): (i64, Option<i64>) =
        sqlx::query_as(AssertSqlSafe(sql)).bind(noted).fetch_one(moment).await?;
    fold.notes_to = last;
    fold.more |= notes == NOTES;
    Ok(())
}

/// Leaves what is young for later: most of it will have been delivered by then, and is counted once. What is from
/// the future is not young, since a clock that was set back would hold it up.
async fn fold_records(
    moment: &mut PgConnection,
    fold: &mut Fold,
    (age, now): (Duration, Timestamp),
) -> Result<(), sqlx::Error> {
    let sql = format!(
        "WITH next AS MATERIALIZED
            (SELECT seq, received_at, account FROM record WHERE seq > $1 ORDER BY seq LIMIT {ROWS})
         SELECT received_at / 3600000, account, count(*), min(seq), max(seq) FROM next
         WHERE seq < coalesce(
            (SELECT min(seq) FROM next WHERE received_at > $2 AND received_at <= $3), seq + 1)
         GROUP BY 1, 2"
    );
    let now = now.as_millisecond();
    let young = now.saturating_sub_unsigned(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let rows = sqlx::query_as(AssertSqlSafe(sql)).bind(fold.records_to).bind(young).bind(now);
    fold.records = rows.fetch_all(moment).await?;
    let last = fold.records.iter().map(|(.., last)| *last).max();
    fold.records_to = last.unwrap_or(fold.records_to);
    fold.more |= fold.records.iter().map(|(_, _, records, ..)| records).sum::<i64>() == ROWS;
    Ok(())
}

/// Finds the places of records that are new to a lane, none of which the ledger does not have.
async fn fold_lanes(moment: &mut PgConnection, fold: &mut Fold) -> Result<(), sqlx::Error> {
    let lanes: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT id, greatest(ledger_seq, first_seq - 1) AS after, least($1, last_seq) AS upto
         FROM lane WHERE greatest(ledger_seq, first_seq - 1) < least($1, last_seq) ORDER BY id",
    )
    .bind(fold.records_to)
    .fetch_all(&mut *moment)
    .await?;
    let sql = format!(
        "SELECT r.seq, r.received_at, r.account, {} FROM record AS r
         WHERE r.seq > $2 AND r.seq <= $3 ORDER BY r.seq LIMIT {ROWS}",
        place("$1", "r.seq", "r.received_at")
    );
    for (lane, after, upto) in lanes {
        let rows = sqlx::query_as(AssertSqlSafe(sql.clone())).bind(lane).bind(after).bind(upto);
        let rows = rows.fetch_all(&mut *moment).await?;
        fold.more |= i64::try_from(rows.len()) == Ok(ROWS);
        fold.take_in(lane, &rows);
    }
    Ok(())
}

/// Finds open records that are elsewhere by now. One that is gone from `record` stays where it was counted: nothing
/// of ours erases it, so that a full count will find it missing.
async fn fold_open(
    moment: &mut PgConnection,
    fold: &mut Fold,
    from: FoldedTo,
) -> Result<FoldedTo, sqlx::Error> {
    let sql = format!(
        "SELECT lane, seq FROM ledger_open WHERE (lane, seq) > ($1, $2)
         ORDER BY lane, seq LIMIT 1 OFFSET {}",
        ROWS - 1
    );
    let last: Option<(i64, i64)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(from.0)
        .bind(from.1)
        .fetch_optional(&mut *moment)
        .await?;
    // Only of what moved is the record wanted, one by one: a join would read all of a month.
    let sql = format!(
        "WITH looked_at AS MATERIALIZED (
            SELECT o.lane, o.seq, o.received_at, o.place, {} AS now FROM ledger_open AS o
            WHERE (o.lane, o.seq) > ($1, $2) ORDER BY o.lane, o.seq LIMIT {ROWS})
         SELECT o.lane, o.seq, o.received_at, r.account, o.place, o.now FROM looked_at AS o
         CROSS JOIN LATERAL (SELECT account FROM record
            WHERE seq = o.seq AND received_at = o.received_at LIMIT 1) AS r
         WHERE o.now <> o.place",
        place("o.lane", "o.seq", "o.received_at")
    );
    let moved = sqlx::query_as(AssertSqlSafe(sql)).bind(from.0).bind(from.1);
    let moved = moved.fetch_all(moment).await?;
    fold.bring_up(&moved);
    // Where nothing moves, the rotation goes on as slowly as nothing comes.
    fold.more |= last.is_some() && !moved.is_empty();
    Ok(last.unwrap_or_default())
}
