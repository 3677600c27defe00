//! Opening the database: the lock, the schema, and what the writer must know from the start.

use super::checkpoint;
use super::message;
use super::order::{BEHIND, PARKED};
use super::recording;
use super::writer::{State, Writer};
use crate::clock::Entropy;
use crate::lifecycle::Tasks;
use crate::model::LaneName;
use crate::store::LaneOptions;
use crate::store::engine::Ground;
use crate::store::job::Job;
use crate::store::keys::{KeyIndex, RUN_LEN, decode_log};
use crate::store::plan::Places;
use crate::store::schema::{Migrated, Standing, known, pending, standing};
use crate::store::seal::LOOKUP_KEY;
use crate::store::{KeyRing, OpenError};
use jiff::Timestamp;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row, SqliteConnection};
use std::fs::{DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
const FILE: &str = "bridge8890.db";
const LOCK: &str = "bridge8890.lock";
const READERS: u32 = 3;
/// Scripts that stay prepared: one for each mix of verbs that occurs often.
const SCRIPTS: usize = 64;
/// Rows that the database's thread may be ahead of the writer.
const LEASED_ROWS: usize = 1024;

/// A database that this process alone may write callbacks to.
#[derive(Debug)]
pub(in crate::store) struct Opened {
    pub(in crate::store) engine: Engine,
    pub(in crate::store) readers: SqlitePool,
    pub(in crate::store) lookup_key: Vec<u8>,
    pub(in crate::store) pending: i64,
    /// Held for as long as it lives.
    pub(in crate::store) lock: File,
}

/// What the tasks run on.
#[derive(Debug)]
pub(in crate::store) struct Engine {
    writer: SqliteConnection,
    checkpointer: SqliteConnection,
    lanes: Vec<(LaneName, i64)>,
    state: State,
}

impl Engine {
    /// Starts the writer and the checkpointer.
    pub(in crate::store) fn start(
        self,
        ground: Ground,
        (jobs, waiting): (mpsc::WeakSender<Job>, mpsc::Receiver<Job>),
        tasks: &Tasks,
    ) {
        let writer = Writer::new((self.writer, self.state, self.lanes), ground);
        tasks.spawn_vital("store writer", writer.run(waiting));
        tasks.spawn_vital("checkpointer", checkpoint::run(self.checkpointer, jobs));
    }
}

/// Opens, and if need be makes, the database in a directory.
pub(in crate::store) async fn open(
    directory: &Path,
    lanes: &[LaneOptions],
    ring: &KeyRing,
    entropy: &Entropy,
    now: Timestamp,
) -> Result<Opened, OpenError> {
    let lock = lock(directory)?;
    let mut writer = options(directory)
        .create_if_missing(true)
        .pragma("cache_size", "-4096")
        .statement_cache_capacity(SCRIPTS)
        .row_buffer_size(LEASED_ROWS)
        .connect()
        .await?;
    check_schema(&mut writer).await?;
    MIGRATIONS.run(&mut writer).await.map_err(|error| OpenError::Migrate(error.to_string()))?;
    let lookup_key = lookup_key(&mut writer, ring, entropy).await?;
    let lanes = lane_ids(&mut writer, lanes).await?;
    release(&mut writer, now).await?;
    message::release(&mut writer, now).await?;
    recording::release(&mut writer, now).await?;
    let state = load_state(&mut writer).await?;
    let pending = sqlx::query("SELECT count(*) FROM outbox").fetch_one(&mut writer).await?.get(0);
    let checkpointer = options(directory).pragma("cache_size", "-512").connect().await?;
    let readers = open_readers(directory).await?;
    let engine = Engine { writer, checkpointer, lanes, state };
    Ok(Opened { engine, readers, lookup_key, pending, lock })
}

/// Whoever leased before this start is gone; and nothing was queued in what is now the future. What was being sent beside
/// an earlier record of its case goes behind that one.
async fn release(connection: &mut SqliteConnection, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = format!(
        "UPDATE outbox SET token = 0,
            due_at = CASE WHEN token <> 0 AND {BEHIND} THEN ? ELSE min(queued_at, ?) END
         WHERE (token <> 0 OR queued_at > ?) AND due_at < ?"
    );
    let now = now.as_millisecond();
    let release = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(PARKED).bind(now).bind(now);
    release.bind(PARKED).execute(connection).await?;
    Ok(())
}

/// Opens the database of a directory for reading only, beside whoever writes.
pub(in crate::store) async fn open_readers(directory: &Path) -> Result<SqlitePool, OpenError> {
    if !database_file(directory).exists() {
        return Err(OpenError::Missing(directory.display().to_string()));
    }
    Ok(SqlitePoolOptions::new()
        .max_connections(READERS)
        // A file next door needs no fresh connections, and the pool's task that closes old ones may
        // spin for ever (sqlx issue 3645, in 0.9.0 too).
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options(directory).pragma("query_only", "on").pragma("cache_size", "-1024"))
        .await?)
}

