//! What is left of callbacks: their records with all revisions, their notes, and what of them is held.

use super::lease::record_row;
use super::read::{COLUMNS, Reader};
use crate::model::{CallbackSeq, History, Made, Note, Outcome, RecordId, RecordSeq, Traces};
use crate::store::ReadError;
use crate::store::revise::Revisable;
use crate::store::rows::{self, StoredCallback};
use crate::store::standing::FIRST_NOTE;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::{Row, SqliteConnection};
use std::collections::BTreeMap;
use std::time::Duration;

/// Pages are read until they are so many bytes together.
const AT_ONCE: usize = 512 * 1024;

/// Longer than anything waits between its arrival and its page, with the others of its group.
const GROUP: Duration = Duration::from_hours(1);

/// The records of each callback asked for, and those that share a callback with one of them. What no callback
/// caused is shared by nobody.
const RECORDS: &str = "
    WITH own (callback, id) AS (
        SELECT DISTINCT asked.value, r.id
        FROM json_each(?) AS asked CROSS JOIN record AS r ON r.callback = asked.value),
    near (callback, id) AS (
        SELECT callback, id FROM own
        UNION
        SELECT own.callback, other.id FROM own
        CROSS JOIN record AS r ON r.id = own.id AND r.callback NOT IN (0, own.callback)
        CROSS JOIN record AS other ON other.callback = r.callback)";

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
        let mut pages = sqlx::query(
            "SELECT first_seq, count, sealed FROM callback_page
             WHERE first_seq > ? AND received_at BETWEEN ? AND ? ORDER BY first_seq",
        )
        .bind(after.0)
        .bind(since.as_millisecond())
        .bind(newest(until))
        .fetch(&self.pool);
        let (mut last, mut bytes, mut callbacks) = (None, 0, Vec::new());
        while bytes < AT_ONCE
            && let Some(page) = pages.try_next().await?
        {
            let first = CallbackSeq(page.get(0));
            let sealed: &[u8] = page.get(2);
            let plain = self.ring.open(&rows::page_place(first), sealed)?;
            callbacks.extend(rows::decode_page(first, &plain)?);
            bytes += sealed.len();
            last = Some(CallbackSeq(first.0 + page.get::<i64, _>(1) - 1));
        }
        drop(pages);
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
            "SELECT coalesce(sum(count), 0) FROM callback_page WHERE received_at BETWEEN ? AND ?",
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
        let asked = super::json_list(callbacks.iter().map(|callback| callback.seq.0));
        // One moment for all three, so that what is concluded meanwhile is seen whole or not at all.
        let mut moment = self.pool.begin().await?;
        let mut histories = self.histories(&mut moment, &asked).await?;
        let mut notes = notes(&mut moment, &asked).await?;
        let mut held = held(&mut moment, &asked).await?;
        moment.rollback().await?;
        let revisable = |callback: StoredCallback| {
            let seq = callback.seq.0;
            let (garbled, notes): (Vec<Note>, Vec<Note>) = notes
                .remove(&seq)
                .unwrap_or_default()
                .into_iter()
                .partition(|note| note.outcome == Outcome::Garbled);
            let traces = Traces {
                histories: histories.remove(&seq).unwrap_or_default(),
                notes,
                garbled: garbled.len(),
                held: held.remove(&seq).unwrap_or_default(),
            };
            Revisable { callback, traces }
        };
        Ok(callbacks.into_iter().map(revisable).collect())
    }

    async fn histories(
        &self,
        connection: &mut SqliteConnection,
        asked: &str,
    ) -> Result<BTreeMap<i64, Vec<History>>, ReadError> {
        let sql = format!(
            "{RECORDS} SELECT {COLUMNS}, r.seq, r.callback, near.callback
             FROM near CROSS JOIN record AS r ON r.id = near.id
             ORDER BY near.callback, r.id, r.revision"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(asked).fetch_all(connection).await?;
        let mut revisions: BTreeMap<(i64, RecordId), Vec<Made>> = BTreeMap::new();
        for row in &rows {
            let (seq, callback) = (RecordSeq(row.get(5)), CallbackSeq(row.get(6)));
            let record = self.open(&record_row(row, 0))?;
            let of_record = revisions.entry((row.get(7), record.id)).or_default();
            of_record.push(Made { seq, callback, record });
        }
        let mut histories: BTreeMap<i64, Vec<History>> = BTreeMap::new();
        for ((callback, _), revisions) in revisions {
            histories.entry(callback).or_default().extend(History::new(revisions));
        }
        Ok(histories)
    }
}

async fn notes(
    connection: &mut SqliteConnection,
    asked: &str,
) -> Result<BTreeMap<i64, Vec<Note>>, ReadError> {
    let rows = sqlx::query(
        "SELECT n.callback, n.item, n.outcome, n.repeats IS NOT NULL
         FROM json_each(?) AS asked CROSS JOIN note AS n ON n.callback = asked.value
         ORDER BY n.callback, n.item",
    )
    .bind(asked)
    .fetch_all(connection)
    .await?;
    let mut notes: BTreeMap<i64, Vec<Note>> = BTreeMap::new();
    for row in &rows {
        let item: i64 = row.get(1);
        let place = usize::try_from(item).ok().filter(|_| item < FIRST_NOTE);
        let outcome = Outcome::from_name(row.get(2)).ok_or(rows::UnknownLayout)?;
        let note = Note { place, outcome, repeats: row.get(3) };
        notes.entry(row.get(0)).or_default().push(note);
    }
    Ok(notes)
}

/// How many events of each are held.
async fn held(
    connection: &mut SqliteConnection,
    asked: &str,
) -> Result<BTreeMap<i64, usize>, ReadError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT i.callback, count(*)
         FROM json_each(?) AS asked CROSS JOIN inbox AS i ON i.callback = asked.value
         GROUP BY i.callback",
    )
    .bind(asked)
    .fetch_all(connection)
    .await?;
    let count = |(callback, count)| (callback, usize::try_from(count).unwrap_or(usize::MAX));
    Ok(rows.into_iter().map(count).collect())
}

/// When the newest callback of a page may have arrived, at the latest, if it has any from before `until`.
fn newest(until: Timestamp) -> i64 {
    until.checked_add(GROUP).unwrap_or(Timestamp::MAX).as_millisecond()
}
