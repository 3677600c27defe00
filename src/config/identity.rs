//! From the file as written to the checked types: who we are to a destination.

use super::problem::{Fault, one_of};
use super::raw::{At, Section};
use crate::model::Secret;
use crate::signature::Key;
use http::{HeaderName, Uri};
use std::time::Duration;

/// How a destination knows that a request is ours. Name and secret are those of the destination
/// itself, `key_id` and `secret`, whatever the scheme calls them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Identity {
    /// It does not: there is a network in between that only we are on, or a client certificate.
    Nobody,
    /// The secret itself is sent along (RFC 6750).
    Bearer,
    /// Requests are signed with HMAC-SHA256.
    #[default]
    HmacSha256,
    /// Requests are signed with HMAC-SM3.
    HmacSm3,
    /// Requests are signed with SM2; the secret is its private key.
    Sm2,
    /// A token is fetched and sent along.
    Token(Box<Grant>),
}

/// How a token is come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Where it is asked for.
    pub url: Uri,
    /// By which words.
    pub kind: GrantKind,
    /// How long one lasts whose answer does not say it.
    pub lifetime: Duration,
    /// Where it stands in a request.
    pub place: TokenPlace,
}

/// What is said to come by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantKind {
    /// OAuth 2.0, client credentials (RFC 6749, 4.4).
    ClientCredentials {
        /// What is asked for.
        scope: Option<String>,
        /// Whether id and secret stand in the body, and not in a header (RFC 6749, 2.3.1).
        in_body: bool,
    },
    /// The name, the time, and the MD5 of secret and time, as Fujian's platform wants them. Its
    /// refresh token is left alone: signing anew gives as much.
    Md5(Md5Words),
}

/// What is what in a request for a token that is signed with MD5, and in its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Md5Words {
    /// How the request is written.
    pub form: TokenRequest,
    /// The field with our name.
    pub app_key: String,
    /// The field with the time.
    pub timestamp: String,
    /// How the time is written.
    pub time_format: TimeFormat,
    /// The field with the digest, in lower-case hex.
    pub sign: String,
    /// The answer's field with the token; a dot leads into an object.
    pub token: String,
    /// The answer's field with the seconds that it lasts.
    pub expires: String,
}

/// How a request for a token is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRequest {
    /// POST with a form.
    Form,
    /// POST with JSON.
    Json,
    /// GET with a query.
    Query,
}

/// How a time is written; texts are Beijing time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// `yyyyMMddHHmmss`.
    Compact,
    /// `yyyy-MM-dd HH:mm:ss`.
    Spaced,
}

/// Where a token stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// In `Authorization: Bearer` (RFC 6750, 2.1).
    Bearer,
    /// In a header of its own.
    Header(HeaderName),
    /// In a field of the query.
    Query(String),
}

impl Identity {
    /// What it is called in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Identity::Nobody => "none",
            Identity::Bearer => "bearer",
            Identity::HmacSha256 => "hmac-sha256",
            Identity::HmacSm3 => "hmac-sm3",
            Identity::Sm2 => "sm2",
            Identity::Token(grant) => match grant.kind {
                GrantKind::ClientCredentials { .. } => "client-credentials",
                GrantKind::Md5(_) => "md5-token",
            },
        }
    }

    /// Whether it needs a secret.
    pub(super) fn has_secret(&self) -> bool {
        *self != Identity::Nobody
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Nobody,
    Bearer,
    HmacSha256,
    HmacSm3,
    Sm2,
    ClientCredentials,
    Md5Token,
}

const SCHEMES: [(&str, Scheme); 7] = [
    ("none", Scheme::Nobody),
    ("bearer", Scheme::Bearer),
    ("hmac-sha256", Scheme::HmacSha256),
    ("hmac-sm3", Scheme::HmacSm3),
    ("sm2", Scheme::Sm2),
    ("client-credentials", Scheme::ClientCredentials),
    ("md5-token", Scheme::Md5Token),
];

/// The keys that not all schemes have, and which have them.
const OWN: [(&str, &[&str]); 6] = [
    ("token_url", &["client-credentials", "md5-token"]),
    ("lifetime", &["client-credentials", "md5-token"]),
    ("token", &["client-credentials", "md5-token"]),
    ("scope", &["client-credentials"]),
    ("credentials_in", &["client-credentials"]),
    ("md5", &["md5-token"]),
];

