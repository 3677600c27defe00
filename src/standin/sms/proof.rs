//! Whether a request proves who asks, as each carrier documents it.

use super::Speech;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{digest, hmac};

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request.
pub(super) struct Asked<'a> {
    pub(super) head: &'a Parts,
    pub(super) body: &'a Bytes,
}

impl Asked<'_> {
    /// A field of the query or the form.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        self.fields().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn fields(&self) -> Vec<(String, String)> {
        let query = self.head.uri.query().unwrap_or_default();
        let pairs =
            form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(self.body));
        pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    fn header(&self, name: &str) -> &str {
        let value = self.head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

/// Whether this user asks, with this secret.
pub(super) fn is_proven(speech: Speech, asked: &Asked<'_>, user: &str, secret: &[u8]) -> bool {
    match speech {
        Speech::Aliyun => aliyun(asked, user, secret).unwrap_or(false),
        Speech::Tencent => tencent(asked, user, secret).unwrap_or(false),
        Speech::Huawei => huawei(asked, user, secret).unwrap_or(false),
        Speech::Kannel | Speech::Jasmin => {
            let password = asked.field("password").unwrap_or_default();
            asked.field("username").as_deref() == Some(user) && password.as_bytes() == secret
        }
    }
}

fn aliyun(asked: &Asked<'_>, user: &str, secret: &[u8]) -> Option<bool> {
    let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let mut fields = asked.fields();
    fields.retain(|(name, _)| name != "Signature");
    fields.sort();
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let text = format!("{}&{}&{}", asked.head.method, encode("/"), encode(&pairs.join("&")));
    let key = [secret, b"&"].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let given = BASE64_STANDARD.decode(asked.field("Signature")?).ok()?;
    let is_ours = asked.field("AccessKeyId")? == user;
    Some(is_ours && hmac::verify(&key, text.as_bytes(), &given).is_ok())
}

fn tencent(asked: &Asked<'_>, user: &str, secret: &[u8]) -> Option<bool> {
    let parameters = asked.header("authorization").strip_prefix("TC3-HMAC-SHA256 ")?;
    let parameter = |name: &str| {
        let mut pairs = parameters.split(", ").filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let (id, scope) = parameter("Credential")?.split_once('/')?;
    let signed = parameter("SignedHeaders")?;
    let headers: String = signed
        .split(';')
        .map(|name| format!("{name}:{}\n", asked.header(name).trim().to_lowercase()))
        .collect();
    let uri = &asked.head.uri;
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{signed}\n{}",
        asked.head.method,
        uri.path(),
        uri.query().unwrap_or_default(),
        sha256(asked.body)
    );
    let time = asked.header("x-tc-timestamp");
    let text = format!("TC3-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mut key = [b"TC3", secret].concat();
    for part in scope.split('/') {
        let step = hmac::Key::new(hmac::HMAC_SHA256, &key);
        key = hmac::sign(&step, part.as_bytes()).as_ref().to_vec();
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let given = hex::decode(parameter("Signature")?).ok()?;
    Some(id == user && hmac::verify(&key, text.as_bytes(), &given).is_ok())
}

fn huawei(asked: &Asked<'_>, user: &str, secret: &[u8]) -> Option<bool> {
    let token = asked.header("x-wsse").strip_prefix("UsernameToken ")?;
    let parameter = |name: &str| {
        let (_, rest) = token.split_once(&format!("{name}=\""))?;
        rest.split('"').next()
    };
    let nonce = parameter("Nonce")?;
    let text = [nonce.as_bytes(), parameter("Created")?.as_bytes(), secret].concat();
    let expected = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, &text));
    Some(parameter("Username")? == user && parameter("PasswordDigest")? == expected)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}
