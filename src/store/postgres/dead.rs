//! Reading dead letters, page by page.

use super::read::Reader;
use crate::store::ReadError;
use crate::store::dead::{DeadCondition, DeadLetter, DeadPage, ReplayEntry};

impl Reader {
    /// A page of the dead letters of which all of this holds.
    pub(in crate::store) async fn dead_letters(
        &self,
        conditions: &[DeadCondition],
        page: DeadPage,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        todo!()
    }

    /// The newest runs that put dead letters back.
    pub(in crate::store) async fn replays(
        &self,
        limit: u32,
    ) -> Result<Vec<ReplayEntry>, ReadError> {
        todo!()
    }
}
