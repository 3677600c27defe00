//! Huawei Cloud's `SDK-HMAC-SHA256` over a canonical request.
//!
//! `Authorization: SDK-HMAC-SHA256 Access=…, SignedHeaders=a;b, Signature=…` with the time in
//! `X-Sdk-Date`; the form is that of the gateway signing scheme of the same name.

use super::validity::Validity;
use super::{Claim, after, algorithm, any, signed};
use crate::carrier::template::{path, percent};
use crate::carrier::{Call, Denied};
use crate::config::dialect::{Algorithm, Place, SortedOf, Source};
use crate::model::Secret;
use http::{HeaderName, header};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use percent_encoding::percent_decode;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Where the signature stands.
pub(super) const SIGNATURE: HeaderName = header::AUTHORIZATION;

const DATE: HeaderName = HeaderName::from_static("x-sdk-date");
const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// The headers that a sender signs, of those that are there.
const SIGNED: [&str; 5] = ["connection", "content-length", "content-type", "host", "x-sdk-date"];

/// Whether one of the secrets signed the request, and when.
pub(super) fn prove(claim: &Claim<'_>, secrets: &[Secret]) -> Result<Validity, Denied> {
    let value = claim.given(&Source::of(Place::Header(SIGNATURE)))?;
    let stated = Stated::read(&value).ok_or(Denied::BadSignature)?;
    // A signature that left out its date would hold for ever; a name that came again and again
    // would make a long text out of a short request.
    let mut names = stated.headers.split(';');
    let listed = names.clone().is_sorted_by(|one, next| one < next);
    let dated = listed && names.any(|name| name == DATE.as_str());
    let right_user =
        claim.user.is_none_or(|user| user.as_bytes().ct_eq(stated.access.as_bytes()).into());
    if !dated || !right_user {
        return Err(Denied::BadSignature);
    }
    let text = text(claim, stated.headers).ok_or(Denied::BadSignature)?;
    signed(any(secrets, |secret| {
        let (key, text) = (secret.reveal(), text.as_bytes());
        algorithm::is_signed(Algorithm::HmacSha256, key, text, &stated.signature)
    }))?;
    Ok(Validity { at: date(claim.call).and_then(time), ..Validity::default() })
}

/// The header with the signature. `X-Sdk-Date` must be in the call.
pub(super) fn sign(claim: &Claim<'_>, secret: &Secret) -> Option<Vec<u8>> {
    let headers = SIGNED.into_iter().filter(|name| claim.call.headers.contains_key(*name));
    let headers = headers.collect::<Vec<_>>().join(";");
    let text = text(claim, &headers)?;
    let signature = algorithm::sign(Algorithm::HmacSha256, secret.reveal(), text.as_bytes())?;
    let (access, signature) = (claim.user.unwrap_or_default(), hex::encode(signature));
    let value =
        format!("{ALGORITHM} Access={access}, SignedHeaders={headers}, Signature={signature}");
    Some(value.into_bytes())
}

/// What the header says.
struct Stated<'a> {
    access: &'a str,
    headers: &'a str,
    signature: Vec<u8>,
}

impl Stated<'_> {
    fn read(value: &[u8]) -> Option<Stated<'_>> {
        let parameters = after(ALGORITHM, value)?.strip_prefix(b" ")?;
        let parameters = std::str::from_utf8(parameters).ok()?;
        let parameter = |name: &str| {
            let mut pairs = parameters.split(',').filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(other, _)| *other == name).map(|(_, value)| value)
        };
        Some(Stated {
            access: parameter("Access")?,
            headers: parameter("SignedHeaders")?,
            signature: hex::decode(parameter("Signature")?).ok()?,
        })
    }
}

/// What is signed: algorithm, date, and the digest of the canonical request.
fn text(claim: &Claim<'_>, headers: &str) -> Option<String> {
    let request = hex::encode(Sha256::digest(canonical(claim, headers)?));
    Some(format!("{ALGORITHM}\n{}\n{request}", date(claim.call)?))
}

fn canonical(claim: &Claim<'_>, headers: &str) -> Option<String> {
    let call = claim.call;
    let mut text = format!("{}\n{}\n{}\n", call.method, canonical_path(call), query(claim)?);
    for name in headers.split(';') {
        let values: Option<Vec<&str>> =
            call.headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
        let values = values.filter(|values| !values.is_empty())?;
        text.push_str(&format!("{name}:{}\n", values.join(",").trim()));
    }
    let body = hex::encode(Sha256::digest(call.body));
    Some(format!("{text}\n{headers}\n{body}"))
}

/// The path of the URL as the carrier knows it, its steps encoded anew, with `/` at its end.
fn canonical_path(call: &Call<'_>) -> String {
    let url = path(call.url.as_bytes());
    let address = url.windows(3).position(|at| at == b"://").map_or(0, |at| at + 3);
    let start = url[address..].iter().position(|byte| *byte == b'/');
    let path = start.map_or(&b""[..], |at| &url[address + at..]);
    let steps = path.split(|byte| *byte == b'/');
    let encoded = steps.map(|step| percent(&percent_decode(step).collect::<Vec<u8>>()));
    let mut path = encoded.collect::<Vec<_>>().join("/");
    if !path.ends_with('/') {
        path.push('/');
    }
    path
}

/// The parameters of the query, by name and then by value, encoded anew.
fn query(claim: &Claim<'_>) -> Option<String> {
    let mut fields = claim.values.fields(SortedOf::Query)?;
    fields.sort();
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    Some(pairs.collect::<Vec<_>>().join("&"))
}

fn date<'a>(call: &Call<'a>) -> Option<&'a str> {
    call.headers.get(DATE)?.to_str().ok()
}

fn time(date: &str) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?).ok()
}
