//! Which engine a store stands on: decided once, when it is opened, and known to nobody outside.

use super::dead::{
    DeadCondition, DeadLetter, DeadPage, DeadPlace, ReplayEntry, ReplayRun, Replayed,
};
use super::inbox::{Held, InboxSeq};
use super::job::Job;
use super::ledger::{Fold, FoldedTo, Hour, Hours, Ledger, Recent, RecentPart, Reconciled};
use super::look::{
    Counts, Filter, Found, LaneStatus, QuarantineFilter, Quarantined, RequestedRereads,
    RevisionHistory,
};
use super::memory::{WakeSeq, Woken};
use super::message::{DeadMessage, MessageLaneStatus, StoredMessage, Untold, UntoldSeq};
use super::nodes::Cluster;
use super::orders::{Order, OrderLine, Orders, Trouble};
use super::queue::Due;
use super::recording::{Audio, FetchedSeq, StoredRecording, UntoldRecording};
use super::revise::{Agreement, AskedRevision, Revisable};
use super::seal::{Fingerprinter, KeyRing, LOOKUP_KEY};
use super::{
    LaneOptions, Opaque, OpenError, Place, ReadError, Shared, StoredCallback, postgres, sqlite,
};
use crate::clock::{Clock, Entropy};
use crate::lifecycle::Tasks;
use crate::model::{CallbackSeq, LaneName, MessageKey, Record, RecordId, RecordingId};
use crate::telemetry::Progress;
use jiff::Timestamp;
use sqlx::Connection;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Reads a store, beside whoever writes to it.
#[derive(Debug, Clone)]
pub(super) enum Reader {
    /// One process, one file.
    Sqlite(sqlite::Reader),
    /// A server that nodes share.
    Postgres(postgres::Reader),
}

/// What operators change beside whoever serves, each in a transaction of its own.
#[derive(Debug, Clone)]
pub(super) enum Desk {
    /// The directory of the file.
    Sqlite(PathBuf),
    /// The way to the server.
    Postgres(postgres::Connector),
}

/// Verbs that an engine's reader has by the same name.
macro_rules! reads {
    ($(fn $verb:ident($($name:ident: $type:ty),*) -> $told:ty;)*) => {
        impl Reader {
            $(
                pub(super) async fn $verb(&self, $($name: $type),*) -> Result<$told, ReadError> {
                    match self {
                        Reader::Sqlite(reader) => reader.$verb($($name),*).await,
                        Reader::Postgres(reader) => reader.$verb($($name),*).await,
                    }
                }
            )*
        }
    };
}

