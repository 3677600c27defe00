//! What the places of a request hold.

use super::charset::Known;
use super::document::{Document, Item, Opened, Pairs, Query, Trail, Value, open, text};
use super::{Call, Garbled, inflate};
use crate::config::dialect::{Charset, Place, SortedOf, Source};
use std::borrow::Cow;
use std::cell::OnceCell;

/// What the places of a request hold, as bytes.
pub(super) trait Values {
    /// What stands at this place; `None` when nothing does.
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>>;
    /// The fields that a signature puts in order, as sent and unpacked once; `None` where they are
    /// not all that is said there.
    fn fields(&self, of: SortedOf) -> Option<Pairs<'_>>;
}

/// A request whose parts are read when they are first asked for.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    call: Call<'a>,
    body: &'a [u8],
    /// Whether the body is as it was sent, and so may be compressed.
    as_sent: bool,
    query: OnceCell<Query<'a>>,
    opened: OnceCell<Result<Opened<'a>, Garbled>>,
    announced: OnceCell<Result<Known, &'static str>>,
}

impl<'a> Scope<'a> {
    /// A request as it was sent: its body is what signatures are made over.
    pub(super) fn of(call: &Call<'a>) -> Scope<'a> {
        Scope::new(call, call.body, true)
    }

    /// A request with its body uncompressed.
    pub(super) fn uncompressed(call: &Call<'a>, body: &'a [u8]) -> Scope<'a> {
        Scope::new(call, body, false)
    }

    fn new(call: &Call<'a>, body: &'a [u8], as_sent: bool) -> Scope<'a> {
        let (query, opened, announced) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Scope { call: *call, body, as_sent, query, opened, announced }
    }

    /// The request.
    pub(super) fn call(&self) -> &Call<'a> {
        &self.call
    }

    /// The document of the request.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn opened(&self) -> Result<&Opened<'a>, &Garbled> {
        let opened = self.opened.get_or_init(|| {
            let body = match self.as_sent {
                true => inflate::inflate(&self.call)?,
                false => Cow::Borrowed(self.body),
            };
            open(&self.call, body)
        });
        opened.as_ref()
    }

    /// The charset of a dialect; the announcement is looked for once, whatever it is needed for.
    ///
    /// # Errors
    /// What is wrong with the announced one.
    pub(super) fn charset(&self, charset: Charset) -> Result<Known, &'static str> {
        let resolve = || Known::resolve(charset, self.call.headers);
        match charset {
            Charset::Announced => *self.announced.get_or_init(resolve),
            _ => resolve(),
        }
    }

    /// What stands at a place, for one item of the document.
    pub(super) fn find<'s>(&'s self, item: Item<'s>, source: &Source) -> Value<'s> {
        let there = |bytes: Option<&'s [u8]>| text(bytes);
        let path = source.path.as_slice();
        match &source.place {
            Place::Item => self.document().map_or(Value::Nothing, |it| it.value(item, path)),
            Place::Document => {
                self.document().map_or(Value::Nothing, |it| it.value(it.root(), path))
            }
            Place::Form => there(self.opened().ok().and_then(|opened| opened.form_value(path))),
            Place::Outer => self.opened().map_or(Value::Nothing, |opened| opened.outer_value(path)),
            Place::Query => there(self.query().value(path)),
            Place::Header(name) => {
                let value = self.call.headers.get(name).map(http::HeaderValue::as_bytes);
                match &source.parameter {
                    Some(wanted) => there(value.and_then(|value| parameter(value, wanted))),
                    None => there(value),
                }
            }
            Place::Body => there(Some(self.body)),
            Place::Method => there(Some(self.call.method.as_str().as_bytes())),
            Place::Route => there(Some(self.call.route.name.as_bytes())),
            Place::Target => there(Some(self.call.target.as_bytes())),
            Place::Url => there(Some(self.call.url.as_bytes())),
            // These have a meaning for one item, or in templates only.
            Place::Above(_) | Place::Each => Value::Nothing,
            Place::Secret | Place::User | Place::Sorted | Place::Name | Place::Value => {
                Value::Nothing
            }
        }
    }

    /// What stands at a place, with the document itself for an item.
    pub(super) fn find_in_document<'s>(&'s self, source: &Source) -> Value<'s> {
        let in_document = matches!(source.place, Place::Item);
        let root = in_document.then(|| self.document().map(Document::root)).flatten();
        self.find(root.unwrap_or(Item::Whole), source)
    }

    /// All that stands at a place, for one item of the document: the elements of an array, or
    /// repeated fields.
    pub(super) fn list<'s>(&'s self, item: Item<'s>, source: &Source) -> Vec<Value<'s>> {
        let document = match &source.place {
            Place::Item => self.document().map(|document| (document, item)),
            Place::Document => self.document().map(|document| (document, document.root())),
            _ => None,
        };
        match document {
            Some((document, item)) => document.list(item, &source.path),
            None => vec![self.find(item, source)],
        }
    }

    /// Whether the document around the one within it was decoded as a whole.
    pub(super) fn is_outer_decoded(&self) -> bool {
        self.opened().is_ok_and(Opened::is_outer_decoded)
    }

    fn document(&self) -> Option<&Document<'a>> {
        self.opened().ok().map(|opened| &opened.document)
    }

    fn query(&self) -> &Query<'a> {
        self.query.get_or_init(|| Query::read(self.call.query))
    }
}

