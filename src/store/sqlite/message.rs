//! Messages in the database: queueing, leasing, settling, telling, listing, replaying and erasing
//! them.

use super::open::open_operator;
use super::pack::Pack;
use super::read::Reader;
use super::script::{Place, Script};
use crate::model::MessageKey;
use crate::store::job::{LeasedMessageRow, MessageLeaseJob, MessageSettleJob, SealedMessage};
use crate::store::message::columns::{self, DeadRow, LaneRow, MessageRow, UntoldRow, Verdict};
use crate::store::message::{
    CALLS, DeadMessage, MessageLaneStatus, StoredMessage, Untold, UntoldSeq,
};
use crate::store::{LeaseToken, OpenError, ReadError};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};
use std::path::Path;

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
    let (id, queued_at, expires) = (row.get(0), row.get(3), row.get(4));
    LeasedMessageRow::of_row((id, row.get(1), row.get(2), queued_at, expires, row.get(5)))
}

fn hex_key(id: MessageKey) -> String {
    hex::encode(id.0.as_bytes())
}

/// Reads a key.
pub(super) fn key(row: &SqliteRow, column: usize) -> MessageKey {
    MessageKey(uuid::Uuid::from_slice(row.get(column)).unwrap_or_default())
}

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
        settled.row((hex_key(item.id), item.became.columns(now), place, length));
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
    for state in columns::ERASABLE {
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
        "UPDATE message SET state = 2, ended_at = ?1, reason = 'nobody dialled in time'
         WHERE state = 0 AND token = 0 AND expires <= ?1
            AND lane >= ?2 AND lane < ?2 || char(0x10ffff)",
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
        Ok(rows.into_iter().map(|row| StoredMessage::of_row(row, &self.ring)).collect())
    }

    /// These messages, as far as they are there, in the order of their queueing.
    pub(in crate::store) async fn messages(
        &self,
        ids: &[MessageKey],
    ) -> Result<Vec<StoredMessage>, ReadError> {
        let rows: Vec<MessageRow> = sqlx::query_as(
            "SELECT id, lane, state, due_at, attempts, ended_at, reason, sealed FROM message
             WHERE id IN (SELECT unhex(value) FROM json_each(?)) ORDER BY seq",
        )
        .bind(json_keys(ids)?)
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
            sqlx::query_scalar("SELECT min(due_at) FROM message WHERE state = 0 AND lane = ?");
        Ok(next.bind(lane).fetch_one(&self.pool).await?)
    }

    /// News of messages behind a place, oldest message first.
    pub(in crate::store) async fn untold(
        &self,
        behind: Option<UntoldSeq>,
        limit: u32,
    ) -> Result<Vec<Untold>, ReadError> {
        let rows: Vec<UntoldRow> = sqlx::query_as(
            "SELECT id, news, seq FROM message INDEXED BY message_untold
             WHERE news IS NOT NULL AND seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(behind.map_or(0, |UntoldSeq(seq)| seq))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| Untold::of_row(row, &self.ring)).collect())
    }

    /// What stands in each lane of messages.
    pub(in crate::store) async fn message_lanes(
        &self,
    ) -> Result<Vec<MessageLaneStatus>, ReadError> {
        let rows: Vec<LaneRow> = sqlx::query_as(
            "SELECT lane, sum(state = 0), sum(state = 0 AND token <> 0),
                    sum(state = 0 AND token = 0 AND attempts > 0),
                    min(queued_at) FILTER (WHERE state = 0), min(due_at) FILTER (WHERE state = 0),
                    sum(state = 1), sum(state = 2), sum(state = 3)
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
             ORDER BY ended_at DESC, seq DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| DeadMessage::of_row(row, &self.ring)).collect())
    }
}
