//! Reading the ledger: as many rows as there are hours, accounts and lanes.

use super::MOMENT;
use crate::store::ReadError;
use crate::store::ledger::{Book, BookRows, Hours, Ledger};
use crate::store::postgres::read::Reader;
use sqlx::postgres::PgConnection;

impl Reader {
    /// The ledger of some hours, of one account or all, as of one moment.
    pub(in crate::store) async fn ledger(
        &self,
        hours: Hours,
        account: Option<&str>,
    ) -> Result<Ledger, ReadError> {
        let mut moment = self.pool.begin_with(MOMENT).await?;
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

async fn unfolded(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let records: i64 = sqlx::query_scalar(
        "SELECT coalesce((SELECT max(seq) FROM record), 0)
            - least((SELECT records_to FROM ledger_fold),
                    (SELECT min(greatest(ledger_seq, first_seq - 1)) FROM lane
                     WHERE last_seq IS NULL))",
    )
    .fetch_one(connection)
    .await?;
    Ok(records.max(0))
}

/// The entries of some hours.
pub(super) async fn entries(
    connection: &mut PgConnection,
    Hours { since, until }: Hours,
) -> Result<Book, sqlx::Error> {
    let sums = sqlx::query_as(
        "SELECT hour, account, callbacks, repeats, notes, records FROM ledger
         WHERE hour >= $1 AND hour < $2",
    );
    let refused = sqlx::query_as(
        "SELECT hour, account, reason, callbacks FROM ledger_refused
         WHERE hour >= $1 AND hour < $2",
    );
    let lanes = sqlx::query_as(
        "SELECT p.hour, p.account, l.name, p.place, p.records
         FROM ledger_lane AS p JOIN lane AS l ON l.id = p.lane WHERE p.hour >= $1 AND p.hour < $2",
    );
    let rows = BookRows {
        sums: sums.bind(since.0).bind(until.0).fetch_all(&mut *connection).await?,
        refused: refused.bind(since.0).bind(until.0).fetch_all(&mut *connection).await?,
        lanes: lanes.bind(since.0).bind(until.0).fetch_all(connection).await?,
    };
    Ok(rows.into())
}
