//! The inbox in the database: what is held, and the conclusions that take it out.

use super::commit::{self, Added};
use super::read::Reader;
use super::turn::{Lanes, Turn};
use super::{memory, message, recording, revise};
use crate::model::{CallbackSeq, MessageKey};
use crate::store::ReadError;
use crate::store::drawn::{self, Drawn};
use crate::store::inbox::{Concluded, Held, HeldRow, InboxSeq};
use crate::store::job::ConcludeJob;
use crate::store::plan::{self, KnownKeys};
use crate::store::seal::{Fingerprint, Sealer};
use crate::store::standing::{FIRST_NOTE, Standing, revisions};
use sqlx::postgres::PgConnection;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// What the conclusions of a group come to.
#[derive(Debug, Default)]
pub(super) struct Concluding {
    pub(super) concluded: Vec<Concluded>,
    pub(super) added: Added,
    /// Whether messages were queued.
    pub(super) messages_queued: bool,
}

/// Draws the conclusions of a group, within its turn and after its callbacks, whose keys count.
pub(super) async fn conclude(
    connection: &mut PgConnection,
    turn: &mut Turn,
    lanes: &Lanes,
    sealer: Sealer<'_>,
    jobs: &mut [ConcludeJob],
    now: i64,
) -> Result<Concluding, sqlx::Error> {
    if jobs.is_empty() {
        return Ok(Concluding::default());
    }
    let standing = standing(connection, jobs).await?;
    let prints = jobs.iter().flat_map(|job| &job.items).filter_map(|item| item.dedupe);
    let prints: Vec<Fingerprint> = prints.collect();
    let found = commit::look_up(connection, turn.keys_from, &prints).await?;
    let revising = drawn::revising(jobs);
    let known = KnownKeys { recent: None, found: &found };
    let (plan, concluded) = plan::conclusions(&mut turn.places, known, standing, jobs, now);
    let drawn = Drawn::of(jobs, revising, &concluded);
    take(connection, &drawn.held).await?;
    commit::add_keys(connection, &plan.keys, now).await?;
    let added = commit::add_planned(connection, lanes, sealer, plan, Some(now)).await?;
    memory::change(connection, drawn.memory).await?;
    message::tell(connection, &drawn.told).await?;
    revise::end(connection, lanes, &drawn.revised, now).await?;
    recording::note_told(connection, &drawn.fetched).await?;
    recording::queue(connection, &drawn.recordings, now).await?;
    let messages_queued = message::queue(connection, &drawn.messages, now).await?;
    Ok(Concluding { concluded, added, messages_queued })
}

/// Looks up what these conclusions take, bring and note.
async fn standing(
    connection: &mut PgConnection,
    jobs: &[ConcludeJob],
) -> Result<Standing, sqlx::Error> {
    let held: Vec<InboxSeq> = jobs.iter().flat_map(|job| job.held.iter().copied()).collect();
    let told: Vec<MessageKey> = jobs.iter().flat_map(|job| job.told.iter().copied()).collect();
    let to_revise: Vec<CallbackSeq> = jobs.iter().filter_map(|job| job.revised).collect();
    let brought: Vec<(Uuid, u32)> = jobs.iter().flat_map(revisions).collect();
    let items = jobs.iter().flat_map(|job| &job.items);
    let callbacks: HashSet<i64> = items.map(|item| item.callback.0).collect();
    Ok(Standing {
        held: find_held(connection, &held).await?,
        untold: message::find_untold(connection, &told).await?,
        to_revise: revise::find_asked(connection, &to_revise).await?,
        revisions: find_revisions(connection, &brought).await?,
        noted: find_last_notes(connection, callbacks).await?,
    })
}

/// Which of these events are held.
async fn find_held(
    connection: &mut PgConnection,
    asked: &[InboxSeq],
) -> Result<HashSet<InboxSeq>, sqlx::Error> {
    if asked.is_empty() {
        return Ok(HashSet::new());
    }
    let (callbacks, items) = columns(asked);
    let found: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT callback, item
         FROM UNNEST($1::bigint[], $2::bigint[]) AS asked (callback, item)
         JOIN inbox USING (callback, item)",
    )
    .bind(callbacks)
    .bind(items)
    .fetch_all(connection)
    .await?;
    let seq = |(callback, item)| InboxSeq { callback: CallbackSeq(callback), item };
    Ok(found.into_iter().map(seq).collect())
}

