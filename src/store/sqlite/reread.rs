//! Storing what a second reading made of a quarantined callback.

use super::filed;
use super::group::{self, Added};
use super::ledger;
use super::script::Script;
use super::writer::State;
use crate::store::job::RereadJob;
use crate::store::plan::{self, KnownKeys, Noted};
use crate::store::seal::Sealer;
use sqlx::SqliteConnection;

/// What a reading came to.
pub(super) struct Reread {
    /// Which events were new.
    pub(super) fresh: Vec<bool>,
    /// What they made.
    pub(super) added: Added,
    /// By how many rows the queue grew.
    pub(super) queued: i64,
}

/// Writes a reading down, within a transaction of the caller's. The request is what allows it: it
/// goes with the reading, and with the keys of what was readable before (`purge`).
pub(super) async fn reread(
    connection: &mut SqliteConnection,
    state: &mut State,
    lanes: &[i64],
    sealer: Sealer<'_>,
    job: &mut RereadJob,
    now: i64,
) -> Result<Reread, sqlx::Error> {
    let Some(noted) = noted(connection, job.seq.0).await? else {
        let fresh = vec![false; job.items.len()];
        return Ok(Reread { fresh, added: Added::default(), queued: 0 });
    };
    let found = filed::of_items(connection, &state.keys, &job.items).await?;
    let known = KnownKeys { recent: Some(&state.keys), found: &found };
    let (plan, fresh) = plan::reread(&mut state.places, known, job, noted, now);
    let mut script = Script::default();
    ledger::forget_garbled(&mut script, job.seq.0);
    script.add("DELETE FROM note WHERE callback = ? AND outcome = 'garbled'");
    script.bind(job.seq.0);
    script.add("DELETE FROM reread WHERE callback = ?");
    script.bind(job.seq.0);
    group::log_keys_apart(&mut script, state, &plan);
    let added = group::add_planned(&mut script, lanes, sealer, &plan, Some(now))?;
    group::file_keys(&mut script, state)?;
    let done = script.run(connection).await?;
    let queued = added.queued(lanes.len(), &done);
    Ok(Reread { fresh, added, queued })
}

/// What a callback is noted for, when it is to be read again.
async fn noted(
    connection: &mut SqliteConnection,
    callback: i64,
) -> Result<Option<Noted>, sqlx::Error> {
    let first_garbled: Option<i64> = sqlx::query_scalar(
        "SELECT min(item) FROM note
         WHERE outcome = 'garbled' AND callback = (SELECT callback FROM reread WHERE callback = ?)",
    )
    .bind(callback)
    .fetch_one(&mut *connection)
    .await?;
    let Some(first_garbled) = first_garbled else { return Ok(None) };
    let repeats = sqlx::query_scalar(
        "SELECT repeats FROM note WHERE callback = ? AND repeats IS NOT NULL ORDER BY item",
    )
    .bind(callback)
    .fetch_all(connection)
    .await?;
    Ok(Some(Noted { first_garbled, repeats }))
}
