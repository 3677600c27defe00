//! The schema of the database: applied by one node at a time, and never by one that serves.

use super::Connector;
use crate::config::Server;
use crate::store::OpenError;
use crate::store::schema::{Migrated, Standing, known, pending, standing};
use sqlx::PgConnection;
use sqlx::migrate::Migrator;
use std::time::Duration;
use tokio::time::{Instant, sleep};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");
/// Our lock among the advisory ones of the database. sqlx's own is not waited for as we want it:
/// the session's `lock_timeout`, which must hold for the changes themselves, would end the wait.
const LOCK: i64 = 8890;
/// The mark of a database that is being copied to: it names the directory.
pub(in crate::store) const COPYING: &str = "copying";
/// How often a lock that another node has is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long it is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

/// What the database says of its schema.
#[derive(Debug)]
pub(in crate::store) struct Applied {
    versions: Vec<i64>,
    /// The oldest version whose programs may use it.
    works_with: Option<i64>,
}

impl Applied {
    /// Reads it.
    pub(in crate::store) async fn read(
        connection: &mut PgConnection,
    ) -> Result<Applied, sqlx::Error> {
        let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await?;
        if !exists {
            return Ok(Applied { versions: Vec::new(), works_with: None });
        }
        let versions: Vec<i64> =
            sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                .fetch_all(&mut *connection)
                .await?;
        if versions.is_empty() {
            return Ok(Applied { versions, works_with: None });
        }
        let works_with: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT value FROM meta WHERE key = 'works_with'")
                .fetch_optional(connection)
                .await?;
        let works_with = works_with.and_then(|value| String::from_utf8(value).ok());
        Ok(Applied { versions, works_with: works_with.and_then(|value| value.parse().ok()) })
    }

    /// The newest version.
    pub(in crate::store) fn version(&self) -> Option<i64> {
        self.versions.iter().max().copied()
    }

    /// How it stands to this program.
    pub(in crate::store) fn standing(&self) -> Standing {
        standing(&self.versions, &known(&MIGRATIONS), self.works_with)
    }

    fn into_migrated(self, before: Option<&Applied>) -> Migrated {
        let applied = match before {
            Some(before) => {
                let new = pending(&MIGRATIONS, &before.versions).into_iter();
                new.filter(|step| self.versions.contains(&step.version)).collect()
            }
            None => Vec::new(),
        };
        let pending = pending(&MIGRATIONS, &self.versions);
        Migrated { version: self.version(), applied, pending }
    }
}

/// Refuses a database that this program may not use: for its schema, or as it is being copied to.
pub(in crate::store) async fn check(connection: &mut PgConnection) -> Result<(), OpenError> {
    check_schema(connection).await?;
    check_copied(connection).await
}

/// Refuses one that is being copied to, or was not copied to the end.
pub(super) async fn check_copied(connection: &mut PgConnection) -> Result<(), OpenError> {
    match copied_from(connection).await? {
        Some(from) => Err(OpenError::Copying(from)),
        None => Ok(()),
    }
}

/// The directory from which it is being copied, or was not copied to the end.
pub(in crate::store) async fn copied_from(
    connection: &mut PgConnection,
) -> Result<Option<String>, sqlx::Error> {
    let mark: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
        .bind(COPYING)
        .fetch_optional(connection)
        .await?;
    Ok(mark.map(|from| String::from_utf8_lossy(&from).into_owned()))
}

/// Refuses a database whose schema this program may not use.
pub(in crate::store) async fn check_schema(connection: &mut PgConnection) -> Result<(), OpenError> {
    let applied = Applied::read(connection).await?;
    match applied.standing() {
        Standing::Known | Standing::Newer => Ok(()),
        Standing::TooNew(version) => Err(OpenError::NewerSchema(version)),
        Standing::Empty => Err(OpenError::Empty),
        Standing::Older => Err(OpenError::Unmigrated(applied.version().unwrap_or_default())),
    }
}

/// Applies what the database lacks, or with `dry` says what that is.
pub(in crate::store) async fn migrate(
    server: &Server,
    dry: bool,
    waiting: impl Fn(Duration),
) -> Result<Migrated, OpenError> {
    let mut connection = Connector::new(server)?.connect().await?;
    if dry {
        let applied = Applied::read(&mut connection).await?;
        return match applied.standing() {
            Standing::TooNew(version) => Err(OpenError::NewerSchema(version)),
            _ => Ok(applied.into_migrated(None)),
        };
    }
    take_turn(&mut connection, waiting).await?;
    // The lock goes with the connection.
    let before = Applied::read(&mut connection).await?;
    match before.standing() {
        Standing::Known | Standing::Newer => return Ok(before.into_migrated(None)),
        Standing::TooNew(version) => return Err(OpenError::NewerSchema(version)),
        Standing::Empty | Standing::Older => {}
    }
    // An index takes its time. A lock that a serving node holds is waited for no longer than ever:
    // all others would wait behind us.
    sqlx::query("SET statement_timeout = 0").execute(&mut connection).await?;
    let run = MIGRATIONS.run(&mut connection).await;
    run.map_err(|error| OpenError::Migrate(error.to_string()))?;
    let after = Applied::read(&mut connection).await?;
    Ok(after.into_migrated(Some(&before)))
}

/// Waits until no other node migrates.
async fn take_turn(
    connection: &mut PgConnection,
    waiting: impl Fn(Duration),
) -> Result<(), OpenError> {
    let start = Instant::now();
    loop {
        let ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *connection)
            .await?;
        match start.elapsed() {
            _ if ours => return Ok(()),
            waited if waited >= PATIENCE => return Err(OpenError::Migrating(PATIENCE)),
            waited => waiting(waited),
        }
        sleep(LOOK).await;
    }
}
