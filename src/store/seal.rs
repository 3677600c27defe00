//! Encryption at rest, and the keyed digests by which sealed things are found.
//!
//! Sealed bytes are `key id (4, little-endian) | nonce (12) | ciphertext | tag (16)`, AES-256-GCM (NIST SP 800-38D).
//! Nonces are random; a key is good for 2^32 seals, before which a new `store.key` must take over.

use super::callback::Nonce;
use super::job::NoncePrints;
use crate::clock::Entropy;
use crate::model::{RecordId, Secret};
use ring::aead::{self, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, UnboundKey};
use ring::{digest, hmac};

/// Length of a data key in bytes.
pub const KEY_LEN: usize = 32;
const ID_LEN: usize = 4;

/// The data keys: one that seals, and former ones that still open.
#[derive(Debug)]
pub struct KeyRing {
    keys: Vec<DataKey>,
}

#[derive(Debug)]
struct DataKey {
    id: [u8; ID_LEN],
    key: LessSafeKey,
}

/// Why sealed bytes cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not 32 bytes.
    #[error("a data key must be {KEY_LEN} bytes; make one with `openssl rand -hex {KEY_LEN}`")]
    BadKey,
    /// None of the configured keys sealed it.
    #[error("sealed under a data key that is not configured; add it to store.old_keys")]
    UnknownKey,
    /// The right key, but the bytes are not what was sealed, or not for this place.
    #[error("sealed data is damaged; restore it from a backup")]
    Damaged,
}

impl KeyRing {
    /// A ring whose first key seals.
    ///
    /// # Errors
    /// [`SealError::BadKey`] for a key of another length.
    pub fn new(active: &Secret, old: &[Secret]) -> Result<KeyRing, SealError> {
        let keys =
            std::iter::once(active).chain(old).map(DataKey::new).collect::<Result<_, _>>()?;
        Ok(KeyRing { keys })
    }

    /// Seals `plain` for the place that `place` names; it opens nowhere else.
    #[must_use]
    pub fn seal(&self, place: &[u8], plain: &[u8], entropy: &Entropy) -> Vec<u8> {
        let active = &self.keys[0];
        let nonce: [u8; NONCE_LEN] = entropy.bytes();
        let mut sealed =
            Vec::with_capacity(ID_LEN + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&active.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let body = ID_LEN + NONCE_LEN;
        #[expect(clippy::expect_used, reason = "AES-GCM fails only beyond 64 GiB of plain text")]
        let tag = active
            .key
            .seal_in_place_separate_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                Aad::from(place),
                &mut sealed[body..],
            )
            .expect("a callback is smaller than 64 GiB");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] or [`SealError::Damaged`].
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (id, rest) = sealed.split_at_checked(ID_LEN).ok_or(SealError::Damaged)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(SealError::Damaged)?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or(SealError::UnknownKey)?;
        let nonce =
            aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let mut plain = body.to_vec();
        let length = key
            .key
            .open_in_place(nonce, Aad::from(place), &mut plain)
            .map_err(|_| SealError::Damaged)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

/// The keys with a source of nonces: what seals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sealer<'a> {
    pub(super) ring: &'a KeyRing,
    pub(super) entropy: &'a Entropy,
}

impl Sealer<'_> {
    /// Seals for a place.
    pub(super) fn seal(self, place: &[u8], plain: &[u8]) -> Vec<u8> {
        self.ring.seal(place, plain, self.entropy)
    }
}

impl DataKey {
    fn new(secret: &Secret) -> Result<DataKey, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, secret.reveal()).map_err(|_| SealError::BadKey)?;
        let mut labelled = b"bridge8890 data key id".to_vec();
        labelled.extend_from_slice(secret.reveal());
        let hash = digest::digest(&digest::SHA256, &labelled);
        let mut id = [0; ID_LEN];
        id.copy_from_slice(&hash.as_ref()[..ID_LEN]);
        Ok(DataKey { id, key: LessSafeKey::new(key) })
    }
}

/// Where the key of all digests lies, and what it is sealed for.
pub(super) const LOOKUP_KEY: &str = "lookup key";

/// A keyed digest of something that must be found again but not be readable: HMAC-SHA256,
/// the first 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Fingerprint(pub(super) [u8; Fingerprint::LEN]);

impl Fingerprint {
    /// Length in bytes.
    pub(super) const LEN: usize = 16;

    /// The leading 64 bits: uniform, so they serve as a hash.
    pub(super) fn leading(self) -> u64 {
        let mut leading = [0; 8];
        leading.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(leading)
    }
}

/// Makes fingerprints. Its key never changes in a store's life, or nothing would be found.
#[derive(Debug, Clone)]
pub(super) struct Fingerprinter(hmac::Key);

