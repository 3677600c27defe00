//! Tells a carrier to send a message, in the words of the account's dialect, and reads the answer.
//!
//! Pure as the rest of the translator: time and one-time value are passed in.

mod aliyun;
mod draft;
mod huawei;
mod tencent;
#[cfg(test)]
mod tests;
mod values;
mod verdict;

pub use verdict::{SendVerdict, verdict};

use super::verify;
use super::written;
use crate::config::Sending;
use crate::config::dialect::{Digest, SendProof, Written};
use crate::model::{Content, Message};
use bytes::Bytes;
use draft::{Draft, Hole};
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use jiff::Timestamp;
use values::Telling;

/// A request that is ready to go.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Where.
    pub url: Uri,
    /// The headers, `host` included.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why a message cannot be told to a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The carrier sends registered templates only.
    #[error(
        "the carrier takes no free text; give the campaign a template that is registered there"
    )]
    Text,
    /// The carrier knows no templates.
    #[error("the carrier knows no templates; give the campaign the text itself")]
    Template,
    /// The account has no secret, or one that is no key for its proof.
    #[error("the account's send.secret is no key for its dialect; compare it with the console")]
    Key,
    /// What came of templates is no URL or header.
    #[error("user, secret or values of the account do not fit into a URL or header; correct them")]
    Misfit,
}

/// The request that has a message sent.
///
/// # Errors
/// [`Unsendable`]; no repeat would change it.
pub fn request(
    sending: &Sending,
    message: &Message,
    now: Timestamp,
    nonce: [u8; 16],
) -> Result<Outgoing, Unsendable> {
    let submission = &*sending.submission;
    match message.content {
        Content::Text(_) if !submission.takes_texts() => return Err(Unsendable::Text),
        Content::Template { .. } if !submission.takes_templates() => {
            return Err(Unsendable::Template);
        }
        _ => {}
    }
    let nonce = uuid::Builder::from_random_bytes(nonce).into_uuid().to_string();
    let telling = Telling::new(sending, message, now, nonce);
    let mut draft = Draft::new(sending, &telling, Hole::Open)?;
    match &submission.proof {
        SendProof::Nothing => {}
        SendProof::Basic => {
            let pair = format!("{}:", telling.user());
            let pair = [pair.as_bytes(), telling.secret()?].concat();
            draft.header(AUTHORIZATION, &[b"Basic ", &*written::write(Written::Base64, &pair)])?;
        }
        SendProof::Bearer => draft.header(AUTHORIZATION, &[b"Bearer ", telling.secret()?])?,
        SendProof::Digest(digest) => {
            let signature = signature(digest, &draft, &telling)?;
            draft = Draft::new(sending, &telling, Hole::Filled(&signature))?;
        }
        SendProof::AliyunRpc => aliyun::sign(&mut draft, &telling)?,
        SendProof::TencentTc3 { service } => tencent::sign(&mut draft, &telling, service)?,
        SendProof::HuaweiWsse => huawei::sign(&mut draft, &telling)?,
    }
    draft.finish()
}

/// What goes where `${signature}` stands.
fn signature(digest: &Digest, draft: &Draft, telling: &Telling<'_>) -> Result<Vec<u8>, Unsendable> {
    let known = draft::Signed { draft, telling };
    let secret = telling.sending.secret.as_ref().ok_or(Unsendable::Key)?;
    verify::sign_over(digest, &known, telling.user().as_bytes(), secret).ok_or(Unsendable::Key)
}
