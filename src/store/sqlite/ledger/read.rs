//! Reading the ledger: as many rows as there are hours, accounts and lanes.

use crate::store::ReadError;
use crate::store::ledger::{Book, Entry, Hour, Hours, Ledger};
use crate::store::sqlite::read::Reader;
use sqlx::{Row, SqliteConnection};

impl Reader {
    /// The ledger of some hours, of one account or all, as of one moment.
    pub(in crate::store) async fn ledger(
        &self,
        hours: Hours,
        account: Option<&str>,
    ) -> Result<Ledger, ReadError> {
        let mut moment = self.pool.begin().await?;
        let mut book = entries(&mut moment, hours).await?;
        book.retain(|(_, of), _| account.is_none_or(|account| account == of));
        let unfolded = unfolded(&mut moment).await?;
        moment.rollback().await?;
        Ok(Ledger { book, unfolded })
    }

    /// How many record revisions the ledger has not taken in.
    pub(in crate::store) async fn unfolded(&self) -> Result<i64, ReadError> {
        Ok(unfolded(&mut *self.pool.acquire().await?).await?)
    }
}

async fn unfolded(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let records: i64 = sqlx::query_scalar(
        "SELECT coalesce((SELECT max(seq) FROM record), 0)
            - min((SELECT records_to FROM ledger_fold),
                  coalesce((SELECT min(max(ledger_seq, first_seq - 1)) FROM lane
                            WHERE last_seq IS NULL), 9223372036854775807))",
    )
    .fetch_one(connection)
    .await?;
    Ok(records.max(0))
}

/// The entries of some hours.
pub(super) async fn entries(
    connection: &mut SqliteConnection,
    Hours { since, until }: Hours,
) -> Result<Book, sqlx::Error> {
    let mut book = Book::new();
    let query = |sql: &'static str| sqlx::query(sql).bind(since.0).bind(until.0);
    let sums = query(
        "SELECT hour, account, callbacks, repeats, notes, records FROM ledger
         WHERE hour >= ? AND hour < ?",
    );
    for row in sums.fetch_all(&mut *connection).await? {
        let entry: &mut Entry = book.entry((Hour(row.get(0)), row.get(1))).or_default();
        (entry.callbacks, entry.repeats) = (row.get(2), row.get(3));
        (entry.notes, entry.records) = (row.get(4), row.get(5));
    }
    let refused = query(
        "SELECT hour, account, reason, callbacks FROM ledger_refused WHERE hour >= ? AND hour < ?",
    );
    for row in refused.fetch_all(&mut *connection).await? {
        let entry: &mut Entry = book.entry((Hour(row.get(0)), row.get(1))).or_default();
        entry.refused.insert(row.get(2), row.get(3));
    }
    let lanes = query(
        "SELECT p.hour, p.account, l.name, p.place, p.records
         FROM ledger_lane AS p JOIN lane AS l ON l.id = p.lane WHERE p.hour >= ? AND p.hour < ?",
    );
    for row in lanes.fetch_all(&mut *connection).await? {
        let entry: &mut Entry = book.entry((Hour(row.get(0)), row.get(1))).or_default();
        entry.lanes.entry(row.get(2)).or_default().add(row.get(3), row.get(4));
    }
    Ok(book)
}
