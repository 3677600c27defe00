//! Twilio's `X-Twilio-Signature`: HMAC-SHA1 over the URL and the fields in order.
//!
//! JSON bodies are covered by `bodySHA256` in the query instead. The URL may be signed with or
//! without its port.

use super::{Claim, algorithm, any, signed};
use crate::carrier::Denied;
use crate::carrier::written;
use crate::config::dialect::{Algorithm, Place, SortedOf, Source, Written};
use crate::model::Secret;
use http::HeaderName;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Where the signature stands.
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// Whether one of the secrets signed the request.
pub(super) fn prove(claim: &Claim<'_>, secrets: &[Secret]) -> Result<(), Denied> {
    let place = Source::of(Place::Header(SIGNATURE));
    let given = claim.signatures(&place, "", Written::Base64)?;
    let said = said(claim).ok_or(Denied::BadSignature)?;
    let texts = urls(claim.call.url).map(|url| [url.as_bytes(), &said].concat());
    signed(any(secrets, |secret| {
        any(&texts, |text| {
            any(&given, |given| {
                algorithm::is_signed(Algorithm::HmacSha1, secret.reveal(), text, given)
            })
        })
    }))
}

/// The signature over the URL as it is; `None` for a body that it would not cover.
pub(super) fn sign(claim: &Claim<'_>, secret: &Secret) -> Option<Vec<u8>> {
    let text = [claim.call.url.as_bytes(), &said(claim)?].concat();
    let signature = algorithm::sign(Algorithm::HmacSha1, secret.reveal(), &text)?;
    Some(written::write(Written::Base64, &signature))
}

/// What is signed after the URL; `None` for a body that nothing covers.
fn said(claim: &Claim<'_>) -> Option<Vec<u8>> {
    let query = claim.values.fields(SortedOf::Query)?;
    if let Some((_, hash)) = query.iter().find(|(name, _)| &**name == b"bodySHA256") {
        let hash = hex::decode(hash).ok()?;
        let covered = Sha256::digest(claim.call.body).as_slice().ct_eq(&hash);
        return bool::from(covered).then(Vec::new);
    }
    let mut fields = claim.values.fields(SortedOf::Form)?;
    fields.sort();
    fields.dedup();
    Some(fields.iter().flat_map(|(name, value)| [&**name, &**value]).collect::<Vec<_>>().concat())
}

/// The URL without its port and with it, the scheme's own where it has none.
fn urls(url: &str) -> [String; 2] {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let split = authority
        .rsplit_once(':')
        .filter(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let default = if scheme == "http" { "80" } else { "443" };
    let (host, port) = split.unwrap_or((authority, default));
    [format!("{scheme}://{host}{target}"), format!("{scheme}://{host}:{port}{target}")]
}
