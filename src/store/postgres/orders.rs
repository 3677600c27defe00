//! What operators order of lanes, and how their breakers stand, in the database.

use super::Connector;
use super::read::Reader;
use crate::model::LaneName;
use crate::store::orders::{Order, OrderLine, Orders, Trouble};
use crate::store::{OpenError, ReadError};
use jiff::Timestamp;

/// Writes down an order, on a connection of the operator's own. Returns whether there is such a
/// lane.
pub(in crate::store) async fn order(
    connector: &Connector,
    lane: &LaneName,
    order: &Order,
    (by, now): (&str, Timestamp),
) -> Result<bool, OpenError> {
    todo!()
}

/// Writes down how a lane's breaker stands, beside the writer.
pub(in crate::store) async fn note_trouble(
    connector: &Connector,
    lane: &LaneName,
    trouble: Option<&Trouble>,
) -> Result<(), OpenError> {
    todo!()
}

impl Reader {
    /// What stands of a lane's orders.
    pub(in crate::store) async fn lane_orders(&self, lane: &str) -> Result<Orders, ReadError> {
        todo!()
    }

    /// How a lane's breaker stands, unless it is closed.
    pub(in crate::store) async fn trouble(&self, lane: &str) -> Result<Option<Trouble>, ReadError> {
        todo!()
    }

    /// The orders of one lane, or of all, newest first.
    pub(in crate::store) async fn order_history(
        &self,
        lane: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OrderLine>, ReadError> {
        todo!()
    }
}
