//! What is left of callbacks: their records with all revisions, their notes, and what of them is held.

use super::read::Reader;
use crate::model::CallbackSeq;
use crate::store::ReadError;
use crate::store::revise::Revisable;
use crate::store::rows::{self};
use jiff::Timestamp;

impl Reader {
    /// What is left of one callback.
    pub(in crate::store) async fn revisable_one(
        &self,
        seq: CallbackSeq,
    ) -> Result<Option<Revisable>, ReadError> {
        todo!()
    }

    /// The callbacks of the next few pages that have any of this time, and the last place looked at.
    pub(in crate::store) async fn revisable(
        &self,
        after: CallbackSeq,
        (since, until): (Timestamp, Timestamp),
    ) -> Result<Option<(CallbackSeq, Vec<Revisable>)>, ReadError> {
        todo!()
    }

    /// How many callbacks the pages hold that have any of this time.
    pub(in crate::store) async fn callbacks_between(
        &self,
        (since, until): (Timestamp, Timestamp),
    ) -> Result<u64, ReadError> {
        todo!()
    }
}
