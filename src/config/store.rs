//! Where the store is, how it is sealed, and how long what is in it is kept.

use super::check::KEEPING;
use super::problem::Fault;
use super::raw::Section;
use super::server::{Server, server};
use crate::model::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::path::PathBuf;
use std::time::Duration;

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    /// The directory that holds the database and, unless given, the data key.
    pub directory: PathBuf,
    /// The database that nodes share instead; `None`: it is in the directory.
    pub server: Option<Box<Server>>,
    /// Where callbacks wait while that is away; `None`: carriers are told to come back.
    pub spool: Option<Spool>,
    /// The data key: 32 bytes. `None`: a key file in the directory, created at first start.
    pub key: Option<Secret>,
    /// Former data keys, still able to open what they sealed.
    pub old_keys: Vec<Secret>,
    /// Jobs waiting for the writer; when full, carriers are told to come back.
    pub queue: usize,
    /// The most callbacks in one transaction.
    pub max_group: usize,
    /// Free bytes on the volume under which nothing new is accepted.
    pub disk_floor: u64,
    /// How long a repeat is recognised.
    pub dedupe_window: Duration,
    /// How long raw callbacks are kept.
    pub keep_callbacks: Duration,
    /// How long records are kept after delivery.
    pub keep_records: Duration,
}

/// Where callbacks wait on this node's disk while the database that nodes share is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// The directory of its file.
    pub directory: PathBuf,
    /// Bytes of callbacks that it takes, at most.
    pub max_bytes: u64,
}

impl Store {
    /// The data key's file when no key is configured; created at the first start, mode 0600.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.directory.join("data.key")
    }
}

/// Reads the section.
pub(super) fn store(section: &mut Section<'_>) -> Option<Store> {
    let directory = section.path("directory")?;
    let server = server(section);
    let key = section.reference("key").and_then(|reference| {
        let sealing = section.secret(&reference).and_then(|secret| data_key(&secret));
        sealing.map_err(|fault| section.reject(&reference, fault)).ok()
    });
    if let Some(Some(server)) = &server
        && !section.has("key")
    {
        let wrong = "`key` is missing: nodes that share a database need the same data key";
        let right = "write key = \"env:NAME\" or \"file:PATH\" and keep 64 hex digits there, for \
                     example from `openssl rand -hex 32`";
        section.reject(server, Fault::new(wrong, right));
    }
    let spool = spool(section, matches!(server, Some(None)))?;
    let mut old_keys = Vec::new();
    for reference in section.references("old_keys")?.value {
        match section.secret(&reference).and_then(|secret| data_key(&secret)) {
            Ok(key) => old_keys.push(key),
            Err(fault) => section.reject(&reference, fault),
        }
    }
    let queue = section.count("queue", 1..=1_000_000)?;
    let max_group = section.count("max_group", 1..=10_000)?;
    if max_group.value > queue.value {
        section.conflict(
            &max_group,
            &queue,
            Fault::new(
                format!("a group of {} never forms in a queue of {}", max_group.value, queue.value),
                "make store.queue at least as large as store.max_group",
            ),
        );
    }
    let dedupe_window = section.duration("dedupe_window", KEEPING)?;
    let keep_callbacks = section.duration("keep_callbacks", KEEPING)?;
    if dedupe_window.value > keep_callbacks.value {
        section.conflict(
            &dedupe_window,
            &keep_callbacks,
            Fault::new(
                "a repeat cannot be recognised once its callback is gone",
                "make store.keep_callbacks at least as long as store.dedupe_window",
            ),
        );
    }
    let disk_floor = section.size("disk_floor", 16 << 20..=1 << 50)?.value;
    let keep_records = section.duration("keep_records", KEEPING)?.value;
    Some(Store {
        directory: directory.value,
        server: server?.map(|server| Box::new(server.value)),
        spool,
        key,
        old_keys,
        queue: queue.value,
        max_group: max_group.value,
        disk_floor,
        dedupe_window: dedupe_window.value,
        keep_callbacks: keep_callbacks.value,
        keep_records,
    })
}

/// Reads the keys of the spool. `Some(None)`: there is none.
fn spool(section: &mut Section<'_>, is_alone: bool) -> Option<Option<Spool>> {
    let max_bytes = section.size("spool_max", 1 << 20..=1 << 50)?.value;
    if !section.has("spool") {
        return Some(None);
    }
    let directory = section.path("spool")?;
    if is_alone {
        let wrong = "only a database that nodes share can be away, and there is no `url`";
        section
            .reject(&directory, Fault::new(wrong, "leave it out, or write url = \"postgres://…\""));
    }
    Some(Some(Spool { directory: directory.value, max_bytes }))
}

/// The 32 bytes of a data key, written as hex or base64.
fn data_key(secret: &Secret) -> Result<Secret, Fault> {
    let text = secret.reveal();
    let bytes = hex::decode(text).ok().or_else(|| BASE64_STANDARD.decode(text).ok());
    match bytes {
        Some(bytes) if bytes.len() == 32 => Ok(Secret::new(bytes)),
        _ => Err(Fault::new(
            "points to something that is not a data key",
            "keep 64 hex digits there, for example from `openssl rand -hex 32`",
        )),
    }
}