impl Values for Scope<'_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        only_text(self.find_in_document(source))
    }

    fn fields(&self, of: SortedOf) -> Option<Pairs<'_>> {
        match of {
            SortedOf::Query => Some(self.query().fields()),
            // A request without a body has no form, even where its query is read like one.
            SortedOf::Form if self.body.is_empty() => Some(Vec::new()),
            SortedOf::Form => self.opened().ok()?.form_fields(),
            SortedOf::Document => self.document()?.fields(),
        }
    }
}

/// A request while one item of its document is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ItemScope<'s, 'a> {
    /// The request.
    pub(super) scope: &'s Scope<'a>,
    /// The item.
    pub(super) item: Item<'s>,
    /// The way to the item.
    pub(super) trail: &'s Trail<'s>,
    /// The piece of the item, where each piece is an event.
    pub(super) piece: Option<&'s [u8]>,
}

impl<'s> ItemScope<'s, '_> {
    /// What stands at a place.
    pub(super) fn find(&self, source: &Source) -> Value<'s> {
        match source.place {
            Place::Each => text(self.piece),
            Place::Above(levels) => match (self.scope.document(), self.trail.above(levels)) {
                (Some(document), Some(mut path)) => {
                    path.extend_from_slice(&source.path);
                    document.value(document.root(), &path)
                }
                _ => Value::Nothing,
            },
            _ => self.scope.find(self.item, source),
        }
    }
}

impl Values for ItemScope<'_, '_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        only_text(self.find(source))
    }

    fn fields(&self, of: SortedOf) -> Option<Pairs<'_>> {
        self.scope.fields(of)
    }
}

