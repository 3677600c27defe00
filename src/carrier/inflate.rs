//! Compressed bodies, up to what the route allows.

use super::{Call, Garbled};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::header::CONTENT_ENCODING;
use std::borrow::Cow;
use std::io::Read;

/// The body as it was before it was compressed for the way.
///
/// # Errors
/// The compression is not known, broken, or hides more than the route's `max_body`.
pub(super) fn inflate<'a>(call: &Call<'a>) -> Result<Cow<'a, [u8]>, Garbled> {
    let body: &'a [u8] = call.body;
    let mut encodings = call.headers.get_all(CONTENT_ENCODING).iter();
    let encoding = match (encodings.next(), encodings.next()) {
        (None, _) => return Ok(Cow::Borrowed(body)),
        (Some(encoding), None) => encoding.as_bytes().trim_ascii(),
        (Some(_), Some(_)) => return Err(garbled("expected one content encoding")),
    };
    let most = call.route.max_body;
    match encoding.to_ascii_lowercase().as_slice() {
        b"" | b"identity" => Ok(Cow::Borrowed(body)),
        b"gzip" | b"x-gzip" => read(MultiGzDecoder::new(body), most),
        // RFC 9110 means zlib; some send the bare stream, whose first byte cannot be zlib's.
        b"deflate" => match body.first() {
            Some(first) if first & 0x0f == 8 => read(ZlibDecoder::new(body), most),
            _ => read(DeflateDecoder::new(body), most),
        },
        _ => Err(garbled("expected no content encoding but gzip and deflate")),
    }
}

fn read<'a>(stream: impl Read, most: usize) -> Result<Cow<'a, [u8]>, Garbled> {
    let mut body = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    match stream.take(bound).read_to_end(&mut body) {
        Ok(read) if read > most => Err(garbled("unpacks to more than the route's max_body")),
        Ok(_) => Ok(Cow::Owned(body)),
        Err(_) => Err(garbled("does not unpack as its content encoding says")),
    }
}

fn garbled(problem: &'static str) -> Garbled {
    Garbled::new("body", problem)
}
