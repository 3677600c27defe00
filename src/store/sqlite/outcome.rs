//! The statements of a transaction that leases or settles, and what they came to.

use super::group::Added;
use super::inbox::Concluding;
use super::lease::{self, Settling};
use super::message;
use super::script::{Done, Place};
use crate::store::LeaseToken;
use crate::store::gathered::Written;
use crate::store::job::{RawLease, RawMessageLease};
use jiff::Timestamp;

/// The statements that settle, in the order of the group.
#[derive(Default)]
pub(super) struct AllSettling {
    pub(super) records: Vec<Settling>,
    /// Each with whether it brings news.
    pub(super) messages: Vec<(Place, bool)>,
}

/// The statements that lease, in the order of the group.
#[derive(Default)]
pub(super) struct AllLeasing {
    pub(super) records: Vec<(LeaseToken, Timestamp, Place)>,
    pub(super) messages: Vec<(LeaseToken, Place)>,
}

impl Written {
    pub(super) fn add(&mut self, added: &Added, lanes: usize, done: &Done) {
        self.records += u64::try_from(added.records).unwrap_or(0);
        self.queued += added.queued(lanes, done);
        self.arrived |= added.held;
    }

    pub(super) fn conclude(&mut self, concluding: Concluding, lanes: usize, done: &Done) {
        self.add(&concluding.added, lanes, done);
        self.concluded = concluding.concluded;
        self.messages = concluding.queueing.is_some_and(|place| done.changes(place) > 0);
    }

    pub(super) fn settle(&mut self, settling: &AllSettling, done: &Done) {
        self.settled = settling.records.iter().map(|one| one.changed(done)).collect();
        let left: u64 = self.settled.iter().map(|changed| changed.left).sum();
        self.queued -= i64::try_from(left).unwrap_or(0);
        self.released = self.settled.iter().map(|changed| changed.released).sum();
        for (place, news) in &settling.messages {
            let settled = done.changes(*place);
            self.messages_settled.push(settled);
            self.arrived |= *news && settled > 0;
        }
    }

    pub(super) fn lease(&mut self, leasing: AllLeasing, done: &Done) {
        let records = leasing.records.into_iter().map(|(token, until, place)| {
            let rows = done.rows(place).iter().map(lease::leased_row).collect();
            RawLease { token, until, rows }
        });
        self.leased = records.collect();
        let messages = leasing.messages.into_iter().map(|(token, place)| {
            let rows = done.rows(place).iter().map(message::leased_row).collect();
            RawMessageLease { token, rows }
        });
        self.messages_leased = messages.collect();
    }
}
