//! Storing what a second reading made of a quarantined callback.

use super::filed::Filed;
use super::group;
use super::plan::{self, Noted};
use super::script::Script;
use super::writer::State;
use crate::store::job::RereadJob;
use sqlx::SqliteConnection;

/// What a reading came to.
pub(super) struct Reread {
    /// Which events were new.
    pub(super) fresh: Vec<bool>,
    /// How many records they made.
    pub(super) records: i64,
}

/// Writes a reading down, within a transaction of the caller's. The request is what allows it: it
/// goes with the reading, and with the keys of what was readable before (`purge`).
pub(super) async fn reread(
    connection: &mut SqliteConnection,
    state: &mut State,
    lanes: &[i64],
    job: &mut RereadJob,
    now: i64,
) -> Result<Reread, sqlx::Error> {
    let Some(noted) = noted(connection, job.seq.0).await? else {
        return Ok(Reread { fresh: vec![false; job.items.len()], records: 0 });
    };
    let filed = Filed::of_items(connection, &state.keys, &job.items).await?;
    let (plan, fresh) = plan::reread(state, &filed, job, noted, now);
    let records = plan.next_record - plan.first_record;
    let mut script = Script::default();
    script.add("DELETE FROM note WHERE callback = ? AND outcome = 'garbled'");
    script.bind(job.seq.0);
    script.add("DELETE FROM reread WHERE callback = ?");
    script.bind(job.seq.0);
    if !plan.keys.is_empty() {
        // The log goes by places in the order, so new keys take one of their own.
        let log = state.next_callback;
        state.next_callback += 1;
        group::log_keys(&mut script, state, log, &plan);
    }
    group::add_planned(&mut script, lanes, plan, Some(now))?;
    group::file_keys(&mut script, state)?;
    script.run(connection).await?;
    Ok(Reread { fresh, records })
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
