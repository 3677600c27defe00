//! Answers as HTTP: in the carrier's words, or in ours when there is no carrier to speak for.

use crate::carrier::Reply;
use crate::net::{Response, Unread};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use http_body_util::Full;
use hyper::body::Body;
use std::time::Duration;

/// The largest unread body for which a connection is kept.
const SMALL: u64 = 16 << 10;

/// A carrier's reply.
pub(super) fn from_carrier(reply: Reply) -> Response {
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    response.headers_mut().extend(reply.headers);
    if let Some(content_type) = reply.content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response
}

/// One line of plain text.
pub(super) fn plain(status: StatusCode, line: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(line.into()));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// Says when to come back, in whole seconds and never at once.
pub(super) fn come_back(headers: &mut HeaderMap, after: Duration) {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
}

/// Ends the connection with this answer.
pub(super) fn and_close(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Ends the connection with this answer, after hearing out a peer that is still sending.
pub(super) fn and_hear_out(mut response: Response) -> Response {
    response.extensions_mut().insert(Unread);
    and_close(response)
}

/// Answers a request whose body was left unread. The connection is kept if little is left to
/// come, so that carriers told to wait need not connect again.
pub(super) fn unread(mut response: Response, body: &impl Body) -> Response {
    if body.is_end_stream() {
        return response;
    }
    response.extensions_mut().insert(Unread);
    let small = body.size_hint().upper().is_some_and(|left| left <= SMALL);
    if small { response } else { and_close(response) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_is_a_second() {
        let said = |millis| {
            let mut headers = HeaderMap::new();
            come_back(&mut headers, Duration::from_millis(millis));
            headers[RETRY_AFTER].to_str().expect("digits").to_owned()
        };
        assert_eq!([0, 1, 1000, 1001].map(said), ["1", "1", "1", "2"]);
    }

    #[test]
    fn only_a_large_unread_body_costs_the_connection() {
        let answer = |size| {
            let body = Full::new(Bytes::from(vec![0; size]));
            let response = unread(plain(StatusCode::OK, ""), &body);
            let lingers = response.extensions().get::<Unread>().is_some();
            (response.headers().contains_key(CONNECTION), lingers)
        };
        assert_eq!(answer(0), (false, false));
        assert_eq!(answer(16 << 10), (false, true));
        assert_eq!(answer((16 << 10) + 1), (true, true));
    }
}