/// Takes a directory from whoever might serve from it, and opens its database for reading only.
pub(in crate::store) async fn open_alone(
    directory: &Path,
) -> Result<(File, SqlitePool), OpenError> {
    if !database_file(directory).exists() {
        return Err(OpenError::Missing(directory.display().to_string()));
    }
    let lock = lock(directory)?;
    Ok((lock, open_readers(directory).await?))
}

/// Opens a directory's database for one operator's change, beside whoever serves from it.
pub(in crate::store) async fn open_operator(
    directory: &Path,
) -> Result<SqliteConnection, OpenError> {
    if !database_file(directory).exists() {
        return Err(OpenError::Missing(directory.display().to_string()));
    }
    Ok(options(directory).connect().await?)
}

/// The database of a directory.
pub(in crate::store) fn database_file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

fn options(directory: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(database_file(directory))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .pragma("wal_autocheckpoint", "0")
        .pragma("journal_size_limit", "67108864")
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

/// Keeps every other process out of a directory, which is made if need be.
pub(super) fn lock(directory: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Directory { directory: directory.display().to_string(), source };
    // What is inside concerns nobody else on the machine.
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
    let lock = File::create(directory.join(LOCK)).map_err(io)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(directory.display().to_string())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Whether a process has the directory. One that starts in this very moment may take us for another.
pub(in crate::store) fn is_served(directory: &Path) -> Result<bool, OpenError> {
    let io = |source| OpenError::Directory { directory: directory.display().to_string(), source };
    let lock = match File::open(directory.join(LOCK)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(io)?,
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Refuses a database that a newer version has changed.
async fn check_schema(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let known = |version: &i64| MIGRATIONS.iter().any(|migration| migration.version == *version);
    match applied(connection).await.iter().find(|version| !known(version)) {
        Some(version) => Err(OpenError::NewerSchema(*version)),
        None => Ok(()),
    }
}

/// Refuses that, and one that this version has still to migrate: only the gateway does.
pub(in crate::store) async fn check_migrated(
    connection: &mut SqliteConnection,
) -> Result<(), OpenError> {
    check_schema(connection).await?;
    let applied = applied(connection).await;
    if MIGRATIONS.iter().all(|migration| applied.contains(&migration.version)) {
        Ok(())
    } else {
        Err(OpenError::OlderSchema)
    }
}

/// What is still to be applied to a directory's database when a gateway next opens it.
pub(in crate::store) async fn schema(directory: &Path) -> Result<Migrated, OpenError> {
    let applied = match database_file(directory).exists() {
        true => applied(&mut open_operator(directory).await?).await,
        false => Vec::new(),
    };
    if let Standing::TooNew(version) = standing(&applied, &known(&MIGRATIONS), None) {
        return Err(OpenError::NewerSchema(version));
    }
    Ok(Migrated {
        version: applied.iter().max().copied(),
        applied: Vec::new(),
        pending: pending(&MIGRATIONS, &applied),
    })
}

async fn applied(connection: &mut SqliteConnection) -> Vec<i64> {
    sqlx::query_scalar("SELECT version FROM _sqlx_migrations")
        .fetch_all(connection)
        .await
        // A database without the table is a new one.
        .unwrap_or_default()
}

/// The key of all fingerprints: made once, sealed under the data key, which it also proves.
async fn lookup_key(
    connection: &mut SqliteConnection,
    ring: &KeyRing,
    entropy: &Entropy,
) -> Result<Vec<u8>, OpenError> {
    if let Some(sealed) = stored_lookup_key(connection).await? {
        return Ok(ring.open(LOOKUP_KEY.as_bytes(), &sealed)?);
    }
    let key = entropy.bytes::<32>().to_vec();
    sqlx::query("INSERT INTO meta (key, value) VALUES (?, ?)")
        .bind(LOOKUP_KEY)
        .bind(ring.seal(LOOKUP_KEY.as_bytes(), &key, entropy))
        .execute(connection)
        .await?;
    Ok(key)
}

/// The key of all fingerprints, as it stands sealed in the database.
pub(in crate::store) async fn stored_lookup_key(
    connection: &mut SqliteConnection,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM meta WHERE key = ?")
        .bind(LOOKUP_KEY)
        .fetch_optional(connection)
        .await
}

async fn lane_ids(
    connection: &mut SqliteConnection,
    lanes: &[LaneOptions],
) -> Result<Vec<(LaneName, i64)>, sqlx::Error> {
    let mut ids = Vec::new();
    for LaneOptions { name: lane, .. } in lanes {
        sqlx::query(
            "INSERT OR IGNORE INTO lane (name, first_seq)
             SELECT ?, coalesce(max(seq), 0) + 1 FROM record",
        )
        .bind(lane.to_string())
        .execute(&mut *connection)
        .await?;
        let id = sqlx::query_scalar("SELECT id FROM lane WHERE name = ?")
            .bind(lane.to_string())
            .fetch_one(&mut *connection)
            .await?;
        take_back(connection, id).await?;
        ids.push((lane.clone(), id));
    }
    leave(connection, &ids).await?;
    Ok(ids)
}

/// What came while a lane was not configured is not for it.
async fn take_back(connection: &mut SqliteConnection, lane: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR IGNORE INTO attempt (lane, seq, send, attempt, outcome)
         SELECT l.id, r.seq, 0, 0, 6 FROM lane AS l JOIN record AS r ON r.seq > l.last_seq
         WHERE l.id = ?",
    )
    .bind(lane)
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE lane SET last_seq = NULL WHERE id = ?")
        .bind(lane)
        .execute(connection)
        .await?;
    Ok(())
}

/// Lanes that are configured no more are held to account up to the last record that they had.
async fn leave(
    connection: &mut SqliteConnection,
    configured: &[(LaneName, i64)],
) -> Result<(), sqlx::Error> {
    let configured = super::json_list(configured.iter().map(|(_, id)| *id));
    sqlx::query(
        "UPDATE lane SET last_seq = max(first_seq - 1,
            coalesce((SELECT max(seq) FROM outbox WHERE lane = lane.id), 0),
            coalesce((SELECT max(seq) FROM attempt WHERE lane = lane.id), 0))
         WHERE last_seq IS NULL AND id NOT IN (SELECT value FROM json_each(?))",
    )
    .bind(configured)
    .execute(connection)
    .await?;
    Ok(())
}

/// The next places in the order of arrival.
pub(in crate::store) async fn next_places(
    connection: &mut SqliteConnection,
) -> Result<Places, sqlx::Error> {
    // Keys of a callback that was read again have a place without a page.
    let (callback, record) = sqlx::query_as(
        "SELECT max(coalesce((SELECT first_seq + count FROM callback_page
                              ORDER BY first_seq DESC LIMIT 1), 1),
                    coalesce((SELECT max(first_seq) + 1 FROM key_log), 1),
                    coalesce((SELECT max(last_log) + 1 FROM key_run), 1)),
                (SELECT coalesce(max(seq), 0) + 1 FROM record)",
    )
    .fetch_one(connection)
    .await?;
    Ok(Places { callback, record })
}

