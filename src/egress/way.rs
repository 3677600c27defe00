//! By which way a destination is called: whom we believe it to be, at which addresses, through which
//! proxy, and with which certificate of our own.

use super::platform::PlatformError;
use crate::config::Destination;
use crate::config::way::{Proxy as ProxySettings, Way};
use crate::net::client::{self, ClientCertificate, Options, Passage, Proxy, Reach, Trust};
use crate::telemetry::identity::Identity as Telemetry;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use std::sync::Arc;
use std::time::Duration;

/// The longest wait for a connection, within the request's deadline.
const CONNECT: Duration = Duration::from_secs(5);

/// What calls this destination, and no other address than may be.
///
/// # Errors
/// [`PlatformError`] when it cannot be called.
pub(super) fn client(
    destination: &Destination,
    telemetry: Telemetry,
) -> Result<client::Client, PlatformError> {
    let trust = match (destination.url.scheme_str(), &destination.ca) {
        (Some("http"), _) => Trust::Plain,
        (Some("https"), None) => Trust::System,
        (Some("https"), Some(ca)) => Trust::Roots(ca.clone()),
        _ => return Err(PlatformError::BadUrl),
    };
    let within = destination.way.clone();
    let options = Options {
        reach: Reach::Where(Arc::new(move |address| within.reaches(address))),
        trust,
        connect_timeout: CONNECT.min(destination.request_timeout),
        max_idle: destination.concurrency,
    };
    let Way { certificate, proxy, .. } = &destination.way;
    let certificate = certificate.clone().map(|(chain, key)| ClientCertificate { chain, key });
    let proxy = proxy
        .as_ref()
        .map(|proxy| Proxy { url: proxy.url.clone(), authorization: authorization(proxy) });
    let passage = Passage { certificate, proxy, telemetry: Some(telemetry) };
    Ok(client::Client::on(&options, passage)?)
}

/// As RFC 7617 has it.
fn authorization(proxy: &ProxySettings) -> Option<HeaderValue> {
    let (user, secret) = proxy.credentials.as_ref()?;
    let pair = [user.as_bytes(), b":", secret.reveal()].concat();
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
