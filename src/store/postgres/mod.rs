//! The store on PostgreSQL: any number of nodes that share nothing else.

mod audio;
mod commit;
mod connect;
mod dead;
mod examine;
mod inbox;
mod lease;
mod leaser;
mod ledger;
mod link;
mod listen;
mod memory;
mod message;
mod open;
mod order;
mod orders;
mod ownership;
mod partition;
mod purge;
mod quarantine;
mod read;
mod recording;
mod register;
mod replay;
mod reread;
mod revise;
mod schema;
mod traces;
mod turn;
mod writer;

pub(super) use audio::AudioTable;
pub(super) use connect::Connector;
pub use connect::{ConnectError, HostFault, HostFaults};
pub use examine::{ServerState, examine};
pub(super) use message::replay as replay_messages;
pub(super) use open::{Engine, open, stored_lookup_key};
pub(super) use orders::{note_trouble, order};
pub(super) use quarantine::{request_reread, withdraw_rereads};
pub(super) use read::Reader;
pub(super) use recording::retry as retry_recordings;
pub(super) use register::{Register, nodes};
pub(super) use replay::{begin_replay, replay};
pub(super) use revise::{request_revisions, withdraw_revisions};
pub(super) use schema::{check, migrate};

#[cfg(test)]
#[path = "../../../tests/support/postgres/shared.rs"]
mod shared;

use super::seal::Fingerprint;
use uuid::Uuid;

/// A digest as a column.
fn print(digest: Fingerprint) -> Uuid {
    Uuid::from_bytes(digest.0)
}

/// A column as a digest.
fn fingerprint(column: Uuid) -> Fingerprint {
    Fingerprint(column.into_bytes())
}
