//! The signature of requests between the gateway and the platform, whichever of them asks: over
//! the request's outline (`docs/platform-api.yaml`), with HMAC-SHA256, HMAC-SM3 or SM2. Pure.

use crate::model::Secret;
use crate::sm2::{self, SignatureForm, SigningKey};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::InvalidHeaderValue;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use jiff::Timestamp;
use ring::digest;
use sm3::{Digest as _, Sm3};
use std::fmt;
use std::time::Duration;

/// The header that names the signing key.
pub const KEY_ID: HeaderName = HeaderName::from_static("x-bridge-key-id");
/// The header with the time of signing, in seconds since 1970.
pub const TIMESTAMP: HeaderName = HeaderName::from_static("x-bridge-timestamp");
/// The header with a value never used before under this key.
pub const NONCE: HeaderName = HeaderName::from_static("x-bridge-nonce");
/// The header with the signature: the scheme's tag, `=`, and hex.
pub const SIGNATURE: HeaderName = HeaderName::from_static("x-bridge-signature");

/// How far the two clocks may be apart, unless it is agreed otherwise.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// What requests are signed with; a scheme has a tag of its own, so that no signature can pass for
/// that of another.
#[derive(Clone)]
pub enum Key {
    /// HMAC (RFC 2104) with SHA-256, which also digests the body; `v1`.
    HmacSha256(ring::hmac::Key),
    /// HMAC (RFC 2104) with SM3 (GB/T 32905), which also digests the body; `v1-sm3`.
    HmacSm3(Hmac<Sm3>),
    /// SM2 (GB/T 32918.2) with the usual signer's id, `r` and `s` of 32 bytes each; SM3 digests the
    /// body; `v1-sm2`.
    Sm2(Box<SigningKey>),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.tag())
    }
}

impl Key {
    /// HMAC-SHA256.
    #[must_use]
    pub fn hmac_sha256(secret: &Secret) -> Key {
        Key::HmacSha256(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.reveal()))
    }

    /// HMAC-SM3.
    #[must_use]
    #[expect(clippy::expect_used, reason = "an HMAC takes keys of any length")]
    pub fn hmac_sm3(secret: &Secret) -> Key {
        Key::HmacSm3(Hmac::new_from_slice(secret.reveal()).expect("a key of any length"))
    }

    /// SM2.
    ///
    /// # Errors
    /// When it is no private key.
    pub fn sm2(secret: &Secret) -> Result<Key, sm2::KeyError> {
        Ok(Key::Sm2(Box::new(SigningKey::read(secret, sm2::DEFAULT_ID)?)))
    }

    fn tag(&self) -> &'static str {
        match self {
            Key::HmacSha256(_) => "v1",
            Key::HmacSm3(_) => "v1-sm3",
            Key::Sm2(_) => "v1-sm2",
        }
    }

    fn digest(&self, body: &[u8]) -> String {
        match self {
            Key::HmacSha256(_) => hex::encode(digest::digest(&digest::SHA256, body)),
            Key::HmacSm3(_) | Key::Sm2(_) => hex::encode(Sm3::digest(body)),
        }
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        match self {
            Key::HmacSha256(key) => ring::hmac::sign(key, text).as_ref().to_vec(),
            Key::HmacSm3(key) => key.clone().chain_update(text).finalize().into_bytes().to_vec(),
            Key::Sm2(key) => key.sign(text).write(SignatureForm::Raw),
        }
    }

    /// In constant time where the key is secret on both sides.
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        match self {
            Key::HmacSha256(key) => ring::hmac::verify(key, text, signature).is_ok(),
            Key::HmacSm3(key) => key.clone().chain_update(text).verify_slice(signature).is_ok(),
            Key::Sm2(key) => sm2::Signature::read(signature, SignatureForm::Raw)
                .is_some_and(|signature| key.verifying_key().verify(text, &signature)),
        }
    }
}

/// Signs requests with one key.
#[derive(Debug, Clone)]
pub struct Signer {
    key_id: HeaderValue,
    key: Key,
}

impl Signer {
    /// With an HMAC-SHA256 key and its id.
    ///
    /// # Errors
    /// When a header cannot carry the id.
    pub fn new(key_id: &str, secret: &Secret) -> Result<Signer, InvalidHeaderValue> {
        Signer::with(key_id, Key::hmac_sha256(secret))
    }

    /// With any key and its id.
    ///
    /// # Errors
    /// When a header cannot carry the id.
    pub fn with(key_id: &str, key: Key) -> Result<Signer, InvalidHeaderValue> {
        Ok(Signer { key_id: HeaderValue::from_str(key_id)?, key })
    }

    /// Puts the headers of the signature on a request that is otherwise complete.
    pub fn sign(&self, request: &mut Request<Bytes>, now: Timestamp, nonce: [u8; 16]) {
        let (timestamp, nonce) = (now.as_second().to_string(), hex::encode(nonce));
        let signature = Outline {
            timestamp: &timestamp,
            nonce: &nonce,
            method: request.method().as_str(),
            path: request.uri().path_and_query().map_or("/", |path| path.as_str()),
            body: request.body(),
        }
        .sign(&self.key);
        let headers = request.headers_mut();
        headers.insert(KEY_ID, self.key_id.clone());
        headers.insert(TIMESTAMP, ascii(timestamp));
        headers.insert(NONCE, ascii(nonce));
        headers.insert(SIGNATURE, ascii(signature));
    }
}

