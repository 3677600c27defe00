//! Many rows as two arguments: what is text or number as one JSON array, all blobs end to end.
//!
//! The statement stays the same whatever the number of rows, so it is prepared once and binds
//! little. In SQL a row is an element of `json_each`, and its blob `substr(bytes, place, length)`.

use serde::Serialize;

/// Rows under construction; `T` is a row's tuple of text and numbers.
#[derive(Debug)]
pub(super) struct Pack<T> {
    rows: Vec<T>,
    bytes: Vec<u8>,
}

impl<T: Serialize> Pack<T> {
    pub(super) fn with_capacity(rows: usize, bytes: usize) -> Pack<T> {
        Pack { rows: Vec::with_capacity(rows), bytes: Vec::with_capacity(bytes) }
    }

    /// Appends a blob, and tells its place as SQL counts, from 1.
    pub(super) fn blob(&mut self, blob: &[u8]) -> usize {
        let place = self.bytes.len() + 1;
        self.bytes.extend_from_slice(blob);
        place
    }

    pub(super) fn row(&mut self, row: T) {
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The two arguments.
    pub(super) fn finish(self) -> Result<(String, Vec<u8>), sqlx::Error> {
        Ok((super::json(&self.rows)?, self.bytes))
    }
}