/// Reads what the writer keeps in memory: the next places, the unfiled keys, the filters.
pub(super) async fn load_state(connection: &mut SqliteConnection) -> Result<State, sqlx::Error> {
    let places = next_places(connection).await?;
    let (next_run, filed_log): (i64, i64) =
        sqlx::query_as("SELECT coalesce(max(run) + 1, 0), coalesce(max(last_log), 0) FROM key_run")
            .fetch_one(&mut *connection)
            .await?;
    let oldest_run: i64 =
        sqlx::query_scalar("SELECT coalesce(min(run), ?) FROM key_run WHERE deduping = 1")
            .bind(next_run)
            .fetch_one(&mut *connection)
            .await?;
    // A run that a crash left half filed is filed again from the log.
    sqlx::query("DELETE FROM key_bucket WHERE id >= ?")
        .bind(super::first_row_of_run(next_run))
        .execute(&mut *connection)
        .await?;
    let mut keys = KeyIndex::new(oldest_run, next_run, RUN_LEN);
    for row in sqlx::query("SELECT first_run, bits FROM key_filter ORDER BY first_run")
        .fetch_all(&mut *connection)
        .await?
    {
        keys.add_filter(row.get(0), row.get(1));
    }
    let unfiled = sqlx::query(
        "SELECT first_seq, entries,
                (SELECT received_at FROM callback_page AS p WHERE p.first_seq <= l.first_seq
                 ORDER BY p.first_seq DESC LIMIT 1)
         FROM key_log AS l WHERE first_seq > ? ORDER BY first_seq",
    )
    .bind(filed_log)
    .fetch_all(&mut *connection)
    .await?;
    for row in &unfiled {
        let received_at: Option<i64> = row.get(2);
        keys.add(row.get(0), received_at.unwrap_or(0), &decode_log(row.get(1)));
    }
    Ok(State { places, keys, filed_log, trimmed_log: filed_log - 1, purged_to: 0 })
}
