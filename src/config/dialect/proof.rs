//! What must be proven: passwords, tokens, digests and signatures.

use super::{Place, Source, Template, TimeField};
use std::collections::BTreeMap;
use std::time::Duration;

/// What must be proven.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// Any of them will do; none: nothing is checked.
    pub schemes: Vec<Scheme>,
    /// An account without secrets believes everything.
    pub optional: bool,
}

impl Auth {
    /// What travels in the query and proves every request alike.
    pub fn in_query(&self) -> impl Iterator<Item = &Source> {
        let given = self.schemes.iter().flat_map(|scheme| {
            let token = match &scheme.check {
                Check::Token { given, .. } => Some(given),
                _ => None,
            };
            token.into_iter().chain(&scheme.user)
        });
        given.filter(|source| source.place == Place::Query)
    }
}

/// One way of proving where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// What is compared or computed.
    pub check: Check,
    /// Must be the account's `user`, where the account has one.
    pub user: Option<Source>,
    /// When it was signed, by the carrier's clock, where that stands in a field of the request;
    /// tokens and canonical requests tell it by themselves.
    pub time: Option<TimeField>,
    /// How far that may be from our clock, either way; an account may set its own.
    pub tolerance: Duration,
    /// A value that is good for one content only; remembered.
    pub nonce: Option<Source>,
}

/// What is compared or computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// HTTP basic authentication: the account's `user`, and a secret as password.
    Basic,
    /// A secret that travels with the request.
    Token {
        /// Where.
        given: Source,
        /// What stands in front of it, `Bearer ` for example.
        prefix: String,
    },
    /// A digest, HMAC or signature over a template.
    Digest(Digest),
    /// A JSON web token, HS256, HS384 or HS512, whose claims hold a digest of the body.
    Jwt {
        /// Where.
        given: Source,
        /// What stands in front of it.
        prefix: String,
        /// The claim with the hexadecimal SHA-256 of the body, which must be there when there is
        /// a body.
        body_hash: String,
        /// The claim with the hexadecimal SHA-256 of the URL as the carrier knows it, which then
        /// must be there.
        url_hash: Option<String>,
    },
    /// Huawei Cloud's `SDK-HMAC-SHA256` over a canonical request.
    SdkHmacSha256,
    /// Twilio's `X-Twilio-Signature`.
    Twilio,
    /// Plivo's `X-Plivo-Signature-V2`, which does not cover the parameters.
    PlivoV2,
    /// Plivo's `X-Plivo-Signature-V3`.
    PlivoV3,
}

/// A digest, HMAC or signature over a template of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The algorithms; any of them will do.
    pub algorithms: Vec<Algorithm>,
    /// What is signed. `${secret}` is a secret of the account, `${user}` its user, `${sorted}` the
    /// fields in order.
    pub over: Template,
    /// Where the signature stands.
    pub given: Source,
    /// What stands in front of it.
    pub prefix: String,
    /// How it is written.
    pub written: Written,
    /// How `${sorted}` is made.
    pub sorted: Option<Sorted>,
    /// How the account's secrets are written.
    pub key: Written,
}

impl Digest {
    /// The places that are signed.
    pub fn signed(&self) -> impl Iterator<Item = &Source> {
        let values = self.sorted.iter().flat_map(|sorted| &sorted.values);
        self.over.sources().chain(values.flat_map(Template::sources))
    }
}

/// How bytes are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Written {
    /// As they are.
    #[default]
    Plain,
    /// Hexadecimal in either case.
    Hex,
    /// Base64, standard or URL-safe, padded or not.
    Base64,
    /// Base64 of hexadecimal digits.
    HexBase64,
    /// Base64 between lines that begin with `-----` (RFC 7468).
    Pem,
}

/// Algorithms of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// SM3 (GB/T 32905).
    Sm3,
    /// HMAC with MD5.
    HmacMd5,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
    /// HMAC with SM3.
    HmacSm3,
    /// Ed25519 (RFC 8032); the account's secrets are public keys of 32 bytes.
    Ed25519,
    /// RSA with PKCS #1 v1.5 and SHA-1; the account's secrets are public keys (RFC 5280).
    RsaSha1,
    /// The same with SHA-256.
    RsaSha256,
    /// ECDSA on P-256 with SHA-256, the signature in DER; the account's secrets are public keys.
    EcdsaP256,
}

impl Algorithm {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, Algorithm); 14] = [
        ("md5", Algorithm::Md5),
        ("sha1", Algorithm::Sha1),
        ("sha256", Algorithm::Sha256),
        ("sha512", Algorithm::Sha512),
        ("sm3", Algorithm::Sm3),
        ("hmac-md5", Algorithm::HmacMd5),
        ("hmac-sha1", Algorithm::HmacSha1),
        ("hmac-sha256", Algorithm::HmacSha256),
        ("hmac-sha512", Algorithm::HmacSha512),
        ("hmac-sm3", Algorithm::HmacSm3),
        ("ed25519", Algorithm::Ed25519),
        ("rsa-sha1", Algorithm::RsaSha1),
        ("rsa-sha256", Algorithm::RsaSha256),
        ("ecdsa-p256", Algorithm::EcdsaP256),
    ];

    /// Whether the account's secrets are public keys.
    #[must_use]
    pub fn is_public(self) -> bool {
        matches!(
            self,
            Algorithm::Ed25519 | Algorithm::RsaSha1 | Algorithm::RsaSha256 | Algorithm::EcdsaP256
        )
    }

    /// Whether the secret is the key of it, and so need not stand in the template.
    #[must_use]
    pub fn is_keyed(self) -> bool {
        !matches!(
            self,
            Algorithm::Md5
                | Algorithm::Sha1
                | Algorithm::Sha256
                | Algorithm::Sha512
                | Algorithm::Sm3
        )
    }
}

/// How the fields of a request are put in order for signing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted {
    /// Of where: the query, the form, or the document (a JSON object, its scalars as sent).
    pub of: SortedOf,
    /// Values to put in order by themselves, instead of fields by their names.
    pub values: Vec<Template>,
    /// Fields that are left out: the signature itself.
    pub except: Vec<String>,
    /// One field; `${name}` and `${value}`.
    pub pair: Template,
    /// What stands between two.
    pub join: String,
    /// Whether fields with an empty value are left out.
    pub skip_empty: bool,
    /// Texts within values that stand for others in the signed text.
    pub replace: BTreeMap<String, String>,
}

/// Which fields are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortedOf {
    /// Those of the query.
    Query,
    /// Those of the form, outside of a document within.
    Form,
    /// Those of the document that is read: the one within a field, where there is one. For GET
    /// that is the query.
    Document,
}
