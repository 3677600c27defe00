//! Callbacks that are read again by today's rules: what is left of them, and which of their answers operators want
//! revised.
//!
//! An operator's command asks with the digests of what it showed; whoever owns the store takes the requests up with
//! [`Store::revisions`] and ends each with a conclusion whose `revised` names it.

use super::job::ConcludeJob;
use super::rows::StoredCallback;
use super::seal::Fingerprint;
use super::standing::revisions;
use super::{OpenError, Operator, ReadError, Store};
use crate::model::{CallbackSeq, Traces};
use jiff::Timestamp;
use uuid::Uuid;

/// A callback as it came, and what is left of it.
#[derive(Debug, Clone)]
pub struct Revisable {
    /// The callback.
    pub callback: StoredCallback,
    /// What is left of it.
    pub traces: Traces,
}

/// What an operator was shown of an answer, as a keyed digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement(pub(super) Fingerprint);

impl Agreement {
    /// Agreements as a column.
    pub(super) fn column(agreed: &[Agreement]) -> Vec<u8> {
        agreed.iter().flat_map(|Agreement(print)| print.0).collect()
    }

    /// A column as agreements.
    pub(super) fn of_column(column: &[u8]) -> Vec<Agreement> {
        let (agreed, _) = column.as_chunks::<{ Fingerprint::LEN }>();
        agreed.iter().map(|print| Agreement(Fingerprint(*print))).collect()
    }
}

/// A request that a conclusion ends, and the revisions that it records.
#[derive(Debug)]
pub(super) struct Revised {
    pub(super) callback: CallbackSeq,
    pub(super) records: Vec<(Uuid, u32)>,
}

impl Revised {
    /// What ends with this conclusion, if anything does.
    pub(super) fn by(job: &ConcludeJob) -> Option<Revised> {
        let callback = job.revised?;
        Some(Revised { callback, records: revisions(job).collect() })
    }

    /// What the history of its records says of it.
    pub(super) fn said(&self) -> String {
        format!("callback {} was read again for an operator", self.callback)
    }
}

/// A callback of which an operator wants some answers revised.
#[derive(Debug, Clone)]
pub struct AskedRevision {
    /// Its place in the order of arrival.
    pub seq: CallbackSeq,
    /// What there is of it, unless it is erased.
    pub revisable: Option<Revisable>,
    pub(super) agreed: Vec<Agreement>,
}

impl Store {
    /// Callbacks that are to be read again, oldest first. Each is asked for until a conclusion or an operator ends
    /// it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn revisions(&self, limit: u32) -> Result<Vec<AskedRevision>, ReadError> {
        self.reader.revisions(limit).await
    }

    /// Whether an operator was shown just this, and wants it.
    #[must_use]
    pub fn is_agreed(&self, asked: &AskedRevision, content: &[u8]) -> bool {
        asked.agreed.contains(&Agreement(self.prints.reading(content)))
    }
}

impl Operator {
    /// The next few callbacks behind `after` that arrived in this time, oldest first, with what is left of them; and the
    /// last place looked at. `None`: there are no more.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn revisable(
        &self,
        after: CallbackSeq,
        span: (Timestamp, Timestamp),
    ) -> Result<Option<(CallbackSeq, Vec<Revisable>)>, ReadError> {
        self.reader.revisable(after, span).await
    }

    /// How many callbacks arrived in this time, and on the same pages.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn callbacks_between(&self, span: (Timestamp, Timestamp)) -> Result<u64, ReadError> {
        self.reader.callbacks_between(span).await
    }

    /// One callback with what is left of it; `None`: it is erased.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn revisable_one(&self, seq: CallbackSeq) -> Result<Option<Revisable>, ReadError> {
        self.reader.revisable_one(seq).await
    }

    /// The agreement to what an answer comes to.
    #[must_use]
    pub fn agreement(&self, content: &[u8]) -> Agreement {
        Agreement(self.reader.prints().reading(content))
    }

    /// Asks for the answers of these callbacks that were agreed to, to be revised by whoever serves or opens the store. What comes to something else by then is left as it is.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is asked for.
    pub async fn request_revisions(
        &self,
        wanted: &[(CallbackSeq, Vec<Agreement>)],
        now: Timestamp,
    ) -> Result<(), OpenError> {
        self.desk.request_revisions(wanted, now).await
    }

    /// How many callbacks are still to be read again for it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn revisions_left(&self) -> Result<u64, ReadError> {
        self.reader.revisions_left().await
    }

    /// Takes back what is still asked for. Returns how many callbacks there were.
    ///
    /// # Errors
    /// [`OpenError`]; they are still asked for.
    pub async fn withdraw_revisions(&self) -> Result<u64, OpenError> {
        self.desk.withdraw_revisions().await
    }
}
