//! Rows on their way from one database to the other: as many as fit, column by column.

use super::source::Source;
use super::table::{Kind, Table};
use crate::store::postgres::make_months;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Postgres, Row};
use uuid::Uuid;

/// Rows and bytes of one statement, about.
const ROWS: usize = 5_000;
const BYTES: usize = 8 << 20;

/// Some rows of a table.
#[derive(Debug)]
pub(super) struct Batch {
    table: &'static Table,
    arrays: Vec<Array>,
    rows: usize,
    bytes: usize,
}

/// What a column has in each of them.
#[derive(Debug)]
enum Array {
    Numbers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Ids(Vec<Option<Uuid>>),
}

impl Array {
    fn of(kind: Kind) -> Array {
        match kind {
            Kind::Number => Array::Numbers(Vec::new()),
            Kind::Text | Kind::Node => Array::Texts(Vec::new()),
            Kind::Bytes => Array::Bytes(Vec::new()),
            Kind::Id | Kind::Caller => Array::Ids(Vec::new()),
        }
    }

    /// Adds what a row has in a place. Returns how many bytes that are, besides what any row takes.
    fn push(&mut self, row: &SqliteRow, place: usize) -> Result<usize, sqlx::Error> {
        match self {
            Array::Numbers(numbers) => numbers.push(row.try_get(place)?),
            Array::Ids(ids) => ids.push(row.try_get(place)?),
            Array::Texts(texts) => {
                let text: Option<String> = row.try_get(place)?;
                let length = text.as_ref().map_or(0, String::len);
                // PostgreSQL's texts cannot have it.
                texts.push(text.map(|text| text.replace('\0', "\u{fffd}")));
                return Ok(length);
            }
            Array::Bytes(blobs) => {
                let bytes: Option<Vec<u8>> = row.try_get(place)?;
                let length = bytes.as_ref().map_or(0, Vec::len);
                blobs.push(bytes);
                return Ok(length);
            }
        }
        Ok(0)
    }

    fn bind<'q>(self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        match self {
            Array::Numbers(numbers) => query.bind(numbers),
            Array::Texts(texts) => query.bind(texts),
            Array::Bytes(bytes) => query.bind(bytes),
            Array::Ids(ids) => query.bind(ids),
        }
    }
}

impl Batch {
    /// None yet.
    pub(super) fn new(table: &'static Table) -> Batch {
        let arrays = table.columns.iter().map(|column| Array::of(column.kind)).collect();
        Batch { table, arrays, rows: 0, bytes: 0 }
    }

    /// Adds a row of the directory. Returns whether all of it could be read.
    pub(super) fn add(
        &mut self,
        row: &SqliteRow,
        source: &Source,
        node: &str,
    ) -> Result<bool, sqlx::Error> {
        let mut whole = true;
        for (place, (array, column)) in self.arrays.iter_mut().zip(self.table.columns).enumerate() {
            match (array, column.kind) {
                (Array::Ids(callers), Kind::Caller) => {
                    let caller = source.caller(row)?;
                    whole = caller.is_ok();
                    callers.push(caller.unwrap_or_default());
                }
                (Array::Texts(nodes), Kind::Node) => nodes.push(Some(node.to_owned())),
                (array, _) => self.bytes += array.push(row, place)?,
            }
        }
        self.rows += 1;
        Ok(whole)
    }

    /// Whether they are as many as one statement shall have.
    pub(super) fn is_full(&self) -> bool {
        self.rows >= ROWS || self.bytes >= BYTES
    }

    /// Adds them to the database, and their months before. Returns how many they were.
    pub(super) async fn write(self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        if self.rows == 0 {
            return Ok(0);
        }
        make_months(connection, self.table.name, |time| self.times(time)).await?;
        let mut query = sqlx::query(AssertSqlSafe(self.table.insert()));
        for array in self.arrays {
            query = array.bind(query);
        }
        Ok(query.execute(connection).await?.rows_affected())
    }

    /// What stands in a column of times.
    fn times(&self, name: &str) -> Vec<i64> {
        let columns = self.table.columns.iter().zip(&self.arrays);
        let times = columns.filter_map(|(column, array)| match array {
            Array::Numbers(times) if column.name == name => Some(times.iter().flatten().copied()),
            _ => None,
        });
        times.flatten().collect()
    }
}