/// Which of these record revisions are there.
async fn find_revisions(
    connection: &mut PgConnection,
    asked: &[(Uuid, u32)],
) -> Result<HashSet<(Uuid, u32)>, sqlx::Error> {
    if asked.is_empty() {
        return Ok(HashSet::new());
    }
    // A revision may lie in any month: it came with a callback of its own.
    let (ids, numbers): (Vec<Uuid>, Vec<i64>) =
        asked.iter().map(|(id, revision)| (*id, i64::from(*revision))).unzip();
    let found: Vec<(Uuid, i32)> = sqlx::query_as(
        "SELECT r.id, r.revision
         FROM UNNEST($1::uuid[], $2::bigint[]) AS asked (id, revision)
         JOIN record AS r ON r.id = asked.id AND r.revision = asked.revision",
    )
    .bind(ids)
    .bind(numbers)
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|(id, revision)| (id, revision.unsigned_abs())).collect())
}

/// The last note that conclusions left on each of these callbacks.
async fn find_last_notes(
    connection: &mut PgConnection,
    callbacks: HashSet<i64>,
) -> Result<HashMap<i64, i64>, sqlx::Error> {
    if callbacks.is_empty() {
        return Ok(HashMap::new());
    }
    let last: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT asked.callback, noted.last
         FROM UNNEST($1::bigint[]) AS asked (callback), LATERAL (
            SELECT max(n.item) AS last FROM note AS n
            WHERE n.callback = asked.callback AND n.item >= $2) AS noted
         WHERE noted.last IS NOT NULL",
    )
    .bind(callbacks.into_iter().collect::<Vec<_>>())
    .bind(FIRST_NOTE)
    .fetch_all(connection)
    .await?;
    Ok(last.into_iter().collect())
}

/// Takes concluded events out of the inbox.
async fn take(connection: &mut PgConnection, held: &[InboxSeq]) -> Result<(), sqlx::Error> {
    if held.is_empty() {
        return Ok(());
    }
    let (callbacks, items) = columns(held);
    sqlx::query(
        "DELETE FROM inbox AS i
         USING UNNEST($1::bigint[], $2::bigint[]) AS taken (callback, item)
         WHERE i.callback = taken.callback AND i.item = taken.item",
    )
    .bind(callbacks)
    .bind(items)
    .execute(connection)
    .await?;
    Ok(())
}

/// Places as the columns callback and item.
fn columns(seqs: &[InboxSeq]) -> (Vec<i64>, Vec<i64>) {
    seqs.iter().map(|seq| (seq.callback.0, seq.item)).unzip()
}

impl Reader {
    /// Held events behind a place, oldest first.
    pub(in crate::store) async fn inbox(
        &self,
        behind: Option<InboxSeq>,
        limit: u32,
    ) -> Result<Vec<Held>, ReadError> {
        // No place comes before these.
        let (callback, item) = behind.map_or((0, 0), |seq| (seq.callback.0, seq.item + 1));
        let rows: Vec<HeldRow> = sqlx::query_as(
            "SELECT callback, item, account, received_at, sealed FROM inbox
             WHERE (callback, item) >= ($1, $2) ORDER BY callback, item LIMIT $3",
        )
        .bind(callback)
        .bind(item)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let held = rows.into_iter().map(|row| Held::of_row(row, &self.ring));
        Ok(held.collect::<Result<_, _>>()?)
    }

    /// How many events are held, and when the oldest arrived.
    pub(in crate::store) async fn inbox_depth(&self) -> Result<(i64, Option<i64>), ReadError> {
        let depth = sqlx::query_as("SELECT count(*), min(received_at) FROM inbox");
        Ok(depth.fetch_one(&self.pool).await?)
    }
}
