//! SM2 with SM3 (GB/T 32918.2 and .4, formerly GM/T 0003): who signed, and who alone may read.
//! Pure: signatures are deterministic, and encryption is given its randomness.

use crate::model::Secret;
use ::sm2::dsa::signature::{Signer, Verifier};
use ::sm2::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ::sm2::{PublicKey, SecretKey, dsa, pke};
use base64::{Engine, engine::general_purpose::STANDARD};
use rand::{SeedableRng, rngs::StdRng};
use std::fmt;
use zeroize::Zeroizing;

/// The signer's id where none is agreed (GM/T 0009-2012, section 10).
pub const DEFAULT_ID: &str = "1234567812345678";

/// The longest id: its length in bits has 16 bits (GB/T 32918.2-2016, section 5.5).
const LONGEST_ID: usize = 8191;

/// Randomness for one encryption. Never used for a second one.
pub type Seed = [u8; 32];

/// Why a key cannot be used. The key itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No private key.
    #[error(
        "is no SM2 private key; write 64 hex digits, or PEM that begins with BEGIN PRIVATE KEY"
    )]
    Private,
    /// No public key.
    #[error(
        "is no SM2 public key; write 128 hex digits, 130 with the leading 04, or PEM that begins \
         with BEGIN PUBLIC KEY"
    )]
    Public,
    /// No id.
    #[error("is too long for a signer's id; write at most {LONGEST_ID} bytes")]
    Id,
}

/// What cannot be read: cut, changed, in another layout, or for another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// There is nothing to encrypt, which SM2 does not define.
    #[error("there is nothing to encrypt")]
    Empty,
    /// It is not for this key, or not in this layout, or was changed.
    #[error("cannot be decrypted; compare the key, the order of its parts and the leading 04")]
    Unreadable,
}

/// How the two numbers of a signature are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureForm {
    /// An ASN.1 sequence (GM/T 0009-2012, section 7.3); 70 to 72 bytes as a rule.
    Der,
    /// r, then s; always 64 bytes.
    Raw,
}

/// How the parts of a ciphertext follow each other: C1 the point, C2 the text, C3 the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// C1, C3, C2: GB/T 32918.4-2016. `prefix`: whether C1 begins with its 04.
    C1C3C2 {
        /// Whether C1 begins with its 04.
        prefix: bool,
    },
    /// C1, C2, C3: GM/T 0003.4 as first published, and older libraries.
    C1C2C3 {
        /// Whether C1 begins with its 04.
        prefix: bool,
    },
    /// An ASN.1 sequence (GM/T 0009-2012, section 7.2), as OpenSSL writes it.
    Der,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Lower-case hex; either case is read.
    Hex,
    /// Base64 with padding.
    Base64,
}

impl Encoding {
    /// The bytes as text.
    #[must_use]
    pub fn write(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Hex => hex::encode(bytes),
            Encoding::Base64 => STANDARD.encode(bytes),
        }
    }

    /// The bytes of a text.
    #[must_use]
    pub fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Encoding::Hex => hex::decode(text).ok(),
            Encoding::Base64 => STANDARD.decode(text).ok(),
        }
    }
}

/// Signs as one signer.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(dsa::SigningKey);

impl SigningKey {
    /// With a private key, 64 hex digits or PKCS#8 in PEM, and the signer's id.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(secret: &Secret, id: &str) -> Result<SigningKey, KeyError> {
        let key = private(secret)?;
        dsa::SigningKey::new(checked(id)?, &key).map(SigningKey).map_err(|_| KeyError::Private)
    }

    /// Signs a message. The same message has the same signature: the nonce is drawn from key and
    /// message (RFC 6979, with SM3), so that no weak randomness can give the key away.
    #[must_use]
    #[expect(clippy::expect_used, reason = "fails for one message in 2^255, when r or s is 0")]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.try_sign(message).expect("a signature"))
    }

    /// What tells its signatures.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key().clone())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// Tells whether one signer signed.
#[derive(Debug, Clone)]
pub struct VerifyingKey(dsa::VerifyingKey);

impl VerifyingKey {
    /// With a public key, hex or PEM, and the signer's id.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(key: &str, id: &str) -> Result<VerifyingKey, KeyError> {
        let key = public(key)?;
        dsa::VerifyingKey::new(checked(id)?, key).map(VerifyingKey).map_err(|_| KeyError::Public)
    }

    /// Whether it is the signature of this message.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        self.0.verify(message, &signature.0).is_ok()
    }
}

/// A signature: two numbers below the order of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(dsa::Signature);

impl Signature {
    /// Reads one, if it is in this form.
    #[must_use]
    pub fn read(bytes: &[u8], form: SignatureForm) -> Option<Signature> {
        let read = match form {
            SignatureForm::Der => dsa::Signature::from_der(bytes),
            SignatureForm::Raw => dsa::Signature::from_slice(bytes),
        };
        read.ok().map(Signature)
    }

