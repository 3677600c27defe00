//! The ledger (对账): of each account and hour what came, and what became of it.
//!
//! It is kept beside the hot path: housekeeping looks for what is new in the tables, on a connection that only reads, and has
//! the writer add the sums, so that nothing waits for it. What it says is therefore a little old, and then exact.

mod balance;
mod book;
mod compare;
mod count;
mod fold;
mod recent;
mod tally;

use super::{Operator, ReadError, Store, StoreError};
use crate::telemetry::Refusals;
pub(super) use balance::Balance;
pub(super) use book::BookRows;
pub(super) use compare::compare;
pub use compare::{Difference, Figure};
pub(super) use count::{Count, ForwardRow};
pub(super) use fold::{Fold, FoldedTo};
use jiff::Timestamp;
pub(super) use recent::{Recent, RecentPart};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;
pub(super) use tally::tally;

/// An hour of UTC, which is one at +08:00, too: the hours since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i64);

impl Hour {
    /// The hour that a time lies in.
    #[must_use]
    pub fn of(at: Timestamp) -> Hour {
        Hour(at.as_second().div_euclid(3600))
    }

    /// When it begins.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_second(self.0.saturating_mul(3600)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Hour {
        Hour(self.0.saturating_add(1))
    }
}

impl Serialize for Hour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.start().display_with_offset(jiff::tz::offset(8)))
    }
}

/// Hours from one on and before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// The first.
    pub since: Hour,
    /// The one behind the last.
    pub until: Hour,
}

impl Hours {
    /// Whether an hour is one of them.
    pub(super) fn contain(self, hour: Hour) -> bool {
        hour >= self.since && hour < self.until
    }
}

/// Where records are in a lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Places {
    /// With the platform.
    pub delivered: i64,
    /// In the outbox.
    pub pending: i64,
    /// Given up.
    pub dead: i64,
    /// Overtaken by a later revision.
    pub superseded: i64,
    /// Not wanted there.
    pub not_for_it: i64,
    /// In none of these, or in two: the difference, which must be 0.
    pub difference: i64,
}

impl Places {
    /// Counts records in a place, by the number that the database has for it.
    pub(super) fn add(&mut self, place: i64, records: i64) {
        *match place {
            1 => &mut self.delivered,
            2 => &mut self.pending,
            3 => &mut self.dead,
            4 => &mut self.superseded,
            6 => &mut self.not_for_it,
            _ => &mut self.difference,
        } += records;
    }

    /// All of them.
    #[must_use]
    pub fn records(&self) -> i64 {
        self.placed() + self.difference
    }

    /// Those that are in a place.
    #[must_use]
    pub fn placed(&self) -> i64 {
        self.delivered + self.pending + self.dead + self.superseded + self.not_for_it
    }
}

/// What came of an account in an hour, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Callbacks that are stored, repeats among them.
    pub callbacks: i64,
    /// Callbacks of which nothing is stored, by reason.
    pub refused: BTreeMap<String, i64>,
    /// Events that repeated an earlier one.
    pub repeats: i64,
    /// Events that made no record, and conclusions that made none.
    pub notes: i64,
    /// Record revisions.
    pub records: i64,
    /// Where these are, by lane; a lane has no part in what was stored before it was configured.
    pub lanes: BTreeMap<String, Places>,
}

impl Entry {
    /// Callbacks that were refused.
    #[must_use]
    pub fn refusals(&self) -> i64 {
        self.refused.values().sum()
    }

    /// Callbacks that came: stored or refused.
    #[must_use]
    pub fn received(&self) -> i64 {
        self.callbacks + self.refusals()
    }
}

/// Entries by hour and account.
pub type Book = BTreeMap<(Hour, String), Entry>;

/// The ledger of some hours.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Its entries; hours in which nothing came have none.
    pub book: Book,
    /// Record revisions that it has not taken in yet, of all hours: those of the last seconds, and what it has not got to.
    pub unfolded: i64,
}

/// Why the ledger cannot be brought forward.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Looking for what is new.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Writing it down.
    #[error(transparent)]
    Write(#[from] StoreError),
}

