//! Storing what a second reading made of a quarantined callback.

use super::commit::{self, Added};
use super::ledger;
use super::turn::{Lanes, Turn};
use crate::store::job::{Item, RereadJob};
use crate::store::plan::{self, KnownKeys, Noted};
use crate::store::seal::{Fingerprint, Sealer};
use sqlx::Row;
use sqlx::postgres::PgConnection;

/// What a reading came to.
pub(super) struct Reread {
    /// Which events were new.
    pub(super) fresh: Vec<bool>,
    /// What they made.
    pub(super) added: Added,
}

/// Writes a reading down, within a turn of the caller's. The request is what allows it: it
/// goes with the reading, and with the keys of what was readable before (`purge`).
pub(super) async fn reread(
    connection: &mut PgConnection,
    turn: &mut Turn,
    lanes: &Lanes,
    sealer: Sealer<'_>,
    job: &mut RereadJob,
    now: i64,
) -> Result<Reread, sqlx::Error> {
    let Some(noted) = noted(connection, job).await? else {
        return Ok(Reread { fresh: vec![false; job.items.len()], added: Added::default() });
    };
    let resend = |item: &Item| item.resend.map(|resend| resend.print);
    let prints: Vec<Fingerprint> =
        job.items.iter().flat_map(|item| [Some(item.dedupe), resend(item)]).flatten().collect();
    let found = commit::look_up(connection, turn.keys_from, &prints).await?;
    let known = KnownKeys { recent: None, found: &found };
    let (mut plan, fresh) = plan::reread(&mut turn.places, known, job, noted, now);
    forget(connection, job).await?;
    commit::add_keys(connection, &std::mem::take(&mut plan.keys), plan.received_at).await?;
    let added = commit::add_planned(connection, lanes, sealer, plan, Some(now)).await?;
    Ok(Reread { fresh, added })
}

/// What a callback is noted for, when it is to be read again.
async fn noted(
    connection: &mut PgConnection,
    job: &RereadJob,
) -> Result<Option<Noted>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT min(item) FILTER (WHERE outcome = 'garbled'),
                array_agg(repeats ORDER BY item) FILTER (WHERE repeats IS NOT NULL)
         FROM note WHERE callback = (SELECT callback FROM reread WHERE callback = $1)",
    )
    .bind(job.seq.0)
    .fetch_one(connection)
    .await?;
    let first_garbled: Option<i64> = row.try_get(0)?;
    let repeats: Option<Vec<i64>> = row.try_get(1)?;
    Ok(first_garbled
        .map(|first_garbled| Noted { first_garbled, repeats: repeats.unwrap_or_default() }))
}

/// Takes away what was unreadable, and the request.
async fn forget(connection: &mut PgConnection, job: &RereadJob) -> Result<(), sqlx::Error> {
    ledger::forget_garbled(connection, job.seq.0).await?;
    sqlx::query(
        "WITH request AS (DELETE FROM reread WHERE callback = $1)
         DELETE FROM note WHERE callback = $1 AND outcome = 'garbled'",
    )
    .bind(job.seq.0)
    .execute(connection)
    .await
    .map(drop)
}
