//! Whether a request comes from whom it claims, and how the carrier would prove that it does.

pub(super) mod algorithm;
mod digest;
mod jwt;
mod plivo;
mod sdk_hmac;
mod sorted;
#[cfg(test)]
mod tests;
mod token;
mod twilio;
mod validity;

use super::scope::{Scope, Values};
use super::written;
use super::{Call, Denied, Verified};
use crate::config::Account;
use crate::config::dialect::{Check, Place, Scheme, Source, Trust, Written};
use crate::model::Secret;
use http::HeaderName;
use jiff::Timestamp;
use std::borrow::Cow;
use subtle::{Choice, ConstantTimeEq as _};
use validity::Validity;

pub(super) use digest::sign as sign_over;

/// The most signatures that are looked at in one value: a carrier sends one for each of its own
/// keys, and every one costs us a comparison.
const SIGNATURES: usize = 4;

/// Whether the request proves what the route's dialect wants proven.
///
/// Every scheme is tried with every live secret. Of several reasons the most telling is given: a
/// right signature at the wrong time, then a wrong one, then none.
///
/// # Errors
/// [`Denied`] with the reason, which is counted; nothing of the request is stored.
pub fn verify(call: &Call<'_>, account: &Account, now: Timestamp) -> Result<Verified, Denied> {
    let auth = &call.route.auth;
    if auth.schemes.is_empty() || auth.optional && account.secrets.is_empty() {
        return Ok(Verified::default());
    }
    let scope = Scope::of(call);
    let mut telling = Denied::Unsigned;
    for scheme in &auth.schemes {
        let user = account.user.as_deref();
        let claim = Claim { scheme, call, values: &scope, user };
        match claim.believe(account, now) {
            Ok(verified) => return Ok(verified),
            // The variants stand in this order.
            Err(denied) => telling = telling.max(denied),
        }
    }
    Err(telling)
}

/// What proves that a request comes from the carrier, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The place, a header mostly. With a parameter, as `header:X-AKSK#PasswordDigest`, the value
    /// is that parameter's alone.
    pub place: Source,
    /// The value, with what stands in front of it.
    pub value: Vec<u8>,
}

/// The proof that a carrier with this secret would send: the counterpart of [`verify`], for those
/// who play the carrier.
///
/// Whatever else the scheme looks at, a time or nonce, must be in the call already. For Ed25519
/// the secret is the seed of the private key. `None` if the secret is no key for the scheme.
#[must_use]
pub fn sign(
    scheme: &Scheme,
    secret: &Secret,
    user: Option<&str>,
    call: &Call<'_>,
    now: Timestamp,
) -> Option<Proof> {
    let claim = Claim { scheme, call, values: &Scope::of(call), user };
    let at = |name: HeaderName| Source::of(Place::Header(name));
    let (place, value) = match &scheme.check {
        Check::Basic => (at(token::BASIC), token::sign_basic(&claim, secret)),
        Check::Token { given, prefix } => {
            (given.clone(), [prefix.as_bytes(), secret.reveal()].concat())
        }
        Check::Digest(digest) => {
            (digest.given.clone(), digest::sign(digest, claim.values, &claim.user(), secret)?)
        }
        Check::Jwt { given, prefix, body_hash } => {
            let token = jwt::sign(call.body, secret, body_hash, now);
            (given.clone(), [prefix.as_bytes(), token.as_bytes()].concat())
        }
        Check::SdkHmacSha256 => (at(sdk_hmac::SIGNATURE), sdk_hmac::sign(&claim, secret)?),
        Check::Twilio => (at(twilio::SIGNATURE), twilio::sign(&claim, secret)?),
        Check::PlivoV2 => (at(plivo::V2.signature), plivo::sign(&plivo::V2, &claim, secret)?),
        Check::PlivoV3 => (at(plivo::V3.signature), plivo::sign(&plivo::V3, &claim, secret)?),
    };
    Some(Proof { place, value })
}

/// A request that claims to come from the carrier, as one scheme looks at it.
struct Claim<'a> {
    scheme: &'a Scheme,
    call: &'a Call<'a>,
    values: &'a dyn Values,
    /// The user it must be from; `None`: any.
    user: Option<&'a str>,
}

