//! Inserting many rows with few statements of fixed shape.

use super::script::Script;

/// Rows in one statement: lone callbacks take the small shape, groups the larger ones. Places
/// that are left over are NULL and insert nothing.
const SHAPES: [usize; 3] = [4, 16, 64];

/// An INSERT in its shapes.
#[derive(Debug)]
pub(super) struct Insert {
    columns: usize,
    shapes: [(usize, String); SHAPES.len()],
}

impl Insert {
    /// Into `table` with its `columns`, the first of which is never null.
    pub(super) fn new(table: &str, columns: &[&str]) -> Insert {
        let places = vec!["?"; columns.len()].join(", ");
        let shapes = SHAPES.map(|rows| {
            let values = vec![format!("({places})"); rows].join(", ");
            let names = columns.join(", ");
            let sql = format!(
                "INSERT INTO {table} ({names})
                 SELECT * FROM (VALUES {values}) WHERE column1 NOT NULL"
            );
            (rows, sql)
        });
        Insert { columns: columns.len(), shapes }
    }

    /// Adds what inserts the rows, each bound by `bind` in the order of the columns.
    pub(super) fn add<T>(&self, script: &mut Script, rows: Vec<T>, bind: impl Fn(&mut Script, T)) {
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            let fitting = self.shapes.iter().find(|(places, _)| rows.len() <= *places);
            let (places, sql) = fitting.unwrap_or(&self.shapes[SHAPES.len() - 1]);
            script.add(sql);
            let left_over = places.saturating_sub(rows.len());
            rows.by_ref().take(*places).for_each(|row| bind(script, row));
            for _ in 0..left_over * self.columns {
                script.bind(None::<i64>);
            }
        }
    }
}
