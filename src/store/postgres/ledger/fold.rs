//! Looking for what the ledger has not taken in yet, on a connection that cannot write.

use crate::store::ReadError;
use crate::store::ledger::{Fold, FoldedTo};
use crate::store::postgres::read::Reader;
use jiff::Timestamp;
use std::time::Duration;

impl Reader {
    /// Looks for what is new, of records those that came before the last `age`, and among the open records behind `from`
    /// for those that moved. Returns also where the next step goes on.
    pub(in crate::store) async fn fold(
        &self,
        from: FoldedTo,
        (age, now): (Duration, Timestamp),
    ) -> Result<(Fold, FoldedTo), ReadError> {
        todo!()
    }
}
