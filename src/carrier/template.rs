//! Fills templates with what a request holds, and makes values fit where they stand.

use super::scope::Values;
use super::{answer, written};
use crate::config::dialect::{Filter, Piece, Place, Source, Template, Written};
use encoding_rs::GB18030;
use md5::{Digest as _, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use sm3::Sm3;
use std::borrow::Cow;

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the places of a template hold that no request has.
#[derive(Clone, Copy, Default)]
pub(super) struct Special<'a> {
    /// `${secret}`.
    pub(super) secret: &'a [u8],
    /// `${user}`.
    pub(super) user: &'a [u8],
    /// `${sorted}`.
    pub(super) sorted: &'a [u8],
    /// `${name}`.
    pub(super) name: &'a [u8],
    /// `${value}`.
    pub(super) value: &'a [u8],
}

/// The template with its values; a place where nothing stands is empty.
pub(super) fn render(template: &Template, values: &dyn Values, special: &Special<'_>) -> Vec<u8> {
    render_escaped(template, values, special, |_, value| value)
}

/// As [`render`], with every value escaped for its surroundings after its filters.
pub(super) fn render_escaped(
    template: &Template,
    values: &dyn Values,
    special: &Special<'_>,
    escape: impl Fn(&Source, Vec<u8>) -> Vec<u8>,
) -> Vec<u8> {
    let mut text = Vec::new();
    for piece in &template.pieces {
        match piece {
            Piece::Literal(literal) => text.extend_from_slice(literal.as_bytes()),
            Piece::Value(source, filters) => {
                let value = value(source, values, special).into_owned();
                text.extend(escape(source, filters.iter().fold(value, filtered)));
            }
        }
    }
    text
}

fn value<'a>(source: &Source, values: &'a dyn Values, special: &Special<'a>) -> Cow<'a, [u8]> {
    match source.place {
        Place::Secret => Cow::Borrowed(special.secret),
        Place::User => Cow::Borrowed(special.user),
        Place::Sorted => Cow::Borrowed(special.sorted),
        Place::Name => Cow::Borrowed(special.name),
        Place::Value => Cow::Borrowed(special.value),
        _ => values.value(source).unwrap_or_default(),
    }
}

/// What a value is surrounded by, and must not get out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surroundings {
    /// Nothing that ends.
    Plain,
    /// A string of JSON.
    Json,
    /// Text or an attribute of XML.
    Xml,
    /// A URL or a form.
    Url,
}

impl Surroundings {
    /// The value as it may stand there.
    #[must_use]
    pub fn escape(self, value: Vec<u8>) -> Vec<u8> {
        let text = |escape: fn(&str) -> String| escape(&String::from_utf8_lossy(&value));
        match self {
            Surroundings::Plain => value,
            Surroundings::Json => text(answer::json).into_bytes(),
            Surroundings::Xml => text(answer::xml).into_bytes(),
            Surroundings::Url => percent(&value).into_bytes(),
        }
    }
}

/// What a filter makes of a value.
#[must_use]
pub fn filtered(value: Vec<u8>, filter: &Filter) -> Vec<u8> {
    match filter {
        Filter::Md5 => Md5::digest(value).to_vec(),
        Filter::Sha1 => Sha1::digest(value).to_vec(),
        Filter::Sha256 => Sha256::digest(value).to_vec(),
        Filter::Sha512 => Sha512::digest(value).to_vec(),
        Filter::Sm3 => Sm3::digest(value).to_vec(),
        Filter::Hex => written::write(Written::Hex, &value),
        Filter::Base64 => written::write(Written::Base64, &value),
        Filter::Unbase64 => written::base64(&value).unwrap_or_default(),
        Filter::Upper => value.to_ascii_uppercase(),
        Filter::Lower => value.to_ascii_lowercase(),
        Filter::Percent => percent(&value).into_bytes(),
        Filter::Path => path(&value).to_vec(),
        Filter::Gb18030 => GB18030.encode(&String::from_utf8_lossy(&value)).0.into_owned(),
        Filter::Utf16Be => {
            let text = String::from_utf8_lossy(&value);
            text.encode_utf16().flat_map(u16::to_be_bytes).collect()
        }
    }
}

/// Percent-encodes all but letters, digits and `-._~`.
pub(super) fn percent(value: &[u8]) -> String {
    percent_encode(value, RESERVED).to_string()
}

/// What stands before the query.
pub(super) fn path(url: &[u8]) -> &[u8] {
    url.split(|byte| *byte == b'?').next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, route};
    use super::super::scope::Scope;
    use super::*;
    use crate::config::dialect::Format;

    fn rendered(template: &str, sample: &Sample) -> String {
        let template = Template::read(template).expect("a template");
        let special = Special { secret: b"s", user: b"u", sorted: b"a=1", name: b"n", value: b"v" };
        let route = route(&[Format::Query, Format::Form, Format::Json]);
        let call = sample.call(&route);
        String::from_utf8(render(&template, &Scope::of(&call), &special)).expect("UTF-8")
    }

    #[test]
    fn a_template_is_filled_from_the_request() {
        let request = Sample::post("id=7&name=a%20b").to("/callback/x?menu=main");
        let request = request.with("x-time", "1772677230");
        assert_eq!(
            rendered("${method:} ${target:} ${form:id} ${/name} ${query:menu}", &request),
            "POST /callback/x?menu=main 7 a b main"
        );
        assert_eq!(
            rendered("${header:X-Time}|${body:}|${missing}|", &request),
            "1772677230|id=7&name=a%20b||"
        );
        assert_eq!(rendered("${secret}${user}${sorted}${name}${value}", &request), "sua=1nv");
        assert_eq!(rendered("${url:|path}", &request), "https://gateway.8890.example/callback/x");
    }

    #[test]
    fn filters_are_applied_in_order() {
        let request = Sample::post(r#"{"a":"abc","b":"满 意~","c":"YWJj"}"#);
        for (template, expected) in [
            ("${a|md5|hex}", "900150983cd24fb0d6963f7d28e17f72"),
            ("${a|sha1|hex|upper}", "A9993E364706816ABA3E25717850C26C9CD0D89D"),
            ("${a|sha256|base64}", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
            // GB/T 32905-2016, example 1.
            ("${a|sm3|hex}", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
            ("${b|percent}", "%E6%BB%A1%20%E6%84%8F~"),
            ("${b|percent|lower}", "%e6%bb%a1%20%e6%84%8f~"),
            ("${c|unbase64}", "abc"),
            ("${b|gb18030|hex}", "c2fa20d2e27e"),
            ("${b|utf-16be|hex}", "6ee10020610f007e"),
            ("${b|unbase64}", ""),
        ] {
            assert_eq!(rendered(template, &request), expected, "{template}");
        }
    }
}
