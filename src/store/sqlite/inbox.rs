//! The inbox in the database: what is held, and the conclusions that take it out.

use super::group::{self, Added};
use super::memory;
use super::message;
use super::read::Reader;
use super::recording;
use super::revise;
use super::script::{Place, Script};
use super::writer::State;
use crate::model::{CallbackSeq, MessageKey};
use crate::store::ReadError;
use crate::store::drawn::{self, Drawn};
use crate::store::inbox::{Concluded, Held, HeldRow, InboxSeq};
use crate::store::job::ConcludeJob;
use crate::store::plan::{self, Found, KnownKeys};
use crate::store::seal::Sealer;
use crate::store::standing::{FIRST_NOTE, Standing, revisions};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

/// Looks up what these conclusions take, bring and note.
pub(super) async fn standing(
    connection: &mut SqliteConnection,
    jobs: &[ConcludeJob],
) -> Result<Standing, sqlx::Error> {
    if jobs.is_empty() {
        return Ok(Standing::default());
    }
    let held = jobs.iter().flat_map(|job| &job.held).map(|seq| [seq.callback.0, seq.item]);
    let revisions = jobs.iter().flat_map(revisions);
    let revisions = revisions.map(|(id, revision)| (hex::encode(id.as_bytes()), revision));
    let callbacks = jobs.iter().flat_map(|job| &job.items).map(|item| item.callback.0);
    let mut script = Script::default();
    let held_place = script.add(
        "SELECT i.callback, i.item FROM json_each(?) AS asked CROSS JOIN inbox AS i
                ON i.callback = asked.value ->> 0 AND i.item = asked.value ->> 1",
    );
    script.bind(super::json(&held.collect::<Vec<_>>())?);
    let revisions_place = script.add(
        "SELECT r.id, r.revision FROM json_each(?) AS asked CROSS JOIN record AS r
                ON r.id = unhex(asked.value ->> 0) AND r.revision = asked.value ->> 1",
    );
    script.bind(super::json(&revisions.collect::<Vec<_>>())?);
    let noted_place = script.add(
        "SELECT n.callback, max(n.item) FROM json_each(?) AS asked CROSS JOIN note AS n
                ON n.callback = asked.value AND n.item >= ? GROUP BY n.callback",
    );
    script.bind(super::json_list(callbacks)).bind(FIRST_NOTE);
    let told: Vec<MessageKey> = jobs.iter().flat_map(|job| job.told.iter().copied()).collect();
    let untold_place = message::find_untold(&mut script, &told)?;
    let revised: Vec<CallbackSeq> = jobs.iter().filter_map(|job| job.revised).collect();
    let revise_place = revise::find_asked(&mut script, &revised);
    let done = script.run(connection).await?;
    let revision =
        |row: &SqliteRow| (uuid::Uuid::from_slice(row.get(0)).unwrap_or_default(), row.get(1));
    Ok(Standing {
        held: done.rows(held_place).iter().map(seq).collect(),
        untold: untold_place
            .map_or(&[][..], |place| done.rows(place))
            .iter()
            .map(|row| message::key(row, 0))
            .collect(),
        to_revise: revise_place
            .map_or(&[][..], |place| done.rows(place))
            .iter()
            .map(|row| CallbackSeq(row.get(0)))
            .collect(),
        revisions: done.rows(revisions_place).iter().map(revision).collect(),
        noted: done.rows(noted_place).iter().map(|row| (row.get(0), row.get(1))).collect(),
    })
}

/// What the conclusions of a group come to.
pub(super) struct Concluding {
    pub(super) concluded: Vec<Concluded>,
    pub(super) added: Added,
    /// The statement that queues messages.
    pub(super) queueing: Option<Place>,
}

/// Adds what draws the conclusions of a group.
pub(super) fn conclude(
    script: &mut Script,
    state: &mut State,
    lanes: &[i64],
    (found, standing, sealer): (&Found, Standing, Sealer<'_>),
    jobs: &mut [ConcludeJob],
    now: i64,
) -> Result<Concluding, sqlx::Error> {
    let revising = drawn::revising(jobs);
    let known = KnownKeys { recent: Some(&state.keys), found };
    let (plan, concluded) = plan::conclusions(&mut state.places, known, standing, jobs, now);
    let drawn = Drawn::of(jobs, revising, &concluded);
    if !drawn.held.is_empty() {
        script.add(
            "DELETE FROM inbox
             WHERE (callback, item) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))",
        );
        let taken = drawn.held.iter().map(|seq| [seq.callback.0, seq.item]);
        script.bind(super::json(&taken.collect::<Vec<_>>())?);
    }
    group::log_keys_apart(script, state, &plan);
    let added = group::add_planned(script, lanes, sealer, &plan, Some(now))?;
    memory::change(script, drawn.memory)?;
    message::tell(script, &drawn.told)?;
    revise::end(script, lanes, &drawn.revised, now)?;
    recording::note_told(script, &drawn.fetched)?;
    recording::queue(script, &drawn.recordings, now)?;
    let queueing = message::queue(script, drawn.messages, now)?;
    Ok(Concluding { concluded, added, queueing })
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
             WHERE (callback, item) >= (?, ?) ORDER BY callback, item LIMIT ?",
        )
        .bind(callback)
        .bind(item)
        .bind(limit)
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

/// Reads the columns callback, item.
fn seq(row: &SqliteRow) -> InboxSeq {
    InboxSeq { callback: CallbackSeq(row.get(0)), item: row.get(1) }
}
