//! One value of an item: found, unpacked, decoded, and given its meaning.

use super::charset::{self, Known};
use super::document::{Document, Item, Trail, Value, split};
use super::scope::{ItemScope, Scope};
use super::template::{Special, render};
use super::{Garbled, time};
use crate::config::Account;
use crate::config::dialect::{
    CallerField, Charset, Condition, Decoding, Each, Field, Origin, Place, Source, Step, Template,
    Test, TimeField,
};
use crate::model::Caller;
use http::HeaderValue;
use jiff::Timestamp;
use std::borrow::Cow;
use std::cell::Cell;

/// Reads the values of one item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'s, 'a> {
    /// The request.
    pub(super) scope: &'s Scope<'a>,
    /// Its document.
    pub(super) document: &'s Document<'a>,
    /// What the document is called.
    pub(super) root: &'s str,
    /// The item.
    pub(super) item: Item<'s>,
    /// The way to the item.
    pub(super) trail: &'s Trail<'s>,
    /// Whose request it is.
    pub(super) account: &'s Account,
    /// The piece of the item that is read and where it was found, where each piece is an event.
    pub(super) piece: Option<(&'s Source, &'s [u8])>,
    /// How many bytes may still be read: items share values, and each takes them anew.
    pub(super) budget: &'s Cell<usize>,
}

type Read<'s> = Result<Option<Cow<'s, str>>, Garbled>;

impl<'s, 'a> Reader<'s, 'a> {
    /// Whether this holds for the item.
    pub(super) fn holds(&self, condition: &Condition) -> bool {
        holds(&self.find(&condition.source), &condition.test)
    }

