//! Statements that run one after the other in a single trip to the database's thread.
//!
//! The driver runs SQLite on a thread of its own; on a busy machine each trip there and back
//! waits for the scheduler twice, which costs more than most statements. So a whole transaction
//! is one trip. A script is prepared once for its text, which is why rows of any number come as one
//! argument (`pack`).

use futures_util::TryStreamExt;
use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Either, Executor, Sqlite, SqliteConnection, Type};

/// Statements and their arguments, in order.
#[derive(Default)]
pub(super) struct Script {
    sql: String,
    arguments: SqliteArguments,
    statements: usize,
    unusable: Option<BoxDynError>,
}

/// Which statement of its script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(usize);

/// What the statements of a script did.
pub(super) struct Done(Vec<StatementDone>);

#[derive(Default)]
struct StatementDone {
    changes: u64,
    rows: Vec<SqliteRow>,
}

impl Script {
    /// Adds a statement; its arguments follow with [`Script::bind`], one for each `?`.
    pub(super) fn add(&mut self, statement: &str) -> Place {
        self.sql.push_str(statement);
        self.sql.push_str(";\n");
        self.statements += 1;
        Place(self.statements - 1)
    }

    /// Adds the next argument.
    pub(super) fn bind<'t, T>(&mut self, value: T) -> &mut Script
    where
        T: Encode<'t, Sqlite> + Type<Sqlite>,
    {
        if let Err(error) = self.arguments.add(value) {
            self.unusable = Some(error);
        }
        self
    }

    /// The statements as they stand.
    #[cfg(test)]
    pub(super) fn statements(&self) -> impl Iterator<Item = &str> {
        self.sql.split_terminator(";\n")
    }

    /// Runs it. Whoever wants a transaction puts its beginning and end into the script, and rolls
    /// back after a failure.
    pub(super) async fn run(self, connection: &mut SqliteConnection) -> Result<Done, sqlx::Error> {
        if let Some(error) = self.unusable {
            return Err(sqlx::Error::Encode(error));
        }
        let mut done = Vec::with_capacity(self.statements);
        let mut current = StatementDone::default();
        let query = sqlx::query_with(AssertSqlSafe(self.sql), self.arguments);
        let mut steps = connection.fetch_many(query);
        while let Some(step) = steps.try_next().await? {
            match step {
                Either::Right(row) => current.rows.push(row),
                Either::Left(result) => {
                    current.changes = result.rows_affected();
                    done.push(std::mem::take(&mut current));
                }
            }
        }
        Ok(Done(done))
    }
}

impl Done {
    /// How many rows a statement changed.
    pub(super) fn changes(&self, place: Place) -> u64 {
        self.0.get(place.0).map_or(0, |done| done.changes)
    }

    /// What a statement returned.
    pub(super) fn rows(&self, place: Place) -> &[SqliteRow] {
        self.0.get(place.0).map_or(&[], |done| &done.rows)
    }
}
