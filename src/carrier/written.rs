//! Bytes as text: hexadecimal and Base64, written one way and read every way that is in use.

use crate::config::dialect::Written;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT};
use std::borrow::Cow;

/// The bytes that the text stands for; `None` when it is not written so.
pub(super) fn read(written: Written, text: &[u8]) -> Option<Cow<'_, [u8]>> {
    match written {
        Written::Plain => Some(Cow::Borrowed(text)),
        Written::Hex => hex::decode(text).ok().map(Cow::Owned),
        Written::Base64 => base64(text).map(Cow::Owned),
        Written::Pem => pem(text).map(Cow::Owned),
        Written::HexBase64 => hex::decode(base64(text)?).ok().map(Cow::Owned),
    }
}

/// The text that stands for the bytes: lower-case hexadecimal, or padded standard Base64.
pub(super) fn write(written: Written, bytes: &[u8]) -> Vec<u8> {
    match written {
        Written::Plain => bytes.to_vec(),
        Written::Hex => hex::encode(bytes).into_bytes(),
        Written::Base64 => STANDARD.encode(bytes).into_bytes(),
        Written::Pem => [BEGIN, STANDARD.encode(bytes).as_bytes(), END].concat(),
        Written::HexBase64 => STANDARD.encode(hex::encode(bytes)).into_bytes(),
    }
}

const BEGIN: &[u8] = b"-----BEGIN PUBLIC KEY-----\n";
const END: &[u8] = b"\n-----END PUBLIC KEY-----\n";

/// Reads the Base64 between the lines that begin and end it.
fn pem(text: &[u8]) -> Option<Vec<u8>> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let within: Vec<&[u8]> = lines.filter(|line| !line.starts_with(b"-----")).collect();
    base64(&within.concat())
}

/// Reads Base64, standard or URL-safe, padded or not. A space is the `+` that a form lost.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let standard = |byte: &u8| match byte {
        b'-' | b' ' => b'+',
        b'_' => b'/',
        other => *other,
    };
    let text: Vec<u8> = text.iter().map(standard).collect();
    STANDARD_PAD_INDIFFERENT.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_everybody_writes_it() {
        let bytes = [0xfb, 0xef, 0xff, 0xfe];
        for text in ["++///g==", "++///g", "--___g", "--___g==", "  ///g=="] {
            assert_eq!(base64(text.as_bytes()).as_deref(), Some(&bytes[..]), "{text}");
        }
        for text in ["++///h==", "++///", "++/\n//g==", "满"] {
            assert_eq!(base64(text.as_bytes()), None, "{text}");
        }
        assert_eq!(write(Written::Base64, &bytes), b"++///g==");
    }

    #[test]
    fn hexadecimal_digits_come_in_either_case() {
        let bytes = Some(Cow::Borrowed(&[0xab, 0xcd][..]));
        assert_eq!(read(Written::Hex, b"abcd"), bytes);
        assert_eq!(read(Written::Hex, b"ABcD"), bytes);
        assert_eq!(read(Written::Hex, b"abc"), None);
        assert_eq!(read(Written::HexBase64, b"QUJjZA=="), bytes);
        assert_eq!(write(Written::HexBase64, &[0xab, 0xcd]), b"YWJjZA==");
        assert_eq!(write(Written::Hex, &[0xab, 0xcd]), b"abcd");
    }
}
