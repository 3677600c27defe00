//! Tencent Cloud's TC3-HMAC-SHA256 over a canonical request.
//!
//! cloud.tencent.com/document/api/382/52072 (签名方法 v3).

use super::draft::{Draft, encoded};
use super::values::Telling;
use super::{AUTHORIZATION, HOST, HeaderName, Unsendable};
use crate::carrier::verify::algorithm;
use crate::config::dialect::Algorithm;
use http::header::CONTENT_TYPE;
use sha2::{Digest as _, Sha256};

const TIMESTAMP: HeaderName = HeaderName::from_static("x-tc-timestamp");

const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// What is signed of the headers; the page demands these two and no more.
const SIGNED: &str = "content-type;host";

/// Adds the time and the signature.
pub(super) fn sign(
    draft: &mut Draft,
    telling: &Telling<'_>,
    service: &str,
) -> Result<(), Unsendable> {
    let seconds = telling.now.as_second().to_string();
    let date = telling.now.strftime("%Y-%m-%d").to_string();
    let scope = format!("{date}/{service}/tc3_request");
    let request = hex::encode(Sha256::digest(canonical(draft)));
    let text = format!("{ALGORITHM}\n{seconds}\n{scope}\n{request}");
    let secret = [b"TC3", telling.secret()?].concat();
    let mut key = secret;
    for part in [date.as_str(), service, "tc3_request"] {
        key = hmac(&key, part)?;
    }
    let signature = hex::encode(hmac(&key, &text)?);
    let credential = format!("{}/{scope}", telling.user());
    let authorization = format!(
        "{ALGORITHM} Credential={credential}, SignedHeaders={SIGNED}, Signature={signature}"
    );
    draft.header(TIMESTAMP, &[seconds.as_bytes()])?;
    draft.header(AUTHORIZATION, &[authorization.as_bytes()])
}

fn hmac(key: &[u8], text: &str) -> Result<Vec<u8>, Unsendable> {
    algorithm::sign(Algorithm::HmacSha256, key, text.as_bytes()).ok_or(Unsendable::Key)
}

fn canonical(draft: &Draft) -> String {
    let header = |name: HeaderName| {
        let value = draft.headers.get(&name).and_then(|value| value.to_str().ok());
        format!("{name}:{}\n", value.unwrap_or_default().to_ascii_lowercase())
    };
    let headers = header(CONTENT_TYPE) + &header(HOST);
    let body = hex::encode(Sha256::digest(draft.body()));
    let mut query = draft.query.clone();
    query.sort();
    format!(
        "{}\n{}\n{}\n{headers}\n{SIGNED}\n{body}",
        draft.method,
        draft.url.path(),
        encoded(&query)
    )
}
