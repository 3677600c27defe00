//! What proves where a request comes from: the values that a scheme signs, and with which secret.

use super::layout::Layout;
use super::{Speaker, Unspoken, rule};
use crate::config::Account;
use crate::config::dialect::{Algorithm, Check, Digest, Place, Route, Scheme, Source, Written};
use crate::model::Secret;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderName;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256};

/// The user of accounts that take any.
pub(super) const USER: &str = "carrier";

/// Where schemes with a form of their own have what they sign besides.
const PLIVO_V2_NONCE: HeaderName = HeaderName::from_static("x-plivo-signature-v2-nonce");
const PLIVO_V3_NONCE: HeaderName = HeaderName::from_static("x-plivo-signature-v3-nonce");
const SDK_DATE: HeaderName = HeaderName::from_static("x-sdk-date");

/// An Ed25519 pair for playing carriers whose public keys an account trusts.
#[derive(Clone)]
pub struct KeyPair {
    seed: [u8; 32],
    public: [u8; 32],
}

impl KeyPair {
    /// The pair whose private seed is the SHA-256 of this text.
    #[must_use]
    pub fn of(text: &str) -> KeyPair {
        let seed: [u8; 32] = Sha256::digest(text).into();
        let mut public = [0; 32];
        if let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(&seed) {
            public.copy_from_slice(pair.public_key().as_ref());
        }
        KeyPair { seed, public }
    }

    /// The public key, as the secret of an account is written.
    #[must_use]
    pub fn public(&self, written: Written) -> Vec<u8> {
        write(written, &self.public)
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyPair({})", hex::encode(self.public))
    }
}

fn write(written: Written, bytes: &[u8]) -> Vec<u8> {
    match written {
        Written::Plain => bytes.to_vec(),
        Written::Hex => hex::encode(bytes).into_bytes(),
        Written::Base64 => BASE64_STANDARD.encode(bytes).into_bytes(),
        Written::HexBase64 => BASE64_STANDARD.encode(hex::encode(bytes)).into_bytes(),
        Written::Pem => {
            let key = BASE64_STANDARD.encode(bytes);
            format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n").into_bytes()
        }
    }
}

/// The first scheme of a route and what signs by it; `None` if nothing has to be proven.
pub(super) fn signing<'r>(
    speaker: &Speaker<'_>,
    route: &'r Route,
) -> Result<Option<(&'r Scheme, Secret)>, Unspoken> {
    let secrets = &speaker.account.secrets;
    let Some(scheme) = route.auth.schemes.first() else { return Ok(None) };
    let Some(first) = secrets.first() else {
        return if route.auth.optional { Ok(None) } else { Err(Unspoken::NoSecret) };
    };
    let Some(digest) = asymmetric(scheme) else { return Ok(Some((scheme, first.clone()))) };
    // The pair at hand is one of Ed25519.
    let has_pair = digest.algorithms.first() == Some(&Algorithm::Ed25519);
    let keys = speaker.keys.filter(|_| has_pair).ok_or(Unspoken::NoPair)?;
    let public = keys.public(digest.key);
    if secrets.iter().any(|secret| secret.reveal() == public) {
        return Ok(Some((scheme, Secret::new(write(digest.key, &keys.seed)))));
    }
    Err(Unspoken::NoPrivateKey { public: String::from_utf8_lossy(&public).into_owned() })
}

/// Whether the secrets of its accounts are public keys.
#[must_use]
pub fn is_asymmetric(scheme: &Scheme) -> bool {
    asymmetric(scheme).is_some()
}

/// Whether what is signed tells when it was.
pub(super) fn tells_time(scheme: &Scheme) -> bool {
    scheme.time.is_some() || matches!(scheme.check, Check::Jwt { .. } | Check::SdkHmacSha256)
}

fn asymmetric(scheme: &Scheme) -> Option<&Digest> {
    match &scheme.check {
        Check::Digest(digest) => {
            digest.algorithms.first().is_some_and(|it| it.is_public()).then_some(digest)
        }
        _ => None,
    }
}

/// Puts what the scheme looks at besides the signature: user, time, and what is good for once.
pub(super) fn prepare(
    layout: &mut Layout<'_>,
    scheme: &Scheme,
    account: &Account,
    once: &str,
    now: Timestamp,
) -> Result<(), Unspoken> {
    if let Some(user) = &scheme.user {
        layout.put_if_free(&[], user, account.user.as_deref().unwrap_or(USER));
    }
    if let Some(time) = &scheme.time {
        rule::put_time(layout, account, time, now)?;
    }
    if let Some(nonce) = &scheme.nonce {
        layout.put_if_free(&[], nonce, once);
    }
    let mut header = |name: HeaderName, value: &str| {
        layout.put_if_free(&[], &Source::of(Place::Header(name)), value);
    };
    match &scheme.check {
        Check::PlivoV2 => header(PLIVO_V2_NONCE, once),
        Check::PlivoV3 => header(PLIVO_V3_NONCE, once),
        Check::SdkHmacSha256 => header(SDK_DATE, &sdk_date(now)),
        Check::Digest(digest) => fill(layout, digest, once),
        Check::Basic | Check::Token { .. } | Check::Jwt { .. } | Check::Twilio => {}
    }
    Ok(())
}

/// What is signed and would be empty is something that is good for once.
fn fill(layout: &mut Layout<'_>, digest: &Digest, once: &str) {
    let own = |source: &&Source| {
        matches!(source.place, Place::Item | Place::Document | Place::Query | Place::Header(_))
    };
    for source in digest.signed().filter(own).filter(|source| **source != digest.given) {
        layout.put_if_free(&[], source, once);
    }
}

fn sdk_date(now: Timestamp) -> String {
    now.to_zoned_datetime(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_of_a_text_is_that_of_the_recorded_exchanges() {
        let public = KeyPair::of("test-secret").public(Written::Base64);
        assert_eq!(public, b"0kOb+Q50mToOOBSNePM3ocoK0wF3tzkyNfZuYeobvFE=");
    }
}
