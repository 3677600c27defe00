//! A recorded request: as it travelled, in a file.

use crate::store::{RawRequest, StoredCallback};
use anyhow::{Context, bail};
use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use std::io::{Read, Write};
use std::path::Path;

/// Headers that a recorded request may have.
const MAX_HEADERS: usize = 128;

/// The largest file that is read.
const MAX_FILE: u64 = 64 << 20;

/// A request as it travelled, or as much of it as was kept.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What is odd about the recording.
    pub(super) remarks: Vec<String>,
}

impl Recorded {
    /// A callback as the store keeps it.
    ///
    /// # Errors
    /// That what was kept is no request.
    pub(super) fn kept(callback: StoredCallback) -> anyhow::Result<Recorded> {
        let RawRequest { method, target, headers: kept, body } = callback.raw;
        let mut headers = HeaderMap::new();
        for (name, value) in kept {
            headers
                .append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_bytes(&value)?);
        }
        let remarks = vec!["kept by the gateway, which believed it when it came".to_owned()];
        Ok(Recorded { method: method.parse()?, target, headers, body, remarks })
    }

    /// Writes it as it travelled, for a file that [`read`] reads.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub(super) fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        write!(out, "{} {} HTTP/1.1\r\n", self.method, self.target)?;
        for (name, value) in &self.headers {
            write!(out, "{name}: ")?;
            out.write_all(value.as_bytes())?;
            out.write_all(b"\r\n")?;
        }
        if !self.headers.contains_key(CONTENT_LENGTH) {
            write!(out, "content-length: {}\r\n", self.body.len())?;
        }
        out.write_all(b"\r\n")?;
        out.write_all(&self.body)
    }
}

/// The requests in a file: one of HTTP, or a text frame of a WebSocket in each line.
///
/// # Errors
/// That it cannot be read, or is neither.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<Recorded>> {
    let mut raw = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_FILE).read_to_end(&mut raw)?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| file.display().to_string())?;
        opened.take(MAX_FILE).read_to_end(&mut raw)?;
    }
    if raw.trim_ascii_start().starts_with(b"{") {
        let lines = raw.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        return Ok(lines.filter(|line| !line.is_empty()).map(frame).collect());
    }
    Ok(vec![request(&raw)?])
}

fn frame(line: &[u8]) -> Recorded {
    Recorded {
        method: Method::GET,
        target: String::new(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(line),
        remarks: Vec::new(),
    }
}

fn request(raw: &[u8]) -> anyhow::Result<Recorded> {
    let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut room);
    let end = match parsed.parse(raw) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => bail!(
            "the request ends within its headers; a recorded request is the request line, headers, \
             an empty line and the body, as it travelled"
        ),
        Err(error) => bail!(
            "this is no HTTP request ({error}); a recorded request is the request line, headers, \
             an empty line and the body, as it travelled"
        ),
    };
    let mut headers = HeaderMap::new();
    for header in parsed.headers.iter() {
        headers.append(
            HeaderName::from_bytes(header.name.as_bytes())?,
            HeaderValue::from_bytes(header.value)?,
        );
    }
    let mut remarks = Vec::new();
    let mut body = &raw[end..];
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    match announced {
        Some(length) if length < body.len() => {
            let surplus = body.len() - length;
            remarks.push(format!("{surplus} bytes after the announced end of the body left out"));
            body = &body[..length];
        }
        Some(length) if length > body.len() => {
            remarks.push(format!("the body has {} of {length} announced bytes", body.len()));
        }
        _ => {}
    }
    Ok(Recorded {
        method: parsed.method.unwrap_or_default().parse()?,
        target: parsed.path.unwrap_or_default().to_owned(),
        headers,
        body: Bytes::copy_from_slice(body),
        remarks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_travelled() {
        let raw = b"POST /callback/a?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc\n";
        let read = request(raw).expect("a request");
        assert_eq!((read.method.as_str(), read.target.as_str()), ("POST", "/callback/a?x=1"));
        assert_eq!(read.body.as_ref(), b"abc");
        assert_eq!(read.remarks, ["1 bytes after the announced end of the body left out"]);
        let lines = request(b"GET /x HTTP/1.1\nHost: h\n\n").expect("an editor's line ends");
        assert!(lines.body.is_empty());
        let mut written = Vec::new();
        read.write(&mut written).expect("written");
        assert_eq!(request(&written).expect("a request").body, read.body);
        for broken in [&b"hello"[..], b"POST / HTTP/1.1\r\nHost: h", b""] {
            assert!(request(broken).is_err());
        }
    }
}
