//! Looking up what the database knows of keys and memory does not.

use crate::store::job::{CommitJob, ConcludeJob, Item};
use crate::store::keys::{self, KeyIndex, Known};
use crate::store::plan::Found;
use crate::store::seal::Fingerprint;
use sqlx::{Row, SqliteConnection};

/// Looks up the keys of a commit group.
pub(super) async fn of_group(
    connection: &mut SqliteConnection,
    keys: &KeyIndex,
    jobs: &[CommitJob],
    conclusions: &[ConcludeJob],
) -> Result<Found, sqlx::Error> {
    let mut found = Found::default();
    for nonce in jobs.iter().filter_map(|job| job.nonce) {
        look_up(&mut found, connection, keys, nonce.token).await?;
        look_up(&mut found, connection, keys, nonce.content).await?;
    }
    look_up_items(&mut found, connection, keys, jobs.iter().flat_map(|job| &job.items)).await?;
    let concluded = conclusions.iter().flat_map(|job| &job.items);
    for dedupe in concluded.filter_map(|item| item.dedupe) {
        look_up(&mut found, connection, keys, dedupe).await?;
    }
    Ok(found)
}

/// Looks up the keys of events.
pub(super) async fn of_items(
    connection: &mut SqliteConnection,
    keys: &KeyIndex,
    items: &[Item],
) -> Result<Found, sqlx::Error> {
    let mut found = Found::default();
    look_up_items(&mut found, connection, keys, items.iter()).await?;
    Ok(found)
}

async fn look_up_items<'a>(
    found: &mut Found,
    connection: &mut SqliteConnection,
    keys: &KeyIndex,
    items: impl Iterator<Item = &'a Item>,
) -> Result<(), sqlx::Error> {
    for item in items {
        look_up(found, connection, keys, item.dedupe).await?;
        let Some(resend) = &item.resend else { continue };
        if let Some(callback) = look_up(found, connection, keys, resend.print).await?
            && let Some(arrival) = arrival(connection, callback).await?
        {
            found.arrivals.insert(callback, arrival);
        }
    }
    Ok(())
}

/// Where a key leads. That memory neither knows it nor proves it new is rare enough for a
/// statement each.
async fn look_up(
    found: &mut Found,
    connection: &mut SqliteConnection,
    keys: &KeyIndex,
    print: Fingerprint,
) -> Result<Option<i64>, sqlx::Error> {
    let buckets = match keys.look_up(print) {
        Known::New => return Ok(None),
        Known::Seen(seq) => return Ok(Some(seq)),
        Known::Perhaps(buckets) => buckets,
    };
    // A business key may stand in several runs; the newest callback decides.
    let newest = find_in_buckets(connection, &buckets, print).await?.into_iter().max();
    if let Some(seq) = newest {
        found.seqs.insert(print, seq);
    }
    Ok(newest)
}

/// Where a key leads, according to these buckets.
pub(super) async fn find_in_buckets(
    connection: &mut SqliteConnection,
    buckets: &[i64],
    print: Fingerprint,
) -> Result<Vec<i64>, sqlx::Error> {
    let buckets = super::json_list(buckets.iter().copied());
    let rows = sqlx::query(
        "SELECT entries FROM key_bucket WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
    )
    .bind(buckets)
    .fetch_all(connection)
    .await?;
    let mut seqs = Vec::new();
    for row in &rows {
        seqs.extend(keys::find_in_bucket(row.get::<&[u8], _>(0), print));
    }
    Ok(seqs)
}

/// When the group of a callback arrived, unless it is erased. Its callbacks are milliseconds apart.
async fn arrival(
    connection: &mut SqliteConnection,
    callback: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let page: Option<(i64, i64)> = sqlx::query_as(
        "SELECT first_seq + count, received_at FROM callback_page
         WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1",
    )
    .bind(callback)
    .fetch_optional(connection)
    .await?;
    Ok(page.filter(|(end, _)| callback < *end).map(|(_, received_at)| received_at))
}
