//! From the bytes of a value to its text. Bytes that do not fit are an error, never replaced.

use super::written;
use crate::config::dialect::{Charset, Step};
use crate::model::segments::{GSM7, GSM7_EXTENSION};
use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE, mem};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// The mark in front of UTF-8.
pub(super) const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// A charset that needs no header to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// One of our names, [`Charset::Announced`] excepted.
    Ours(Charset),
    /// One that only an announcement or a neighbouring field can name, by the labels of the WHATWG.
    Other(&'static Encoding),
}

/// Labels that mean something else in messaging than in browsers: UTF-16 without a mark has its
/// big end first (RFC 2781, 4.3), and ASCII is a part of UTF-8.
const LABELS: [(&str, Charset); 6] = [
    ("utf8", Charset::Utf8),
    ("us-ascii", Charset::Utf8),
    ("ascii", Charset::Utf8),
    ("utf-16", Charset::Utf16Be),
    ("ucs2", Charset::Utf16Be),
    ("iso-10646-ucs-2", Charset::Utf16Be),
];

impl Known {
    /// The charset of this name; `None` for one that nobody knows.
    pub(super) fn named(label: &str) -> Option<Known> {
        let label = label.trim().trim_matches('"');
        let ours = || LABELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(label));
        match Charset::named(label).or_else(|| ours().map(|(_, charset)| *charset)) {
            Some(Charset::Announced) => None,
            Some(charset) => Some(Known::Ours(charset)),
            None => Encoding::for_label_no_replacement(label.as_bytes()).map(|encoding| {
                match encoding == UTF_8 {
                    true => Known::Ours(Charset::Utf8),
                    false => Known::Other(encoding),
                }
            }),
        }
    }

    /// The charset of a dialect, for a request with these headers.
    ///
    /// # Errors
    /// What is wrong with the announced one.
    pub(super) fn resolve(charset: Charset, headers: &HeaderMap) -> Result<Known, &'static str> {
        if charset != Charset::Announced {
            return Ok(Known::Ours(charset));
        }
        let announced = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let parameters = announced.map(|value| value.split(';').skip(1)).into_iter().flatten();
        let label = parameters
            .filter_map(|parameter| parameter.split_once('='))
            .find_map(|(name, value)| name.trim().eq_ignore_ascii_case("charset").then_some(value));
        match label {
            Some(label) => Known::named(label).ok_or("the content type names an unknown charset"),
            None => Ok(Known::Ours(Charset::Utf8)),
        }
    }

    /// The text in these bytes.
    ///
    /// # Errors
    /// What was expected.
    pub(super) fn decode(self, bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, &'static str> {
        match self {
            Known::Ours(Charset::Utf8 | Charset::Announced) => utf8(bytes),
            Known::Ours(Charset::Detect) => detect(bytes),
            Known::Ours(Charset::Gb18030) => strict(GB18030, bytes).ok_or("expected GB 18030"),
            Known::Ours(Charset::Utf16Be) => utf16(UTF_16BE, &bytes).map(Cow::Owned),
            Known::Ours(Charset::Utf16Le) => utf16(UTF_16LE, &bytes).map(Cow::Owned),
            Known::Ours(Charset::Latin1) => Ok(Cow::Owned(mem::decode_latin1(&bytes).into_owned())),
            Known::Ours(Charset::Gsm7) => gsm7(&bytes).map(Cow::Owned),
            Known::Other(encoding) => {
                strict(encoding, bytes).ok_or("does not fit the charset that was named")
            }
        }
    }
}

/// The text in these bytes as UTF-8, in which what does not fit became U+FFFD, and whether anything
/// did not.
pub(super) fn repaired(bytes: Cow<'_, [u8]>) -> (Cow<'_, str>, bool) {
    match without_mark(bytes) {
        Cow::Borrowed(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let repaired = matches!(text, Cow::Owned(_));
            (text, repaired)
        }
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => (Cow::Owned(text), false),
            Err(error) => {
                (Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()), true)
            }
        },
    }
}

fn without_mark(bytes: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes)),
        Cow::Owned(mut bytes) => {
            if bytes.starts_with(UTF8_MARK) {
                bytes.drain(..UTF8_MARK.len());
            }
            Cow::Owned(bytes)
        }
    }
}

