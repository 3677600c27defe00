//! The quarantine: what lies in it, and what of it operators want read again.

use super::Connector;
use super::read::Reader;
use crate::model::CallbackSeq;
use crate::store::look::{QuarantineFilter, Quarantined, RequestedRereads};
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;

/// Asks for a second reading of what the filter lets through. What arrived before `keys_since` and
/// had readable neighbours is left out, as they might be counted twice.
pub(in crate::store) async fn request_reread(
    connector: &Connector,
    filter: &QuarantineFilter,
    keys_since: Timestamp,
    now: Timestamp,
) -> Result<RequestedRereads, OpenError> {
    todo!()
}

/// Takes back what is still to be read again. Returns how many there were.
pub(in crate::store) async fn withdraw_rereads(connector: &Connector) -> Result<u64, OpenError> {
    todo!()
}

impl Reader {
    /// Callbacks with parts that could not be read, newest first.
    pub(in crate::store) async fn quarantined(
        &self,
        limit: u32,
    ) -> Result<Vec<Quarantined>, ReadError> {
        todo!()
    }

    /// Callbacks that are to be read again and are still there, oldest first.
    pub(in crate::store) async fn rereads(
        &self,
        limit: u32,
    ) -> Result<Vec<Quarantined>, ReadError> {
        todo!()
    }

    /// How many of these callbacks lie in quarantine.
    pub(in crate::store) async fn still_quarantined(
        &self,
        callbacks: &[CallbackSeq],
    ) -> Result<u64, ReadError> {
        todo!()
    }

    /// How many callbacks are to be read again.
    pub(in crate::store) async fn rereads_left(&self) -> Result<u64, ReadError> {
        todo!()
    }
}
