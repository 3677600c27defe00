//! The quarantine: what lies in it, and what of it operators want read again.

use super::Connector;
use super::read::Reader;
use crate::model::CallbackSeq;
use crate::store::look::{QuarantineFilter, Quarantined, RequestedRereads, Rereadable};
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, Postgres, QueryBuilder, Row};

/// A callback whose unreadable items are noted as `n`. They are noted after whatever it has
/// contributed, so it has contributed something when the first of them is not 0.
const COLUMNS: &str = "n.callback, min(n.account), min(n.received_at), min(n.item) > 0,
    array_agg(n.problem ORDER BY n.item) FILTER (WHERE n.problem IS NOT NULL)";

/// Whether the page of the callback is still there.
const IS_KEPT: &str = "coalesce(n.callback < (SELECT first_seq + count FROM callback_page
    WHERE first_seq <= n.callback ORDER BY first_seq DESC LIMIT 1), false)";

impl Reader {
    /// Callbacks with parts that could not be read, newest first.
    pub(in crate::store) async fn quarantined(
        &self,
        limit: u32,
    ) -> Result<Vec<Quarantined>, ReadError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM note AS n WHERE n.outcome = 'garbled'
             GROUP BY n.callback ORDER BY n.callback DESC LIMIT $1"
        );
        self.in_quarantine(sql, limit).await
    }

    /// Callbacks that are to be read again and are still there, oldest first.
    pub(in crate::store) async fn rereads(
        &self,
        limit: u32,
    ) -> Result<Vec<Quarantined>, ReadError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM reread AS r
             JOIN note AS n ON n.callback = r.callback AND n.outcome = 'garbled'
             WHERE {IS_KEPT} GROUP BY n.callback ORDER BY n.callback LIMIT $1"
        );
        self.in_quarantine(sql, limit).await
    }

    async fn in_quarantine(&self, sql: String, limit: u32) -> Result<Vec<Quarantined>, ReadError> {
        let query = sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit));
        let rows = query.fetch_all(&self.pool).await?;
        let mut quarantined = Vec::with_capacity(rows.len());
        for row in &rows {
            quarantined.push(self.one_in_quarantine(row).await?);
        }
        Ok(quarantined)
    }

    async fn one_in_quarantine(&self, row: &PgRow) -> Result<Quarantined, ReadError> {
        let seq = CallbackSeq(row.get(0));
        let callback = self.callback(seq).await?;
        let problems = row.get::<Option<Vec<String>>, _>(4).unwrap_or_default();
        let place = (seq, row.get(1), row.get(2));
        Ok(Quarantined::new(place, problems, row.get(3), callback))
    }

    /// How many of these callbacks lie in quarantine.
    pub(in crate::store) async fn still_quarantined(
        &self,
        callbacks: &[CallbackSeq],
    ) -> Result<u64, ReadError> {
        let still: i64 = sqlx::query_scalar(
            "SELECT count(DISTINCT callback) FROM note
             WHERE callback = ANY($1) AND outcome = 'garbled'",
        )
        .bind(callbacks.iter().map(|callback| callback.0).collect::<Vec<_>>())
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(still).unwrap_or_default())
    }

    /// How many callbacks are to be read again.
    pub(in crate::store) async fn rereads_left(&self) -> Result<u64, ReadError> {
        let left: i64 =
            sqlx::query_scalar("SELECT count(*) FROM reread").fetch_one(&self.pool).await?;
        Ok(u64::try_from(left).unwrap_or_default())
    }
}

/// Asks for a second reading of what the filter lets through. What arrived before `keys_since` and
/// had readable neighbours is left out, as they might be counted twice; so is what arrived before the keys that are known
/// still. The latter is certain; the window that an operator's configuration names may not be the nodes'.
pub(in crate::store) async fn request_reread(
    connector: &Connector,
    filter: &QuarantineFilter,
    keys_since: Timestamp,
    now: Timestamp,
) -> Result<RequestedRereads, OpenError> {
    let mut connection = connector.connect().await?;
    let mut transaction = connection.begin().await?;
    let mut query = QueryBuilder::<Postgres>::new("SELECT n.callback, min(n.item) > 0, ");
    query.push(IS_KEPT).push(", min(n.received_at) < greatest((SELECT keys_from FROM place), ");
    query.push_bind(keys_since.as_millisecond());
    query.push(") FROM note AS n WHERE n.outcome = 'garbled'");
    filter.narrow(&mut query);
    query.push(" GROUP BY n.callback ORDER BY n.callback");
    let mut requested = RequestedRereads::default();
    for row in &query.build().fetch_all(&mut *transaction).await? {
        let one = Rereadable {
            seq: CallbackSeq(row.get(0)),
            neighbours: row.get(1),
            kept: row.get(2),
            is_old: row.get(3),
        };
        requested.consider(one, filter.limit);
    }
    sqlx::query(
        "INSERT INTO reread (callback, requested_at) SELECT UNNEST($1::bigint[]), $2
         ON CONFLICT (callback) DO NOTHING",
    )
    .bind(requested.callbacks.iter().map(|callback| callback.0).collect::<Vec<_>>())
    .bind(now.as_millisecond())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(requested)
}

/// Takes back what is still to be read again. Returns how many there were.
pub(in crate::store) async fn withdraw_rereads(connector: &Connector) -> Result<u64, OpenError> {
    let mut connection = connector.connect().await?;
    let done = sqlx::query("DELETE FROM reread").execute(&mut connection).await?;
    connection.close().await?;
    Ok(done.rows_affected())
}
