//! Looking for what the ledger has not taken in yet, on a connection that cannot write.

use super::place;
use crate::store::ReadError;
use crate::store::ledger::{Fold, FoldedTo, tally};
use crate::store::sqlite::read::Reader;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes of pages that one step opens, beyond which it takes no further page.
const PAGE_BYTES: usize = 1 << 20;
/// Rows of a kind in one step.
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
        let row = sqlx::query("SELECT pages_to, notes_to, records_to, steps FROM ledger_fold");
        let row = row.fetch_one(&self.pool).await?;
        let (pages_to, records_to) = (row.get(0), row.get(2));
        let mut fold = Fold { steps: row.get(3), pages_to, records_to, ..Fold::default() };
        self.fold_pages(&mut fold).await?;
        self.fold_notes(&mut fold, row.get(1)).await?;
        self.fold_records(&mut fold, (age, now)).await?;
        self.fold_lanes(&mut fold).await?;
        let next = self.fold_open(&mut fold, from).await?;
        Ok((fold, next))
    }

    async fn fold_pages(&self, fold: &mut Fold) -> Result<(), ReadError> {
        let mut pages = sqlx::query(
            "SELECT first_seq, count, received_at, sealed FROM callback_page
             WHERE first_seq > ? ORDER BY first_seq LIMIT ?",
        )
        .bind(fold.pages_to)
        .bind(ROWS)
        .fetch(&self.pool);
        let (mut sums, mut bytes, mut rows) = (BTreeMap::<(i64, String), i64>::new(), 0, 0);
        while let Some(page) = pages.try_next().await? {
            let sealed: &[u8] = page.get(3);
            (bytes, rows) = (bytes + sealed.len(), rows + 1);
            fold.pages_to = page.get(0);
            for (of, callbacks) in
                tally(&self.ring, fold.pages_to, (page.get(1), page.get(2)), sealed)
            {
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

    async fn fold_notes(&self, fold: &mut Fold, noted: i64) -> Result<(), ReadError> {
        let (notes, last): (i64, Option<i64>) = sqlx::query_as(
            "SELECT count(*), max(callback) FROM
                (SELECT callback FROM note WHERE callback > ? ORDER BY callback, item LIMIT ?)",
        )
        .bind(noted)
        .bind(NOTES)
        .fetch_one(&self.pool)
        .await?;
        fold.notes_to = last;
        fold.more |= notes == NOTES;
        Ok(())
    }

    /// Leaves what is young for later: most of it will have been delivered by then, and is counted once. What is from
    /// the future is not young, since a clock that was set back would hold it up.
    async fn fold_records(
        &self,
        fold: &mut Fold,
        (age, now): (Duration, Timestamp),
    ) -> Result<(), ReadError> {
        let rows = sqlx::query_as(
            "WITH next AS MATERIALIZED
                (SELECT seq, received_at, account FROM record WHERE seq > ? ORDER BY seq LIMIT ?)
             SELECT received_at / 3600000, account, count(*), min(seq), max(seq) FROM next
             WHERE seq < coalesce((SELECT min(seq) FROM next WHERE received_at > ? AND received_at <= ?),
                seq + 1)
             GROUP BY 1, 2",
        );
        let now = now.as_millisecond();
        let young = now.saturating_sub_unsigned(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let rows = rows.bind(fold.records_to).bind(ROWS).bind(young).bind(now);
        fold.records = rows.fetch_all(&self.pool).await?;
        let last = fold.records.iter().map(|(.., last)| *last).max();
        fold.records_to = last.unwrap_or(fold.records_to);
        fold.more |= fold.records.iter().map(|(_, _, records, ..)| records).sum::<i64>() == ROWS;
        Ok(())
    }

    /// Finds the places of records that are new to a lane, none of which the ledger does not have.
    async fn fold_lanes(&self, fold: &mut Fold) -> Result<(), ReadError> {
        let sql = format!(
            "SELECT r.seq, r.received_at, r.account, {}
             FROM lane AS l CROSS JOIN record AS r ON r.seq > max(l.ledger_seq, l.first_seq - 1)
                AND r.seq <= ? AND r.seq <= coalesce(l.last_seq, r.seq)
             WHERE l.id = ? ORDER BY r.seq LIMIT ?",
            place("l.id", "r.seq")
        );
        let lanes: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM lane").fetch_all(&self.pool).await?;
        for lane in lanes {
            let rows = sqlx::query_as(AssertSqlSafe(sql.clone()));
            let rows = rows.bind(fold.records_to).bind(lane).bind(ROWS).fetch_all(&self.pool);
            let rows = rows.await?;
            fold.more |= i64::try_from(rows.len()) == Ok(ROWS);
            fold.take_in(lane, &rows);
        }
        Ok(())
    }

    /// Finds open records that are elsewhere by now. One that is gone from `record` stays where it was counted: nothing
    /// of ours erases it, so that a full count will find it missing.
    async fn fold_open(&self, fold: &mut Fold, from: FoldedTo) -> Result<FoldedTo, ReadError> {
        let last: Option<(i64, i64)> = sqlx::query_as(
            "SELECT lane, seq FROM ledger_open WHERE (lane, seq) > (?, ?)
             ORDER BY lane, seq LIMIT 1 OFFSET ?",
        )
        .bind(from.0)
        .bind(from.1)
        .bind(ROWS - 1)
        .fetch_optional(&self.pool)
        .await?;
        let (lane, seq) = last.unwrap_or((i64::MAX, i64::MAX));
        let sql = format!(
            "SELECT o.lane, o.seq, r.received_at, r.account, o.place, {} AS now
             FROM ledger_open AS o CROSS JOIN record AS r ON r.seq = o.seq
             WHERE (o.lane, o.seq) > (?, ?) AND (o.lane, o.seq) <= (?, ?) AND now <> o.place",
            place("o.lane", "o.seq")
        );
        let moved = sqlx::query_as(AssertSqlSafe(sql));
        let moved = moved.bind(from.0).bind(from.1).bind(lane).bind(seq).fetch_all(&self.pool);
        let moved = moved.await?;
        fold.bring_up(&moved);
        // Where nothing moves, the rotation goes on as slowly as nothing comes.
        fold.more |= last.is_some() && !moved.is_empty();
        Ok(last.unwrap_or_default())
    }
}
