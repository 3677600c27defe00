//! From the bytes of a value to its text: charsets, wrappings, and what tells which.

use super::Source;
use std::collections::BTreeMap;

/// What the bytes of a text are. Bytes that do not fit are never guessed: the item is quarantined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, a mark in front is dropped.
    #[default]
    Utf8,
    /// GB 18030 with its four-byte sequences; also GBK and GB 2312, which it contains.
    Gb18030,
    /// UTF-16, big end first unless a mark says otherwise.
    Utf16Be,
    /// UTF-16, little end first unless a mark says otherwise.
    Utf16Le,
    /// ISO 8859-1, in which every byte is a character.
    Latin1,
    /// The GSM 7-bit default alphabet, one character a byte (3GPP TS 23.038, 6.2.1).
    Gsm7,
    /// What the content type announces; UTF-8 where it announces nothing.
    Announced,
    /// By mark, else UTF-8 if it is that throughout, else GB 18030 if it is that throughout.
    Detect,
}

impl Charset {
    /// All of them, with their names in the configuration; the first name of each is the usual.
    pub const NAMES: [(&'static str, Charset); 12] = [
        ("utf-8", Charset::Utf8),
        ("gb18030", Charset::Gb18030),
        ("gbk", Charset::Gb18030),
        ("gb2312", Charset::Gb18030),
        ("utf-16be", Charset::Utf16Be),
        ("ucs-2", Charset::Utf16Be),
        ("utf-16le", Charset::Utf16Le),
        ("latin1", Charset::Latin1),
        ("iso-8859-1", Charset::Latin1),
        ("gsm7", Charset::Gsm7),
        ("announced", Charset::Announced),
        ("detect", Charset::Detect),
    ];

    /// The charset of this name, in any case; `None` for one that is not known.
    #[must_use]
    pub fn named(name: &str) -> Option<Charset> {
        let known = |(label, _): &&(&str, Charset)| label.eq_ignore_ascii_case(name.trim());
        Charset::NAMES.iter().find(known).map(|(_, charset)| *charset)
    }
}

/// One step from the bytes of a value to its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Percent-decoding, once more.
    Percent,
    /// The same as forms have it, where `+` is a space.
    Form,
    /// Hexadecimal digits.
    Hex,
    /// Base64, standard or URL-safe, padded or not; spaces are the `+` that a form lost.
    Base64,
}

/// From the bytes of a value to its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decode {
    /// Unpacking, in order.
    pub steps: Vec<Step>,
    /// What the bytes then are; `None`: what the route says.
    pub charset: Option<Charset>,
}

/// Which decoding a value gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoding {
    /// Always the same.
    Always(Decode),
    /// As a neighbouring code says, record by record.
    ByCode {
        /// The field with the code.
        code: Source,
        /// The decodings by code.
        by: BTreeMap<String, Decode>,
        /// For any other code; `None` quarantines the item.
        other: Option<Decode>,
    },
    /// In the charset that a neighbouring field names, after the steps.
    ByName {
        /// The field with the name.
        charset: Source,
        /// Unpacking, in order.
        steps: Vec<Step>,
    },
}

impl Default for Decoding {
    fn default() -> Decoding {
        Decoding::Always(Decode::default())
    }
}