    /// The pieces of the item that are an event each.
    pub(super) fn pieces(&self, each: &Each) -> Result<Vec<Cow<'s, [u8]>>, Garbled> {
        let mut pieces = Vec::new();
        for value in self.scope.list(self.item, &each.of) {
            // Nothing costs a look too.
            self.charge(1);
            let value = match value {
                Value::Text(value) => value,
                Value::Nothing => continue,
                Value::Composite(expected) | Value::Broken(expected) => {
                    return Err(self.garbled(Some(&each.of), expected));
                }
            };
            self.charge(value.len());
            if self.budget.get() == 0 {
                return Err(self.garbled(Some(&each.of), TOO_MUCH));
            }
            match &each.split {
                None => pieces.push(value),
                Some(by) => pieces.extend(parted(value, by.as_bytes())),
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        match pieces.is_empty() {
            true => Err(self.garbled(Some(&each.of), "missing or empty")),
            false => Ok(pieces),
        }
    }

    /// A value that is nothing if it is empty.
    pub(super) fn filled(&self, field: &'s Field) -> Read<'s> {
        match self.read(field)?.filter(|text| !text.is_empty()) {
            None if field.required => Err(self.garbled(origin(field), "missing or empty")),
            text => Ok(text),
        }
    }

    /// A value that may be there and empty.
    pub(super) fn whole(&self, field: &'s Field) -> Read<'s> {
        match self.read(field)? {
            None if field.required => Err(self.garbled(origin(field), "missing")),
            text => Ok(text),
        }
    }

    /// The citizen's number; it never fails for being odd.
    pub(super) fn caller(&self, field: &'s CallerField) -> Result<Option<Caller>, Garbled> {
        let Some(number) = self.filled(&field.number)? else { return Ok(None) };
        let country = field.country.as_ref().and_then(|source| self.plain(source));
        let country = country.as_deref().map(|code| code.trim().trim_start_matches(['+', '0']));
        let is_code = |code: &&str| {
            (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())
        };
        let country = country.filter(is_code).unwrap_or(&self.account.country);
        Ok(Some(Caller::read(&number, country)))
    }

    /// A time; one that is there and cannot be read costs the item.
    pub(super) fn time(&self, field: &'s TimeField) -> Result<Option<Timestamp>, Garbled> {
        let Some(text) = self.filled(&field.field)? else { return Ok(None) };
        let offset = field.zone.unwrap_or(self.account.offset);
        time::read(text.trim(), &field.form, offset)
            .map_err(|problem| self.garbled(origin(&field.field), problem))
    }

    /// The bytes at a place, as sent; empty when nothing is there.
    pub(super) fn sent(&self, source: &Source) -> Cow<'s, [u8]> {
        match self.find(source) {
            Value::Text(text) => text,
            Value::Nothing | Value::Composite(_) | Value::Broken(_) => Cow::Borrowed(&[]),
        }
    }

    fn read(&self, field: &'s Field) -> Read<'s> {
        let text = match &field.from {
            Origin::Constant(text) => return Ok(Some(Cow::Borrowed(text))),
            Origin::Places(places) => self.first(places, &field.decoding)?,
            Origin::Template(template) => self.rendered(template, &field.decoding)?,
        };
        Ok(text.map(|text| refined(text, field)))
    }

    /// The first value that is there and not empty, else one that is empty.
    fn first(&self, places: &'s [Source], decoding: &'s Decoding) -> Read<'s> {
        let mut empty = None;
        let mut composite = None;
        for source in places {
            match self.find(source) {
                Value::Text(bytes) if bytes.is_empty() => empty = Some(Cow::Borrowed("")),
                Value::Text(bytes) => {
                    let decoded = self.is_decoded(source);
                    let text = self.decode(bytes, decoding, decoded);
                    return text.map(Some).map_err(|it| self.garbled(Some(source), it));
                }
                Value::Composite(expected) => {
                    composite.get_or_insert((source, expected));
                }
                Value::Broken(expected) => return Err(self.garbled(Some(source), expected)),
                Value::Nothing => {}
            }
            if self.budget.get() == 0 {
                return Err(self.garbled(Some(source), TOO_MUCH));
            }
        }
        match composite {
            Some((source, expected)) if empty.is_none() => {
                Err(self.garbled(Some(source), expected))
            }
            _ => Ok(empty),
        }
    }

    /// Several values in one; it is there if any of them is.
    fn rendered(&self, template: &'s Template, decoding: &'s Decoding) -> Read<'s> {
        let within = self.within();
        let mut there = false;
        for source in template.sources() {
            there |= matches!(self.find(source), Value::Text(text) if !text.is_empty());
        }
        if !there {
            return Ok(None);
        }
        if self.budget.get() == 0 {
            return Err(self.garbled(template.sources().next(), TOO_MUCH));
        }
        let bytes = render(template, &within, &Special::default());
        let decoded = template.sources().all(|source| self.is_decoded(source));
        let text = self.decode(Cow::Owned(bytes), decoding, decoded);
        text.map(Some).map_err(|it| self.garbled(template.sources().next(), it))
    }

    /// From bytes to text. Values of a document that was decoded as a whole are UTF-8 until they
    /// are unpacked.
    fn decode(
        &self,
        bytes: Cow<'s, [u8]>,
        decoding: &'s Decoding,
        decoded: bool,
    ) -> Result<Cow<'s, str>, &'static str> {
        if self.budget.get() == 0 {
            return Err(TOO_MUCH);
        }
        let (steps, named) = self.decoding(decoding)?;
        let known = match named {
            _ if decoded && steps.is_empty() => Known::Ours(Charset::Utf8),
            Some(known) => known,
            None => self.scope.charset(self.scope.call().route.charset)?,
        };
        known.decode(charset::unpack(bytes, steps)?)
    }

    /// The steps and the charset that count for this item.
    fn decoding(
        &self,
        decoding: &'s Decoding,
    ) -> Result<(&'s [Step], Option<Known>), &'static str> {
        let decode = match decoding {
            Decoding::Always(decode) => decode,
            Decoding::ByCode { code, by, other } => {
                let code = self.plain(code).unwrap_or_default();
                let decode = by.get(&*code).or(other.as_ref());
                decode.ok_or("the code beside it names no decoding")?
            }
            Decoding::ByName { charset, steps } => {
                let named = match self.plain(charset).filter(|name| !name.is_empty()) {
                    Some(name) => Some(
                        Known::named(&name).ok_or("the charset named beside it is not known")?,
                    ),
                    None => None,
                };
                return Ok((steps, named));
            }
        };
        Ok((&decode.steps, decode.charset.map(|charset| self.scope.charset(charset)).transpose()?))
    }

    /// A code or name beside a value, in ASCII.
    fn plain(&self, source: &Source) -> Option<Cow<'s, str>> {
        match self.find(source) {
            Value::Text(Cow::Borrowed(text)) => str::from_utf8(text).ok().map(Cow::Borrowed),
            Value::Text(Cow::Owned(text)) => String::from_utf8(text).ok().map(Cow::Owned),
            Value::Nothing | Value::Composite(_) | Value::Broken(_) => None,
        }
    }

    fn find(&self, source: &Source) -> Value<'s> {
        let found = self.within().find(source);
        if let Value::Text(text) = &found {
            self.charge(text.len());
        }
        if let (Place::Header(name), Some(_)) = (&source.place, &source.parameter) {
            // The parameter is looked for in the whole of it.
            self.charge(self.scope.call().headers.get(name).map_or(0, HeaderValue::len));
        }
        found
    }