fn utf8(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, &'static str> {
    let text = match without_mark(bytes) {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    text.ok_or("expected UTF-8")
}

fn strict<'b>(encoding: &'static Encoding, bytes: Cow<'b, [u8]>) -> Option<Cow<'b, str>> {
    match bytes {
        Cow::Borrowed(bytes) => encoding.decode_without_bom_handling_and_without_replacement(bytes),
        Cow::Owned(bytes) => {
            let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes)?;
            Some(Cow::Owned(text.into_owned()))
        }
    }
}

fn utf16(encoding: &'static Encoding, bytes: &[u8]) -> Result<String, &'static str> {
    let (encoding, bytes) = match bytes {
        [0xfe, 0xff, rest @ ..] => (UTF_16BE, rest),
        [0xff, 0xfe, rest @ ..] => (UTF_16LE, rest),
        all => (encoding, all),
    };
    if !bytes.len().is_multiple_of(2) {
        return Err("expected UTF-16, which has two bytes for each unit");
    }
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    text.map(Cow::into_owned).ok_or("expected UTF-16 without half surrogates")
}

fn detect(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, &'static str> {
    match &*bytes {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => utf16(UTF_16BE, &bytes).map(Cow::Owned),
        all if str::from_utf8(all).is_ok() => utf8(bytes),
        _ => strict(GB18030, bytes).ok_or("expected UTF-8 or GB 18030"),
    }
}

fn gsm7(bytes: &[u8]) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected the GSM 7-bit alphabet, one character a byte";
    let mut text = String::with_capacity(bytes.len());
    let mut bytes = bytes.iter();
    while let Some(&byte) = bytes.next() {
        let character = match GSM7.get(usize::from(byte)).ok_or(EXPECTED)? {
            '\x1b' => {
                let code = bytes.next().ok_or(EXPECTED)?;
                let extended = GSM7_EXTENSION.iter().find(|(known, _)| known == code);
                extended.map(|(_, character)| *character).ok_or(EXPECTED)?
            }
            character => *character,
        };
        text.push(character);
    }
    Ok(text)
}

