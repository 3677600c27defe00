//! Aliyun's RPC signature 1.0: HMAC-SHA1 over all fields in the order of their names.
//!
//! help.aliyun.com 101343 (短信服务, 签名机制).

use super::Unsendable;
use super::draft::{Draft, encoded};
use super::values::Telling;
use crate::carrier::template::percent;
use crate::carrier::verify::algorithm;
use crate::carrier::written;
use crate::config::dialect::{Algorithm, Written};

/// Adds the common fields and the signature to the form, or to the query where there is none.
pub(super) fn sign(draft: &mut Draft, telling: &Telling<'_>) -> Result<(), Unsendable> {
    let time = telling.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let common = [
        ("AccessKeyId", telling.user()),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", telling.nonce.as_str()),
        ("SignatureVersion", "1.0"),
        ("Timestamp", time.as_str()),
    ];
    let method = draft.method.clone();
    let fields = draft.fields();
    fields.extend(common.map(|(name, value)| (name.into(), value.into())));
    fields.sort();
    let text = format!("{method}&%2F&{}", percent(encoded(fields).as_bytes()));
    let key = [telling.secret()?, b"&"].concat();
    let signature = algorithm::sign(Algorithm::HmacSha1, &key, text.as_bytes());
    let signature = written::write(Written::Base64, &signature.ok_or(Unsendable::Key)?);
    fields.push((b"Signature".to_vec(), signature));
    Ok(())
}
