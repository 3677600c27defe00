//! Looking whether the records of the last hours are still all there, a few at a time.

use crate::store::ReadError;
use crate::store::ledger::{Hour, Recent, RecentPart};
use crate::store::postgres::read::Reader;

impl Reader {
    /// The hours from one on as the ledger has them.
    pub(in crate::store) async fn recent(&self, since: Hour) -> Result<Recent, ReadError> {
        todo!()
    }

    /// The first hour of which, as of those behind it, no record is erased.
    pub(in crate::store) async fn whole_since(&self) -> Result<Hour, ReadError> {
        todo!()
    }

    /// Looks at the next records of the hours from one on.
    pub(in crate::store) async fn recent_part(
        &self,
        since: Hour,
        (after, last): (i64, i64),
    ) -> Result<RecentPart, ReadError> {
        todo!()
    }
}
