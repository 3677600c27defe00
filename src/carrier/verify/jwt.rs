//! JSON web tokens (RFC 7519) signed with HMAC, whose claims hold a digest of the body.

use super::algorithm::hmac;
use super::validity::Validity;
use super::{any, signed};
use crate::carrier::{Call, Denied};
use crate::model::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Hmac;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

/// Whether one of the secrets signed the token and the token speaks of this body.
///
/// The algorithm is the token's choice among HS256, HS384 and HS512, all of which take the same
/// secret. The claim `body_hash` is the hexadecimal SHA-256 of the body, and `url_hash`, where it
/// is wanted, that of the URL.
pub(super) fn prove(
    token: &[u8],
    call: &Call<'_>,
    body_hash: &str,
    url_hash: Option<&str>,
    secrets: &[Secret],
) -> Result<Validity, Denied> {
    let token = Token::read(token.trim_ascii()).ok_or(Denied::BadSignature)?;
    signed(any(secrets, |secret| {
        (token.mac)(secret.reveal(), token.signed).ct_eq(&token.signature)
    }))?;
    let is_of_url =
        url_hash.is_none_or(|claim| is_hashed(&token.claims, claim, call.url.as_bytes()));
    if !is_of_url || !is_hashed(&token.claims, body_hash, call.body) {
        return Err(Denied::BadSignature);
    }
    let time = |claim| token.claims.get(claim).and_then(numeric_date);
    Ok(Validity { at: time("iat"), from: time("nbf"), until: time("exp") })
}

/// A token of this moment for the call, HS256.
pub(super) fn sign(
    call: &Call<'_>,
    secret: &Secret,
    body_hash: &str,
    url_hash: Option<&str>,
    now: Timestamp,
) -> String {
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let hash = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let mut claims = json!({ "iat": now.as_second(), body_hash: hash(call.body) });
    if let Some(url_hash) = url_hash {
        claims[url_hash] = json!(hash(call.url.as_bytes()));
    }
    let encoded = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = encoded.join(".");
    let signature = hmac::<Hmac<Sha256>>(secret.reveal(), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token, taken apart and not believed yet.
struct Token<'a> {
    mac: fn(&[u8], &[u8]) -> Vec<u8>,
    signed: &'a [u8],
    claims: Map<String, Value>,
    signature: Vec<u8>,
}

impl Token<'_> {
    fn read(token: &[u8]) -> Option<Token<'_>> {
        let dot = token.iter().rposition(|byte| *byte == b'.')?;
        let (signed, signature) = (&token[..dot], &token[dot + 1..]);
        let dot = signed.iter().position(|byte| *byte == b'.')?;
        let header = object(&signed[..dot])?;
        let mac = match header.get("alg")?.as_str()? {
            "HS256" => hmac::<Hmac<Sha256>>,
            "HS384" => hmac::<Hmac<Sha384>>,
            "HS512" => hmac::<Hmac<Sha512>>,
            _ => return None,
        };
        // What must be understood to believe the token (RFC 7515, 4.1.11) we do not understand.
        if header.contains_key("crit") {
            return None;
        }
        let claims = object(&signed[dot + 1..])?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Token { mac, signed, claims, signature })
    }
}

fn object(part: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Only an empty body needs no digest.
fn is_hashed(claims: &Map<String, Value>, body_hash: &str, body: &[u8]) -> bool {
    let Some(claim) = claims.get(body_hash) else { return body.is_empty() };
    let claimed = claim.as_str().and_then(|text| hex::decode(text).ok());
    claimed.is_some_and(|claimed| Sha256::digest(body).as_slice().ct_eq(&claimed).into())
}

/// Seconds since 1970, possibly with a fraction (RFC 7519, 2).
fn numeric_date(claim: &Value) -> Option<Timestamp> {
    let since = SignedDuration::try_from_secs_f64(claim.as_f64()?).ok()?;
    Timestamp::from_duration(since).ok()
}