reads! {
    fn find(filter: &Filter) -> Vec<Found>;
    fn newest_ratings(limit: u32) -> Vec<Record>;
    fn history(id: RecordId) -> Vec<RevisionHistory>;
    fn callback(seq: CallbackSeq) -> Option<StoredCallback>;
    fn lanes() -> Vec<LaneStatus>;
    fn counts() -> Counts;
    fn next_due(lane: &str) -> Option<i64>;
    fn due(lane: &str, now: Timestamp, most: usize) -> Due;

    fn dead_letters(conditions: &[DeadCondition], page: DeadPage) -> Vec<DeadLetter>;
    fn replays(limit: u32) -> Vec<ReplayEntry>;

    fn inbox(behind: Option<InboxSeq>, limit: u32) -> Vec<Held>;
    fn inbox_depth() -> (i64, Option<i64>);
    fn recall(keys: &[&str]) -> Vec<Option<Opaque>>;
    fn memories(after: &[u8], limit: u32) -> (Vec<(String, Opaque)>, Option<Vec<u8>>);
    fn woken(now: Timestamp, behind: Option<WakeSeq>, limit: u32) -> Vec<Woken>;
    fn next_wake() -> Option<i64>;

    fn due_messages(lane: &str, now: i64, limit: u32) -> Vec<StoredMessage>;
    fn messages(ids: &[MessageKey]) -> Vec<StoredMessage>;
    fn next_message_due(lane: &str) -> Option<i64>;
    fn untold(behind: Option<UntoldSeq>, limit: u32) -> Vec<Untold>;
    fn message_lanes() -> Vec<MessageLaneStatus>;
    fn dead_messages(limit: u32) -> Vec<DeadMessage>;

    fn next_recording_due(account: &str) -> Option<i64>;
    fn untold_recordings(behind: Option<FetchedSeq>, limit: u32) -> Vec<UntoldRecording>;
    fn ended_recordings(before: i64, limit: u32) -> Vec<RecordingId>;
    fn recordings(lost: bool, limit: u32) -> Vec<StoredRecording>;

    fn lane_orders(lane: &str) -> Orders;
    fn trouble(lane: &str) -> Option<Trouble>;
    fn order_history(lane: Option<&str>, limit: u32) -> Vec<OrderLine>;

    fn quarantined(limit: u32) -> Vec<Quarantined>;
    fn rereads(limit: u32) -> Vec<Quarantined>;
    fn still_quarantined(callbacks: &[CallbackSeq]) -> u64;
    fn rereads_left() -> u64;
    fn revisions(limit: u32) -> Vec<AskedRevision>;
    fn revisions_left() -> u64;
    fn revisable_one(seq: CallbackSeq) -> Option<Revisable>;
    fn revisable(after: CallbackSeq, span: (Timestamp, Timestamp))
        -> Option<(CallbackSeq, Vec<Revisable>)>;
    fn callbacks_between(span: (Timestamp, Timestamp)) -> u64;

    fn fold(from: FoldedTo, young: (Duration, Timestamp)) -> (Fold, FoldedTo);
    fn ledger(hours: Hours, account: Option<&str>) -> Ledger;
    fn unfolded() -> i64;
    fn recent(since: Hour) -> Recent;
    fn whole_since() -> Hour;
    fn recent_part(since: Hour, places: (i64, i64)) -> RecentPart;
    fn reconcile(hours: Hours, progress: impl FnMut(i64, i64)) -> Reconciled;
}

impl Reader {
    /// What digests are taken with.
    pub(super) fn prints(&self) -> &Fingerprinter {
        match self {
            Reader::Sqlite(reader) => &reader.prints,
            Reader::Postgres(reader) => &reader.prints,
        }
    }

    /// What seals are opened with.
    pub(super) fn ring(&self) -> &KeyRing {
        match self {
            Reader::Sqlite(reader) => &reader.ring,
            Reader::Postgres(reader) => &reader.ring,
        }
    }
}

/// Changes that an engine has by the same name.
macro_rules! changes {
    ($(fn $verb:ident($($name:ident: $type:ty),*) -> $told:ty;)*) => {
        impl Desk {
            $(
                pub(super) async fn $verb(&self, $($name: $type),*) -> Result<$told, OpenError> {
                    match self {
                        Desk::Sqlite(directory) => sqlite::$verb(directory, $($name),*).await,
                        Desk::Postgres(connector) => postgres::$verb(connector, $($name),*).await,
                    }
                }
            )*
        }
    };
}

changes! {
    fn begin_replay(operator: (&str, &str), now: Timestamp) -> ReplayRun;
    fn replay(run: ReplayRun, letters: &[DeadPlace], now: Timestamp) -> Replayed;
    fn replay_messages(ids: &[MessageKey], now: Timestamp) -> u64;
    fn retry_recordings(ids: &[RecordingId], now: Timestamp) -> u64;
    fn order(lane: &LaneName, order: &Order, by: (&str, Timestamp)) -> bool;
    fn note_trouble(lane: &LaneName, trouble: Option<&Trouble>) -> ();
    fn request_reread(filter: &QuarantineFilter, keys_since: Timestamp, now: Timestamp)
        -> RequestedRereads;
    fn withdraw_rereads() -> u64;
    fn request_revisions(wanted: &[(CallbackSeq, Vec<Agreement>)], now: Timestamp) -> ();
    fn withdraw_revisions() -> u64;
}

/// An opened store, whose tasks do not run yet.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) reader: Reader,
    pub(super) desk: Desk,
    pub(super) audio: Audio,
    pub(super) cluster: Cluster,
    pub(super) pending: i64,
    /// Keeps a second process out, where one alone may have the store.
    pub(super) lock: Option<File>,
    pub(super) engine: Engine,
}

