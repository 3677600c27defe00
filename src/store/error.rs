//! Why the store does not do what it is asked, each with what an operator can do about it.

use super::{ConnectError, MAX_MEMORY, SealError, UnknownLayout};
use std::time::Duration;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be used.
    #[error("cannot use {directory} as store.directory: {source}; make it writable for this user")]
    Directory {
        /// Which.
        directory: String,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("another gateway serves from {0}; stop it, or give this one its own store.directory")]
    Locked(String),
    /// There is no database.
    #[error("there is no database in {0}; is that the right place, and has the gateway run?")]
    Missing(String),
    /// Its schema is newer than this program.
    #[error(
        "the database has schema version {0}, which this version does not know; use the newer version"
    )]
    NewerSchema(i64),
    /// Its schema is older than this program's, which only a serving gateway changes.
    #[error(
        "the database is as an older version left it; start the gateway of this version, which \
         migrates it, or use the older one"
    )]
    OlderSchema,
    /// There is no schema in a database that nodes share.
    #[error("the database is empty; run `bridge8890 migrate`")]
    Empty,
    /// Its schema is older than this program's, which only `bridge8890 migrate` changes.
    #[error(
        "the database has schema version {0}, and this version needs a newer one; run `bridge8890 migrate`"
    )]
    Unmigrated(i64),
    /// Another node has the turn to migrate, and does not end.
    #[error(
        "another node has been migrating for {0:?}; look at what holds it up in pg_stat_activity, and run it again"
    )]
    Migrating(Duration),
    /// A migration failed.
    #[error("a migration failed: {0}; the database is as it was before it")]
    Migrate(String),
    /// The data key does not fit.
    #[error("the data key does not open this database: {0}")]
    Key(#[from] SealError),
    /// No server gives a connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database says no.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] sqlx::Error),
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Sealed under an unknown key, or damaged.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// Written by a newer version.
    #[error(transparent)]
    Layout(#[from] UnknownLayout),
    /// The database says no.
    #[error("the database cannot be read: {0}")]
    Database(#[from] sqlx::Error),
}

/// Why a verb failed. Nothing of a failed verb is in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The writer's queue is full; come back after a moment.
    #[error("the writer is behind; retry in a moment, and look at the disk if it lasts")]
    Full,
    /// The gateway is shutting down.
    #[error("the store is closed; the gateway is shutting down")]
    Closed,
    /// A one-time token came again, and said something else.
    #[error(
        "this one-time token came before with other content: somebody signs with a token they \
         overheard, or the carrier reuses its tokens; compare the sender's address with the \
         carrier's, and ask the carrier"
    )]
    Replayed,
    /// A value is larger than what is remembered.
    #[error(
        "{0} bytes were to be remembered under one key, at most {MAX_MEMORY} are; this is a defect \
         of the gateway, please report it"
    )]
    TooLarge(usize),
    /// Another node does this work, or may do it soon: ours was not confirmed in time.
    #[error(
        "another node owns this work; it goes on there, and here when that node gives it up or is gone"
    )]
    NotOwner,
    /// The database refused.
    #[error("the database failed ({0}); look at the disk's space and health")]
    Database(String),
}
