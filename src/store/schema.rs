//! The schema of a store: which version it has, what is still to be applied, and who may use it.

use super::{OpenError, Place, postgres, sqlite};
use serde::Serialize;
use sqlx::migrate::Migrator;
use std::time::Duration;

/// A change of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The version that it makes.
    pub version: i64,
    /// What it does.
    pub what: String,
}

/// What a store's schema came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Migrated {
    /// The version that it has; `None`: the store is empty.
    pub version: Option<i64>,
    /// What was applied just now.
    pub applied: Vec<Step>,
    /// What is still to be applied.
    pub pending: Vec<Step>,
}

/// How a schema stands to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is none.
    Empty,
    /// It lacks migrations of the program's.
    Older,
    /// It is what the program knows.
    Known,
    /// It has migrations that the program does not know, and says that it may use it all the same.
    Newer,
    /// It has such, and says nothing of the kind.
    TooNew(i64),
}

/// How the migrations that were applied stand to those that a program knows. `works_with` is the
/// oldest version whose programs may use the database, as its newest migration says.
pub(super) fn standing(applied: &[i64], known: &[i64], works_with: Option<i64>) -> Standing {
    let own = known.iter().max().copied().unwrap_or_default();
    let whole = known.iter().all(|version| applied.contains(version));
    let strange = applied.iter().filter(|version| !known.contains(version)).max();
    match strange {
        Some(_) if whole && works_with.is_some_and(|oldest| oldest <= own) => Standing::Newer,
        Some(newest) => Standing::TooNew(*newest),
        None if applied.is_empty() => Standing::Empty,
        None if whole => Standing::Known,
        None => Standing::Older,
    }
}

/// The versions that a program knows.
pub(super) fn known(migrations: &Migrator) -> Vec<i64> {
    migrations.iter().map(|migration| migration.version).collect()
}

/// What of them is not applied.
pub(super) fn pending(migrations: &Migrator, applied: &[i64]) -> Vec<Step> {
    let missing = migrations.iter().filter(|it| !applied.contains(&it.version));
    missing.map(|it| Step { version: it.version, what: it.description.to_string() }).collect()
}

/// Says what is to be applied to the schema of a store, and unless `dry` applies it. Of all nodes
/// that do so at once one applies it, and the others wait for it: `waiting` is told for how long.
/// A directory's is only looked at, since the gateway that has it migrates it when it starts.
///
/// # Errors
/// [`OpenError`]; the migration that failed has changed nothing.
pub async fn migrate(
    place: &Place,
    dry: bool,
    waiting: impl Fn(Duration),
) -> Result<Migrated, OpenError> {
    match place {
        Place::Directory(directory) => sqlite::schema(directory).await,
        Place::Server(server) => postgres::migrate(server, dry, waiting).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_used_only_if_it_says_so() {
        for (applied, works_with, expected) in [
            (&[][..], None, Standing::Empty),
            (&[1], Some(1), Standing::Older),
            (&[1, 2], Some(1), Standing::Known),
            (&[1, 2], None, Standing::Known),
            (&[1, 2, 3], Some(1), Standing::Newer),
            (&[1, 2, 3], Some(2), Standing::Newer),
            (&[1, 2, 3], Some(3), Standing::TooNew(3)),
            (&[1, 2, 3, 4], None, Standing::TooNew(4)),
            (&[1, 3], Some(1), Standing::TooNew(3)),
        ] {
            assert_eq!(standing(applied, &[1, 2], works_with), expected, "{applied:?}");
        }
    }
}
