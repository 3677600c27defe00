//! Messages in the database: queueing, leasing, settling, telling, listing, replaying and erasing
//! them.

use super::Connector;
use super::read::Reader;
use super::text;
use crate::model::MessageKey;
use crate::store::job::{
    LeasedMessageRow, MessageLeaseJob, MessageSettleJob, RawMessageLease, SealedMessage,
};
use crate::store::message::columns::{self, DeadRow, LaneRow, LeasedRow, MessageRow, UntoldRow};
use crate::store::message::{
    CALLS, DeadMessage, MessageLaneStatus, StoredMessage, Untold, UntoldSeq,
};
use crate::store::{LeaseToken, OpenError, ReadError};
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, FromRow, Row};
use std::collections::HashSet;
use uuid::Uuid;

/// Queues messages. Tells whether any is new.
pub(super) async fn queue(
    connection: &mut PgConnection,
    messages: &[SealedMessage],
    now: i64,
) -> Result<bool, sqlx::Error> {
    if messages.is_empty() {
        return Ok(false);
    }
    let lanes: Vec<&str> = messages.iter().map(|message| message.lane.as_str()).collect();
    let due = messages.iter().map(|message| message.not_before.as_millisecond());
    let expires = messages.iter().map(|message| message.expires.as_millisecond());
    let sealed: Vec<&[u8]> = messages.iter().map(|message| message.sealed.as_slice()).collect();
    let done = sqlx::query(
        "INSERT INTO message
            (id, lane, state, due_at, token, attempts, in_doubt, queued_at, expires, sealed)
         SELECT id, lane, 0, due_at, 0, 0, 0, $1, expires, sealed
         FROM UNNEST($2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[])
            AS new (id, lane, due_at, expires, sealed)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(now)
    .bind(uuids(messages.iter().map(|message| message.id)))
    .bind(lanes)
    .bind(due.collect::<Vec<_>>())
    .bind(expires.collect::<Vec<_>>())
    .bind(sealed)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Leases up to `max` due messages, outside any turn; those that another node is leasing are passed over. A lease
/// that ran out before anybody settled leaves the message in doubt, whichever node had it.
pub(super) async fn lease(
    connection: &mut PgConnection,
    job: &MessageLeaseJob,
) -> Result<RawMessageLease, sqlx::Error> {
    let rows = sqlx::query(
        "WITH due AS (
            SELECT seq FROM message WHERE state = 0 AND lane = $1 AND due_at <= $2
            ORDER BY due_at, seq LIMIT $3 FOR UPDATE SKIP LOCKED),
         leased AS (
            UPDATE message AS m SET token = (SELECT nextval('lease_token')), due_at = $4,
                attempts = m.attempts + 1,
                in_doubt = CASE WHEN m.token <> 0 THEN 1 ELSE m.in_doubt END
            FROM due WHERE m.seq = due.seq
            RETURNING m.id, m.attempts, m.in_doubt, m.queued_at, m.expires, m.sealed, m.token, m.seq)
         SELECT id, attempts, in_doubt, queued_at, expires, sealed, token FROM leased ORDER BY seq",
    )
    .bind(job.lane.as_str())
    .bind(job.now.as_millisecond())
    .bind(i64::try_from(job.max).unwrap_or(i64::MAX))
    .bind(job.until.as_millisecond())
    .fetch_all(connection)
    .await?;
    let token = rows.first().map(|row| row.try_get(6)).transpose()?;
    let rows = rows.iter().map(|row| LeasedRow::from_row(row).map(LeasedMessageRow::of_row));
    Ok(RawMessageLease {
        token: token.map_or(LeaseToken::NONE, LeaseToken),
        rows: rows.collect::<Result<_, _>>()?,
    })
}

/// Settles messages. Whatever is not under the token any more stays as it is. Returns how many were settled.
pub(super) async fn settle(
    connection: &mut PgConnection,
    now: i64,
    job: &MessageSettleJob,
) -> Result<u64, sqlx::Error> {
    let (mut states, mut dues, mut uncounted) = (Vec::new(), Vec::new(), Vec::new());
    let (mut classes, mut reasons) = (Vec::new(), Vec::new());
    for item in &job.items {
        let (state, due, back, class, reason) = item.became.columns(now);
        states.push(state);
        dues.push(due);
        uncounted.push(back);
        classes.push(class);
        reasons.push(reason);
    }
    let news: Vec<Option<&[u8]>> = job.items.iter().map(|item| item.news.as_deref()).collect();
    let done = sqlx::query(
        "UPDATE message AS m SET state = v.state, token = 0, due_at = v.due,
            attempts = m.attempts - v.uncounted, in_doubt = 0, class = v.class, reason = v.reason,
            news = coalesce(v.news, m.news),
            ended_at = CASE WHEN v.state = 0 THEN NULL ELSE $1::bigint END
         FROM UNNEST($2::uuid[], $3::smallint[], $4::bigint[], $5::smallint[], $6::text[],
                $7::text[], $8::bytea[])
            AS v (id, state, due, uncounted, class, reason, news)
         WHERE m.id = v.id AND m.token = $9 AND m.state = 0",
    )
    .bind(now)
    .bind(uuids(job.items.iter().map(|item| item.id)))
    .bind(states)
    .bind(dues)
    .bind(uncounted)
    .bind(classes)
    .bind(reasons.iter().map(|reason| reason.as_deref().map(text)).collect::<Vec<_>>())
    .bind(news)
    .bind(job.token.0)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Which of these messages have news that are untold.
pub(super) async fn find_untold(
    connection: &mut PgConnection,
    ids: &[MessageKey],
) -> Result<HashSet<MessageKey>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let found =
        sqlx::query_scalar("SELECT id FROM message WHERE id = ANY($1) AND news IS NOT NULL")
            .bind(uuids(ids.iter().copied()))
            .fetch_all(connection)
            .await?;
    Ok(found.into_iter().map(MessageKey).collect())
}

/// Erases the news of these messages, if there are any.
pub(super) async fn tell(
    connection: &mut PgConnection,
    ids: &[MessageKey],
) -> Result<(), sqlx::Error> {
    if !ids.is_empty() {
        sqlx::query("UPDATE message SET news = NULL WHERE id = ANY($1)")
            .bind(uuids(ids.iter().copied()))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Keeps due times where they were, as seen from a clock that was set back. What was put off to a time of day
/// stays there.
pub(super) async fn step_back(
    connection: &mut PgConnection,
    seen_at: i64,
    millis: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE message SET due_at = due_at - $1
         WHERE state = 0 AND token = 0 AND (attempts > 0 OR due_at <= $2)",
    )
    .bind(millis)
    .bind(seen_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Erases at most `limit` messages of a kind that were sent or dropped before a time, unless their
/// news are untold. Returns how many.
pub(super) async fn purge(
    connection: &mut PgConnection,
    before: i64,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM message WHERE seq IN (
            SELECT ended.seq FROM UNNEST($1::smallint[]) AS kind (state), LATERAL (
                SELECT seq FROM message AS m
                WHERE m.state = kind.state AND m.ended_at < $2 AND m.news IS NULL
                ORDER BY m.ended_at LIMIT $3) AS ended)",
    )
    .bind(columns::ERASABLE.as_slice())
    .bind(before)
    .bind(i64::from(limit))
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Puts dead messages back into their lanes with their attempts forgotten, on a connection of the
/// operator's own. Returns how many there were.
pub(in crate::store) async fn replay(
    connector: &Connector,
    ids: &[MessageKey],
    now: Timestamp,
) -> Result<u64, OpenError> {
    let mut connection = connector.connect().await?;
    let done = sqlx::query(
        "UPDATE message SET state = 0, due_at = $1, attempts = 0, in_doubt = 0, queued_at = $1,
            ended_at = NULL, class = NULL
         WHERE id = ANY($2) AND state = 3 AND news IS NULL",
    )
    .bind(now.as_millisecond())
    .bind(uuids(ids.iter().copied()))
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(done.rows_affected())
}

/// Drops calls that nobody dialled in time: no one leases them who would. Returns how many.
pub(super) async fn drop_expired_calls(
    connection: &mut PgConnection,
    now: i64,
) -> Result<u64, sqlx::Error> {
    let dropped = sqlx::query(
        "UPDATE message SET state = 2, ended_at = $1, reason = 'nobody dialled in time'
         WHERE state = 0 AND token = 0 AND expires <= $1
            AND lane >= $2 AND lane < $2 || chr(1114111)",
    )
    .bind(now)
    .bind(CALLS)
    .execute(connection)
    .await?;
    Ok(dropped.rows_affected())
}

impl Reader {
    /// Messages of a lane that are due, not expired and not leased, longest due first.
    pub(in crate::store) async fn due_messages(
        &self,
        lane: &str,
        now: i64,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, ReadError> {
        let rows: Vec<MessageRow> = sqlx::query_as(
            "SELECT id, lane, state, due_at, attempts, ended_at, reason, sealed FROM message
             WHERE state = 0 AND lane = $1 AND due_at <= $2 AND expires > $2 AND token = 0
             ORDER BY due_at, seq LIMIT $3",
        )
        .bind(lane)
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| StoredMessage::of_row(row, &self.ring)).collect())
    }

    /// These messages, as far as they are there, in the order of their queueing.
    pub(in crate::store) async fn messages(
        &self,
        ids: &[MessageKey],
    ) -> Result<Vec<StoredMessage>, ReadError> {
        let rows: Vec<MessageRow> = sqlx::query_as(
            "SELECT id, lane, state, due_at, attempts, ended_at, reason, sealed FROM message
             WHERE id = ANY($1) ORDER BY seq",
        )
        .bind(uuids(ids.iter().copied()))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| StoredMessage::of_row(row, &self.ring)).collect())
    }

    /// When the next message of a lane is due.
    pub(in crate::store) async fn next_message_due(
        &self,
        lane: &str,
    ) -> Result<Option<i64>, ReadError> {
        let next =
            sqlx::query_scalar("SELECT min(due_at) FROM message WHERE state = 0 AND lane = $1");
        Ok(next.bind(lane).fetch_one(&self.pool).await?)
    }

    /// News of messages behind a place, oldest message first.
    pub(in crate::store) async fn untold(
        &self,
        behind: Option<UntoldSeq>,
        limit: u32,
    ) -> Result<Vec<Untold>, ReadError> {
        let rows: Vec<UntoldRow> = sqlx::query_as(
            "SELECT id, news, seq FROM message
             WHERE news IS NOT NULL AND seq > $1 ORDER BY seq LIMIT $2",
        )
        .bind(behind.map_or(0, |UntoldSeq(seq)| seq))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| Untold::of_row(row, &self.ring)).collect())
    }

    /// What stands in each lane of messages.
    pub(in crate::store) async fn message_lanes(
        &self,
    ) -> Result<Vec<MessageLaneStatus>, ReadError> {
        let rows: Vec<LaneRow> = sqlx::query_as(
            "SELECT lane, count(*) FILTER (WHERE state = 0),
                    count(*) FILTER (WHERE state = 0 AND token <> 0),
                    count(*) FILTER (WHERE state = 0 AND token = 0 AND attempts > 0),
                    min(queued_at) FILTER (WHERE state = 0), min(due_at) FILTER (WHERE state = 0),
                    count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 2),
                    count(*) FILTER (WHERE state = 3)
             FROM message GROUP BY lane ORDER BY lane",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(MessageLaneStatus::of_row).collect())
    }

    /// Messages that were given up, newest first.
    pub(in crate::store) async fn dead_messages(
        &self,
        limit: u32,
    ) -> Result<Vec<DeadMessage>, ReadError> {
        let rows: Vec<DeadRow> = sqlx::query_as(
            "SELECT id, lane, class, reason, ended_at, attempts, queued_at, expires, sealed
             FROM message WHERE state = 3 AND ended_at IS NOT NULL
             ORDER BY ended_at DESC, seq DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| DeadMessage::of_row(row, &self.ring)).collect())
    }
}

fn uuids(ids: impl Iterator<Item = MessageKey>) -> Vec<Uuid> {
    ids.map(|id| id.0).collect()
}
