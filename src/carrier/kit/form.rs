//! Form fields as raw bytes.
//!
//! Not every sender writes UTF-8 into a form, so the values stay bytes until the carrier's file
//! says what they are.

use percent_encoding::percent_decode;
use std::borrow::Cow;

/// The value of the first field with this name, percent-decoded once. A later field of the same
/// name is never looked at, neither for the signature nor for the content.
pub(crate) fn field<'a>(form: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    form.split(|&byte| byte == b'&').find_map(|pair| {
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let found = decode(halves.next()?);
        (*found == *name.as_bytes()).then(|| decode(halves.next().unwrap_or_default()))
    })
}

fn decode(part: &[u8]) -> Cow<'_, [u8]> {
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
        let value = |name| field(form, name).map(Cow::into_owned);
        assert_eq!(value("a"), Some(b"1".to_vec()));
        assert_eq!(value("b c"), Some(b"x+y z%".to_vec()));
        assert_eq!(value("empty"), Some(Vec::new()));
        assert_eq!(value("last"), Some(vec![0xff, 0xff]), "bytes that are not UTF-8 survive");
        assert_eq!(value("missing"), None);
    }
}
