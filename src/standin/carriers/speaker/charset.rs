//! From a text to the bytes of a value: the inverse of the engine's decoding.

use crate::config::dialect::{Charset, Step};
use crate::model::segments::{GSM7, GSM7_EXTENSION};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use encoding_rs::GB18030;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

/// A mark in front of a text is taken off by readers; one that is content needs another before it.
const MARK: char = '\u{feff}';
/// The mark as it looks with its bytes the other way round.
const SWAPPED: char = '\u{fffe}';
const ESCAPE: u8 = 0x1b;

/// The text in this charset; `None` if it cannot carry it.
pub(super) fn encode(text: &str, charset: Charset) -> Option<Vec<u8>> {
    match charset {
        // Detection finds UTF-8, and what announces nothing is UTF-8.
        Charset::Utf8 | Charset::Announced | Charset::Detect => Some(utf8(text)),
        Charset::Gb18030 => {
            let (bytes, _, failed) = GB18030.encode(text);
            let back = GB18030.decode_without_bom_handling_and_without_replacement(&bytes);
            // A few private characters do not come back as themselves.
            (!failed && back.as_deref() == Some(text)).then(|| bytes.into_owned())
        }
        Charset::Utf16Be => Some(utf16(text, u16::to_be_bytes)),
        Charset::Utf16Le => Some(utf16(text, u16::to_le_bytes)),
        Charset::Latin1 => {
            text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
        }
        Charset::Gsm7 => text.chars().map(gsm7).collect::<Option<Vec<_>>>().map(|it| it.concat()),
    }
}

fn utf8(text: &str) -> Vec<u8> {
    let mark = if text.starts_with(MARK) { "\u{feff}" } else { "" };
    [mark, text].concat().into_bytes()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mark = text.starts_with([MARK, SWAPPED]).then_some(0xfeff);
    mark.into_iter().chain(text.encode_utf16()).flat_map(bytes).collect()
}

fn gsm7(character: char) -> Option<Vec<u8>> {
    let plain = GSM7.iter().position(|known| *known == character && character != '\x1b');
    if let Some(byte) = plain {
        return u8::try_from(byte).ok().map(|byte| vec![byte]);
    }
    let extended = GSM7_EXTENSION.iter().find(|(_, known)| *known == character);
    extended.map(|(byte, _)| vec![ESCAPE, *byte])
}

/// Packs bytes so that these steps, in order, unpack them.
pub(super) fn pack(bytes: Vec<u8>, steps: &[Step]) -> Vec<u8> {
    steps.iter().rev().fold(bytes, |bytes, step| match step {
        Step::Percent => percent_encode(&bytes, NON_ALPHANUMERIC).to_string().into_bytes(),
        Step::Hex => hex::encode(bytes).into_bytes(),
        Step::Base64 => BASE64_STANDARD.encode(bytes).into_bytes(),
    })
}

/// What stands in a document of characters for bytes that are none.
const BROKEN: &str = "\u{f8ff}not-a-character\u{f8ff}";
/// A byte that is no text by itself in any charset that has such bytes.
const NO_TEXT: u8 = 0xff;

/// A value that this decoding cannot read; `None` if it can read all. `decoded`: it stands in a
/// document that is decoded as a whole, and is exchanged there by [`broken`].
pub(super) fn undecodable(steps: &[Step], charset: Charset, decoded: bool) -> Option<Vec<u8>> {
    let packed = steps.iter().any(|step| matches!(step, Step::Hex | Step::Base64));
    match charset {
        _ if packed => Some(b"!".to_vec()),
        Charset::Latin1 => None,
        _ if decoded && steps.is_empty() => Some(BROKEN.into()),
        _ => Some(pack(vec![NO_TEXT], steps)),
    }
}

/// A document in whose bytes what stands for broken ones is exchanged for such.
pub(super) fn broken(document: Vec<u8>, charset: Charset) -> Vec<u8> {
    let Some(mark) = encode(BROKEN, charset) else { return document };
    match document.windows(mark.len()).position(|at| at == mark) {
        Some(at) => [&document[..at], &[NO_TEXT], &document[at + mark.len()..]].concat(),
        None => document,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charset_says_what_it_cannot_carry() {
        assert_eq!(encode("满15℃", Charset::Gb18030), Some(b"\xc2\xfa15\xa1\xe6".to_vec()));
        assert_eq!(encode("👍", Charset::Gb18030), Some(b"\x94\x39\xd1\x31".to_vec()));
        assert_eq!(encode("é", Charset::Latin1), Some(vec![0xe9]));
        assert_eq!(encode("[@€", Charset::Gsm7), Some(b"\x1b\x3c\x00\x1b\x65".to_vec()));
        assert_eq!(encode("满", Charset::Utf16Be), Some(vec![0x6e, 0xe1]));
        for charset in [Charset::Latin1, Charset::Gsm7] {
            assert_eq!(encode("满", charset), None, "{charset:?}");
        }
        assert_eq!(encode("\x1b", Charset::Gsm7), None, "the escape is no character");
    }

    #[test]
    fn the_last_step_of_unpacking_is_the_first_of_packing() {
        assert_eq!(pack(b"1?".to_vec(), &[Step::Percent, Step::Base64]), b"MT8%3D");
        assert_eq!(pack(b"1".to_vec(), &[Step::Base64, Step::Hex]), b"MzE=");
    }
}
