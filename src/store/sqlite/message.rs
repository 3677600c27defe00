//! Messages in the database: queueing, leasing, settling, telling, listing, replaying and erasing
//! them.

use super::open::open_operator;
use super::pack::Pack;
use super::read::Reader;
use super::script::{Place, Script};
use crate::model::MessageKey;
use crate::store::callback::Opaque;
use crate::store::job::{LeasedMessageRow, MessageLeaseJob, MessageSettleJob, SealedMessage};
use crate::store::message::{
    CALLS, DeadMessage, MessageLaneStatus, MessageSettled, MessageState, StoredMessage, Untold,
    UntoldSeq,
};
use crate::store::rows::{self, timestamp};
use crate::store::{LeaseToken, OpenError, ReadError};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};
use std::path::Path;

const WAITING: i64 = 0;
const SENT: i64 = 1;
const DROPPED: i64 = 2;
const DEAD: i64 = 3;

/// A message row, but for its blob: key, lane, due time, expiry, place and length.
type MessageTuple = (String, String, i64, i64, usize, usize);

/// Adds what queues messages. The place is that of the rows that are new.
pub(super) fn queue(
    script: &mut Script,
    messages: Vec<SealedMessage>,
    now: i64,
) -> Result<Option<Place>, sqlx::Error> {
    let mut queued: Pack<MessageTuple> = Pack::with_capacity(0, 0);
    for message in messages {
        let place = queued.blob(&message.sealed);
        queued.row((
            hex_key(message.id),
            message.lane.as_str().to_owned(),
            message.not_before.as_millisecond(),
            message.expires.as_millisecond(),
            place,
            message.sealed.len(),
        ));
    }
    if queued.is_empty() {
        return Ok(None);
    }
    let (rows, bytes) = queued.finish()?;
    let place = script.add(
        "INSERT INTO message
            (id, lane, state, due_at, token, attempts, in_doubt, queued_at, expires, sealed)
         SELECT unhex(value ->> 0), value ->> 1, 0, value ->> 2, 0, 0, 0, ?, value ->> 3,
            substr(bytes, value ->> 4, value ->> 5)
         FROM json_each(?), (SELECT ? AS bytes) WHERE true ON CONFLICT (id) DO NOTHING",
    );
    script.bind(now).bind(rows).bind(bytes);
    Ok(Some(place))
}

/// Adds what leases up to `max` due messages. The place is that of the leased rows.
pub(super) fn lease(script: &mut Script, token: LeaseToken, job: &MessageLeaseJob) -> Place {
    let (now, until) = (job.now.as_millisecond(), job.until.as_millisecond());
    let lane = job.lane.to_string();
    script.add(
        "UPDATE message SET token = ?, due_at = ?, attempts = attempts + 1,
            in_doubt = in_doubt OR token <> 0
         WHERE seq IN (
            SELECT seq FROM message INDEXED BY message_due
            WHERE state = 0 AND lane = ? AND due_at <= ? ORDER BY due_at, seq LIMIT ?)",
    );
    let max = i64::try_from(job.max).unwrap_or(i64::MAX);
    script.bind(token.0).bind(until).bind(lane.clone()).bind(now).bind(max);
    let place = script.add(
        "SELECT id, attempts, in_doubt, queued_at, expires, sealed
         FROM message INDEXED BY message_due
         WHERE state = 0 AND lane = ? AND due_at = ? AND token = ? ORDER BY seq",
    );
    script.bind(lane).bind(until).bind(token.0);
    place
}

/// Reads a leased row.
pub(super) fn leased_row(row: &SqliteRow) -> LeasedMessageRow {
    LeasedMessageRow {
        id: key(row, 0),
        attempt: row.get(1),
        in_doubt: row.get(2),
        queued_at: timestamp(row.get(3)),
        expires: timestamp(row.get(4)),
        sealed: row.get(5),
    }
}

fn hex_key(id: MessageKey) -> String {
    hex::encode(id.0.as_bytes())
}

/// Reads a key.
pub(super) fn key(row: &SqliteRow, column: usize) -> MessageKey {
    MessageKey(uuid::Uuid::from_slice(row.get(column)).unwrap_or_default())
}

/// A verdict as columns: state, due time, attempts to take back, class, reason.
type Verdict<'a> = (i64, i64, u8, Option<&'static str>, Option<&'a str>);

