//! From a GET to a WebSocket (RFC 6455, 4.2), for carriers that open one to us.

use super::http::plain;
use crate::carrier::Call;
use crate::net::websocket::{WebSocket, accept_key};
use crate::net::{Response, Takeover};
use crate::session::{Hearing, Opening};
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

/// The one version there is.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// Whether a request asks for a WebSocket in a way that can be granted.
pub(super) fn is_asked(version: Version, method: &Method, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11
        && method == Method::GET
        && lists(headers, &CONNECTION, "upgrade")
        && lists(headers, &UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_VERSION) == Some(&VERSION)
        && headers.contains_key(SEC_WEBSOCKET_KEY)
}

fn lists(headers: &HeaderMap, header: &HeaderName, word: &str) -> bool {
    let lines = headers.get_all(header).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

/// Says that here is a WebSocket and nothing else.
pub(super) fn required() -> Response {
    let line =
        "this carrier opens a WebSocket here: GET, HTTP/1.1, Upgrade: websocket, version 13\n";
    let mut response = plain(StatusCode::UPGRADE_REQUIRED, line);
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(SEC_WEBSOCKET_VERSION, VERSION);
    response
}

/// Grants it; what comes over it is heard until its end.
pub(super) fn grant(call: &Call<'_>, upgraded: OnUpgrade, hearing: Hearing) -> Response {
    let opening = Opening::by_carrier(call);
    let takeover = Takeover::by(async move {
        // A peer that is gone before the answer is out has said nothing.
        if let Ok(stream) = upgraded.await {
            let socket = WebSocket::accepted(TokioIo::new(stream), opening.max_frame()).await;
            hearing.hear(socket, &opening, std::future::pending()).await;
        }
    });
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.extensions_mut().insert(takeover);
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    let key = call.headers.get(SEC_WEBSOCKET_KEY).map_or(&b""[..], HeaderValue::as_bytes);
    if let Ok(accept) = HeaderValue::try_from(accept_key(key)) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    // Peers that name subprotocols, as Asterisk does, want one of them back.
    if let Some(protocol) = first_protocol(call.headers) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    HeaderValue::from_str(offered.split(',').next()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    /// The opening handshake of RFC 6455, 1.2.
    fn sample() -> Request<()> {
        Request::get("/chat")
            .header("host", "server.example.com")
            .header("upgrade", "websocket")
            .header("connection", "keep-alive, Upgrade")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-protocol", "chat, superchat")
            .header("sec-websocket-version", "13")
            .body(())
            .expect("a request")
    }

    fn asked(request: &Request<()>) -> bool {
        is_asked(request.version(), request.method(), request.headers())
    }

    #[test]
    fn the_handshake_of_the_standard_is_granted_and_half_of_it_is_not() {
        assert!(asked(&sample()));
        for header in ["upgrade", "connection", "sec-websocket-key", "sec-websocket-version"] {
            let mut request = sample();
            request.headers_mut().remove(header);
            assert!(!asked(&request), "{header}");
        }
        let mut post = sample();
        *post.method_mut() = Method::POST;
        assert!(!asked(&post));
        let mut framed = sample();
        *framed.version_mut() = Version::HTTP_2;
        assert!(!asked(&framed));
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(first_protocol(sample().headers()), Some(HeaderValue::from_static("chat")));
    }
}