/// A full count beside the ledger.
#[derive(Debug, Clone, Default)]
pub struct Reconciled {
    /// How many hours of accounts were compared.
    pub compared: u64,
    /// What was not as the ledger says.
    pub differences: Vec<Difference>,
    /// What each lane delivered, by the day at +08:00 on which it was received.
    pub delivered: BTreeMap<(String, Day), Delivered>,
    /// Some of the callbacks, notes, and records from before these times are erased: of such hours only the ledger tells.
    pub erased: Erased,
}

/// From before when something is erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Callbacks and notes.
    pub callbacks: Option<Timestamp>,
    /// Records.
    pub records: Option<Timestamp>,
}

/// A day at +08:00: the days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

impl Day {
    /// The day that an hour lies in.
    #[must_use]
    pub fn of(hour: Hour) -> Day {
        Day((hour.0 + 8).div_euclid(24))
    }

    /// Its hours.
    #[must_use]
    pub fn hours(self) -> Hours {
        let since = self.0.saturating_mul(24) - 8;
        Hours { since: Hour(since), until: Hour(since + 24) }
    }
}

/// What a lane delivered of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Ratings.
    pub ratings: i64,
    /// Complaints.
    pub complaints: i64,
    /// Ends without a rating.
    pub not_rated: i64,
    /// Records that the platform may have or not have: pending, dead and superseded ones.
    pub unsure: i64,
}

impl Store {
    /// Where callbacks are counted of which nothing is stored.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Brings the ledger forward by one step, as far as the records that came in the last `age`. Returns whether there is
    /// more to take in at once.
    ///
    /// # Errors
    /// [`LedgerError`]; the ledger is as it was.
    pub async fn fold_ledger(&self, age: Duration) -> Result<bool, LedgerError> {
        let mut from = self.folded.lock().await;
        let (fold, next) = self.reader.fold(*from, (age, self.clock.now())).await?;
        let more = fold.more;
        if fold.changes() {
            self.ask(|answer| super::job::Job::Ledger(Box::new(fold), answer)).await?;
        }
        *from = next;
        self.ledger_metrics.unfolded(self.reader.unfolded().await?);
        Ok(more)
    }

    /// Writes the callbacks down that were refused since the last time.
    ///
    /// # Errors
    /// [`StoreError`]; they are written the next time.
    pub async fn write_refusals(&self) -> Result<(), StoreError> {
        let taken = self.refusals.take();
        if taken.is_empty() {
            return Ok(());
        }
        let rows = taken.iter().map(|(refusal, callbacks)| {
            let callbacks = i64::try_from(*callbacks).unwrap_or(i64::MAX);
            (refusal.hour, refusal.account.to_string(), refusal.reason, callbacks)
        });
        let rows = rows.collect();
        let written = self.ask(|answer| super::job::Job::Refused(rows, answer)).await;
        if written.is_err() {
            self.refusals.put_back(taken);
        }
        written
    }
}

impl Operator {
    /// The ledger of some hours, of one account or all.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn ledger(&self, hours: Hours, account: Option<&str>) -> Result<Ledger, ReadError> {
        self.reader.ledger(hours, account).await
    }

    /// Counts all that is stored of some hours, and compares it with the ledger as of one moment. Tells `progress` how
    /// many records of how many it has looked at. It reads the whole store.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn reconcile(
        &self,
        hours: Hours,
        progress: impl FnMut(i64, i64),
    ) -> Result<Reconciled, ReadError> {
        self.reader.reconcile(hours, progress).await
    }
}

/// Where the last step of folding ended.
pub(super) type Folded = tokio::sync::Mutex<FoldedTo>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_at_0800_has_24_hours_of_utc() {
        let hour = Hour::of("2026-11-24T16:30:00Z".parse().expect("a time"));
        assert_eq!(serde_json::json!(hour), "2026-11-25T00:00:00+08:00");
        let Hours { since, until } = Day::of(hour).hours();
        assert_eq!((since, until), (hour, Hour(hour.0 + 24)));
        assert_eq!(Day::of(Hour(hour.0 - 1)), Day(Day::of(hour).0 - 1));
        assert_eq!(since.next().start().to_string(), "2026-11-24T17:00:00Z");
    }
}
