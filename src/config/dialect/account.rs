//! Whether an account has what its dialect needs, and nothing that it would not look at.

use super::{Algorithm, Check, Dialect, Place, Scheme, SecretUse, Written};
use crate::config::problem::Fault;
use crate::config::raw::{At, Section};
use crate::config::units::show_duration;
use crate::model::Secret;
use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::tz::Offset;
use std::time::Duration;

/// What an account gives its dialect.
pub(in crate::config) struct Given<'g> {
    /// Its name, as a place.
    pub(in crate::config) name: &'g At<&'g str>,
    /// The user or key id.
    pub(in crate::config) user: Option<&'g At<String>>,
    /// How far the clocks may be apart.
    pub(in crate::config) tolerance: Option<&'g At<Duration>>,
    /// Whether `secrets` names any.
    pub(in crate::config) has_secrets: bool,
    /// Those that were found.
    pub(in crate::config) secrets: &'g [At<Secret>],
    /// How long the store remembers.
    pub(in crate::config) remembered: Option<Duration>,
}

/// Reports what is missing, and what would not be looked at.
pub(in crate::config) fn check_account(
    section: &Section<'_>,
    dialect: &Dialect,
    given: &Given<'_>,
) {
    // A link that we open is proven to its far end, whatever the dialect wants of callers.
    if !section.has("connect") {
        check_secrets(section, dialect, given);
        check_user(section, dialect, given);
    }
    check_tolerance(section, dialect, given);
    check_nonces(section, dialect, given);
}

fn schemes(dialect: &Dialect) -> impl Iterator<Item = &Scheme> {
    dialect.routes.iter().flat_map(|route| &route.auth.schemes)
}

fn check_secrets(section: &Section<'_>, dialect: &Dialect, given: &Given<'_>) {
    let carrier = &dialect.carrier;
    match dialect.secrets() {
        SecretUse::Required if !given.has_secrets => {
            let wrong = format!(
                "`{carrier}` proves its callbacks with a secret, and without it none of them would \
                 be believed"
            );
            let right = "name the key of the carrier's console, secrets = [\"env:NAME\"]";
            section.reject(given.name, Fault::new(wrong, right));
        }
        SecretUse::Never if given.has_secrets => {
            let wrong = format!("`{carrier}` signs nothing, so `secrets` would not be checked");
            let right = "remove them, and rely on TLS, address lists and an account name nobody \
                         guesses; or say in its dialect's `auth` how it signs";
            section.reject(given.name, Fault::new(wrong, right));
        }
        SecretUse::Never => {}
        _ => {
            let unfit = |secret: &&At<Secret>| !schemes(dialect).any(|it| fits(it, &secret.value));
            for secret in given.secrets.iter().filter(unfit) {
                let wrong = "points to something that is not a key as the dialect's `key` has it";
                let right = "keep it there as `key` says, in hex, Base64 or PEM; an Ed25519 public \
                             key has 32 bytes";
                section.reject(secret, Fault::new(wrong, right));
            }
        }
    }
}

/// Whether a secret can be a key of this scheme.
fn fits(scheme: &Scheme, secret: &Secret) -> bool {
    let Check::Digest(digest) = &scheme.check else { return true };
    let text = secret.reveal();
    let key = match digest.key {
        Written::Plain => return true,
        Written::Hex => hex::decode(text).ok(),
        Written::Pem => return text.starts_with(b"-----BEGIN "),
        Written::Base64 | Written::HexBase64 => {
            let padding = DecodePaddingMode::Indifferent;
            let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
            [STANDARD, URL_SAFE]
                .iter()
                .find_map(|alphabet| GeneralPurpose::new(alphabet, lenient).decode(text).ok())
        }
    };
    let public = digest.algorithms.iter().all(|algorithm| *algorithm == Algorithm::Ed25519);
    key.is_some_and(|key| !public || key.len() == 32)
}

fn check_user(section: &Section<'_>, dialect: &Dialect, given: &Given<'_>) {
    let in_template = |scheme: &Scheme| match &scheme.check {
        Check::Digest(digest) => digest.signed().any(|it| it.place == Place::User),
        _ => false,
    };
    let compared = |scheme: &Scheme| {
        scheme.user.is_some() || matches!(scheme.check, Check::Basic | Check::SdkHmacSha256)
    };
    match given.user {
        None if schemes(dialect).any(in_template) => {
            let wrong = "has no `user`, and the dialect's signature has ${user} in it";
            let right = "write the user or key id of the carrier's console, user = \"J8890\"";
            section.reject(given.name, Fault::new(wrong, right));
        }
        Some(user) if !schemes(dialect).any(|it| in_template(it) || compared(it)) => {
            let wrong = "is compared with nothing: no scheme of the dialect's `auth` has a user";
            let right = "remove it, or say where the user stands, user = \"query:account\"";
            section.warn(user, Fault::new(wrong, right));
        }
        _ => {}
    }
}

fn check_tolerance(section: &Section<'_>, dialect: &Dialect, given: &Given<'_>) {
    if let Some(tolerance) = given.tolerance
        && !schemes(dialect).any(tells_time)
    {
        let wrong = "is compared with nothing: no scheme of the dialect's `auth` has a time";
        section.warn(tolerance, Fault::new(wrong, "remove it, or give the scheme a `time`"));
    }
}

/// Whether a proof says when it was made.
fn tells_time(scheme: &Scheme) -> bool {
    scheme.time.is_some() || matches!(scheme.check, Check::Jwt { .. } | Check::SdkHmacSha256)
}

/// A one-time value is good from one tolerance before our time to one after it, and so again in
/// each further zone that its time is read in.
fn check_nonces(section: &Section<'_>, dialect: &Dialect, given: &Given<'_>) {
    let Some(remembered) = given.remembered else { return };
    let own = given.tolerance.map(|tolerance| tolerance.value);
    let single = || schemes(dialect).filter(|scheme| scheme.nonce.is_some() && tells_time(scheme));
    let windows = single().map(|scheme| own.unwrap_or(scheme.tolerance) * 2);
    let zones = || single().filter_map(|scheme| scheme.time.as_ref()?.zone).map(Offset::seconds);
    let apart = zones().max().unwrap_or(0).abs_diff(zones().min().unwrap_or(0));
    let apart = Duration::from_secs(apart.into());
    let Some(needed) = windows.max().map(|window| window + apart) else { return };
    if needed <= remembered {
        return;
    }
    let also = if apart.is_zero() { "" } else { " and the time between its zones" };
    let wrong = format!(
        "one-time values are good for {}, twice `tolerance`{also}, and remembered for {} only, \
         `store.dedupe_window`",
        show_duration(needed),
        show_duration(remembered)
    );
    let longer = format!("make store.dedupe_window at least \"{}\"", show_duration(needed));
    let right = match remembered.saturating_sub(apart) / 2 {
        Duration::ZERO => longer,
        most => format!("{longer}, or the tolerance at most \"{}\"", show_duration(most)),
    };
    match given.tolerance {
        Some(tolerance) => section.reject(tolerance, Fault::new(wrong, right)),
        None => section.reject(given.name, Fault::new(wrong, right)),
    }
}