/// Reads `identity` of a destination with this URL.
pub(super) fn identity(section: &mut Section<'_>, destination: &Uri) -> Option<Identity> {
    let scheme =
        section.text("scheme", "\"hmac-sha256\"", |word| one_of(word, "a scheme", &SCHEMES));
    // All are read, so that what is wrong with one is said whatever the scheme.
    let url = token_url(section, destination);
    let lifetime = section.duration("lifetime", Duration::from_secs(1)..=Duration::from_hours(24));
    let scope = section.text("scope", "\"records.write\"", word).map(|it| it.value);
    let in_body = section.text("credentials_in", "\"header\"", |place| {
        one_of(place, "a place", &[("header", false), ("body", true)])
    });
    let words = section.table("md5", md5_words);
    let place = section.table("token", place);
    let grant = |kind| {
        Some(Box::new(Grant { url: url.clone()?, kind, lifetime: lifetime?.value, place: place? }))
    };
    let scheme = scheme?;
    warn_of_strange(section, scheme.value);
    match scheme.value {
        Scheme::Nobody => Some(Identity::Nobody),
        Scheme::Bearer => Some(Identity::Bearer),
        Scheme::HmacSha256 => Some(Identity::HmacSha256),
        Scheme::HmacSm3 => Some(Identity::HmacSm3),
        Scheme::Sm2 => Some(Identity::Sm2),
        Scheme::ClientCredentials => {
            section.demand("token_url", TOKEN_URL);
            let kind = GrantKind::ClientCredentials { scope, in_body: in_body?.value };
            grant(kind).map(Identity::Token)
        }
        Scheme::Md5Token => {
            section.demand("token_url", TOKEN_URL);
            grant(GrantKind::Md5(words?)).map(Identity::Token)
        }
    }
}

/// Warns of what the scheme has no use for. It is no error, since a copy of the built-in file has all of them.
fn warn_of_strange(section: &Section<'_>, scheme: Scheme) {
    let named = SCHEMES.iter().find(|(_, known)| *known == scheme);
    let name = named.map_or("", |(name, _)| *name);
    for (key, schemes) in OWN.iter().filter(|(_, schemes)| !schemes.contains(&name)) {
        let right = format!("remove it, or make the scheme \"{}\"", schemes.join("\" or \""));
        section.warn_of(key, || Fault::new(format!("\"{name}\" has no use for it"), right));
    }
}

const TOKEN_URL: &str = "write token_url = \"https://…\", where tokens are given out";

/// Notes that name or secret are none that this identity could have.
pub(super) fn fits(
    section: &Section<'_>,
    identity: &Identity,
    (key_id, secret): (&At<String>, &Secret),
) {
    if *identity == Identity::Sm2
        && !secret.reveal().is_empty()
        && let Err(error) = Key::sm2(secret)
    {
        let right = "have `secret` lead to the key agreed with the platform";
        section.leave_open(&section.here(), Fault::new(format!("`secret` {error}"), right));
    }
    if matches!(identity, Identity::Token(_)) && key_id.is_built_in() {
        let right = "write key_id = \"…\", the client id or app key that the platform gave you";
        section.reject(&section.here(), Fault::new("`key_id` is missing", right));
    }
}

fn token_url(section: &mut Section<'_>, destination: &Uri) -> Option<Uri> {
    let scheme = destination.scheme_str().unwrap_or("https");
    section
        .text("token_url", "\"https://platform.ln.example/token\"", |url| {
            let right = format!("write {scheme}://HOST/PATH, with the scheme of destination.url");
            let fault = |wrong: &str| Err(Fault::new(wrong, right.as_str()));
            let Ok(url) = url.parse::<Uri>() else { return fault("is not a URL") };
            let userinfo = url.authority().is_some_and(|it| it.as_str().contains('@'));
            match url.scheme_str() {
                _ if userinfo => fault("holds a user or password"),
                Some(found) if found == scheme && url.host().is_some() => Ok(url),
                _ => fault("is not reached like the destination"),
            }
        })
        .map(|url| url.value)
}

fn md5_words(section: &mut Section<'_>) -> Option<Md5Words> {
    let forms = [
        ("form", TokenRequest::Form),
        ("json", TokenRequest::Json),
        ("query", TokenRequest::Query),
    ];
    let formats = [
        ("seconds", TimeFormat::Seconds),
        ("milliseconds", TimeFormat::Milliseconds),
        ("yyyyMMddHHmmss", TimeFormat::Compact),
        ("yyyy-MM-dd HH:mm:ss", TimeFormat::Spaced),
    ];
    let form = section.text("request", "\"form\"", |it| one_of(it, "a way of asking", &forms));
    let time = section
        .text("time_format", "\"yyyyMMddHHmmss\"", |it| one_of(it, "a form of time", &formats));
    let mut field = |key| section.text(key, "\"sign\"", word).map(|it| it.value);
    let (app_key, timestamp, sign) = (field("app_key"), field("timestamp"), field("sign"));
    let (token, expires) = (field("token"), field("expires"));
    Some(Md5Words {
        form: form?.value,
        app_key: app_key?,
        timestamp: timestamp?,
        time_format: time?.value,
        sign: sign?,
        token: token?,
        expires: expires?,
    })
}

/// Reads `token`: where a token stands in a request.
fn place(section: &mut Section<'_>) -> Option<TokenPlace> {
    let header = section.text("header", "\"Authorization\"", |name| {
        name.parse::<HeaderName>()
            .map_err(|_| Fault::new("is no name of a header", "write header = \"Authorization\""))
    });
    let query = section.text("query", "\"access_token\"", word);
    Some(match (header, query) {
        (_, Some(query)) => TokenPlace::Query(query.value),
        (Some(header), None) if header.value != http::header::AUTHORIZATION => {
            TokenPlace::Header(header.value)
        }
        _ => TokenPlace::Bearer,
    })
}

