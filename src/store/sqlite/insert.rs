//! Inserting many rows with few statements of fixed shape, so that each is prepared once.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};
use std::sync::Arc;

/// Rows in one statement: lone callbacks take the small shape, groups the large one. Places that
/// are left unbound are NULL and select no row.
const SHAPES: [usize; 2] = [4, 64];

/// An INSERT in its shapes.
#[derive(Debug)]
pub(super) struct Insert {
    shapes: [(usize, Arc<str>); SHAPES.len()],
}

/// A statement under construction.
pub(super) type Bound = Query<'static, Sqlite, SqliteArguments>;

impl Insert {
    /// Into `table` with its `columns`, the first of which is never null.
    pub(super) fn new(table: &str, columns: &[&str]) -> Insert {
        let places = vec!["?"; columns.len()].join(", ");
        let shapes = SHAPES.map(|rows| {
            let values = vec![format!("({places})"); rows].join(", ");
            let sql = format!(
                "INSERT INTO {table} ({}) SELECT * FROM (VALUES {values}) WHERE column1 NOT NULL",
                columns.join(", ")
            );
            (rows, sql.into())
        });
        Insert { shapes }
    }

    /// The statements that insert the rows, each bound by `bind` in the order of the columns.
    pub(super) fn bound<T>(&self, rows: Vec<T>, bind: impl Fn(Bound, T) -> Bound) -> Vec<Bound> {
        let mut rows = rows.into_iter();
        let mut bound = Vec::new();
        while rows.len() > 0 {
            let fitting = self.shapes.iter().find(|(places, _)| rows.len() <= *places);
            let (places, sql) = fitting.unwrap_or(&self.shapes[SHAPES.len() - 1]);
            let statement = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(sql)));
            bound.push(rows.by_ref().take(*places).fold(statement, &bind));
        }
        bound
    }
}

/// Runs statements one after the other.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    bound: Vec<Bound>,
) -> Result<(), sqlx::Error> {
    for statement in bound {
        statement.execute(&mut *connection).await?;
    }
    Ok(())
}