/// What the tasks run on.
#[derive(Debug)]
pub(super) enum Engine {
    Sqlite(Box<sqlite::Engine>),
    Postgres(postgres::Engine),
}

/// What the tasks share with the store.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) max_group: usize,
    pub(super) progress: Progress,
}

impl Opened {
    /// Opens what is in a place.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) async fn open(
        place: &Place,
        lanes: &[LaneOptions],
        ring: &Arc<KeyRing>,
        entropy: &Entropy,
        now: Timestamp,
    ) -> Result<Opened, OpenError> {
        let ring = Arc::clone(ring);
        match place {
            Place::Directory(directory) => {
                let opened = sqlite::open(directory, lanes, &ring, entropy, now).await?;
                let prints = Fingerprinter::new(&opened.lookup_key);
                let reader = sqlite::Reader { pool: opened.readers, ring, prints };
                Ok(Opened {
                    reader: Reader::Sqlite(reader),
                    desk: Desk::Sqlite(directory.clone()),
                    audio: Audio::files(directory),
                    cluster: Cluster::Alone,
                    pending: opened.pending,
                    lock: Some(opened.lock),
                    engine: Engine::Sqlite(Box::new(opened.engine)),
                })
            }
            Place::Server(server) => {
                let opened = postgres::open(server, lanes, &ring, entropy, now).await?;
                let connector = opened.engine.connector.clone();
                let prints = Fingerprinter::new(&opened.lookup_key);
                Ok(Opened {
                    audio: Audio::table(connector.readers()),
                    cluster: Cluster::Shared(postgres::Register::new(
                        connector.clone(),
                        server,
                        now,
                    )),
                    reader: Reader::Postgres(postgres::Reader::new(&connector, ring, prints)),
                    desk: Desk::Postgres(connector),
                    pending: opened.pending,
                    lock: None,
                    engine: Engine::Postgres(opened.engine),
                })
            }
        }
    }
}

impl Engine {
    /// Starts the tasks that serve these jobs.
    pub(super) fn start(
        self,
        ground: Ground,
        (jobs, waiting): (mpsc::WeakSender<Job>, mpsc::Receiver<Job>),
        tasks: &Tasks,
    ) {
        match self {
            Engine::Sqlite(engine) => engine.start(ground, (jobs, waiting), tasks),
            Engine::Postgres(engine) => engine.start(ground, waiting, tasks),
        }
    }
}

/// Opens what is in a place for operators, beside whoever serves from it.
///
/// # Errors
/// [`OpenError`].
pub(super) async fn open_for_operators(
    place: &Place,
    ring: Arc<KeyRing>,
) -> Result<(Desk, Reader, Audio), OpenError> {
    let prints = |sealed: Option<Vec<u8>>| {
        let sealed = sealed.ok_or_else(|| OpenError::Missing(place.to_string()))?;
        Ok::<_, OpenError>(Fingerprinter::new(&ring.open(LOOKUP_KEY.as_bytes(), &sealed)?))
    };
    match place {
        Place::Directory(directory) => {
            let pool = sqlite::open_readers(directory).await?;
            let mut connection = pool.acquire().await?;
            sqlite::check_migrated(&mut connection).await?;
            let prints = prints(sqlite::stored_lookup_key(&mut connection).await?)?;
            drop(connection);
            let reader = Reader::Sqlite(sqlite::Reader { pool, ring, prints });
            Ok((Desk::Sqlite(directory.clone()), reader, Audio::files(directory)))
        }
        Place::Server(server) => {
            let connector = postgres::Connector::new(server)?;
            let mut connection = connector.connect().await?;
            postgres::check(&mut connection).await?;
            let prints = prints(postgres::stored_lookup_key(&mut connection).await?)?;
            drop(connection.close().await);
            let audio = Audio::table(connector.readers());
            let reader = Reader::Postgres(postgres::Reader::new(&connector, ring, prints));
            Ok((Desk::Postgres(connector), reader, audio))
        }
    }
}
