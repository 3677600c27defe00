//! The inbox in the database: what is held, and the conclusions that take it out.

use super::read::Reader;
use crate::store::ReadError;
use crate::store::inbox::{Held, InboxSeq};
use crate::store::plan::{self};
use crate::store::rows::{self};

impl Reader {
    /// Held events behind a place, oldest first.
    pub(in crate::store) async fn inbox(
        &self,
        behind: Option<InboxSeq>,
        limit: u32,
    ) -> Result<Vec<Held>, ReadError> {
        todo!()
    }

    /// How many events are held, and when the oldest arrived.
    pub(in crate::store) async fn inbox_depth(&self) -> Result<(i64, Option<i64>), ReadError> {
        todo!()
    }
}
