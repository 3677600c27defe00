//! Reading the ledger: as many rows as there are hours, accounts and lanes.

use crate::store::ReadError;
use crate::store::ledger::{Hours, Ledger};
use crate::store::postgres::read::Reader;

impl Reader {
    /// The ledger of some hours, of one account or all, as of one moment.
    pub(in crate::store) async fn ledger(
        &self,
        hours: Hours,
        account: Option<&str>,
    ) -> Result<Ledger, ReadError> {
        todo!()
    }

    /// How many record revisions the ledger has not taken in.
    pub(in crate::store) async fn unfolded(&self) -> Result<i64, ReadError> {
        todo!()
    }
}
