//! Forms and queries, as raw bytes.
//!
//! Not every sender writes UTF-8 into a form, so the values stay bytes until the dialect says what
//! they are.

use super::part::{Names, Part, place};
use bytes::Bytes;
use percent_encoding::percent_decode;
use std::borrow::Cow;
use std::ops::Range;

/// The fields of a form, query or multipart body, percent-decoded once. Of fields with the same
/// name the first counts, for the signature and for the content.
#[derive(Debug)]
pub(in crate::carrier) struct Fields<'a> {
    bytes: Cow<'a, [u8]>,
    fields: Vec<FormField>,
    names: Names,
}

#[derive(Debug)]
struct FormField {
    name: Part,
    value: Part,
    /// The value as it stands in a form; empty for a part of a multipart body.
    sent: Range<usize>,
}

impl<'a> Fields<'a> {
    /// The fields of a form.
    pub(super) fn form(bytes: Cow<'a, [u8]>) -> Fields<'a> {
        let field = |pair: &[u8]| {
            let (name, value) = match pair.iter().position(|&byte| byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &pair[pair.len()..]),
            };
            FormField {
                name: Part::of(&bytes, unescaped(name)),
                value: Part::of(&bytes, unescaped(value)),
                sent: place(&bytes, value),
            }
        };
        let pairs = bytes.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
        let fields = pairs.map(field).collect();
        Fields::index(bytes, fields)
    }

    /// The parts of a multipart body.
    pub(super) fn parts(parts: Vec<(String, Bytes)>) -> Fields<'a> {
        let field = |(name, value): (String, Bytes)| FormField {
            name: Part::Unpacked(name.into_bytes()),
            value: Part::Unpacked(value.into()),
            sent: 0..0,
        };
        Fields::index(Cow::Borrowed(&[]), parts.into_iter().map(field).collect())
    }

    fn index(bytes: Cow<'a, [u8]>, fields: Vec<FormField>) -> Fields<'a> {
        let names = Names::new(fields.len(), |at| fields[at].name.bytes(&bytes));
        Fields { bytes, fields, names }
    }

    /// The value of the first field with this name.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        Some(self.find(name)?.value.bytes(&self.bytes))
    }

    /// The same as it was sent, before percent-decoding.
    pub(super) fn sent(&self, name: &str) -> Option<&[u8]> {
        let field = self.find(name)?;
        match field.sent.is_empty() {
            true => Some(field.value.bytes(&self.bytes)),
            false => self.bytes.get(field.sent.clone()),
        }
    }

    /// All fields in the order sent.
    pub(super) fn all(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let bytes: &[u8] = &self.bytes;
        self.fields.iter().map(move |field| (field.name.bytes(bytes), field.value.bytes(bytes)))
    }

    fn find(&self, name: &str) -> Option<&FormField> {
        let of = |at: usize| self.fields[at].name.bytes(&self.bytes);
        let first = self.names.first(self.fields.len(), of, name.as_bytes())?;
        self.fields.get(first)
    }
}

/// What a form's way of writing stands for: `+` for a space, and percent-encoding.
pub(in crate::carrier) fn unescaped(part: &[u8]) -> Cow<'_, [u8]> {
    if part.contains(&b'+') {
        let spaced: Vec<u8> =
            part.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
        Cow::Owned(percent_decode(&spaced).collect())
    } else {
        percent_decode(part).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_of_a_name_is_decoded_once() {
        let form = b"a=1&b+c=x%2By+z%25&a=2&empty&last=\xff%FF&=";
        let form = Fields::form(Cow::Borrowed(form));
        assert_eq!(form.value("a"), Some(&b"1"[..]));
        assert_eq!(form.value("b c"), Some(&b"x+y z%"[..]));
        assert_eq!(form.sent("b c"), Some(&b"x%2By+z%25"[..]));
        assert_eq!(form.value("empty"), Some(&b""[..]));
        assert_eq!(form.value("last"), Some(&[0xff, 0xff][..]), "no UTF-8, and yet there");
        assert_eq!(form.value("missing"), None);
        let all: Vec<_> = form.all().map(|(name, _)| name).collect();
        assert_eq!(all, [&b"a"[..], b"b c", b"a", b"empty", b"last", b""], "repeated ones too");
    }
}
