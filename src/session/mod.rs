//! Carriers whose messages are frames of a connection that stays open: those that open it, and
//! those to whom we do.

mod backoff;
mod hear;
mod keep;

pub use hear::{Hearing, Opening};

use crate::clock::Entropy;
use crate::config::Account;
use crate::intake::Intake;
use crate::lifecycle::Tasks;
use crate::net::client::Trust;
use crate::net::dialer::{Dialer, DialerError};
use crate::store::Work;
use crate::telemetry::Metrics;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{HeaderValue, InvalidHeaderValue};
use keep::Link;
use std::sync::Arc;

/// Why a link cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("accounts.{account}.connect: {why}")]
pub struct StartError {
    account: String,
    #[source]
    why: Unfit,
}

#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error(transparent)]
    Dialer(#[from] DialerError),
    #[error("the user or the secret holds what a header cannot carry")]
    Credentials(#[from] InvalidHeaderValue),
}

/// What links stand on, and the carriers' listener too.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Takes frames over.
    pub intake: Intake,
    /// Owns the links.
    pub tasks: Tasks,
    /// For jitter.
    pub entropy: Entropy,
    /// Counts.
    pub metrics: Metrics,
}

/// Opens a link for each account that names one, and keeps it open until the gateway stops: one over all nodes, as carriers
/// bear no second.
///
/// # Errors
/// [`StartError`] when one could never be opened; a server that is not there is waited for.
pub fn start(
    accounts: impl IntoIterator<Item = Arc<Account>>,
    ground: &Ground,
) -> Result<(), StartError> {
    for account in accounts {
        let dialer = dialer(&account)
            .map_err(|why| StartError { account: account.name.to_string(), why })?;
        let Some(dialer) = dialer else { continue };
        let work = Work::Link(account.name.clone());
        let ownership = ground.intake.store().keep(work, &ground.tasks);
        let link = Link::new(dialer, Hearing::new(account, ground.clone()), ownership);
        ground.tasks.spawn_vital("link to a carrier", link.keep());
    }
    Ok(())
}

fn dialer(account: &Account) -> Result<Option<Dialer>, Unfit> {
    let Some(connect) = &account.access.connect else { return Ok(None) };
    let trust = match (connect.url.scheme_str(), &connect.ca) {
        (Some("ws"), _) => Trust::Plain,
        (_, Some(ca)) => Trust::Roots(ca.clone()),
        (_, None) => Trust::System,
    };
    Ok(Some(Dialer::new(&connect.url, &trust, credentials(account)?)?))
}

/// The account's user and first secret, as HTTP basic authentication.
fn credentials(account: &Account) -> Result<Option<HeaderValue>, InvalidHeaderValue> {
    let (Some(user), Some(secret)) = (&account.user, account.secrets.first()) else {
        return Ok(None);
    };
    let pair = [user.as_bytes(), b":", secret.reveal()].concat();
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair)))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
