//! Reads quarantined callbacks again, as operators ask for it after a profile was corrected.

use super::Intake;
use crate::carrier::{self, Call, Decoded, Garbled};
use crate::config::{Account, Config};
use crate::lifecycle::Tasks;
use crate::model::AccountName;
use crate::store::{Ownership, Quarantined, ReadError, StoreError, StoredCallback};
use crate::telemetry::Progress;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often a serving gateway looks whether anything is to be read again.
const LOOK: Duration = Duration::from_secs(1);
/// Callbacks taken up at once.
const AT_ONCE: u32 = 100;

/// Why callbacks could not be read again.
#[derive(Debug, thiserror::Error)]
pub enum RereadError {
    /// They could not be fetched.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was made of them could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads quarantined callbacks with today's profiles.
#[derive(Debug, Clone)]
pub struct Rereader {
    intake: Intake,
    accounts: Arc<BTreeMap<AccountName, Arc<Account>>>,
}

impl Rereader {
    /// With the accounts of a configuration.
    #[must_use]
    pub fn new(intake: Intake, config: &Config) -> Rereader {
        Rereader { intake, accounts: Arc::new(config.accounts.clone()) }
    }

    /// Takes up what operators ask for, until the gateway stops, while that is this node's to do.
    pub async fn run(self, ownership: Ownership, progress: Progress, tasks: Tasks) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = tasks.stopping() => return,
            }
            if ownership.token().is_err() {
                continue;
            }
            progress.begin("reading what is asked for");
            let read = self.read_all(&progress).await;
            progress.rest();
            match read {
                Ok(0) => {}
                Ok(read) => tracing::info!(read, "quarantined callbacks were read again"),
                Err(error) => tracing::warn!(%error, "quarantined callbacks wait to be read again"),
            }
        }
    }

    /// Reads everything that operators ask for now. Returns how many callbacks that was.
    ///
    /// # Errors
    /// [`RereadError`]; what was not read is still asked for.
    pub async fn take_up(&self) -> Result<usize, RereadError> {
        self.read_all(&Progress::new("quarantine reader")).await
    }

    async fn read_all(&self, progress: &Progress) -> Result<usize, RereadError> {
        let mut read = 0;
        loop {
            let waiting = self.intake.store().rereads(AT_ONCE).await?;
            if waiting.is_empty() {
                return Ok(read);
            }
            for Quarantined { callback, .. } in &waiting {
                let Some(callback) = callback else { continue };
                progress.step();
                let (account, decoded) = self.decode(callback);
                self.intake.store_again(callback, account, &decoded).await?;
                read += 1;
            }
        }
    }

    /// What a callback says by today's profile of its account.
    fn decode(&self, callback: &StoredCallback) -> (Option<&Account>, Decoded) {
        let unreadable = |problem: &'static str| {
            let garbled = vec![Garbled::new("account", problem)];
            Decoded { garbled, ..Decoded::default() }
        };
        let Some(account) = self.accounts.get(&callback.account) else {
            return (None, unreadable("no longer in the configuration; give it back its name"));
        };
        match decode(account, callback) {
            Some(decoded) => (Some(account), decoded),
            None => (None, unreadable("no longer answers at this path; give it back its route")),
        }
    }
}

/// What a stored callback says by an account's profile; `None` when the profile has no such route.
#[must_use]
pub fn decode(account: &Account, callback: &StoredCallback) -> Option<Decoded> {
    let raw = &callback.raw;
    let (path, query) = raw.target.split_once('?').unwrap_or((&raw.target, ""));
    let route = account.route_at(path)?;
    let headers: HeaderMap = raw
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(value).ok()?))
        })
        .collect();
    let method = raw.method.parse().unwrap_or(Method::POST);
    let call = Call {
        method: &method,
        route,
        target: &raw.target,
        query,
        // Only signatures are over the URL, and this one was believed when it came.
        url: "",
        headers: &headers,
        body: &raw.body,
    };
    Some(carrier::decode(&call, account))
}
