//! Bodies of `multipart/form-data`.

use super::form::Fields;
use crate::carrier::Garbled;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use std::convert::Infallible;

/// The parts of a multipart body as fields, by their names.
///
/// # Errors
/// It is not one.
pub(super) fn read<'a>(body: &[u8], headers: &HeaderMap) -> Result<Fields<'a>, Garbled> {
    let garbled = || Garbled::new("body", "expected parts between boundaries");
    let boundary = boundary(body, headers).ok_or_else(garbled)?;
    let body = Bytes::copy_from_slice(body);
    // The body is there already, so the future never has to wait.
    let parts = parts(body, boundary).now_or_never().and_then(Result::ok);
    parts.map(Fields::parts).ok_or_else(garbled)
}

async fn parts(body: Bytes, boundary: String) -> Result<Vec<(String, Bytes)>, multer::Error> {
    let body = stream::iter([Ok::<Bytes, Infallible>(body)]);
    let mut multipart = multer::Multipart::new(body, boundary);
    let mut parts = Vec::new();
    while let Some(part) = multipart.next_field().await? {
        if let Some(name) = part.name().map(str::to_owned) {
            parts.push((name, part.bytes().await?));
        }
    }
    Ok(parts)
}

/// The boundary: what the first line is made of, else what the content type says.
fn boundary(body: &[u8], headers: &HeaderMap) -> Option<String> {
    let line = body.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    match line.strip_prefix(b"--") {
        Some(line) if !line.is_empty() => String::from_utf8(line.to_vec()).ok(),
        _ => multer::parse_boundary(headers.get(CONTENT_TYPE)?.to_str().ok()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "--b\r\nContent-Disposition: form-data; name=\"events\"\r\n\r\nmo\r\n\
        --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\
        Content-Type: text/plain\r\n\r\n1\r\n2\r\n--b--\r\n";

    #[test]
    fn parts_are_fields_even_without_a_content_type() {
        let fields = read(BODY.as_bytes(), &HeaderMap::new()).expect("a body");
        assert_eq!(fields.value("events"), Some(&b"mo"[..]));
        assert_eq!(fields.value("file"), Some(&b"1\r\n2"[..]));
        assert_eq!(fields.value("missing"), None);
    }

    #[test]
    fn what_ends_early_is_not_read() {
        for end in [0, 1, 3, 10, 60, BODY.len() - 20] {
            assert!(read(&BODY.as_bytes()[..end], &HeaderMap::new()).is_err(), "{end}");
        }
    }
}
