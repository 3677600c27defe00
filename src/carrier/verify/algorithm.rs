//! The algorithms of signatures, made and checked.

use crate::config::dialect::Algorithm;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest as _, Md5};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use sm3::Sm3;
use subtle::{Choice, ConstantTimeEq as _};

/// The signature of a text; the digests without a key ignore it. For Ed25519 the key is the
/// private seed, and `None` if it is none.
pub(in crate::carrier) fn sign(algorithm: Algorithm, key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    Some(match algorithm {
        Algorithm::Md5 => Md5::digest(text).to_vec(),
        Algorithm::Sha1 => Sha1::digest(text).to_vec(),
        Algorithm::Sha256 => Sha256::digest(text).to_vec(),
        Algorithm::Sha512 => Sha512::digest(text).to_vec(),
        Algorithm::Sm3 => Sm3::digest(text).to_vec(),
        Algorithm::HmacMd5 => hmac::<Hmac<Md5>>(key, text),
        Algorithm::HmacSha1 => hmac::<Hmac<Sha1>>(key, text),
        Algorithm::HmacSha256 => hmac::<Hmac<Sha256>>(key, text),
        Algorithm::HmacSha512 => hmac::<Hmac<Sha512>>(key, text),
        Algorithm::HmacSm3 => hmac::<Hmac<Sm3>>(key, text),
        Algorithm::Ed25519 => {
            let pair = Ed25519KeyPair::from_seed_unchecked(key).ok()?;
            pair.sign(text).as_ref().to_vec()
        }
    })
}

/// Whether this is the signature of a text. For Ed25519 the key is the public one.
pub(super) fn is_signed(algorithm: Algorithm, key: &[u8], text: &[u8], given: &[u8]) -> Choice {
    match algorithm {
        Algorithm::Ed25519 => {
            let verified = UnparsedPublicKey::new(&ED25519, key).verify(text, given);
            Choice::from(u8::from(verified.is_ok()))
        }
        computed => match sign(computed, key, text) {
            Some(expected) => expected.ct_eq(given),
            None => Choice::from(0),
        },
    }
}

/// An HMAC (RFC 2104).
#[expect(clippy::expect_used, reason = "an HMAC takes keys of any length")]
pub(super) fn hmac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mac = <M as KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(algorithm: Algorithm, key: &[u8], text: &[u8]) -> String {
        hex::encode(sign(algorithm, key, text).expect("a key"))
    }

    /// RFC 1321, FIPS 180-4 and GB/T 32905-2016, all of `abc`.
    #[test]
    fn digests_are_those_of_their_standards() {
        for (algorithm, expected) in [
            (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Algorithm::Sm3, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        ] {
            assert_eq!(hex(algorithm, b"ignored", b"abc"), expected, "{algorithm:?}");
        }
        assert!(
            hex(Algorithm::Sha512, b"", b"abc").starts_with("ddaf35a193617abacc417349ae204131")
        );
    }

    /// RFC 2202 and RFC 4231, test case 2.
    #[test]
    fn hmacs_are_those_of_their_standards() {
        let text = b"what do ya want for nothing?";
        for (algorithm, expected) in [
            (Algorithm::HmacMd5, "750c783e6ab0b503eaa86e310a5db738"),
            (Algorithm::HmacSha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                Algorithm::HmacSha256,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ] {
            assert_eq!(hex(algorithm, b"Jefe", text), expected, "{algorithm:?}");
        }
        let sha512 = hex(Algorithm::HmacSha512, b"Jefe", text);
        assert!(
            sha512.starts_with("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554")
        );
        // A key longer than a block is digested first (RFC 4231, test case 6).
        let long = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hex(Algorithm::HmacSha256, &[0xaa; 131], text), long);
        assert_eq!(sign(Algorithm::HmacSm3, b"", b"").map(|tag| tag.len()), Some(32));
    }

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn ed25519_is_that_of_its_standard() {
        let seed = hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let public =
            hex::decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let (seed, public) = (seed.expect("hex"), public.expect("hex"));
        let signature = sign(Algorithm::Ed25519, &seed, &[0x72]).expect("a seed");
        assert!(hex::encode(&signature).starts_with("92a009a9f0d4cab8720e820b5f642540"));
        let is_signed = |key: &[u8], text: &[u8], given: &[u8]| {
            bool::from(is_signed(Algorithm::Ed25519, key, text, given))
        };
        assert!(is_signed(&public, &[0x72], &signature));
        assert!(!is_signed(&public, &[0x73], &signature));
        assert!(!is_signed(&public, &[0x72], &signature[1..]));
        assert!(!is_signed(b"no key", &[0x72], &signature));
        assert_eq!(sign(Algorithm::Ed25519, b"no seed", &[0x72]), None);
    }
}