    /// Writes it.
    #[must_use]
    pub fn write(&self, form: SignatureForm) -> Vec<u8> {
        match form {
            SignatureForm::Der => self.0.to_der().as_ref().to_vec(),
            SignatureForm::Raw => self.0.to_vec(),
        }
    }
}

/// Writes what only the owner of a key can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionKey(PublicKey);

impl EncryptionKey {
    /// With the reader's public key, hex or PEM.
    ///
    /// # Errors
    /// [`KeyError::Public`].
    pub fn read(key: &str) -> Result<EncryptionKey, KeyError> {
        public(key).map(EncryptionKey)
    }

    /// Encrypts a message with fresh randomness.
    ///
    /// # Errors
    /// [`CipherError::Empty`].
    pub fn encrypt(
        &self,
        message: &[u8],
        layout: Layout,
        seed: Seed,
    ) -> Result<Vec<u8>, CipherError> {
        let key = pke::EncryptingKey::new_with_mode(self.0, layout.mode());
        let random = &mut StdRng::from_seed(seed);
        let ciphertext = match layout {
            Layout::Der => key.encrypt_der(random, message),
            Layout::C1C3C2 { .. } | Layout::C1C2C3 { .. } => key.encrypt(random, message),
        };
        let mut ciphertext = ciphertext.map_err(|_| CipherError::Empty)?;
        if layout.is_bare() {
            ciphertext.remove(0);
        }
        Ok(ciphertext)
    }
}

/// Reads what was encrypted for one key.
#[derive(Clone)]
pub struct DecryptionKey(SecretKey);

impl DecryptionKey {
    /// With a private key, 64 hex digits or PKCS#8 in PEM.
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn read(secret: &Secret) -> Result<DecryptionKey, KeyError> {
        private(secret).map(DecryptionKey)
    }

    /// Decrypts what was written in this layout.
    ///
    /// # Errors
    /// [`CipherError::Unreadable`].
    pub fn decrypt(
        &self,
        ciphertext: &[u8],
        layout: Layout,
    ) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        let key = pke::DecryptingKey::new_with_mode(self.0.to_nonzero_scalar(), layout.mode());
        let message = match layout {
            Layout::Der => key.decrypt_der(ciphertext),
            _ if layout.is_bare() => key.decrypt(&[&[UNCOMPRESSED], ciphertext].concat()),
            Layout::C1C3C2 { .. } | Layout::C1C2C3 { .. } => key.decrypt(ciphertext),
        };
        message.map(Zeroizing::new).map_err(|_| CipherError::Unreadable)
    }

    /// What writes for it.
    #[must_use]
    pub fn encryption_key(&self) -> EncryptionKey {
        EncryptionKey(self.0.public_key())
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecryptionKey(…)")
    }
}

/// The first byte of a point with both coordinates.
const UNCOMPRESSED: u8 = 4;

impl Layout {
    fn mode(self) -> pke::Mode {
        match self {
            Layout::C1C2C3 { .. } => pke::Mode::C1C2C3,
            Layout::C1C3C2 { .. } | Layout::Der => pke::Mode::C1C3C2,
        }
    }

    fn is_bare(self) -> bool {
        matches!(self, Layout::C1C3C2 { prefix: false } | Layout::C1C2C3 { prefix: false })
    }
}

fn private(secret: &Secret) -> Result<SecretKey, KeyError> {
    let text = std::str::from_utf8(secret.reveal()).map_err(|_| KeyError::Private)?.trim();
    if text.starts_with("-----") {
        return SecretKey::from_pkcs8_pem(text).map_err(|_| KeyError::Private);
    }
    let bytes = Zeroizing::new(hex::decode(text).map_err(|_| KeyError::Private)?);
    if bytes.len() != 32 {
        return Err(KeyError::Private);
    }
    SecretKey::from_slice(&bytes).map_err(|_| KeyError::Private)
}

fn public(text: &str) -> Result<PublicKey, KeyError> {
    let text = text.trim();
    if text.starts_with("-----") {
        return PublicKey::from_public_key_pem(text).map_err(|_| KeyError::Public);
    }
    let mut bytes = hex::decode(text).map_err(|_| KeyError::Public)?;
    if bytes.len() == 64 {
        bytes.insert(0, UNCOMPRESSED);
    }
    PublicKey::from_sec1_bytes(&bytes).map_err(|_| KeyError::Public)
}

fn checked(id: &str) -> Result<&str, KeyError> {
    if id.len() > LONGEST_ID { Err(KeyError::Id) } else { Ok(id) }
}

#[cfg(test)]
mod tests;
