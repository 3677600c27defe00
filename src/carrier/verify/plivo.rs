//! Plivo's signatures: HMAC-SHA256 over the URL, a nonce, and in version 3 the fields too.

use super::{Claim, algorithm, any, signed};
use crate::carrier::Denied;
use crate::carrier::template::path;
use crate::carrier::written;
use crate::config::dialect::{Algorithm, Place, SortedOf, Source, Written};
use crate::model::Secret;
use http::HeaderName;

/// One version of the signature.
pub(super) struct Version {
    /// The header with the signature, or several with commas between.
    pub(super) signature: HeaderName,
    /// The header with the nonce.
    pub(super) nonce: HeaderName,
    /// What is signed in front of the nonce; `None` for a body that would not be covered.
    said: fn(&Claim<'_>) -> Option<Vec<u8>>,
}

/// Over URL without query and nonce.
pub(super) const V2: Version = Version {
    signature: HeaderName::from_static("x-plivo-signature-v2"),
    nonce: HeaderName::from_static("x-plivo-signature-v2-nonce"),
    said: |claim| Some(path(claim.call.url.as_bytes()).to_vec()),
};

/// Over URL, query, fields and nonce.
pub(super) const V3: Version = Version {
    signature: HeaderName::from_static("x-plivo-signature-v3"),
    nonce: HeaderName::from_static("x-plivo-signature-v3-nonce"),
    said: url_and_fields,
};

/// Whether one of the secrets signed the request.
pub(super) fn prove(
    version: &Version,
    claim: &Claim<'_>,
    secrets: &[Secret],
) -> Result<(), Denied> {
    let place = Source::of(Place::Header(version.signature.clone()));
    let given = claim.signatures(&place, "", Written::Base64)?;
    let text = text(version, claim)?.ok_or(Denied::BadSignature)?;
    signed(any(secrets, |secret| {
        any(&given, |given| {
            algorithm::is_signed(Algorithm::HmacSha256, secret.reveal(), &text, given)
        })
    }))
}

/// The signature; the nonce must be in the call.
pub(super) fn sign(version: &Version, claim: &Claim<'_>, secret: &Secret) -> Option<Vec<u8>> {
    let text = text(version, claim).ok()??;
    let signature = algorithm::sign(Algorithm::HmacSha256, secret.reveal(), &text)?;
    Some(written::write(Written::Base64, &signature))
}

fn text(version: &Version, claim: &Claim<'_>) -> Result<Option<Vec<u8>>, Denied> {
    let nonce = claim.given(&Source::of(Place::Header(version.nonce.clone())))?;
    Ok((version.said)(claim).map(|said| [&said, &*nonce].concat()))
}

/// `url?query.fields.`: the query in order, then names and values of the form in order. The `?`
/// is there if either is, the `.` between them if both are.
fn url_and_fields(claim: &Claim<'_>) -> Option<Vec<u8>> {
    let mut query = claim.values.fields(SortedOf::Query)?;
    let mut form = claim.values.fields(SortedOf::Form)?;
    query.sort();
    form.sort();
    let mut text = path(claim.call.url.as_bytes()).to_vec();
    if !query.is_empty() || !form.is_empty() {
        text.push(b'?');
    }
    let pairs = query.iter().map(|(name, value)| [name, &b"="[..], value].concat());
    text.extend(pairs.collect::<Vec<_>>().join(&b'&'));
    if !query.is_empty() && !form.is_empty() {
        text.push(b'.');
    }
    text.extend(form.iter().flat_map(|(name, value)| name.iter().chain(&**value)));
    text.push(b'.');
    Some(text)
}
