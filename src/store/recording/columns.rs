//! Recordings as every engine keeps them: what became of them as columns, and rows as callers see them.

use super::{FetchedSeq, RecordingSettled, StoredRecording, UntoldRecording};
use crate::model::RecordingId;
use crate::store::callback::Opaque;
use crate::store::job::LeasedRecordingRow;
use crate::store::rows::{self, timestamp};
use crate::store::seal::KeyRing;
use uuid::Uuid;

const WAITING: i16 = 0;
const KEPT: i16 = 1;
const LOST: i16 = 2;

/// What became of a recording as columns: state, due_at, ended_at, reason, became.
pub(in crate::store) type Verdict = (i16, i64, Option<i64>, Option<String>, Option<Vec<u8>>);

/// The columns id, account, state, due_at, attempts, queued_at, ended_at, reason, sealed, became.
pub(in crate::store) type RecordingRow =
    (Uuid, String, i16, i64, i32, i64, Option<i64>, Option<String>, Vec<u8>, Option<Vec<u8>>);

/// The columns id, became, ended_at.
pub(in crate::store) type UntoldRow = (Uuid, Vec<u8>, i64);

/// The columns id, attempts, queued_at, sealed.
pub(in crate::store) type LeasedRow = (Uuid, i32, i64, Vec<u8>);

impl RecordingSettled {
    pub(in crate::store) fn into_columns(self, now: i64) -> Verdict {
        match self {
            RecordingSettled::Kept { became } => (KEPT, now, Some(now), None, Some(became.0)),
            RecordingSettled::Retry { due, reason } => {
                (WAITING, due.as_millisecond(), None, Some(reason), None)
            }
            RecordingSettled::Lost { reason, became } => {
                (LOST, now, Some(now), Some(reason), became.map(|it| it.0))
            }
        }
    }
}

impl StoredRecording {
    pub(in crate::store) fn of_row(row: RecordingRow, ring: &KeyRing) -> StoredRecording {
        let (id, account, state, due, attempts, queued_at, ended_at, reason, sealed, became) = row;
        let id = RecordingId(id);
        let became = became.and_then(|it| ring.open(&rows::became_place(id), &it).ok());
        StoredRecording {
            id,
            account,
            state: match state {
                WAITING => "waiting",
                KEPT => "kept",
                _ => "lost",
            },
            due: timestamp(due),
            attempts: attempts.unsigned_abs(),
            queued_at: timestamp(queued_at),
            ended_at: ended_at.map(timestamp),
            reason,
            bytes: ring.open(&rows::recording_place(id), &sealed).ok().map(Opaque),
            became: became.map(Opaque),
        }
    }
}

impl UntoldRecording {
    pub(in crate::store) fn of_row(
        (id, became, ended_at): UntoldRow,
        ring: &KeyRing,
    ) -> UntoldRecording {
        let id = RecordingId(id);
        let bytes = ring.open(&rows::became_place(id), &became).ok().map(Opaque);
        UntoldRecording { seq: FetchedSeq { ended_at, id }, id, bytes }
    }
}

/// A leased row as the writer hands it on.
pub(in crate::store) fn leased((id, attempts, queued_at, sealed): LeasedRow) -> LeasedRecordingRow {
    (RecordingId(id), attempts.unsigned_abs(), timestamp(queued_at), sealed)
}
