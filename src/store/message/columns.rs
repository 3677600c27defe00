//! Messages as every engine keeps them: verdicts as columns, and rows as callers see them.

use super::{
    DeadMessage, MessageLaneStatus, MessageSettled, MessageState, StoredMessage, Untold, UntoldSeq,
};
use crate::model::MessageKey;
use crate::store::KeyRing;
use crate::store::callback::Opaque;
use crate::store::job::LeasedMessageRow;
use crate::store::rows::{self, timestamp};
use uuid::Uuid;

const WAITING: i16 = 0;
const SENT: i16 = 1;
const DROPPED: i16 = 2;
const DEAD: i16 = 3;

/// The states in which a message stays only until its time has come.
pub(in crate::store) const ERASABLE: [i16; 2] = [SENT, DROPPED];

/// A verdict as columns: state, due time, attempts to take back, class, reason.
pub(in crate::store) type Verdict<'a> = (i16, i64, i16, Option<&'static str>, Option<&'a str>);

/// The columns id, lane, state, due_at, attempts, ended_at, reason, sealed.
pub(in crate::store) type MessageRow =
    (Uuid, String, i16, i64, i32, Option<i64>, Option<String>, Vec<u8>);

/// The columns id, lane, class, reason, ended_at, attempts, queued_at, expires, sealed.
pub(in crate::store) type DeadRow = (Uuid, String, String, String, i64, i32, i64, i64, Vec<u8>);

/// The columns id, news, seq.
pub(in crate::store) type UntoldRow = (Uuid, Vec<u8>, i64);

/// The columns id, attempts, in_doubt, queued_at, expires, sealed.
pub(in crate::store) type LeasedRow = (Uuid, i32, i16, i64, i64, Vec<u8>);

/// A lane's name, how many are pending, leased and waiting to retry, since when the oldest waits and when the next is
/// due, and how many were sent, dropped and given up.
pub(in crate::store) type LaneRow =
    (String, i64, i64, i64, Option<i64>, Option<i64>, i64, i64, i64);

impl MessageSettled {
    pub(in crate::store) fn columns(&self, now: i64) -> Verdict<'_> {
        match self {
            MessageSettled::Sent => (SENT, now, 0, None, None),
            MessageSettled::Retry { due, reason } => {
                (WAITING, due.as_millisecond(), 0, None, Some(reason))
            }
            MessageSettled::Released => (WAITING, now, 1, None, None),
            MessageSettled::Dropped { reason } => (DROPPED, now, 0, None, Some(reason)),
            MessageSettled::Dead { class, reason } => {
                (DEAD, now, 0, Some(class.name()), Some(reason))
            }
        }
    }
}

impl StoredMessage {
    pub(in crate::store) fn of_row(row: MessageRow, ring: &KeyRing) -> StoredMessage {
        let (id, lane, state, due, attempts, ended_at, reason, sealed) = row;
        let id = MessageKey(id);
        StoredMessage {
            id,
            lane,
            state: match state {
                WAITING => MessageState::Waiting,
                SENT => MessageState::Sent,
                DROPPED => MessageState::Dropped,
                _ => MessageState::Dead,
            },
            due: timestamp(due),
            attempts: attempts.unsigned_abs(),
            ended_at: ended_at.map(timestamp),
            reason,
            bytes: open(id, &sealed, ring),
        }
    }
}

impl DeadMessage {
    pub(in crate::store) fn of_row(row: DeadRow, ring: &KeyRing) -> DeadMessage {
        let (id, lane, class, reason, died_at, attempts, queued_at, expires, sealed) = row;
        let id = MessageKey(id);
        DeadMessage {
            id,
            lane,
            class,
            reason,
            died_at: timestamp(died_at),
            attempts: attempts.unsigned_abs(),
            queued_at: timestamp(queued_at),
            expires: timestamp(expires),
            bytes: open(id, &sealed, ring),
        }
    }
}

impl Untold {
    pub(in crate::store) fn of_row((id, news, seq): UntoldRow, ring: &KeyRing) -> Untold {
        let id = MessageKey(id);
        let bytes = ring.open(&rows::news_place(id), &news).ok().map(Opaque);
        Untold { seq: UntoldSeq(seq), id, bytes }
    }
}

impl LeasedMessageRow {
    pub(in crate::store) fn of_row(row: LeasedRow) -> LeasedMessageRow {
        let (id, attempts, in_doubt, queued_at, expires, sealed) = row;
        LeasedMessageRow {
            id: MessageKey(id),
            attempt: attempts.unsigned_abs(),
            in_doubt: in_doubt != 0,
            queued_at: timestamp(queued_at),
            expires: timestamp(expires),
            sealed,
        }
    }
}

impl MessageLaneStatus {
    pub(in crate::store) fn of_row(row: LaneRow) -> MessageLaneStatus {
        let (name, pending, leased, waiting_to_retry, oldest, next_due, sent, dropped, dead) = row;
        let (oldest, next_due) = (oldest.map(timestamp), next_due.map(timestamp));
        MessageLaneStatus {
            name,
            pending,
            leased,
            waiting_to_retry,
            oldest,
            next_due,
            sent,
            dropped,
            dead,
        }
    }
}

fn open(id: MessageKey, sealed: &[u8], ring: &KeyRing) -> Option<Opaque> {
    ring.open(&rows::message_place(id), sealed).ok().map(Opaque)
}
