//! Requests to revise what was made of callbacks: asked for by operators, ended with a conclusion.

use super::Connector;
use super::read::Reader;
use crate::model::CallbackSeq;
use crate::store::revise::{Agreement, AskedRevision};
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;

/// Asks for these callbacks, each with the digests of what an operator was shown; again if one was asked
/// for already.
pub(in crate::store) async fn request_revisions(
    connector: &Connector,
    wanted: &[(CallbackSeq, Vec<Agreement>)],
    now: Timestamp,
) -> Result<(), OpenError> {
    todo!()
}

/// Takes back what is still asked for. Returns how many callbacks there were.
pub(in crate::store) async fn withdraw_revisions(connector: &Connector) -> Result<u64, OpenError> {
    todo!()
}

impl Reader {
    /// Callbacks that are to be read again, oldest first.
    pub(in crate::store) async fn revisions(
        &self,
        limit: u32,
    ) -> Result<Vec<AskedRevision>, ReadError> {
        todo!()
    }

    /// How many callbacks are to be read again.
    pub(in crate::store) async fn revisions_left(&self) -> Result<u64, ReadError> {
        todo!()
    }
}

pub(super) async fn find_asked(
    connection: &mut sqlx::postgres::PgConnection,
    callbacks: &[CallbackSeq],
) -> Result<std::collections::HashSet<CallbackSeq>, sqlx::Error> {
    Ok(Default::default())
}
pub(super) async fn end(
    connection: &mut sqlx::postgres::PgConnection,
    lanes: &super::turn::Lanes,
    revised: &[crate::store::revise::Revised],
    now: i64,
) -> Result<(), sqlx::Error> {
    Ok(())
}