/// Adds what settles messages. Whatever is not under the token any more stays as it is. The place
/// is that of the settled rows.
pub(super) fn settle(
    script: &mut Script,
    now: i64,
    job: &MessageSettleJob,
) -> Result<Place, sqlx::Error> {
    let mut settled: Pack<(String, Verdict<'_>, Option<usize>, usize)> =
        Pack::with_capacity(job.items.len(), 0);
    for item in &job.items {
        let place = item.news.as_ref().map(|news| settled.blob(news));
        let length = item.news.as_ref().map_or(0, Vec::len);
        settled.row((hex_key(item.id), verdict(&item.became, now), place, length));
    }
    let (rows, bytes) = settled.finish()?;
    let place = script.add(
        "UPDATE message SET state = v.state, token = 0, due_at = v.due,
            attempts = attempts - v.uncounted, in_doubt = 0, class = v.class, reason = v.reason,
            news = coalesce(v.news, message.news), ended_at = CASE v.state WHEN 0 THEN NULL ELSE ? END
         FROM (SELECT unhex(value ->> 0) AS id, value ->> '$[1][0]' AS state,
                  value ->> '$[1][1]' AS due, value ->> '$[1][2]' AS uncounted,
                  value ->> '$[1][3]' AS class, value ->> '$[1][4]' AS reason,
                  substr(bytes, value ->> 2, value ->> 3) AS news
               FROM json_each(?), (SELECT ? AS bytes)) AS v
         WHERE message.id = v.id AND message.token = ? AND message.state = 0",
    );
    script.bind(now).bind(rows).bind(bytes).bind(job.token.0);
    Ok(place)
}

fn verdict(became: &MessageSettled, now: i64) -> Verdict<'_> {
    match became {
        MessageSettled::Sent => (SENT, now, 0, None, None),
        MessageSettled::Retry { due, reason } => {
            (WAITING, due.as_millisecond(), 0, None, Some(reason))
        }
        MessageSettled::Released => (WAITING, now, 1, None, None),
        MessageSettled::Dropped { reason } => (DROPPED, now, 0, None, Some(reason)),
        MessageSettled::Dead { class, reason } => (DEAD, now, 0, Some(class.name()), Some(reason)),
    }
}

/// Adds what finds out which of these messages have news that are untold, if there are any.
pub(super) fn find_untold(
    script: &mut Script,
    ids: &[MessageKey],
) -> Result<Option<Place>, sqlx::Error> {
    with_ids(
        script,
        "SELECT id FROM message
         WHERE id IN (SELECT unhex(value) FROM json_each(?)) AND news IS NOT NULL",
        ids,
    )
}

/// Adds what erases the news of these messages, if there are any.
pub(super) fn tell(script: &mut Script, ids: &[MessageKey]) -> Result<(), sqlx::Error> {
    let statement =
        "UPDATE message SET news = NULL WHERE id IN (SELECT unhex(value) FROM json_each(?))";
    with_ids(script, statement, ids).map(drop)
}

fn with_ids(
    script: &mut Script,
    statement: &str,
    ids: &[MessageKey],
) -> Result<Option<Place>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(None);
    }
    let place = script.add(statement);
    script.bind(json_keys(ids)?);
    Ok(Some(place))
}

fn json_keys(ids: &[MessageKey]) -> Result<String, sqlx::Error> {
    super::json(&ids.iter().copied().map(hex_key).collect::<Vec<_>>())
}

/// Adds what keeps due times where they were, as seen from a clock that was set back. What was
/// put off to a time of day stays there.
pub(super) fn step_back(script: &mut Script, seen_at: i64, millis: i64) {
    script.add(
        "UPDATE message SET due_at = due_at - ? WHERE state = 0 AND (attempts > 0 OR due_at <= ?)",
    );
    script.bind(millis).bind(seen_at);
}

/// Makes due what a former process had leased, and what was queued in what is now the future.
pub(super) async fn release(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE message SET token = 0, due_at = ?1, in_doubt = in_doubt OR token <> 0
         WHERE state = 0
            AND (token <> 0 OR queued_at > ?1 AND (attempts > 0 OR due_at <= queued_at))",
    )
    .bind(now.as_millisecond())
    .execute(connection)
    .await?;
    Ok(())
}

/// Erases at most `limit` messages of a kind that were sent or dropped before a time, unless their
/// news are untold. Returns how many.
pub(super) async fn purge(
    connection: &mut SqliteConnection,
    before: i64,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    let mut erased = 0;
    for state in [SENT, DROPPED] {
        erased += sqlx::query(
            "DELETE FROM message WHERE seq IN (
                SELECT seq FROM message WHERE state = ? AND ended_at < ? AND news IS NULL
                ORDER BY ended_at LIMIT ?)",
        )
        .bind(state)
        .bind(before)
        .bind(limit)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    Ok(erased)
}

/// Puts dead messages back into their lanes with their attempts forgotten, on a connection of the
/// operator's own. Returns how many there were.
pub(in crate::store) async fn replay(
    directory: &Path,
    ids: &[MessageKey],
    now: Timestamp,
) -> Result<u64, OpenError> {
    let mut connection = open_operator(directory).await?;
    let done = sqlx::query(
        "UPDATE message SET state = 0, due_at = ?1, attempts = 0, in_doubt = 0, queued_at = ?1,
            ended_at = NULL, class = NULL
         WHERE id IN (SELECT unhex(value) FROM json_each(?2)) AND state = 3 AND news IS NULL",
    )
    .bind(now.as_millisecond())
    .bind(json_keys(ids)?)
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(done.rows_affected())
}

