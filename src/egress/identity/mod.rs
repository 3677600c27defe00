//! Who we are to a destination: what makes a request ours, just before it is sent.
//!
//! A signature is made of the request itself; a token is fetched first ([`tokens`] decides when, `source`
//! asks, `grant` has the words), kept, and given up when the destination no longer takes it.

mod grant;
mod source;
pub mod tokens;

pub use grant::GrantError;
pub use source::TokenError;

use crate::clock::{Clock, Entropy};
use crate::config::{self, Destination, identity::TokenPlace};
use crate::model::Secret;
use crate::net::client::{Answer, CallError, Client};
use crate::signature::{Key, Signer};
use crate::sm2::KeyError;
use crate::telemetry::identity::Identity as Telemetry;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use jiff::Timestamp;
use source::TokenSource;
use std::sync::Arc;
use std::time::Duration;
use tokens::{Refused, Token};
use tokio::time::Instant;

/// Who we are to one destination. Cloning shares its token.
#[derive(Debug, Clone)]
pub struct Identity {
    kind: Kind,
    client: Client,
    timeout: Duration,
}

#[derive(Debug, Clone)]
enum Kind {
    Nobody,
    Bearer(HeaderValue),
    Signed(Box<Signer>, Entropy),
    Token(Arc<TokenSource>, TokenPlace),
}

/// Why nothing can be made ours.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The name cannot be put into a header.
    #[error("destination.key_id must be visible ASCII characters")]
    BadKeyId,
    /// The secret cannot be put into a header.
    #[error(
        "the secret of destination.secret must be visible ASCII characters to be a bearer token"
    )]
    BadToken,
    /// The secret is no private key.
    #[error("the secret of destination.secret {0}")]
    BadKey(#[from] KeyError),
}

/// Why a request has no answer that says what became of it.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It was sent, or was to be.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There is no token to send it with; it was not sent.
    #[error("no token")]
    NoToken(#[source] TokenError),
    /// The token was good before and is no longer; another is fetched for the next request.
    #[error("the token is no longer taken; another is fetched")]
    TokenEnded,
}

impl Identity {
    /// Ours to a destination that is called by `client`.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn new(
        destination: &Destination,
        client: Client,
        (clock, entropy): (Clock, Entropy),
        telemetry: Telemetry,
    ) -> Result<Identity, IdentityError> {
        let Destination { key_id, secret, request_timeout: timeout, .. } = destination;
        let signed = |key| match Signer::with(key_id, key) {
            Ok(signer) => Ok(Kind::Signed(Box::new(signer), entropy.clone())),
            Err(_) => Err(IdentityError::BadKeyId),
        };
        let kind = match &destination.identity {
            config::identity::Identity::Nobody => Kind::Nobody,
            config::identity::Identity::Bearer => {
                Kind::Bearer(bearer(secret).ok_or(IdentityError::BadToken)?)
            }
            config::identity::Identity::HmacSha256 => signed(Key::hmac_sha256(secret))?,
            config::identity::Identity::HmacSm3 => signed(Key::hmac_sm3(secret))?,
            config::identity::Identity::Sm2 => signed(Key::sm2(secret)?)?,
            config::identity::Identity::Token(grant) => {
                let client = client.clone();
                let grant = grant::Asking::new((**grant).clone(), key_id.clone(), secret.clone());
                let place = grant.place().clone();
                let source = TokenSource::new(grant, client, (clock, entropy), telemetry);
                Kind::Token(Arc::new(source), place)
            }
        };
        Ok(Identity { kind, client, timeout: *timeout })
    }

    /// Makes a finished request ours at `now`, sends it, and reads the answer up to `max_body`; all
    /// of it within the destination's time from `started` on. `disowns` tells an answer that refuses
    /// a token otherwise than by 401.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(
        &self,
        mut request: Request<Bytes>,
        (started, now): (Instant, Timestamp),
        max_body: usize,
        disowns: impl Fn(&Answer) -> bool,
    ) -> Result<Answer, SendError> {
        let deadline = started + self.timeout;
        match &self.kind {
            Kind::Nobody => {}
            Kind::Bearer(token) => drop(insert(&mut request, token)),
            Kind::Signed(signer, entropy) => signer.sign(&mut request, now, entropy.bytes()),
            Kind::Token(source, place) => {
                // The request itself is left its half of the time.
                let token = source.token(started + self.timeout / 2).await;
                let token = token.map_err(SendError::NoToken)?;
                carry(&mut request, &token, place).map_err(SendError::NoToken)?;
                let answer = self.client.call(request, deadline, max_body).await?;
                let is_refused = answer.status == StatusCode::UNAUTHORIZED || disowns(&answer);
                return judge(source, &token, answer, is_refused);
            }
        }
        Ok(self.client.call(request, deadline, max_body).await?)
    }
}

/// What an answer says about the token: the first refusal of one that was good costs its request
/// another try, and a refusal of one that never was, or that ended too soon after another, is a
/// fault like any other.
fn judge(
    source: &TokenSource,
    token: &Token,
    answer: Answer,
    is_refused: bool,
) -> Result<Answer, SendError> {
    if is_refused {
        return match source.refused(token) {
            Refused::Ended => Err(SendError::TokenEnded),
            Refused::NeverGood => Ok(answer),
        };
    }
    if answer.status.is_success() {
        source.taken(token);
    }
    Ok(answer)
}

fn carry(
    request: &mut Request<Bytes>,
    token: &Token,
    place: &TokenPlace,
) -> Result<(), TokenError> {
    let odd = || TokenError::Odd;
    match place {
        TokenPlace::Bearer => {
            insert(request, &bearer(&token.value).ok_or_else(odd)?);
        }
        TokenPlace::Header(name) => {
            let mut value =
                HeaderValue::from_bytes(token.value.reveal()).map_err(|_| TokenError::Odd)?;
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        TokenPlace::Query(field) => {
            let value = String::from_utf8_lossy(token.value.reveal());
            let mut query = form_urlencoded::Serializer::new(String::new());
            let query = query.append_pair(field, &value).finish();
            let uri = grant::with_query(request.uri(), &query).ok_or_else(odd)?;
            *request.uri_mut() = uri;
        }
    }
    Ok(())
}

fn insert(request: &mut Request<Bytes>, authorization: &HeaderValue) -> Option<HeaderValue> {
    request.headers_mut().insert(header::AUTHORIZATION, authorization.clone())
}

/// As RFC 6750, 2.1 has it.
fn bearer(token: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(&[b"Bearer ", token.reveal()].concat()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Uri;

    fn carried(place: &TokenPlace) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = Uri::from_static("https://p.example/v1/records?a=b");
        let token = Token { value: Secret::new(b"t/1 +".to_vec()), number: 0 };
        carry(&mut request, &token, place).expect("it fits");
        request
    }

    #[test]
    fn a_token_stands_where_the_platform_looks_for_it() {
        let standing = carried(&TokenPlace::Bearer);
        assert_eq!(standing.headers()[header::AUTHORIZATION], "Bearer t/1 +");
        let own = carried(&TokenPlace::Header(header::COOKIE));
        assert_eq!(own.headers()[header::COOKIE], "t/1 +");
        let query = carried(&TokenPlace::Query("access_token".to_owned()));
        assert_eq!(query.uri(), "https://p.example/v1/records?a=b&access_token=t%2F1+%2B");
    }

    #[test]
    fn no_header_prints_its_token() {
        for place in [TokenPlace::Bearer, TokenPlace::Header(header::COOKIE)] {
            let shown = format!("{:?}", carried(&place).headers());
            assert!(!shown.contains("t/1"), "{shown}");
        }
    }
}
