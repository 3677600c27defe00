//! The native profile's signature: HMAC-SHA256 over the request's outline
//! (`docs/platform-api.yaml`, security scheme `signature`). Pure.

use ring::{digest, hmac};

/// The header that names the signing key.
pub const KEY_ID: &str = "x-bridge-key-id";
/// The header with the time of signing, in seconds since 1970.
pub const TIMESTAMP: &str = "x-bridge-timestamp";
/// The header with a value never used before under this key.
pub const NONCE: &str = "x-bridge-nonce";
/// The header with the signature, `v1=` and hex.
pub const SIGNATURE: &str = "x-bridge-signature";

const VERSION: &str = "v1=";

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
    pub fn sign(&self, key: &hmac::Key) -> String {
        let tag = hmac::sign(key, self.text().as_bytes());
        format!("{VERSION}{}", hex::encode(tag))
    }

    /// Whether the signature header's value is right, in constant time.
    #[must_use]
    pub fn verify(&self, key: &hmac::Key, signature: &str) -> bool {
        let tag = signature.strip_prefix(VERSION).and_then(|tag| hex::decode(tag).ok());
        tag.is_some_and(|tag| hmac::verify(key, self.text().as_bytes(), &tag).is_ok())
    }

    fn text(&self) -> String {
        let Outline { timestamp, nonce, method, path, body } = self;
        let body = hex::encode(digest::digest(&digest::SHA256, body));
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

    fn key(secret: &[u8]) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, secret)
    }

    /// The expected value comes from `openssl dgst`, by the recipe in `docs/platform-api.yaml`.
    #[test]
    fn signs_as_documented() {
        assert_eq!(
            OUTLINE.sign(&key(b"platform-secret")),
            "v1=5934517b2c49c2dda789db254eba8a7864b21c13068448c73ded469de0f47cac"
        );
    }

    #[test]
    fn every_part_is_covered() {
        let key = key(b"platform-secret");
        let signature = OUTLINE.sign(&key);
        assert!(OUTLINE.verify(&key, &signature));
        let changed = [
            Outline { timestamp: "1772677231", ..OUTLINE },
            Outline { nonce: "01112233445566778899aabbccddeeff", ..OUTLINE },
            Outline { method: "PUT", ..OUTLINE },
            Outline { path: "/v1/records?", ..OUTLINE },
            Outline { body: b"{}", ..OUTLINE },
        ];
        for outline in changed {
            assert!(!outline.verify(&key, &signature), "{outline:?}");
        }
        for odd in ["", "v1=", "v1=zz", &signature[3..], &signature.replace("v1", "v2")] {
            assert!(!OUTLINE.verify(&key, odd), "{odd}");
        }
        assert!(!OUTLINE.verify(&self::key(b"another"), &signature));
    }
}
