//! Opening the database: the schema, the key of digests, and the lanes that this node is configured for.

use super::connect::Connector;
use super::leaser::Leaser;
use super::link::Link;
use super::listen::listen;
use super::turn::{News, Turn};
use super::writer::{Ground, Writer};
use super::{order, partition, register, schema};
use crate::clock::Entropy;
use crate::config::Server;
use crate::lifecycle::Tasks;
use crate::model::LaneName;
use crate::store::engine;
use crate::store::job::Job;
use crate::store::seal::LOOKUP_KEY;
use crate::store::{KeyRing, LaneOptions, OpenError};
use jiff::Timestamp;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// A database that this node shares with others.
#[derive(Debug)]
pub(in crate::store) struct Opened {
    pub(in crate::store) engine: Engine,
    pub(in crate::store) lookup_key: Vec<u8>,
    pub(in crate::store) pending: i64,
}

/// Opens the database, which `migrate` has made.
pub(in crate::store) async fn open(
    server: &Server,
    lanes: &[LaneOptions],
    ring: &KeyRing,
    entropy: &Entropy,
    now: Timestamp,
) -> Result<Opened, OpenError> {
    let connector = Connector::new(server)?;
    let mut connection = connector.connect().await?;
    schema::check(&mut connection).await?;
    partition::make_ahead(&mut connection, now).await?;
    let lookup_key = lookup_key(&mut connection, ring, entropy).await?;
    let turn = Turn::begin(&mut connection).await?;
    let lanes = lane_ids(&mut connection, lanes, turn.places.record).await?;
    announce(&mut connection, &server.node, &lanes, now).await?;
    catch_up(&mut connection, now).await?;
    turn.end(&mut connection, News::default()).await?;
    let pending = sqlx::query_scalar("SELECT count(*) FROM outbox");
    let pending = pending.fetch_one(&mut connection).await?;
    drop(connection.close().await);
    // A statement ends by itself before nobody waits for it any more.
    let patience = server.timeouts.statement + server.timeouts.connect;
    let engine = Engine { connector, lanes, patience };
    Ok(Opened { engine, lookup_key, pending })
}

/// What the tasks run on.
#[derive(Debug)]
pub(in crate::store) struct Engine {
    pub(in crate::store) connector: Connector,
    lanes: Vec<(LaneName, i64)>,
    patience: Duration,
}

impl Engine {
    /// Starts the writer, and beside it who leases and who listens to other nodes.
    pub(in crate::store) fn start(
        self,
        ground: engine::Ground,
        waiting: mpsc::Receiver<Job>,
        tasks: &Tasks,
    ) {
        let Engine { connector, lanes, patience } = self;
        let engine::Ground { shared, clock, max_group, progress } = ground;
        let link = || Link::new(connector.clone(), patience);
        let (leaser, leasing) = Leaser::new(link(), lanes.clone(), Arc::clone(&shared));
        tasks.spawn_vital("leaser", leasing.run());
        let link = link();
        let listening = listen(connector.readers(), Arc::clone(&shared), link.process());
        tasks.spawn("listener", {
            let stop = tasks.clone();
            async move {
                tokio::select! {
                    () = stop.stopping() => {}
                    () = listening => {}
                }
            }
        });
        let ground = Ground { lanes, shared, clock, seen_at: 0 };
        let writer = Writer { link, ground, max_group, progress, leaser, months_at: None };
        tasks.spawn_vital("store writer", writer.run(waiting));
    }
}

/// The key of all fingerprints: made once, sealed under the data key, which it also proves.
async fn lookup_key(
    connection: &mut PgConnection,
    ring: &KeyRing,
    entropy: &Entropy,
) -> Result<Vec<u8>, OpenError> {
    let key = entropy.bytes::<32>().to_vec();
    // Of several nodes that open it at once, all take that of the first.
    sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING")
        .bind(LOOKUP_KEY)
        .bind(ring.seal(LOOKUP_KEY.as_bytes(), &key, entropy))
        .execute(&mut *connection)
        .await?;
    let sealed = stored_lookup_key(connection).await?.unwrap_or_default();
    Ok(ring.open(LOOKUP_KEY.as_bytes(), &sealed)?)
}

/// The key of all fingerprints, as it stands sealed in the database.
pub(in crate::store) async fn stored_lookup_key(
    connection: &mut PgConnection,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
        .bind(LOOKUP_KEY)
        .fetch_optional(connection)
        .await
}

/// The ids of lanes, of which new ones begin with the next record.
async fn lane_ids(
    connection: &mut PgConnection,
    lanes: &[LaneOptions],
    next_record: i64,
) -> Result<Vec<(LaneName, i64)>, sqlx::Error> {
    let mut ids = Vec::with_capacity(lanes.len());
    for LaneOptions { name, .. } in lanes {
        sqlx::query(
            "INSERT INTO lane (name, first_seq) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name.as_str())
        .bind(next_record)
        .execute(&mut *connection)
        .await?;
        let id = sqlx::query_scalar("SELECT id FROM lane WHERE name = $1");
        let id = id.bind(name.as_str()).fetch_one(&mut *connection).await?;
        take_back(connection, id).await?;
        ids.push((name.clone(), id));
    }
    Ok(ids)
}

/// What came while no node was configured for a lane is not for it.
async fn take_back(connection: &mut PgConnection, lane: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO attempt (lane, seq, send, received_at, attempt, outcome)
         SELECT l.id, r.seq, 0, r.received_at, 0, 6 FROM lane AS l JOIN record AS r ON r.seq > l.last_seq
         WHERE l.id = $1 ON CONFLICT DO NOTHING",
    )
    .bind(lane)
    .execute(&mut *connection)
    .await?;
    let back =
        sqlx::query("UPDATE lane SET last_seq = NULL WHERE id = $1 AND last_seq IS NOT NULL");
    back.bind(lane).execute(connection).await.map(drop)
}

/// Says which lanes this node is configured for. Lanes of which no node is any more are held to account up to the last
/// record that they had.
async fn announce(
    connection: &mut PgConnection,
    node: &str,
    lanes: &[(LaneName, i64)],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let lanes: Vec<i64> = lanes.iter().map(|(_, id)| *id).collect();
    register::announce_lanes(connection, node, &lanes, now).await?;
    sqlx::query(
        "UPDATE lane SET last_seq = greatest(first_seq - 1,
            coalesce((SELECT max(seq) FROM outbox WHERE lane = lane.id), 0),
            coalesce((SELECT max(seq) FROM attempt WHERE lane = lane.id), 0))
         WHERE last_seq IS NULL AND NOT EXISTS (
            SELECT 1 FROM node WHERE lane.id = ANY(node.lanes) AND node.seen_at > $1)",
    )
    .bind(register::gone_before(now))
    .execute(connection)
    .await
    .map(drop)
}

/// Nothing was queued in what is now the future. What is leased stays so, since another node may be at it.
async fn catch_up(connection: &mut PgConnection, now: Timestamp) -> Result<(), sqlx::Error> {
    let now = now.as_millisecond();
    for sql in [
        "UPDATE outbox SET due_at = $1 WHERE queued_at > $1 AND due_at < $2 AND token = 0",
        "UPDATE message SET due_at = $1
         WHERE state = 0 AND queued_at > $1 AND (attempts > 0 OR due_at <= queued_at) AND due_at < $2
            AND token = 0",
        "UPDATE recording SET due_at = $1
         WHERE state = 0 AND queued_at > $1 AND due_at < $2 AND leased = 0",
    ] {
        sqlx::query(sql).bind(now).bind(order::PARKED).execute(&mut *connection).await?;
    }
    Ok(())
}
