//! Counting everything anew, straight from the tables, beside the ledger as of the same moment.

use crate::store::ReadError;
use crate::store::ledger::{Hours, Reconciled};
use crate::store::postgres::read::Reader;

impl Reader {
    /// Compares the ledger of some hours with a full count, both as of one moment: so the log of the database grows for as
    /// long as this takes.
    pub(in crate::store) async fn reconcile(
        &self,
        hours: Hours,
        mut progress: impl FnMut(i64, i64),
    ) -> Result<Reconciled, ReadError> {
        todo!()
    }
}