impl Fingerprinter {
    /// Under this key.
    pub(super) fn new(key: &[u8]) -> Fingerprinter {
        Fingerprinter(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Of an account's dedupe key.
    pub(super) fn dedupe(&self, account: &str, key: &str) -> Fingerprint {
        self.of(b"dedupe", &[account.as_bytes(), key.as_bytes()])
    }

    /// Of an account's business key.
    pub(super) fn resend(&self, account: &str, key: &str) -> Fingerprint {
        self.of(b"resend", &[account.as_bytes(), key.as_bytes()])
    }

    /// Of an account's one-time token.
    pub(super) fn nonce(&self, account: &str, nonce: &Nonce) -> NoncePrints {
        let (account, value) = (account.as_bytes(), nonce.value.as_bytes());
        NoncePrints {
            token: self.of(b"nonce", &[account, value]),
            content: self.of(b"nonce content", &[account, value, &nonce.content]),
        }
    }

    /// Of what a memory is kept under.
    pub(super) fn memory(&self, key: &str) -> Fingerprint {
        self.of(b"memory", &[key.as_bytes()])
    }

    /// Of a caller, over all accounts.
    pub(super) fn caller(&self, caller: &str) -> Fingerprint {
        self.of(b"caller", &[caller.as_bytes()])
    }

    /// The number of the case that is one step of a matter.
    pub(super) fn case_of_step(&self, project_no: &str, step: Option<u32>) -> i64 {
        let step = step.map(u32::to_be_bytes);
        let step = step.as_ref().map_or(&[][..], |step| &step[..]);
        self.of(b"case of step", &[project_no.as_bytes(), step]).leading().cast_signed()
    }

    /// The number of the case that follows from a record.
    pub(super) fn case_of_record(&self, id: RecordId) -> i64 {
        self.of(b"case of record", &[id.0.as_bytes()]).leading().cast_signed()
    }

    /// Of what an answer is read as.
    pub(super) fn reading(&self, content: &[u8]) -> Fingerprint {
        self.of(b"reading", &[content])
    }

    fn of(&self, domain: &[u8], parts: &[&[u8]]) -> Fingerprint {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(domain);
        for part in parts {
            context.update(&[0]);
            context.update(part);
        }
        let mut digest = [0; Fingerprint::LEN];
        digest.copy_from_slice(&context.sign().as_ref()[..Fingerprint::LEN]);
        Fingerprint(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(fill: u8) -> Secret {
        Secret::new(vec![fill; KEY_LEN])
    }

    #[test]
    fn opens_only_with_its_key_in_its_place_and_unharmed() {
        let entropy = Entropy::seeded(1);
        let ring = KeyRing::new(&secret(1), &[]).expect("a key");
        let sealed = ring.seal(b"record 1", "满意".as_bytes(), &entropy);
        assert_eq!(ring.open(b"record 1", &sealed), Ok("满意".as_bytes().to_vec()));
        assert_eq!(ring.open(b"record 2", &sealed), Err(SealError::Damaged));
        for place in ID_LEN..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1;
            assert_eq!(ring.open(b"record 1", &damaged), Err(SealError::Damaged));
            assert!(ring.open(b"record 1", &sealed[..place]).is_err());
        }

        let rotated = KeyRing::new(&secret(2), &[secret(1)]).expect("keys");
        assert!(rotated.open(b"record 1", &sealed).is_ok());
        let other = KeyRing::new(&secret(2), &[]).expect("a key");
        assert_eq!(other.open(b"record 1", &sealed), Err(SealError::UnknownKey));
        assert!(matches!(KeyRing::new(&Secret::new(vec![1; 31]), &[]), Err(SealError::BadKey)));
    }

    #[test]
    fn fingerprints_keep_domains_and_parts_apart() {
        let prints = Fingerprinter::new(&[7; 32]);
        assert_eq!(prints.dedupe("a", "1"), prints.dedupe("a", "1"));
        assert_ne!(prints.dedupe("a", "1"), prints.dedupe("b", "1"));
        assert_ne!(prints.dedupe("ab", "1"), prints.dedupe("a", "b1"));
        assert_ne!(prints.dedupe("a", "1"), prints.resend("a", "1"));
        let nonce = |fill| prints.nonce("a", &Nonce { value: "1".to_owned(), content: [fill; 32] });
        assert_eq!(nonce(1).token, nonce(2).token);
        assert_ne!(nonce(1).content, nonce(2).content);
        assert_ne!(nonce(1).token, prints.dedupe("a", "1"));
        assert_ne!(prints.caller("1"), prints.memory("1"));
        assert_ne!(prints.caller("1"), Fingerprinter::new(&[8; 32]).caller("1"));
    }
}
