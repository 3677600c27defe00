//! Moving all that a directory holds to a database that nodes share.
//!
//! It goes in one transaction, so a copy that breaks off leaves nothing behind but its mark. Under the mark nobody serves from
//! the database, and another copy begins anew. It goes when both were counted and say the same.

mod batch;
mod filed;
mod source;
mod table;
mod target;

use super::engine::Reader;
use super::ledger::{Book, Hour, Hours};
use super::recording::AudioError;
use super::{Counts, Difference, KeyRing, OpenError, ReadError};
use crate::config::Server;
use jiff::Timestamp;
use serde::Serialize;
use source::Source;
use std::path::Path;
use table::TABLES;
use target::Target;

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyStep {
    /// The table of the database that is filled.
    pub table: &'static str,
    /// Rows that it has.
    pub done: u64,
    /// Rows that it gets.
    pub all: u64,
}

/// What was copied, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// Rows by table, in the order of copying.
    pub tables: Vec<(&'static str, u64)>,
    /// Records that no configured key opens. They come along, and are not found by their callers.
    pub unopened: u64,
    /// Recordings that are noted as kept, and of which there is no file.
    pub without_audio: u64,
}

/// Both stores counted, the directory first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// What each has.
    pub counts: [Counts; 2],
    /// Whether their ledgers are the same.
    pub same_ledger: bool,
    /// Whether all that is stored stands to its ledger in both as in the other.
    pub same_reconciled: bool,
}

impl Compared {
    /// Whether they hold the same.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.counts[0] == self.counts[1] && self.same_ledger && self.same_reconciled
    }
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The directory is in use.
    #[error("a gateway serves from {0}; stop it, and leave it stopped")]
    Running(String),
    /// The directory cannot be opened, or not under this key.
    #[error("the directory: {0}")]
    From(#[source] OpenError),
    /// The database cannot be opened.
    #[error("the database that nodes share: {0}")]
    To(#[source] OpenError),
    /// Nodes serve from the database.
    #[error("nodes serve from the database: {0}; stop them, or name another database")]
    Served(String),
    /// Something is stored already.
    #[error("the database is not empty: there are rows in `{0}`; name one that was just migrated")]
    NotEmpty(&'static str),
    /// Somebody else copies to it.
    #[error("another copy to this database is under way; wait for its end")]
    UnderWay,
    /// The directory's database fails.
    #[error(
        "the directory's database cannot be read: {0}; the copy is begun anew by the same command"
    )]
    Read(sqlx::Error),
    /// A recording's file cannot be read.
    #[error("{0}; the copy is begun anew by the same command")]
    Audio(#[from] AudioError),
    /// The server fails.
    #[error("the database takes no more: {0}; the copy is begun anew by the same command")]
    Write(sqlx::Error),
    /// The server is silent.
    #[error("the database did not answer for {0:?}; the copy is begun anew by the same command")]
    Silent(std::time::Duration),
    /// The server does not have what it was given.
    #[error(
        "the table `{table}` has {to} rows for {from} of the directory; nothing was copied, please report this"
    )]
    Lost {
        /// The table.
        table: &'static str,
        /// Rows that were read.
        from: u64,
        /// Rows that are there.
        to: u64,
    },
    /// The two cannot be counted.
    #[error("it was copied and could not be counted: {0}; begin it anew by the same command")]
    Count(#[from] ReadError),
}

/// A directory and a database that is empty, ready for being copied from and to. Nobody else has either.
#[derive(Debug)]
pub struct Transfer {
    source: Source,
    target: Target,
}

impl Transfer {
    /// Takes the directory of a gateway that does not run, and looks whether the database may have what it holds.
    ///
    /// # Errors
    /// [`CopyError`].
    pub async fn open(
        directory: &Path,
        server: &Server,
        ring: KeyRing,
        now: Timestamp,
    ) -> Result<Transfer, CopyError> {
        let source = Source::open(directory, ring).await?;
        let mut target = Target::open(server).await?;
        target.look(now).await?;
        Ok(Transfer { source, target })
    }

    /// What would be copied.
    ///
    /// # Errors
    /// [`CopyError`].
    pub async fn foresee(&self) -> Result<Copied, CopyError> {
        let mut copied = Copied { tables: Vec::new(), unopened: 0, without_audio: 0 };
        for table in &TABLES {
            copied.tables.push((table.name, self.source.count(table).await?));
        }
        copied.tables.push((filed::NAME, self.source.count_keys().await?));
        copied.tables.push((target::AUDIO, self.source.count_audio().await?));
        Ok(copied)
    }

    /// Copies everything, or nothing. `step` is told how far it is.
    ///
    /// # Errors
    /// [`CopyError`]; nothing was copied, and nobody serves from the database until it is.
    pub async fn run(
        &mut self,
        now: Timestamp,
        mut step: impl FnMut(CopyStep),
    ) -> Result<Copied, CopyError> {
        let foreseen = self.foresee().await?;
        let (source, target) = (&self.source, &mut self.target);
        target.mark(&source.name, now).await?;
        let mut filling = target.begin(source).await?;
        let mut copied = Copied { tables: Vec::new(), ..foreseen.clone() };
        for (place, (name, all)) in foreseen.tables.into_iter().enumerate() {
            let mut told = |done| step(CopyStep { table: name, done, all });
            told(0);
            let rows = match TABLES.get(place) {
                Some(table) => filling.fill(source, table, &mut copied.unopened, &mut told).await?,
                None if name == filed::NAME => filling.fill_keys(source, &mut told).await?,
                None => filling.fill_audio(source, &mut copied.without_audio, &mut told).await?,
            };
            filling.confirm(name, rows).await?;
            copied.tables.push((name, rows));
        }
        filling.end(source, now).await?;
        Ok(copied)
    }

    /// Counts both, and if they hold the same, lets nodes serve from the database.
    ///
    /// # Errors
    /// [`CopyError::Count`]; nobody serves from it.
    pub async fn compare(&mut self) -> Result<Compared, CopyError> {
        let (from, to) = (self.source.reader(), self.target.reader(&self.source));
        let (ours, theirs) = (Told::of(&from).await?, Told::of(&to).await?);
        let compared = Compared {
            same_ledger: (&ours.book, ours.unfolded) == (&theirs.book, theirs.unfolded),
            same_reconciled: ours.differences == theirs.differences,
            counts: [ours.counts, theirs.counts],
        };
        if compared.agree() {
            self.target.unmark().await?;
        }
        Ok(compared)
    }
}

/// What a store says of itself.
struct Told {
    counts: Counts,
    book: Book,
    unfolded: i64,
    differences: Vec<Difference>,
}

impl Told {
    async fn of(reader: &Reader) -> Result<Told, ReadError> {
        let all = Hours { since: Hour(0), until: Hour(i64::MAX) };
        let ledger = reader.ledger(all, None).await?;
        let reconciled = reader.reconcile(all, |_, _| ()).await?;
        Ok(Told {
            counts: reader.counts().await?,
            book: ledger.book,
            unfolded: ledger.unfolded,
            differences: reconciled.differences,
        })
    }
}