    fn within(&self) -> ItemScope<'s, 'a> {
        let Reader { scope, item, trail, piece, .. } = *self;
        ItemScope { scope, item, trail, piece: piece.map(|(_, piece)| piece) }
    }

    fn charge(&self, bytes: usize) {
        self.budget.set(self.budget.get().saturating_sub(bytes));
    }

    fn is_decoded(&self, source: &Source) -> bool {
        match &source.place {
            Place::Item | Place::Document | Place::Above(_) => self.document.is_decoded(),
            Place::Outer => self.scope.is_outer_decoded(),
            Place::Each => self.piece.is_some_and(|(source, _)| self.is_decoded(source)),
            _ => false,
        }
    }

    fn garbled(&self, source: Option<&Source>, problem: impl Into<Cow<'static, str>>) -> Garbled {
        let place = match source {
            None => self.trail.to_string(),
            Some(source) => self.place(source),
        };
        Garbled::new(place, problem)
    }

    /// A place as an operator reads it.
    fn place(&self, source: &Source) -> String {
        let path = source.path.join(".");
        match &source.place {
            Place::Item => format!("{}.{path}", self.trail),
            Place::Document => format!("{}.{path}", self.root),
            Place::Query => format!("query.{path}"),
            Place::Form => format!("form.{path}"),
            Place::Outer => format!("outer.{path}"),
            Place::Each => format!("{}.each", self.trail),
            _ => source.to_string().trim_end_matches(':').replacen(':', ".", 1),
        }
    }
}

/// The pieces of a value, without the space around them.
fn parted<'b>(value: Cow<'b, [u8]>, by: &[u8]) -> Vec<Cow<'b, [u8]>> {
    match value {
        Cow::Borrowed(value) => {
            let pieces = split(value, by, Charset::Utf8).into_iter();
            pieces.map(|piece| Cow::Borrowed(piece.trim_ascii())).collect()
        }
        Cow::Owned(value) => {
            let pieces = split(&value, by, Charset::Utf8).into_iter();
            pieces.map(|piece| Cow::Owned(piece.trim_ascii().to_vec())).collect()
        }
    }
}

/// Whether what was found passes the test.
pub(super) fn holds(found: &Value<'_>, test: &Test) -> bool {
    match (test, found) {
        (Test::OneOf(values), Value::Text(text)) => {
            values.iter().any(|value| *value.as_bytes() == **text)
        }
        (Test::OneOf(_), _) => false,
        (Test::Present(wanted), Value::Nothing) => !wanted,
        (Test::Present(wanted), Value::Text(text)) => text.is_empty() != *wanted,
        (Test::Present(wanted), Value::Composite(_) | Value::Broken(_)) => *wanted,
    }
}

/// What the problem is when the items of a request share more than they hold.
pub(super) const TOO_MUCH: &str = "more is read for this request than it holds";

/// The place that errors name.
fn origin(field: &Field) -> Option<&Source> {
    match &field.from {
        Origin::Places(places) => places.first(),
        Origin::Template(template) => template.sources().next(),
        Origin::Constant(_) => None,
    }
}

/// A value without what is in front of it and behind, and what it means.
pub(super) fn refined<'t>(text: Cow<'t, str>, field: &'t Field) -> Cow<'t, str> {
    mapped(ended(stripped(text, &field.strip), &field.until), field)
}

fn stripped<'t>(text: Cow<'t, str>, prefixes: &[String]) -> Cow<'t, str> {
    let fitting = prefixes.iter().find(|prefix| text.starts_with(prefix.as_str()));
    match (fitting, text) {
        (None, text) => text,
        (Some(prefix), Cow::Borrowed(text)) => Cow::Borrowed(&text[prefix.len()..]),
        (Some(prefix), Cow::Owned(text)) => Cow::Owned(text[prefix.len()..].to_owned()),
    }
}

fn ended<'t>(text: Cow<'t, str>, ends: &[String]) -> Cow<'t, str> {
    let end = ends.iter().filter_map(|end| text.find(end.as_str())).min();
    match (end, text) {
        (None, text) => text,
        (Some(end), Cow::Borrowed(text)) => Cow::Borrowed(&text[..end]),
        (Some(end), Cow::Owned(mut text)) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

fn mapped<'t>(text: Cow<'t, str>, field: &'t Field) -> Cow<'t, str> {
    field.map.get(&*text).map_or(text, |meant| Cow::Borrowed(meant.as_str()))
}
