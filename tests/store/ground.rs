//! Where the stores of this suite are: each in a directory of its own.

use bridge8890::store::Place;
use sqlx::{Connection, SqliteConnection};
use std::path::Path;
use tempfile::TempDir;

/// Whether nodes may share a store, so that no one's start says that all others are gone.
pub(crate) const SHARED: bool = false;

/// Random schedules are so many times fewer than they might be.
pub(crate) const PART: u32 = 1;

/// A directory.
pub(crate) struct Ground(TempDir);

impl Ground {
    pub(crate) async fn new() -> Ground {
        Ground(TempDir::new().expect("a directory"))
    }

    pub(crate) fn place(&self) -> Place {
        Place::Directory(self.0.path().to_owned())
    }

    /// Runs statements beside the store.
    pub(crate) async fn sql(&self, sql: &'static str) {
        let url = format!("sqlite:{}", self.0.path().join("bridge8890.db").display());
        let mut connection = SqliteConnection::connect(&url).await.expect("it opens");
        sqlx::raw_sql(sql).execute(&mut connection).await.expect("it runs");
        connection.close().await.expect("it closes");
    }

    /// All that is stored, as it is.
    pub(crate) async fn everything(&self) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        read_all(self.0.path(), &mut parts);
        parts
    }

    /// Recordings that are kept.
    pub(crate) async fn recordings(&self) -> usize {
        std::fs::read_dir(self.0.path().join("recordings")).expect("a directory").count()
    }
}

fn read_all(directory: &Path, parts: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => read_all(&path, parts),
            false => parts.push(std::fs::read(path).expect("it reads")),
        }
    }
}