/// Tells whether requests are signed by somebody who has one of its keys.
///
/// Nonces are not remembered: the same request again must be without effect by itself.
#[derive(Debug, Clone)]
pub struct Verifier {
    key_id: Option<String>,
    keys: Vec<Key>,
    tolerance: Duration,
}

/// Why a request is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// A header of the signature is missing, or is no text.
    #[error("a header of the signature is missing; send all four, each once")]
    Unsigned,
    /// The key's id is another.
    #[error("signed under another key id; compare `key_id` on both sides")]
    KeyId,
    /// It is not right for any key.
    #[error("wrong signature; compare the secret, and sign path and body exactly as sent")]
    Signature,
    /// It is right, and the timestamp is too far off.
    #[error("signed outside the accepted window; compare both clocks, or widen `tolerance`")]
    Stale,
}

impl Verifier {
    /// With these HMAC-SHA256 keys, of which any may have signed; `key_id`: under this id only.
    #[must_use]
    pub fn new<'a>(
        key_id: Option<&str>,
        secrets: impl IntoIterator<Item = &'a Secret>,
        tolerance: Duration,
    ) -> Verifier {
        Verifier::of(key_id, secrets.into_iter().map(Key::hmac_sha256).collect(), tolerance)
    }

    /// The same with keys of any scheme.
    #[must_use]
    pub fn of(key_id: Option<&str>, keys: Vec<Key>, tolerance: Duration) -> Verifier {
        Verifier { key_id: key_id.map(str::to_owned), keys, tolerance }
    }

    /// Looks at a request: its method, its path and query as sent, its headers and its body.
    ///
    /// # Errors
    /// [`Distrust`].
    pub fn verify(
        &self,
        (method, path): (&Method, &str),
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Distrust> {
        let timestamp = only(headers, &TIMESTAMP)?;
        let nonce = only(headers, &NONCE)?;
        let signature = only(headers, &SIGNATURE)?;
        if let Some(key_id) = &self.key_id
            && only(headers, &KEY_ID)? != key_id
        {
            return Err(Distrust::KeyId);
        }
        let outline = Outline { timestamp, nonce, method: method.as_str(), path, body };
        if !self.keys.iter().any(|key| outline.verify(key, signature)) {
            return Err(Distrust::Signature);
        }
        let apart = |at: i64| now.as_second().abs_diff(at) <= self.tolerance.as_secs();
        if timestamp.parse().is_ok_and(apart) { Ok(()) } else { Err(Distrust::Stale) }
    }
}

/// The one value of a header: of two nobody knows which was signed.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, Distrust> {
    let mut values = headers.get_all(name).iter();
    match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(Distrust::Unsigned),
    }
}

#[expect(clippy::expect_used, reason = "digits and hex always fit into a header")]
fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("plain ASCII")
}

/// What is signed of a request.
#[derive(Debug, Clone, Copy)]
pub struct Outline<'a> {
    /// The timestamp header.
    pub timestamp: &'a str,
    /// The nonce header.
    pub nonce: &'a str,
    /// The method, upper case.
    pub method: &'a str,
    /// Path and query as sent.
    pub path: &'a str,
    /// The body as sent.
    pub body: &'a [u8],
}

