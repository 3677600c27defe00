//! The queue to the platform: lease, settlement, dead letter.

use super::job::{self, Job, LeaseJob};
use super::{ReadError, Store, StoreError, Unreadable, look, rows};
use crate::model::{LaneName, Record, RecordSeq};
use jiff::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// Proof of a lease; a settlement without it changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken(pub i64);

impl LeaseToken {
    /// That of whatever is not leased.
    pub(super) const NONE: LeaseToken = LeaseToken(0);
}

/// Records that are ours to send until a time.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The proof.
    pub token: LeaseToken,
    /// Until when.
    pub until: Timestamp,
    /// The records, in the order to send them.
    pub items: Vec<Leased>,
    /// How many more were due that cannot be opened, and are set aside as dead letters.
    pub unreadable: usize,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// So many, as far as was looked.
    pub records: usize,
    /// Whether there are complaints among them, or what must go before one.
    pub urgent: bool,
    /// Since when the first of them is due.
    pub since: Option<Timestamp>,
}

/// One leased record.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Its place in the queue.
    pub seq: RecordSeq,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Since when it waits; its age counts from here.
    pub queued_at: Timestamp,
    /// The record.
    pub record: Record,
}

/// What became of the records of one request.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The lane.
    pub lane: LaneName,
    /// The lease under which they were sent.
    pub token: LeaseToken,
    /// The request itself.
    pub report: SendReport,
    /// The verdict for each record.
    pub items: Vec<(RecordSeq, Settled)>,
}

/// One request to the platform, or another thing that happened to records, for the history.
#[derive(Debug, Clone)]
pub struct SendReport {
    /// When it started.
    pub started_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The status, when there was an answer.
    pub status: Option<u16>,
    /// The answer or the failure in short, without personal data; empty when all went well.
    pub answer: String,
}

/// The verdict for one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The platform has it.
    Delivered,
    /// To be sent again.
    Retry {
        /// Not before.
        due: Timestamp,
        /// Why, in short.
        reason: String,
    },
    /// Not sent, or known to be without effect; due at once and the attempt is not counted.
    Released,
    /// Given up, until an operator replays it.
    Dead {
        /// Which kind.
        class: DeadClass,
        /// The last answer, trimmed and without personal data.
        reason: String,
    },
}

/// Why a record is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadClass {
    /// The platform refused it for good.
    Rejected,
    /// The platform refused it for good in an answer whose status was a success.
    RefusedIn200,
    /// It lacks what the platform's profile needs, and was not sent.
    Unwritable,
    /// The platform finds it too large even alone.
    TooLarge,
    /// It ran out of attempts.
    Attempts,
    /// It ran out of time.
    Age,
    /// It may have been taken or not, and must not be taken twice.
    Unknown,
    /// It cannot be opened: it is damaged, or its data key is gone.
    Unreadable,
}

impl DeadClass {
    /// All of them.
    pub const ALL: [DeadClass; 8] = [
        DeadClass::Rejected,
        DeadClass::RefusedIn200,
        DeadClass::Unwritable,
        DeadClass::TooLarge,
        DeadClass::Attempts,
        DeadClass::Age,
        DeadClass::Unknown,
        DeadClass::Unreadable,
    ];

    /// The name, as lists and metrics show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DeadClass::Rejected => "rejected",
            DeadClass::RefusedIn200 => "refused_in_200",
            DeadClass::Unwritable => "unwritable",
            DeadClass::TooLarge => "too_large",
            DeadClass::Attempts => "attempts",
            DeadClass::Age => "age",
            DeadClass::Unknown => "unknown",
            DeadClass::Unreadable => "unreadable",
        }
    }
}

impl Store {
    /// Leases up to `max` due records of a lane until `until`: complaints near their deadline first, then other
    /// complaints, then oldest; of each case the first alone, and with the rank of what waits for it.
    /// Each lease counts as an attempt from this moment, whatever becomes of the sender. What cannot be
    /// opened is set aside in the same turn, and holds up nothing.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is leased.
    pub async fn lease(
        &self,
        lane: &LaneName,
        max: usize,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        let (lane, now) = (lane.clone(), self.clock.now());
        let wanted = lane.clone();
        let near = now.checked_add(self.urgent_before(&lane)).unwrap_or(Timestamp::MAX);
        let wish = |answer| Job::Lease(LeaseJob { lane: wanted, max, now, until, near, answer });
        let raw = self.ask(wish).await?;
        let mut lease =
            Lease { token: raw.token, until: raw.until, items: Vec::new(), unreadable: 0 };
        let mut unreadable = Vec::new();
        for job::LeasedRow { seq, attempt, queued_at, row } in raw.rows {
            match look::open_record(&self.shared.ring, &row) {
                Ok(record) => lease.items.push(Leased { seq, attempt, queued_at, record }),
                Err(bad) => unreadable.push((seq, bad)),
            }
        }
        lease.unreadable = unreadable.len();
        self.set_aside(lane, lease.token, unreadable).await;
        Ok(lease)
    }

    fn urgent_before(&self, lane: &LaneName) -> Duration {
        let options = self.lanes.iter().find(|options| options.name == *lane);
        options.map_or(Duration::ZERO, |options| options.urgent_before)
    }

    /// Gives up what cannot be opened. If that fails, it is due again when its lease ends.
    async fn set_aside(
        &self,
        lane: LaneName,
        token: LeaseToken,
        unreadable: Vec<(RecordSeq, Unreadable)>,
    ) {
        if unreadable.is_empty() {
            return;
        }
        let report = SendReport {
            started_at: self.clock.now(),
            took: Duration::ZERO,
            status: None,
            answer: "not sent: it cannot be opened".to_owned(),
        };
        let dead = |(seq, Unreadable { id, revision, why, .. })| {
            tracing::error!(%lane, %id, %revision, why, "a record cannot be opened and is set aside");
            (seq, Settled::Dead { class: DeadClass::Unreadable, reason: why })
        };
        let items = unreadable.into_iter().map(dead).collect();
        let settlement = Settlement { lane: lane.clone(), token, report, items };
        if let Err(error) = self.settle(settlement).await {
            tracing::warn!(%lane, %error, "what cannot be opened stays in the queue for now");
        }
    }

    /// Settles what became of leased records. Returns how many were no longer under this lease
    /// and so were left alone.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is settled, and the leases run on.
    pub async fn settle(&self, settlement: Settlement) -> Result<usize, StoreError> {
        self.ask(|answer| Job::Settle(settlement, answer)).await
    }

    /// A watch that changes with every commit that queued records, or brought them their turn. Take it before looking.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<()> {
        self.commits.clone()
    }

    /// When the next record of a lane is due, if there is any.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn next_due(&self, lane: &LaneName) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.reader.next_due(lane.as_str()).await?.map(rows::timestamp))
    }

    /// What is due of a lane, of which no more than so many are looked at.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn due(&self, lane: &LaneName, most: usize) -> Result<Due, ReadError> {
        self.reader.due(lane.as_str(), self.clock.now(), most).await
    }

    /// Records waiting to be sent, as of the last commit.
    #[must_use]
    pub fn pending(&self) -> i64 {
        self.shared.pending.load(Ordering::Relaxed)
    }
}
