//! Lanes that hold: what operators ordered of them, and what their breakers say.

use super::rows::timestamp;
use super::{OpenError, Operator, ReadError, Store};
use crate::model::LaneName;
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// How long a pause lasts of which nothing else is said.
pub const USUAL_PAUSE: Duration = Duration::from_hours(24);

/// The longest pause: whoever wants more of it orders it again. Meanwhile records age towards
/// `destination.backoff.max_age`, of which this is half.
pub const LONGEST_PAUSE: Duration = Duration::from_hours(7 * 24);

/// What an operator orders of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum Order {
    /// Hold: what is under way is finished, nothing else is sent.
    Pause {
        /// Why, for other operators.
        reason: String,
        /// When it ends by itself.
        until: Timestamp,
    },
    /// End the pause.
    Resume,
    /// If the breaker holds the lane, it may try now.
    Probe,
}

/// Kinds of orders, as the database has them.
const PAUSE: i16 = 1;
const RESUME: i16 = 2;
const PROBE: i16 = 3;

impl Order {
    /// As columns: kind, reason and until.
    pub(super) fn columns(&self) -> (i16, &str, Option<i64>) {
        match self {
            Order::Pause { reason, until } => (PAUSE, reason, Some(until.as_millisecond())),
            Order::Resume => (RESUME, "", None),
            Order::Probe => (PROBE, "", None),
        }
    }

    /// Of columns.
    pub(super) fn of_columns((kind, reason, until): (i16, String, Option<i64>)) -> Order {
        match (kind, until.map(timestamp)) {
            (PAUSE, Some(until)) => Order::Pause { reason, until },
            (RESUME, _) => Order::Resume,
            _ => Order::Probe,
        }
    }

    /// The pause that was ordered so, if it was one.
    pub(super) fn pause(self, by: String, since: Timestamp) -> Option<Pause> {
        match self {
            Order::Pause { reason, until } => Some(Pause { reason, by, since, until }),
            Order::Resume | Order::Probe => None,
        }
    }
}

/// One order, for the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderLine {
    /// The lane.
    pub lane: String,
    /// When it was given.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// What.
    #[serde(flatten)]
    pub order: Order,
}

/// The place of an order among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderId(pub i64);

/// A pause that nobody ended. It may have ended by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub by: String,
    /// When.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// What stands of a lane's orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// The newest pause, unless it was resumed from.
    pub pause: Option<Pause>,
    /// The newest probe.
    pub probe: Option<OrderId>,
    /// Other nodes that live and whose breaker of this lane is not closed.
    pub troubled_elsewhere: u32,
}

impl Orders {
    /// The pause that holds the lane now.
    #[must_use]
    pub fn pause_at(&self, now: Timestamp) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| now < pause.until)
    }
}

/// A breaker that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What the last request met.
    pub cause: String,
    /// Since when nothing but probes is sent.
    pub since: Timestamp,
    /// When one request may try; `None` while one does.
    pub next_probe: Option<Timestamp>,
}

impl Store {
    /// What stands of a lane's orders, which operators give beside us.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn lane_orders(&self, lane: &LaneName) -> Result<Orders, ReadError> {
        self.reader.lane_orders(lane.as_str()).await
    }

    /// Writes down for operators and other nodes how a lane's breaker stands on this one. That is a transaction of its own,
    /// beside the writer's: it is rare, and no callback waits for it.
    ///
    /// # Errors
    /// [`OpenError`]; operators go on seeing what was.
    pub async fn note_trouble(
        &self,
        lane: &LaneName,
        trouble: Option<&Trouble>,
    ) -> Result<(), OpenError> {
        self.desk.note_trouble(lane, trouble).await
    }
}

impl Operator {
    /// Orders something of a lane; a serving gateway sees it within a second. Returns whether there
    /// is such a lane.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is ordered.
    pub async fn order(
        &self,
        lane: &LaneName,
        order: &Order,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, OpenError> {
        self.desk.order(lane, order, (by, now)).await
    }

    /// What stands of a lane's orders.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn lane_orders(&self, lane: &str) -> Result<Orders, ReadError> {
        self.reader.lane_orders(lane).await
    }

    /// How a lane's breaker stands, as a serving gateway last said; `None` when it is closed.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn trouble(&self, lane: &str) -> Result<Option<Trouble>, ReadError> {
        self.reader.trouble(lane).await
    }

    /// The orders of one lane, or of all, newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn order_history(
        &self,
        lane: Option<&LaneName>,
        limit: u32,
    ) -> Result<Vec<OrderLine>, ReadError> {
        self.reader.order_history(lane.map(LaneName::as_str), limit).await
    }
}
