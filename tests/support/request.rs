//! A request as bytes, taken apart.

#![expect(clippy::expect_used, reason = "a broken fixture must stop the test")]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// A request as it travelled.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// A request from its bytes.
    pub(crate) fn parse(raw: &[u8]) -> Request {
        let end = raw.windows(4).position(|window| window == b"\r\n\r\n").expect("end of headers");
        let head = std::str::from_utf8(&raw[..end]).expect("headers in ASCII");
        let mut lines = head.split("\r\n");
        let mut first = lines.next().expect("a request line").split(' ');
        let headers: HeaderMap = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| {
                let name: HeaderName = name.parse().expect("a header's name");
                (name, HeaderValue::from_str(value).expect("a header's value"))
            })
            .collect();
        let body = Bytes::copy_from_slice(&raw[end + 4..]);
        let promised = headers
            .get(http::header::CONTENT_LENGTH)
            .map_or("0", |value| value.to_str().expect("a length in digits"));
        assert_eq!(promised, body.len().to_string(), "the length is true");
        Request {
            method: first.next().expect("a method").parse().expect("a method"),
            target: first.next().expect("a target").to_owned(),
            headers,
            body,
        }
    }

    /// The path, without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query, without `?`.
    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}