/// Drops calls that nobody dialled in time: no one leases them who would. Returns how many.
pub(super) async fn drop_expired_calls(
    connection: &mut SqliteConnection,
    now: i64,
) -> Result<u64, sqlx::Error> {
    let dropped = sqlx::query(
        "UPDATE message SET state = ?1, ended_at = ?2, reason = 'nobody dialled in time'
         WHERE state = 0 AND token = 0 AND expires <= ?2
            AND lane >= ?3 AND lane < ?3 || char(0x10ffff)",
    )
    .bind(DROPPED)
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
        let rows = sqlx::query(
            "SELECT id, lane, state, due_at, attempts, ended_at, reason, sealed
             FROM message INDEXED BY message_due
             WHERE state = 0 AND lane = ? AND due_at <= ? AND expires > ? AND token = 0
             ORDER BY due_at, seq LIMIT ?",
        )
        .bind(lane)
        .bind(now)
        .bind(now)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(|row| self.stored_message(row)).collect())
    }

    /// These messages, as far as they are there, in the order of their queueing.
    pub(in crate::store) async fn messages(
        &self,
        ids: &[MessageKey],
    ) -> Result<Vec<StoredMessage>, ReadError> {
        let rows = sqlx::query(
            "SELECT id, lane, state, due_at, attempts, ended_at, reason, sealed FROM message
             WHERE id IN (SELECT unhex(value) FROM json_each(?)) ORDER BY seq",
        )
        .bind(json_keys(ids)?)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(|row| self.stored_message(row)).collect())
    }

    fn stored_message(&self, row: &SqliteRow) -> StoredMessage {
        let id = key(row, 0);
        StoredMessage {
            id,
            lane: row.get(1),
            state: match row.get(2) {
                WAITING => MessageState::Waiting,
                SENT => MessageState::Sent,
                DROPPED => MessageState::Dropped,
                _ => MessageState::Dead,
            },
            due: timestamp(row.get(3)),
            attempts: row.get(4),
            ended_at: row.get::<Option<i64>, _>(5).map(timestamp),
            reason: row.get(6),
            bytes: self.ring.open(&rows::message_place(id), row.get(7)).ok().map(Opaque),
        }
    }

    /// When the next message of a lane is due.
    pub(in crate::store) async fn next_message_due(
        &self,
        lane: &str,
    ) -> Result<Option<i64>, ReadError> {
        let next =
            sqlx::query_scalar("SELECT min(due_at) FROM message WHERE state = 0 AND lane = ?");
        Ok(next.bind(lane).fetch_one(&self.pool).await?)
    }

    /// News of messages behind a place, oldest message first.
    pub(in crate::store) async fn untold(
        &self,
        behind: Option<UntoldSeq>,
        limit: u32,
    ) -> Result<Vec<Untold>, ReadError> {
        let rows = sqlx::query(
            "SELECT id, news, seq FROM message INDEXED BY message_untold
             WHERE news IS NOT NULL AND seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(behind.map_or(0, |UntoldSeq(seq)| seq))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let untold = |row: &SqliteRow| {
            let id = key(row, 0);
            let bytes = self.ring.open(&rows::news_place(id), row.get(1)).ok().map(Opaque);
            Untold { seq: UntoldSeq(row.get(2)), id, bytes }
        };
        Ok(rows.iter().map(untold).collect())
    }

    /// What stands in each lane of messages.
    pub(in crate::store) async fn message_lanes(
        &self,
    ) -> Result<Vec<MessageLaneStatus>, ReadError> {
        let rows = sqlx::query(
            "SELECT lane, sum(state = 0), sum(state = 0 AND token <> 0),
                    sum(state = 0 AND token = 0 AND attempts > 0),
                    min(queued_at) FILTER (WHERE state = 0), min(due_at) FILTER (WHERE state = 0),
                    sum(state = 1), sum(state = 2), sum(state = 3)
             FROM message GROUP BY lane ORDER BY lane",
        )
        .fetch_all(&self.pool)
        .await?;
        let status = |row: &SqliteRow| MessageLaneStatus {
            name: row.get(0),
            pending: row.get(1),
            leased: row.get(2),
            waiting_to_retry: row.get(3),
            oldest: row.get::<Option<i64>, _>(4).map(timestamp),
            next_due: row.get::<Option<i64>, _>(5).map(timestamp),
            sent: row.get(6),
            dropped: row.get(7),
            dead: row.get(8),
        };
        Ok(rows.iter().map(status).collect())
    }

    /// Messages that were given up, newest first.
    pub(in crate::store) async fn dead_messages(
        &self,
        limit: u32,
    ) -> Result<Vec<DeadMessage>, ReadError> {
        let rows = sqlx::query(
            "SELECT id, lane, class, reason, ended_at, attempts, queued_at, expires, sealed
             FROM message WHERE state = 3 AND ended_at IS NOT NULL
             ORDER BY ended_at DESC, seq DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let dead = |row: &SqliteRow| {
            let id = key(row, 0);
            Ok(DeadMessage {
                id,
                lane: row.get(1),
                class: row.get(2),
                reason: row.get(3),
                died_at: timestamp(row.get(4)),
                attempts: row.get(5),
                queued_at: timestamp(row.get(6)),
                expires: timestamp(row.get(7)),
                bytes: self.ring.open(&rows::message_place(id), row.get(8)).ok().map(Opaque),
            })
        };
        rows.iter().map(dead).collect()
    }
}
