//! Huawei's WSSE `UsernameToken`: a digest over one-time value, time and secret.
//!
//! support.huaweicloud.com/api-msgsms: sms_05_0000 (X-WSSE认证): Base64 of the digest's bytes, as
//! its newer samples have it.

use super::draft::Draft;
use super::values::Telling;
use super::{AUTHORIZATION, HeaderName, Unsendable};
use crate::carrier::written;
use crate::config::dialect::Written;
use sha2::{Digest as _, Sha256};

const WSSE: HeaderName = HeaderName::from_static("x-wsse");

/// Adds both headers.
pub(super) fn sign(draft: &mut Draft, telling: &Telling<'_>) -> Result<(), Unsendable> {
    let created = telling.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let nonce = telling.nonce.as_str();
    let (user, digest) = (telling.user(), digest(nonce, &created, telling.secret()?));
    let token = format!(
        "UsernameToken Username=\"{user}\",PasswordDigest=\"{digest}\",Nonce=\"{nonce}\",\
         Created=\"{created}\""
    );
    draft.header(
        AUTHORIZATION,
        &[b"WSSE realm=\"SDP\",profile=\"UsernameToken\",type=\"Appkey\""],
    )?;
    draft.header(WSSE, &[token.as_bytes()])
}

/// The password's digest.
pub(super) fn digest(nonce: &str, created: &str, secret: &[u8]) -> String {
    let text = [nonce.as_bytes(), created.as_bytes(), secret].concat();
    let digest = written::write(Written::Base64, &Sha256::digest(text));
    String::from_utf8_lossy(&digest).into_owned()
}