impl Outline<'_> {
    /// The signature header's value.
    #[must_use]
    pub fn sign(&self, key: &Key) -> String {
        format!("{}={}", key.tag(), hex::encode(key.sign(self.text(key).as_bytes())))
    }

    /// Whether the signature header's value is right, in constant time.
    #[must_use]
    pub fn verify(&self, key: &Key, signature: &str) -> bool {
        let Some((tag, signature)) = signature.split_once('=') else { return false };
        let signature = hex::decode(signature).ok().filter(|_| tag == key.tag());
        signature.is_some_and(|signature| key.verify(self.text(key).as_bytes(), &signature))
    }

    fn text(&self, key: &Key) -> String {
        let Outline { timestamp, nonce, method, path, body } = self;
        let body = key.digest(body);
        format!("{timestamp}\n{nonce}\n{method}\n{path}\n{body}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTLINE: Outline<'_> = Outline {
        timestamp: "1772677230",
        nonce: "00112233445566778899aabbccddeeff",
        method: "POST",
        path: "/v1/records",
        body: br#"{"records":[]}"#,
    };

    fn key(secret: &[u8]) -> Key {
        Key::hmac_sha256(&Secret::new(secret.to_vec()))
    }

    fn sm3(secret: &[u8]) -> Key {
        Key::hmac_sm3(&Secret::new(secret.to_vec()))
    }

    const NOW: Timestamp = Timestamp::constant(1_772_677_230, 0);

    fn signed(secret: &[u8]) -> Request<Bytes> {
        let mut request = Request::new(Bytes::from_static(b"[]"));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = "https://gateway.example/v1/invitations?a=b".parse().expect("a URL");
        let signer = Signer::new("platform", &Secret::new(secret.to_vec())).expect("an id");
        signer.sign(&mut request, NOW, [7; 16]);
        request
    }

    fn verified(verifier: &Verifier, request: &Request<Bytes>, now: Timestamp) -> Option<Distrust> {
        let target = (request.method(), "/v1/invitations?a=b");
        verifier.verify(target, request.headers(), request.body(), now).err()
    }

    /// The expected value comes from `openssl dgst`, by the recipe in `docs/platform-api.yaml`.
    #[test]
    fn signs_as_documented() {
        assert_eq!(
            OUTLINE.sign(&key(b"platform-secret")),
            "v1=5934517b2c49c2dda789db254eba8a7864b21c13068448c73ded469de0f47cac"
        );
    }

    /// The expected value comes from `openssl dgst -sm3`, by the same recipe.
    #[test]
    fn signs_with_sm3_as_documented() {
        assert_eq!(
            OUTLINE.sign(&sm3(b"platform-secret")),
            "v1-sm3=aa09f0dc01c0e0f68be143a2f5131947ccb5c7cf5f794e3456bddc6784f78366"
        );
    }

    fn sm2() -> Key {
        let private = b"3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
        Key::sm2(&Secret::new(private.to_vec())).expect("a key")
    }

    #[test]
    fn a_signature_of_one_scheme_is_none_of_another() {
        let keys = [key(b"platform-secret"), sm3(b"platform-secret"), sm2()];
        for (signer, verifier) in keys.iter().flat_map(|one| keys.iter().map(move |it| (one, it))) {
            let is_same = signer.tag() == verifier.tag();
            assert_eq!(OUTLINE.verify(verifier, &OUTLINE.sign(signer)), is_same, "{signer:?}");
        }
        let [one, other, _] = keys;
        let of_other = OUTLINE.sign(&other);
        let disguised = of_other.replace("v1-sm3", "v1");
        assert!(!OUTLINE.verify(&one, &disguised) && !OUTLINE.verify(&other, &disguised));
    }

    #[test]
    fn every_part_is_covered() {
        for key in [key(b"platform-secret"), sm3(b"platform-secret"), sm2()] {
            is_covered(&key);
        }
    }

    fn is_covered(key: &Key) {
        let signature = OUTLINE.sign(key);
        assert!(OUTLINE.verify(key, &signature));
        let changed = [
            Outline { timestamp: "1772677231", ..OUTLINE },
            Outline { nonce: "01112233445566778899aabbccddeeff", ..OUTLINE },
            Outline { method: "PUT", ..OUTLINE },
            Outline { path: "/v1/records?", ..OUTLINE },
            Outline { body: b"{}", ..OUTLINE },
        ];
        for outline in changed {
            assert!(!outline.verify(key, &signature), "{outline:?}");
        }
        for odd in ["", "v1=", "v1=zz", &signature[3..], &signature.replacen("v1", "v2", 1)] {
            assert!(!OUTLINE.verify(key, odd), "{odd}");
        }
        assert!(!OUTLINE.verify(&self::key(b"another"), &signature));
    }

    #[test]
    fn whoever_has_a_key_is_believed_within_the_tolerance() {
        let secrets = [&b"old"[..], b"new"].map(|secret| Secret::new(secret.to_vec()));
        let any = Verifier::new(None, &secrets, Duration::from_secs(60));
        let late = |seconds| NOW + jiff::SignedDuration::from_secs(seconds);
        for secret in [&b"old"[..], b"new"] {
            assert_eq!(verified(&any, &signed(secret), NOW), None);
        }
        assert_eq!(verified(&any, &signed(b"other"), NOW), Some(Distrust::Signature));
        for (seconds, expected) in [(60, None), (-60, None), (61, Some(Distrust::Stale))] {
            assert_eq!(verified(&any, &signed(b"new"), late(seconds)), expected, "{seconds}");
        }
        let named = |id| Verifier::new(Some(id), &secrets, TOLERANCE);
        assert_eq!(verified(&named("platform"), &signed(b"new"), NOW), None);
        assert_eq!(verified(&named("another"), &signed(b"new"), NOW), Some(Distrust::KeyId));
    }

    #[test]
    fn a_header_that_is_missing_or_there_twice_signs_nothing() {
        let any = Verifier::new(None, &[Secret::new(b"new".to_vec())], TOLERANCE);
        for name in [TIMESTAMP, NONCE, SIGNATURE] {
            let mut request = signed(b"new");
            let value = request.headers_mut().remove(&name).expect("it is there");
            assert_eq!(verified(&any, &request, NOW), Some(Distrust::Unsigned), "{name}");
            request.headers_mut().append(&name, value.clone());
            request.headers_mut().append(&name, value);
            assert_eq!(verified(&any, &request, NOW), Some(Distrust::Unsigned), "{name}");
        }
    }
}