impl Claim<'_> {
    fn believe(&self, account: &Account, now: Timestamp) -> Result<Verified, Denied> {
        let told = self.prove(&account.secrets)?;
        if !self.is_named() {
            return Err(self.wrong());
        }
        let nonce = match self.nonce_place() {
            Some(place) => Some(String::from_utf8_lossy(&self.given(&place)?).into_owned()),
            None => None,
        };
        let tolerance = account.tolerance.unwrap_or(self.scheme.tolerance);
        let validity = match (told, &self.scheme.time) {
            (Some(told), _) => told,
            (None, Some(time)) => Validity::read(time, self.values, account.offset),
            (None, None) => return Ok(Verified { skew: None, nonce }),
        };
        let skew = validity.skew(now, tolerance)?;
        Ok(Verified { skew, nonce })
    }

    /// Whether any of the secrets is behind this request, and what the proof itself tells of its
    /// time.
    fn prove(&self, secrets: &[Secret]) -> Result<Option<Validity>, Denied> {
        match &self.scheme.check {
            Check::Basic => token::basic(self, secrets).map(|()| None),
            Check::Token { given, prefix } => {
                token::token(self, given, prefix, secrets).map(|()| None)
            }
            Check::Digest(digest) => digest::prove(digest, self, secrets).map(|()| None),
            Check::Jwt { given, prefix, body_hash } => {
                let token = self.given(given)?;
                let token = after(prefix, &token).ok_or(Denied::BadSignature)?;
                jwt::prove(token, self.call.body, body_hash, secrets).map(Some)
            }
            Check::SdkHmacSha256 => sdk_hmac::prove(self, secrets).map(Some),
            Check::Twilio => twilio::prove(self, secrets).map(|()| None),
            Check::PlivoV2 => plivo::prove(&plivo::V2, self, secrets).map(|()| None),
            Check::PlivoV3 => plivo::prove(&plivo::V3, self, secrets).map(|()| None),
        }
    }

    /// The reason for a proof that is not right.
    fn wrong(&self) -> Denied {
        match self.scheme.trust(&self.call.route.formats) {
            Trust::Nothing | Trust::Credentials => Denied::BadCredentials,
            Trust::Signature | Trust::SignedBody => Denied::BadSignature,
        }
    }

    /// Whether it is from the user it must be from, where the scheme has a place for users.
    fn is_named(&self) -> bool {
        let (Some(user), Some(place)) = (self.user, &self.scheme.user) else { return true };
        let named = self.values.value(place);
        named.is_some_and(|named| named.ct_eq(user.as_bytes()).into())
    }

    /// The user as templates have it: the account's, or where any will do the one it names.
    fn user(&self) -> Cow<'_, [u8]> {
        let named = || self.values.value(self.scheme.user.as_ref()?);
        let user = self.user.map(|user| Cow::Borrowed(user.as_bytes()));
        user.or_else(named).unwrap_or_default()
    }

    /// Where the value stands that must come with one content only.
    fn nonce_place(&self) -> Option<Cow<'_, Source>> {
        match (&self.scheme.nonce, &self.scheme.check) {
            (Some(place), _) => Some(Cow::Borrowed(place)),
            (None, Check::PlivoV2) => Some(Cow::Owned(Source::of(Place::Header(plivo::V2.nonce)))),
            (None, _) => None,
        }
    }

    /// A part of the proof.
    fn given(&self, place: &Source) -> Result<Cow<'_, [u8]>, Denied> {
        let value = self.values.value(place).filter(|value| !value.is_empty());
        value.ok_or(Denied::Unsigned)
    }

    /// The signatures at a place, unpacked. In Base64 there may be several, with commas between.
    fn signatures(
        &self,
        place: &Source,
        prefix: &str,
        written: Written,
    ) -> Result<Vec<Vec<u8>>, Denied> {
        let value = self.given(place)?;
        let text = after(prefix, &value).ok_or(Denied::BadSignature)?;
        let separator = (written == Written::Base64).then_some(b',');
        let parts = text.split(|byte| Some(*byte) == separator).take(SIGNATURES);
        let unpacked = |part| written::read(written, part).map(Cow::into_owned);
        match written {
            Written::Plain => Ok(parts.filter_map(unpacked).collect()),
            _ => Ok(parts.map(<[u8]>::trim_ascii).filter_map(unpacked).collect()),
        }
    }
}

/// What follows the prefix, which counts in either case as the scheme of `Authorization` does.
fn after<'a>(prefix: &str, value: &'a [u8]) -> Option<&'a [u8]> {
    let (front, rest) = value.split_at_checked(prefix.len())?;
    front.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
}

/// Whether any fits. All are tried, so that the time it takes tells nothing about which.
fn any<T>(candidates: impl IntoIterator<Item = T>, fits: impl Fn(T) -> Choice) -> Choice {
    candidates.into_iter().fold(Choice::from(0), |found, candidate| found | fits(candidate))
}

/// The verdict on a signature.
fn signed(right: Choice) -> Result<(), Denied> {
    if right.into() { Ok(()) } else { Err(Denied::BadSignature) }
}
