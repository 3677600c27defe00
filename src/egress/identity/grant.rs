//! How a token is asked for, and what the answer says: OAuth 2.0 client credentials (RFC 6749, 4.4),
//! and a name signed with MD5. Pure.

use crate::config::identity::{Grant, GrantKind, Md5Words, TimeFormat, TokenPlace, TokenRequest};
use crate::model::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use jiff::Timestamp;
use jiff::tz::{Offset, offset};
use md5::{Digest, Md5};
use serde_json::{Map, Value};
use std::time::Duration;

/// Beijing time, which platforms in China write.
const BEIJING: Offset = offset(8);

/// The most of an error's code that is repeated.
const CODE: usize = 40;

/// Why an answer brought no token. Nothing of the answer is repeated but an error's code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It was refused.
    #[error("answered {status}{}; check destination.key_id, its secret and its scope", shown(.code))]
    Refused {
        /// The status.
        status: u16,
        /// The code of the error (RFC 6749, 5.2), if there is one.
        code: Option<String>,
    },
    /// It was granted, and there is no token where it should be.
    #[error("answered {0} without a token; compare the names of the answer's fields")]
    Unreadable(u16),
}

fn shown(code: &Option<String>) -> String {
    code.as_ref().map(|code| format!(" {code}")).unwrap_or_default()
}

/// What is asked, by whom.
#[derive(Debug)]
pub(super) struct Asking {
    grant: Grant,
    name: String,
    secret: Secret,
}

impl Asking {
    pub(super) fn new(grant: Grant, name: String, secret: Secret) -> Asking {
        Asking { grant, name, secret }
    }

    /// Where the token stands in a request.
    pub(super) fn place(&self) -> &TokenPlace {
        &self.grant.place
    }

