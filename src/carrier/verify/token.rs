//! Secrets that travel with the request: HTTP basic authentication and tokens.

use super::{Claim, after, any};
use crate::carrier::Denied;
use crate::carrier::written;
use crate::config::dialect::{Place, Source, Written};
use crate::model::Secret;
use http::{HeaderName, header};
use subtle::{Choice, ConstantTimeEq as _};

/// Where basic authentication stands.
pub(super) const BASIC: HeaderName = header::AUTHORIZATION;

const PREFIX: &str = "Basic ";

/// Whether the value at the place is one of the secrets, after the prefix.
pub(super) fn token(
    claim: &Claim<'_>,
    place: &Source,
    prefix: &str,
    secrets: &[Secret],
) -> Result<(), Denied> {
    let value = claim.given(place)?;
    let token = after(prefix, &value).ok_or(Denied::BadCredentials)?;
    credited(is_any(secrets, token))
}

/// Whether it is the account's user with one of the secrets as password (RFC 7617).
pub(super) fn basic(claim: &Claim<'_>, secrets: &[Secret]) -> Result<(), Denied> {
    let value = claim.given(&Source::of(Place::Header(BASIC)))?;
    let credentials = after(PREFIX, &value).and_then(|text| written::base64(text.trim_ascii()));
    let credentials = credentials.ok_or(Denied::BadCredentials)?;
    let colon = credentials.iter().position(|byte| *byte == b':');
    let (user, rest) = credentials.split_at(colon.ok_or(Denied::BadCredentials)?);
    let is_user = match claim.user {
        Some(expected) => user.ct_eq(expected.as_bytes()),
        None => Choice::from(1),
    };
    credited(is_user & is_any(secrets, &rest[1..]))
}

/// The header of basic authentication.
pub(super) fn sign_basic(claim: &Claim<'_>, secret: &Secret) -> Vec<u8> {
    let credentials = [&*claim.user(), b":", secret.reveal()].concat();
    [PREFIX.as_bytes(), &written::write(Written::Base64, &credentials)].concat()
}

fn is_any(secrets: &[Secret], given: &[u8]) -> Choice {
    any(secrets, |secret| secret.reveal().ct_eq(given))
}

fn credited(right: Choice) -> Result<(), Denied> {
    if right.into() { Ok(()) } else { Err(Denied::BadCredentials) }
}
