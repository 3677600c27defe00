//! The key by which a repeat of an event is recognised.

use std::borrow::Cow;

/// A key under way: the kind's name, then the fields that identify an event of it. Every field goes
/// in with its length in front, so that no two lists of fields give the same key, whatever stands
/// in them.
#[derive(Debug)]
pub(super) struct Key(String);

impl Key {
    /// A key of this kind.
    pub(super) fn new(kind: &str) -> Key {
        let mut key = String::with_capacity(48);
        key.push_str(kind);
        Key(key)
    }

    /// The next field. Bytes that are not UTF-8 are written in hexadecimal, told apart by an `x`.
    pub(super) fn push(&mut self, field: &[u8]) {
        let (mark, text) = match str::from_utf8(field) {
            Ok(text) => ("", Cow::Borrowed(text)),
            Err(_) => ("x", Cow::Owned(hex::encode(field))),
        };
        self.0.push('|');
        self.0.push_str(&field.len().to_string());
        self.0.push_str(mark);
        self.0.push(':');
        self.0.push_str(&text);
    }

    /// The whole key.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Key;
    use proptest::prelude::*;

    fn key(kind: &str, fields: &[Vec<u8>]) -> String {
        let mut key = Key::new(kind);
        fields.iter().for_each(|field| key.push(field));
        key.finish()
    }

    #[test]
    fn says_where_each_field_ends() {
        let fields = [b"9^0".to_vec(), Vec::new(), b"OK".to_vec(), b"\xc2\xfa".to_vec()];
        assert_eq!(key("report", &fields), "report|3:9^0|0:|2:OK|2x:c2fa");
    }

    proptest! {
        #[test]
        fn no_two_lists_of_fields_share_a_key(
            one in prop::collection::vec(bytes(), 0..4),
            other in prop::collection::vec(bytes(), 0..4),
        ) {
            prop_assert_eq!(one == other, key("k", &one) == key("k", &other));
        }
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b"|:0x9a\xff".to_vec()), 0..4)
    }
}
