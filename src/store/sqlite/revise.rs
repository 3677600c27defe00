//! Requests to revise what was made of callbacks: asked for by operators, ended with a conclusion.

use super::lease::happened;
use super::open::open_operator;
use super::read::Reader;
use super::script::{Place, Script};
use crate::model::CallbackSeq;
use crate::store::revise::{Agreement, AskedRevision, Revised};
use crate::store::rows::timestamp;
use crate::store::{OpenError, ReadError, SendReport};
use jiff::Timestamp;
use sqlx::{Connection, Row};
use std::path::Path;
use std::time::Duration;

/// Adds what looks up which of these requests are still there.
pub(super) fn find_asked(script: &mut Script, callbacks: &[CallbackSeq]) -> Option<Place> {
    if callbacks.is_empty() {
        return None;
    }
    let place = script
        .add("SELECT callback FROM revise WHERE callback IN (SELECT value FROM json_each(?))");
    script.bind(super::json_list(callbacks.iter().map(|callback| callback.0)));
    Some(place)
}

/// Adds what ends these requests, with a line in the history of each record that is queued for one.
pub(super) fn end(
    script: &mut Script,
    lanes: &[i64],
    revised: &[Revised],
    now: i64,
) -> Result<(), sqlx::Error> {
    for one in revised {
        script.add("DELETE FROM revise WHERE callback = ?");
        script.bind(one.callback.0);
        let records: Vec<_> = one
            .records
            .iter()
            .map(|(id, revision)| (hex::encode(id.as_bytes()), revision))
            .collect();
        let records = super::json(&records)?;
        let report = SendReport {
            started_at: timestamp(now),
            took: Duration::ZERO,
            status: None,
            answer: one.said(),
        };
        for lane in lanes.iter().filter(|_| records != "[]") {
            happened(script, *lane, &report);
            script.add(
                "INSERT INTO attempt (lane, seq, send, attempt, outcome)
                 SELECT o.lane, r.seq, last_insert_rowid(), 0, 5
                 FROM json_each(?) AS made CROSS JOIN record AS r
                    ON r.id = unhex(made.value ->> 0) AND r.revision = made.value ->> 1
                 JOIN outbox AS o ON o.lane = ? AND o.seq = r.seq",
            );
            script.bind(records.clone()).bind(*lane);
        }
    }
    Ok(())
}

impl Reader {
    /// Callbacks that are to be read again, oldest first.
    pub(in crate::store) async fn revisions(
        &self,
        limit: u32,
    ) -> Result<Vec<AskedRevision>, ReadError> {
        let rows = sqlx::query("SELECT callback, agreed FROM revise ORDER BY callback LIMIT ?")
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        let mut asked = Vec::with_capacity(rows.len());
        for row in &rows {
            let seq = CallbackSeq(row.get(0));
            let agreed = Agreement::of_column(row.get(1));
            let revisable = self.revisable_one(seq).await?;
            asked.push(AskedRevision { seq, revisable, agreed });
        }
        Ok(asked)
    }

    /// How many callbacks are to be read again.
    pub(in crate::store) async fn revisions_left(&self) -> Result<u64, ReadError> {
        let left: i64 =
            sqlx::query_scalar("SELECT count(*) FROM revise").fetch_one(&self.pool).await?;
        Ok(u64::try_from(left).unwrap_or_default())
    }
}

/// Asks for these callbacks, each with the digests of what an operator was shown; again if one was asked
/// for already.
pub(in crate::store) async fn request_revisions(
    directory: &Path,
    wanted: &[(CallbackSeq, Vec<Agreement>)],
    now: Timestamp,
) -> Result<(), OpenError> {
    let mut connection = open_operator(directory).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for (callback, agreed) in wanted {
        sqlx::query(
            "INSERT OR REPLACE INTO revise (callback, requested_at, agreed) VALUES (?, ?, ?)",
        )
        .bind(callback.0)
        .bind(now.as_millisecond())
        .bind(Agreement::column(agreed))
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    connection.close().await?;
    Ok(())
}

/// Takes back what is still asked for. Returns how many callbacks there were.
pub(in crate::store) async fn withdraw_revisions(directory: &Path) -> Result<u64, OpenError> {
    let mut connection = open_operator(directory).await?;
    let done = sqlx::query("DELETE FROM revise").execute(&mut connection).await?;
    connection.close().await?;
    Ok(done.rows_affected())
}