fn word(text: &str) -> Result<String, Fault> {
    match text.is_empty() || text.chars().any(char::is_control) {
        true => Err(Fault::new("is no name", "write the name that the platform documents")),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment, Problems, parse};
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Result<Config, Problems> {
        parse(text, "f", &Environment::given(Path::new(""), &[("S", "secret")]))
    }

    fn identity(lines: &str) -> Identity {
        let config = read(&format!("[destination]\nkey_id = \"us\"\n{lines}"));
        config.unwrap_or_else(|problems| panic!("{problems}")).destination.identity
    }

    #[test]
    fn what_says_nothing_of_it_is_signed_as_ever() {
        assert_eq!(identity(""), Identity::HmacSha256);
        assert_eq!(identity("identity.scheme = \"bearer\""), Identity::Bearer);
        assert_eq!(identity("identity = { scheme = \"hmac-sm3\" }"), Identity::HmacSm3);
    }

    #[test]
    fn only_who_says_in_plain_words_to_be_nobody_needs_no_secret() {
        let gaps = |scheme: &str| {
            let text = format!("[destination]\nurl = \"https://p.ln.example\"\n{scheme}");
            read(&text).unwrap_or_else(|problems| panic!("{problems}")).gaps.len()
        };
        assert_eq!(gaps(""), 1);
        assert_eq!(gaps("identity.scheme = \"bearer\""), 1);
        assert_eq!(gaps("identity.scheme = \"none\""), 0);
        assert_eq!(gaps("identity.scheme = \"sm2\"\nsecret = \"env:S\""), 1, "it is no key");
    }

    #[test]
    fn what_a_scheme_has_no_use_for_is_warned_of() {
        for (lines, expected) in [
            (
                "secret = \"env:S\"\nidentity.scheme = \"none\"",
                "f:2: destination.secret: is of no use",
            ),
            (
                "identity.scope = \"w\"",
                "f:2: destination.identity.scope: \"hmac-sha256\" has no use for it; \
                 remove it, or make the scheme \"client-credentials\"",
            ),
            (
                "identity = { scheme = \"bearer\", token_url = \"https://p/t\" }",
                "destination.identity.token_url: \"bearer\" has no use for it",
            ),
            (
                "identity = { scheme = \"none\", token.query = \"t\" }",
                "make the scheme \"client-credentials\" or \"md5-token\"",
            ),
            ("identity.scheme = \"hmac-sm3\"", ""),
        ] {
            let config = read(&format!("[destination]\n{lines}"));
            let config = config.unwrap_or_else(|problems| panic!("{problems}"));
            let warnings = config.warnings_at(jiff::Timestamp::UNIX_EPOCH);
            let ours = warnings.iter().filter(|it| it.key.starts_with("destination"));
            let said: String = ours.map(ToString::to_string).collect();
            assert!(said.contains(expected), "{lines}\n{said}");
            assert_eq!(said.is_empty(), expected.is_empty(), "{lines}\n{said}");
        }
    }

    #[test]
    fn tokens_are_come_by_in_the_words_of_the_platform() {
        let oauth = identity(
            "identity = { scheme = \"client-credentials\", token_url = \"https://p/token\", scope = \"w\" }",
        );
        assert_eq!(oauth.name(), "client-credentials");
        let Identity::Token(oauth) = oauth else { panic!("{oauth:?}") };
        let kind = GrantKind::ClientCredentials { scope: Some("w".to_owned()), in_body: false };
        assert_eq!((oauth.kind, oauth.place), (kind, TokenPlace::Bearer));

        let fujian = identity(
            "identity = { scheme = \"md5-token\", token_url = \"https://p/token\", token.query = \"t\", \
             md5 = { sign = \"signature\", time_format = \"seconds\" } }",
        );
        assert_eq!(fujian.name(), "md5-token");
        let Identity::Token(fujian) = fujian else { panic!("{fujian:?}") };
        assert_eq!(fujian.place, TokenPlace::Query("t".to_owned()));
        let GrantKind::Md5(words) = fujian.kind else { panic!("{:?}", fujian.kind) };
        let said = (words.app_key.as_str(), words.sign.as_str(), words.time_format);
        assert_eq!(said, ("app_key", "signature", TimeFormat::Seconds));
    }

    #[test]
    fn what_is_wrong_is_said_at_its_line() {
        for (lines, expected) in [
            ("identity.scheme = \"hmac\"", "f:2: destination.identity.scheme: "),
            ("identity.scheme = \"md5-token\"", "`token_url` is missing"),
            ("identity.token_url = \"http://p/token\"", "is not reached like the destination"),
            ("identity.token_url = \"https://u:p@p/token\"", "holds a user or password"),
            (
                "identity = { scheme = \"client-credentials\", token_url = \"https://p/t\" }",
                "`key_id` is missing",
            ),
            ("identity.md5.time_format = \"ISO\"", "is not a form of time"),
        ] {
            let problems = read(&format!("[destination]\n{lines}")).expect_err(lines).to_string();
            assert!(problems.contains(expected), "{lines}\n{problems}");
        }
    }
}
