//! What is left of callbacks: their records with all revisions, their notes, and what of them is held.

use super::lease::record_row;
use super::read::{COLUMNS, Reader};
use crate::model::{CallbackSeq, Made, RecordSeq};
use crate::store::ReadError;
use crate::store::remains::{AT_ONCE, Remains, newest};
use crate::store::revise::Revisable;
use crate::store::rows::{self, StoredCallback};
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

/// Pages of one statement: what a statement finds comes whole, whoever has read enough of it.
const PAGES: u8 = 16;

/// The records of each callback asked for, and those that share a callback with one of them. What no callback
/// caused is shared by nobody.
const RECORDS: &str = "
    WITH own (callback, id) AS MATERIALIZED (
        SELECT DISTINCT asked.callback, r.id
        FROM UNNEST($1::bigint[]) AS asked (callback) JOIN record AS r ON r.callback = asked.callback),
    near (callback, id) AS MATERIALIZED (
        SELECT callback, id FROM own
        UNION
        SELECT own.callback, other.id FROM own
        JOIN record AS r ON r.id = own.id AND r.callback NOT IN (0, own.callback)
        JOIN record AS other ON other.callback = r.callback)";

impl Reader {
    /// What is left of one callback.
    pub(in crate::store) async fn revisable_one(
        &self,
        seq: CallbackSeq,
    ) -> Result<Option<Revisable>, ReadError> {
        let Some(callback) = self.callback(seq).await? else { return Ok(None) };
        Ok(self.with_traces(vec![callback]).await?.pop())
    }

    /// The callbacks of the next few pages that have any of this time, and the last place looked at.
    pub(in crate::store) async fn revisable(
        &self,
        after: CallbackSeq,
        (since, until): (Timestamp, Timestamp),
    ) -> Result<Option<(CallbackSeq, Vec<Revisable>)>, ReadError> {
        let (mut last, mut bytes, mut callbacks) = (None, 0, Vec::new());
        while bytes < AT_ONCE {
            let pages = sqlx::query(
                "SELECT first_seq, count, sealed FROM callback_page
                 WHERE first_seq > $1 AND received_at BETWEEN $2 AND $3 ORDER BY first_seq LIMIT $4",
            )
            .bind(last.unwrap_or(after).0)
            .bind(since.as_millisecond())
            .bind(newest(until))
            .bind(i64::from(PAGES))
            .fetch_all(&self.pool)
            .await?;
            for page in &pages {
                let first = CallbackSeq(page.get(0));
                let sealed: &[u8] = page.get(2);
                let plain = self.ring.open(&rows::page_place(first), sealed)?;
                callbacks.extend(rows::decode_page(first, &plain)?);
                bytes += sealed.len();
                last = Some(CallbackSeq(first.0 + page.get::<i64, _>(1) - 1));
            }
            if pages.len() < usize::from(PAGES) {
                break;
            }
        }
        callbacks.retain(|callback| (since..until).contains(&callback.received_at));
        let Some(last) = last else { return Ok(None) };
        Ok(Some((last, self.with_traces(callbacks).await?)))
    }

    /// How many callbacks the pages hold that have any of this time.
    pub(in crate::store) async fn callbacks_between(
        &self,
        (since, until): (Timestamp, Timestamp),
    ) -> Result<u64, ReadError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(count), 0)::bigint FROM callback_page
             WHERE received_at BETWEEN $1 AND $2",
        )
        .bind(since.as_millisecond())
        .bind(newest(until))
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn with_traces(
        &self,
        callbacks: Vec<StoredCallback>,
    ) -> Result<Vec<Revisable>, ReadError> {
        let asked: Vec<i64> = callbacks.iter().map(|callback| callback.seq.0).collect();
        // One moment for all three, so that what is concluded meanwhile is seen whole or not at all.
        let mut moment = self.moment().await?;
        let mut remains = Remains::default();
        self.add_records(&mut moment, &mut remains, &asked).await?;
        add_notes(&mut moment, &mut remains, &asked).await?;
        add_held(&mut moment, &mut remains, &asked).await?;
        moment.rollback().await?;
        Ok(remains.of(callbacks))
    }

    async fn add_records(
        &self,
        connection: &mut PgConnection,
        remains: &mut Remains,
        asked: &[i64],
    ) -> Result<(), ReadError> {
        let sql = format!(
            "{RECORDS} SELECT {COLUMNS}, r.seq, r.callback, near.callback
             FROM near JOIN record AS r ON r.id = near.id ORDER BY near.callback, r.id, r.revision"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(asked).fetch_all(connection).await?;
        for row in &rows {
            let (seq, callback) = (RecordSeq(row.get(5)), CallbackSeq(row.get(6)));
            let record = self.open(&record_row(row, 0))?;
            remains.add_record(row.get(7), Made { seq, callback, record });
        }
        Ok(())
    }
}

async fn add_notes(
    connection: &mut PgConnection,
    remains: &mut Remains,
    asked: &[i64],
) -> Result<(), ReadError> {
    let rows = sqlx::query(
        "SELECT callback, item, outcome, repeats IS NOT NULL FROM note
         WHERE callback = ANY($1) ORDER BY callback, item",
    )
    .bind(asked)
    .fetch_all(connection)
    .await?;
    for row in &rows {
        remains.add_note(row.get(0), (row.get(1), row.get(2), row.get(3)))?;
    }
    Ok(())
}

async fn add_held(
    connection: &mut PgConnection,
    remains: &mut Remains,
    asked: &[i64],
) -> Result<(), ReadError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT callback, count(*) FROM inbox WHERE callback = ANY($1) GROUP BY callback",
    )
    .bind(asked)
    .fetch_all(connection)
    .await?;
    rows.into_iter().for_each(|(callback, count)| remains.add_held(callback, count));
    Ok(())
}
