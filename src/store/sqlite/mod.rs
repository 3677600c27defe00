//! The store on SQLite: one writer connection in WAL mode with synchronous FULL, a few readers,
//! and a checkpointer of its own.

mod checkpoint;
mod dead;
mod filed;
mod group;
mod inbox;
mod lease;
mod ledger;
mod memory;
mod message;
mod open;
mod order;
mod orders;
mod outcome;
mod pack;
mod purge;
mod quarantine;
mod read;
mod recording;
mod replay;
mod reread;
mod revise;
mod script;
mod spool;
mod traces;
mod writer;

pub(super) use message::replay as replay_messages;
pub(super) use open::{
    Engine, check_migrated, database_file, is_served, next_places, open, open_alone, open_readers,
    schema, stored_lookup_key,
};
pub(super) use orders::{note_trouble, order};
pub(super) use quarantine::{request_reread, withdraw_rereads};
pub(super) use read::Reader;
pub(super) use recording::retry as retry_recordings;
pub(super) use replay::{begin_replay, replay};
pub(super) use revise::{request_revisions, withdraw_revisions};
pub(super) use spool::{Spool, spooled_in};

/// A JSON array of integers: how a list of any length is one argument of a statement.
fn json_list(numbers: impl IntoIterator<Item = i64>) -> String {
    let mut list = String::from("[");
    for number in numbers {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(&number.to_string());
    }
    list.push(']');
    list
}

/// A JSON array of rows or texts.
fn json<T: serde::Serialize>(rows: &[T]) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// Where the rows of a run begin, over all its kinds.
fn first_row_of_run(run: i64) -> i64 {
    super::keys::first_bucket(run, super::keys::KeyKind::Dedupe)
}