fn only_text(value: Value<'_>) -> Option<Cow<'_, [u8]>> {
    match value {
        Value::Text(text) => Some(text),
        Value::Nothing | Value::Composite(_) | Value::Broken(_) => None,
    }
}

/// A parameter of a header: `Scheme name="value", other=value`, with `,`, `;` or spaces between.
fn parameter<'h>(header: &'h [u8], wanted: &str) -> Option<&'h [u8]> {
    let is_between = |byte: &u8| matches!(byte, b',' | b';' | b' ' | b'\t');
    let end =
        |text: &[u8], ends: &dyn Fn(&u8) -> bool| text.iter().position(ends).unwrap_or(text.len());
    let mut rest = header;
    while !rest.is_empty() {
        rest = &rest[end(rest, &|byte| !is_between(byte))..];
        let (name, after) = rest.split_at(end(rest, &|byte| *byte == b'=' || is_between(byte)));
        let Some(given) = after.strip_prefix(b"=") else {
            rest = after;
            continue;
        };
        let (value, after) = match given.strip_prefix(b"\"") {
            Some(quoted) => {
                let (value, after) = quoted.split_at(end(quoted, &|byte| *byte == b'"'));
                (value, after.get(1..).unwrap_or_default())
            }
            None => given.split_at(end(given, &is_between)),
        };
        if name.eq_ignore_ascii_case(wanted.as_bytes()) {
            return Some(value);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, route};
    use super::*;
    use crate::config::dialect::Format;
    use proptest::prelude::*;

    fn at(sample: &Sample, formats: &[Format], place: &str) -> Option<String> {
        let route = route(formats);
        let call = sample.call(&route);
        let scope = Scope::of(&call);
        let value = scope.value(&Source::read(place).expect("a place"))?;
        Some(String::from_utf8(value.into_owned()).expect("UTF-8"))
    }

    #[test]
    fn every_part_of_a_request_is_reached() {
        let sample = Sample::post("a=1&a=2&b.c=3").to("/x?q=%20").with("x-h", "v; n=\"7\"");
        let at = |place| at(&sample, &[Format::Form], place);
        for (place, value) in [
            ("a", "1"),
            ("/a", "1"),
            ("b.c", "3"),
            ("form:a", "1"),
            ("query:q", " "),
            ("header:X-H", "v; n=\"7\""),
            ("header:X-H#n", "7"),
            ("body:", "a=1&a=2&b.c=3"),
            ("method:", "POST"),
            ("route:", ""),
            ("target:", "/x?q=%20"),
            ("url:", "https://gateway.8890.example/x?q=%20"),
        ] {
            assert_eq!(at(place).as_deref(), Some(value), "{place}");
        }
        for place in ["c", "/c", "form:q", "query:a", "header:X-I", "header:X-H#m"] {
            assert_eq!(at(place), None, "{place}");
        }
    }

    #[test]
    fn what_is_signed_in_order_holds_repeated_fields_too() {
        let sample = Sample::post(r#"{"a":1,"b":{"c":[ 1]},"a":"x\n","n":null}"#).to("/x?q=1&q=2");
        let route = route(&[Format::Json]);
        let call = sample.call(&route);
        let scope = Scope::of(&call);
        let fields = |of| -> Option<String> {
            let text = String::from_utf8_lossy;
            let pair =
                |(name, value): &(Cow<_>, Cow<_>)| format!("{}={} ", text(name), text(value));
            Some(scope.fields(of)?.iter().map(pair).collect())
        };
        assert_eq!(fields(SortedOf::Query).as_deref(), Some("q=1 q=2 "));
        let document = "a=1 b={\"c\":[ 1]} a=x\n n=null ";
        assert_eq!(fields(SortedOf::Document).as_deref(), Some(document));
        assert_eq!(fields(SortedOf::Form), None);
    }

    #[test]
    fn a_header_has_parameters() {
        let wsse = b"UsernameToken Username=\"Nonce=1, x\", Nonce=\"a b=\";Created=2026";
        let stripe = b"t=1,v1=YWI9PQ==, v1=no";
        for (header, name, value) in [
            (&wsse[..], "Username", Some(&b"Nonce=1, x"[..])),
            (wsse, "nonce", Some(b"a b=")),
            (wsse, "Created", Some(b"2026")),
            (wsse, "UsernameToken", None),
            (stripe, "t", Some(b"1")),
            (stripe, "v1", Some(b"YWI9PQ==")),
            (b"a=\"open", "a", Some(b"open")),
            (b"a=", "a", Some(b"")),
            (b"=x", "a", None),
            (b"", "a", None),
        ] {
            assert_eq!(parameter(header, name), value, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_anybody_panic(header in "[a=\", ;\\\\x]{0,24}") {
            let _value = parameter(header.as_bytes(), "a");
        }
    }
}
