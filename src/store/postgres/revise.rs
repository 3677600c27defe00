//! Requests to revise what was made of callbacks: asked for by operators, ended with a conclusion.

use super::Connector;
use super::read::Reader;
use super::turn::Lanes;
use crate::model::CallbackSeq;
use crate::store::revise::{Agreement, AskedRevision, Revised};
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use std::collections::{BTreeMap, HashSet};

/// Looks up which of these requests are still there.
pub(super) async fn find_asked(
    connection: &mut PgConnection,
    callbacks: &[CallbackSeq],
) -> Result<HashSet<CallbackSeq>, sqlx::Error> {
    if callbacks.is_empty() {
        return Ok(HashSet::new());
    }
    let asked: Vec<i64> =
        sqlx::query_scalar("SELECT callback FROM revise WHERE callback = ANY($1)")
            .bind(callbacks.iter().map(|callback| callback.0).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
    Ok(asked.into_iter().map(CallbackSeq).collect())
}

/// Ends these requests, with a line in the history of each record that is queued for one.
pub(super) async fn end(
    connection: &mut PgConnection,
    lanes: &Lanes,
    revised: &[Revised],
    now: i64,
) -> Result<(), sqlx::Error> {
    if revised.is_empty() {
        return Ok(());
    }
    let (mut said, mut ids, mut revisions) = (Vec::new(), Vec::new(), Vec::new());
    for one in revised {
        for (id, revision) in &one.records {
            said.push(one.said());
            ids.push(*id);
            revisions.push(revision.cast_signed());
        }
    }
    sqlx::query(
        "WITH request AS (DELETE FROM revise WHERE callback = ANY($1)),
         made AS MATERIALIZED (
            SELECT made.said, o.lane, o.seq, o.received_at
            FROM UNNEST($2::text[], $3::uuid[], $4::integer[]) AS made (said, id, revision)
            JOIN record AS r ON r.id = made.id AND r.revision = made.revision
            JOIN outbox AS o ON o.lane = ANY($5) AND o.seq = r.seq),
         told AS MATERIALIZED (
            SELECT nextval('send_id') AS id, said, lane FROM made GROUP BY said, lane),
         noted AS (
            INSERT INTO send (id, lane, started_at, took_ms, answer)
            SELECT id, lane, $6, 0, said FROM told)
         INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
         SELECT made.lane, made.seq, told.id, made.received_at, 0, 5
         FROM made JOIN told ON told.said = made.said AND told.lane = made.lane",
    )
    .bind(revised.iter().map(|one| one.callback.0).collect::<Vec<_>>())
    .bind(said)
    .bind(ids)
    .bind(revisions)
    .bind(lanes.all().collect::<Vec<_>>())
    .bind(now)
    .execute(connection)
    .await
    .map(drop)
}

impl Reader {
    /// Callbacks that are to be read again, oldest first.
    pub(in crate::store) async fn revisions(
        &self,
        limit: u32,
    ) -> Result<Vec<AskedRevision>, ReadError> {
        let rows = sqlx::query("SELECT callback, agreed FROM revise ORDER BY callback LIMIT $1")
            .bind(i64::from(limit))
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
    connector: &Connector,
    wanted: &[(CallbackSeq, Vec<Agreement>)],
    now: Timestamp,
) -> Result<(), OpenError> {
    // A statement changes a row once: of one that is asked for twice, the last stands.
    let wanted: BTreeMap<i64, Vec<u8>> =
        wanted.iter().map(|(callback, agreed)| (callback.0, Agreement::column(agreed))).collect();
    let (callbacks, agreed): (Vec<i64>, Vec<Vec<u8>>) = wanted.into_iter().unzip();
    let mut connection = connector.connect().await?;
    sqlx::query(
        "INSERT INTO revise (callback, requested_at, agreed)
         SELECT callback, $3, agreed FROM UNNEST($1::bigint[], $2::bytea[]) AS asked (callback, agreed)
         ON CONFLICT (callback)
            DO UPDATE SET requested_at = excluded.requested_at, agreed = excluded.agreed",
    )
    .bind(callbacks)
    .bind(agreed)
    .bind(now.as_millisecond())
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(())
}

/// Takes back what is still asked for. Returns how many callbacks there were.
pub(in crate::store) async fn withdraw_revisions(connector: &Connector) -> Result<u64, OpenError> {
    let mut connection = connector.connect().await?;
    let done = sqlx::query("DELETE FROM revise").execute(&mut connection).await?;
    connection.close().await?;
    Ok(done.rows_affected())
}