    /// The request for a token.
    pub(super) fn request(&self, now: Timestamp) -> Request<Bytes> {
        let mut request = match &self.grant.kind {
            GrantKind::ClientCredentials { scope, in_body } => {
                self.with_credentials(scope.as_deref(), *in_body)
            }
            GrantKind::Md5(words) => self.with_digest(words, now),
        };
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::ACCEPT, json);
        request
    }

    fn with_credentials(&self, scope: Option<&str>, in_body: bool) -> Request<Bytes> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = scope {
            form.append_pair("scope", scope);
        }
        let secret = String::from_utf8_lossy(self.secret.reveal());
        if in_body {
            form.append_pair("client_id", &self.name).append_pair("client_secret", &secret);
        }
        let mut request = post(&self.grant.url, form.finish(), FORM);
        if let Some(authorization) = basic(&self.name, self.secret.reveal()).filter(|_| !in_body) {
            request.headers_mut().insert(header::AUTHORIZATION, authorization);
        }
        request
    }

    fn with_digest(&self, words: &Md5Words, now: Timestamp) -> Request<Bytes> {
        let time = written(now, words.time_format);
        let digest = Md5::digest([self.secret.reveal(), time.as_bytes()].concat());
        let fields = [
            (words.app_key.as_str(), self.name.clone()),
            (words.timestamp.as_str(), time),
            (words.sign.as_str(), hex::encode(digest)),
        ];
        let form = || {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(&fields).finish()
        };
        match words.form {
            TokenRequest::Form => post(&self.grant.url, form(), FORM),
            TokenRequest::Query => {
                let mut request = Request::new(Bytes::new());
                let url = with_query(&self.grant.url, &form());
                // What is encoded as a form fits into any URL.
                *request.uri_mut() = url.unwrap_or_else(|| self.grant.url.clone());
                request
            }
            TokenRequest::Json => {
                let fields = fields.map(|(name, value)| (name.to_owned(), Value::String(value)));
                let object = Value::Object(Map::from_iter(fields));
                post(&self.grant.url, object.to_string(), "application/json")
            }
        }
    }

    /// The token in an answer, and how long it lasts.
    ///
    /// # Errors
    /// [`GrantError`].
    pub(super) fn read(
        &self,
        status: StatusCode,
        body: &[u8],
    ) -> Result<(Secret, Duration), GrantError> {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let (token, expires) = match &self.grant.kind {
            GrantKind::ClientCredentials { .. } => ("access_token", "expires_in"),
            GrantKind::Md5(words) => (words.token.as_str(), words.expires.as_str()),
        };
        let given = field(&answer, token).and_then(Value::as_str).filter(|it| !it.is_empty());
        match given {
            _ if !status.is_success() => {
                Err(GrantError::Refused { status: status.as_u16(), code: code(&answer) })
            }
            None if code(&answer).is_some() => {
                Err(GrantError::Refused { status: status.as_u16(), code: code(&answer) })
            }
            None => Err(GrantError::Unreadable(status.as_u16())),
            Some(token) => {
                let lifetime = field(&answer, expires).and_then(seconds);
                let lifetime = lifetime.map_or(self.grant.lifetime, Duration::from_secs);
                Ok((Secret::new(token.as_bytes().to_vec()), lifetime))
            }
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn post(url: &Uri, body: String, content: &'static str) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.clone();
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    request
}

/// The URL with more in its query.
pub(super) fn with_query(url: &Uri, query: &str) -> Option<Uri> {
    let before = url.query().map(|before| format!("{before}&")).unwrap_or_default();
    let mut parts = url.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("{}?{before}{query}", url.path())).ok();
    Uri::from_parts(parts).ok()
}

/// As RFC 6749, 2.3.1 has it: both parts encoded as in a form.
fn basic(name: &str, secret: &[u8]) -> Option<HeaderValue> {
    let encoded = |part: &[u8]| form_urlencoded::byte_serialize(part).collect::<String>();
    let pair = format!("{}:{}", encoded(name.as_bytes()), encoded(secret));
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn written(time: Timestamp, format: TimeFormat) -> String {
    let local = BEIJING.to_datetime(time);
    match format {
        TimeFormat::Seconds => time.as_second().to_string(),
        TimeFormat::Milliseconds => time.as_millisecond().to_string(),
        TimeFormat::Compact => local.strftime("%Y%m%d%H%M%S").to_string(),
        TimeFormat::Spaced => local.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

/// What stands at a path, whose dots lead into objects.
fn field<'a>(answer: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(answer, |value, name| value.get(name))
}

/// A whole number of seconds, which some write as a text.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The code of an error, if it looks like one: anything else may repeat what we sent.
fn code(answer: &Value) -> Option<String> {
    let code = answer.get("error")?.as_str()?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (!code.is_empty() && code.len() <= CODE && code.bytes().all(plain)).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asking(kind: GrantKind) -> Asking {
        let grant = Grant {
            url: Uri::from_static("https://p.example/token?v=1"),
            kind,
            lifetime: Duration::from_secs(600),
            place: TokenPlace::Bearer,
        };
        Asking::new(grant, "us&co".to_owned(), Secret::new(b"s:1".to_vec()))
    }

    fn oauth(in_body: bool) -> Asking {
        asking(GrantKind::ClientCredentials { scope: Some("a b".to_owned()), in_body })
    }

    fn md5(form: TokenRequest) -> Asking {
        let word = |word: &str| word.to_owned();
        asking(GrantKind::Md5(Md5Words {
            form,
            app_key: word("app_key"),
            timestamp: word("timestamp"),
            time_format: TimeFormat::Compact,
            sign: word("sign"),
            token: word("data.access_token"),
            expires: word("data.expires_in"),
        }))
    }

    fn now() -> Timestamp {
        "2026-03-05T02:20:40Z".parse().expect("a time")
    }

    fn said(request: &Request<Bytes>) -> &str {
        std::str::from_utf8(request.body()).expect("text")
    }

    #[test]
    fn client_credentials_stand_in_the_header_or_in_the_body() {
        let request = oauth(false).request(now());
        assert_eq!(said(&request), "grant_type=client_credentials&scope=a+b");
        let basic = BASE64_STANDARD.encode("us%26co:s%3A1");
        assert_eq!(request.headers()[header::AUTHORIZATION], format!("Basic {basic}"));
        assert!(!format!("{request:?}").contains(&basic));
        let request = oauth(true).request(now());
        let body = "grant_type=client_credentials&scope=a+b&client_id=us%26co&client_secret=s%3A1";
        assert_eq!(said(&request), body);
        assert!(!request.headers().contains_key(header::AUTHORIZATION));
    }

    /// The digest comes from `printf 's:120260305102040' | md5sum`.
    #[test]
    fn a_name_is_signed_with_the_time_in_beijing() {
        let pairs =
            "app_key=us%26co&timestamp=20260305102040&sign=6a32f23c778b9cc5ee1173a7b3190cad";
        assert_eq!(said(&md5(TokenRequest::Form).request(now())), pairs);
        let query = md5(TokenRequest::Query).request(now());
        assert_eq!(query.uri().to_string(), format!("https://p.example/token?v=1&{pairs}"));
        assert_eq!(query.method(), Method::GET);
        let json = md5(TokenRequest::Json).request(now());
        let object: Value = serde_json::from_slice(json.body()).expect("JSON");
        assert_eq!(
            (object["app_key"].as_str(), object.as_object().map(Map::len)),
            (Some("us&co"), Some(3))
        );
    }

    #[test]
    fn the_token_and_its_time_are_read_and_nothing_else_is_repeated() {
        let read = |status: u16, body: &str| {
            oauth(false).read(StatusCode::from_u16(status).expect("a status"), body.as_bytes())
        };
        let token = |seconds| Ok((Secret::new(b"t".to_vec()), Duration::from_secs(seconds)));
        assert_eq!(read(200, r#"{"access_token":"t","expires_in":7}"#), token(7));
        assert_eq!(read(200, r#"{"access_token":"t","expires_in":"7"}"#), token(7));
        assert_eq!(read(200, r#"{"access_token":"t"}"#), token(600));
        let refused = |status, code: Option<&str>| {
            Err(GrantError::Refused { status, code: code.map(str::to_owned) })
        };
        let body = r#"{"error":"invalid_client","error_description":"secret s:1 is wrong"}"#;
        assert_eq!(read(401, body), refused(401, Some("invalid_client")));
        assert_eq!(read(200, body), refused(200, Some("invalid_client")));
        assert_eq!(read(400, r#"{"error":"bad secret s:1"}"#), refused(400, None));
        assert_eq!(read(200, "<html>"), Err(GrantError::Unreadable(200)));
        assert_eq!(read(302, ""), refused(302, None));
        let nested = br#"{"data":{"access_token":"t","refresh_token":"r","expires_in":7}}"#;
        assert_eq!(md5(TokenRequest::Form).read(StatusCode::OK, nested), token(7));
    }

    #[test]
    fn times_are_written_as_asked() {
        for (format, expected) in [
            (TimeFormat::Seconds, "1772677240"),
            (TimeFormat::Milliseconds, "1772677240000"),
            (TimeFormat::Compact, "20260305102040"),
            (TimeFormat::Spaced, "2026-03-05 10:20:40"),
        ] {
            assert_eq!(written(now(), format), expected);
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_a_token_or_an_error_that_repeats_nothing(
            status in 100_u16..600,
            body in any::<Vec<u8>>(),
        ) {
            let status = StatusCode::from_u16(status).expect("a status");
            if let Ok((token, _)) = oauth(false).read(status, &body) {
                prop_assert!(!token.reveal().is_empty());
            }
        }
    }
}
