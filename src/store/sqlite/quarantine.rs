//! The quarantine: what lies in it, and what of it operators want read again.

use super::open::open_operator;
use super::read::Reader;
use crate::model::CallbackSeq;
use crate::store::look::{QuarantineFilter, Quarantined, RequestedRereads, Rereadable};
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, QueryBuilder, Row, Sqlite};
use std::path::Path;

/// A callback whose unreadable items are noted as `n`. They are noted after whatever it has
/// contributed, so it has contributed something when the first of them is not 0.
const COLUMNS: &str = "n.callback, n.account, n.received_at, min(n.item) > 0,
    json_group_array(n.problem ORDER BY n.item) FILTER (WHERE n.problem IS NOT NULL)";

/// Whether the page of the callback is still there.
const IS_KEPT: &str = "n.callback < (SELECT first_seq + count FROM callback_page
    WHERE first_seq <= n.callback ORDER BY first_seq DESC LIMIT 1)";

/// Whether the dedupe keys of the callback have been purged. That is certain; the window that an
/// operator's configuration names may not be the gateway's.
const LOST_ITS_KEYS: &str = "(SELECT first_seq FROM callback_page
    WHERE first_seq <= n.callback ORDER BY first_seq DESC LIMIT 1)
    <= (SELECT coalesce(max(last_log), 0) FROM key_run WHERE deduping = 0)";

impl Reader {
    /// Callbacks with parts that could not be read, newest first.
    pub(in crate::store) async fn quarantined(
        &self,
        limit: u32,
    ) -> Result<Vec<Quarantined>, ReadError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM note AS n WHERE n.outcome = 'garbled'
             GROUP BY n.callback ORDER BY n.callback DESC LIMIT ?"
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
             CROSS JOIN note AS n ON n.callback = r.callback AND n.outcome = 'garbled'
             WHERE {IS_KEPT} GROUP BY r.callback ORDER BY r.callback LIMIT ?"
        );
        self.in_quarantine(sql, limit).await
    }

    async fn in_quarantine(&self, sql: String, limit: u32) -> Result<Vec<Quarantined>, ReadError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(limit).fetch_all(&self.pool).await?;
        let mut quarantined = Vec::with_capacity(rows.len());
        for row in &rows {
            quarantined.push(self.one_in_quarantine(row).await?);
        }
        Ok(quarantined)
    }

    async fn one_in_quarantine(&self, row: &SqliteRow) -> Result<Quarantined, ReadError> {
        let seq = CallbackSeq(row.get(0));
        let callback = self.callback(seq).await?;
        let problems: Vec<String> =
            serde_json::from_str(row.get(4)).map_err(|error| sqlx::Error::Decode(error.into()))?;
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
             WHERE callback IN (SELECT value FROM json_each(?)) AND outcome = 'garbled'",
        )
        .bind(super::json_list(callbacks.iter().map(|callback| callback.0)))
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
/// had readable neighbours is left out, as they might be counted twice.
pub(in crate::store) async fn request_reread(
    directory: &Path,
    filter: &QuarantineFilter,
    keys_since: Timestamp,
    now: Timestamp,
) -> Result<RequestedRereads, OpenError> {
    let mut connection = open_operator(directory).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(COLUMNS).push(", coalesce(").push(IS_KEPT).push(", 0)");
    query.push(", coalesce(").push(LOST_ITS_KEYS).push(", 0)");
    query.push(" FROM note AS n WHERE n.outcome = 'garbled'");
    filter.narrow(&mut query);
    query.push(" GROUP BY n.callback ORDER BY n.callback");
    let mut requested = RequestedRereads::default();
    for row in &query.build().fetch_all(&mut *transaction).await? {
        let lost_its_keys: bool = row.get(6);
        let one = Rereadable {
            seq: CallbackSeq(row.get(0)),
            neighbours: row.get(3),
            kept: row.get(5),
            is_old: lost_its_keys || row.get::<i64, _>(2) < keys_since.as_millisecond(),
        };
        requested.consider(one, filter.limit);
    }
    sqlx::query(
        "INSERT OR IGNORE INTO reread (callback, requested_at)
         SELECT value, ? FROM json_each(?)",
    )
    .bind(now.as_millisecond())
    .bind(super::json_list(requested.callbacks.iter().map(|callback| callback.0)))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(requested)
}

/// Takes back what is still to be read again. Returns how many there were.
pub(in crate::store) async fn withdraw_rereads(directory: &Path) -> Result<u64, OpenError> {
    let mut connection = open_operator(directory).await?;
    let done = sqlx::query("DELETE FROM reread").execute(&mut connection).await?;
    connection.close().await?;
    Ok(done.rows_affected())
}