/// Takes bytes out of their wrappings, one after the other.
///
/// # Errors
/// What was expected.
pub(super) fn unpack<'b>(
    bytes: Cow<'b, [u8]>,
    steps: &[Step],
) -> Result<Cow<'b, [u8]>, &'static str> {
    steps.iter().try_fold(bytes, |bytes, step| match step {
        Step::Percent => match bytes {
            Cow::Borrowed(bytes) => Ok(percent_decode(bytes).into()),
            Cow::Owned(bytes) => Ok(Cow::Owned(percent_decode(&bytes).collect())),
        },
        Step::Hex => hex::decode(&bytes).map(Cow::Owned).map_err(|_| "expected hexadecimal digits"),
        Step::Base64 => written::base64(&bytes).map(Cow::Owned).ok_or("expected Base64"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn decode(charset: &str, bytes: &[u8]) -> Result<String, &'static str> {
        let known = Known::named(charset).expect("a charset");
        let borrowed = known.decode(Cow::Borrowed(bytes)).map(Cow::into_owned);
        assert_eq!(borrowed, known.decode(Cow::Owned(bytes.to_vec())).map(Cow::into_owned));
        borrowed
    }

    #[test]
    fn one_text_in_every_charset() {
        for (charset, bytes) in [
            ("utf-8", "满意1".as_bytes()),
            ("UTF8", b"\xef\xbb\xbf\xe6\xbb\xa1\xe6\x84\x8f1"),
            ("gbk", b"\xc2\xfa\xd2\xe21"),
            ("ucs-2", b"\x6e\xe1\x61\x0f\x00\x31"),
            ("utf-16be", b"\xff\xfe\xe1\x6e\x0f\x61\x31\x00"),
            ("utf-16le", b"\xe1\x6e\x0f\x61\x31\x00"),
            ("utf-16", b"\x6e\xe1\x61\x0f\x00\x31"),
            ("detect", "满意1".as_bytes()),
            ("detect", b"\xc2\xfa\xd2\xe21"),
            ("detect", b"\xfe\xff\x6e\xe1\x61\x0f\x00\x31"),
        ] {
            assert_eq!(decode(charset, bytes).as_deref(), Ok("满意1"), "{charset}");
        }
        assert_eq!(decode("gb18030", b"\x95\x32\x82\x36").as_deref(), Ok("\u{20000}"));
        assert_eq!(decode("latin1", b"\xe9\x80").as_deref(), Ok("é\u{80}"));
        assert_eq!(decode("big5", b"\xba\xa1").as_deref(), Ok("滿"));
        assert_eq!(decode("gsm7", b"\x00Hi\x1b\x65\x1b\x28\x20\x7f").as_deref(), Ok("@Hi€{ à"));
    }

    #[test]
    fn what_does_not_fit_is_never_replaced() {
        for (charset, bytes) in [
            ("utf-8", &b"\xc2\xfa"[..]),
            ("us-ascii", b"\xc2"),
            ("gbk", b"\xff"),
            ("gbk", b"1\xc2"),
            ("utf-16be", b"\x6e"),
            ("utf-16be", b"\xd8\x3d"),
            ("utf-16le", b"\x3d\xd8\x31\x00"),
            ("gsm7", b"\x80"),
            ("gsm7", b"\x1b"),
            ("gsm7", b"\x1bA"),
            ("detect", b"\xff\xff\xff"),
            ("big5", b"\xba"),
        ] {
            assert!(decode(charset, bytes).is_err(), "{charset} {bytes:x?}");
        }
        assert_eq!(
            decode("utf-8", "\u{fffd}".as_bytes()).as_deref(),
            Ok("\u{fffd}"),
            "it was sent"
        );
        assert_eq!(Known::named("klingon"), None);
        assert_eq!(Known::named("announced"), None, "a field cannot leave it to the header");
    }

    #[test]
    fn the_content_type_may_announce_it() {
        let announced = |value: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
            Known::resolve(Charset::Announced, &headers)
        };
        assert_eq!(announced("text/plain"), Ok(Known::Ours(Charset::Utf8)));
        assert_eq!(announced("text/plain; charset=GBK"), Ok(Known::Ours(Charset::Gb18030)));
        let quoted = announced("text/plain;x=y; Charset=\"UTF-16BE\"");
        assert_eq!(quoted, Ok(Known::Ours(Charset::Utf16Be)));
        assert!(announced("text/plain; charset=klingon").is_err());
        let headers = HeaderMap::new();
        assert_eq!(Known::resolve(Charset::Gsm7, &headers), Ok(Known::Ours(Charset::Gsm7)));
    }

    #[test]
    fn wrappings_come_off_in_order() {
        let unpacked = |bytes: &'static [u8], steps: &[Step]| {
            unpack(Cow::Borrowed(bytes), steps).map(Cow::into_owned)
        };
        assert_eq!(unpacked(b"1%2B+%zz", &[Step::Percent]), Ok(b"1++%zz".to_vec()));
        assert_eq!(unpacked(b"Pj4 ", &[Step::Base64]), Ok(b">>>".to_vec()));
        assert_eq!(unpacked(b"NGE", &[Step::Base64, Step::Hex]), Ok(b"J".to_vec()));
        assert_eq!(unpacked(b"4%41", &[Step::Percent, Step::Hex]), Ok(b"J".to_vec()));
        assert_eq!(unpacked(b"4", &[Step::Hex]), Err("expected hexadecimal digits"));
        assert_eq!(unpacked(b"====", &[Step::Base64]), Err("expected Base64"));
    }

    proptest! {
        #[test]
        fn every_text_comes_back_and_no_bytes_panic(
            // Characters for private use changed their places in 2022.
            text in "[^\u{e000}-\u{f8ff}]{0,16}",
            bytes: Vec<u8>,
        ) {
            let (gb, _, _) = GB18030.encode(&text);
            prop_assert_eq!(decode("gb18030", &gb), Ok(text.clone()));
            let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            if !text.starts_with(['\u{feff}', '\u{fffe}']) {
                prop_assert_eq!(decode("utf-16be", &utf16), Ok(text));
            }
            for (name, charset) in Charset::NAMES {
                if charset != Charset::Announced {
                    let _decoded = decode(name, &bytes);
                }
            }
        }
    }
}
