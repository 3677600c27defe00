//! What the places of one request hold.

use super::Call;
use crate::config::dialect::{Format, Place, SortedOf, Source};
use percent_encoding::percent_decode;
use serde_json::Value;
use std::borrow::Cow;

/// Names and values.
pub(super) type Fields<'a> = Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>;

/// What the places of a request hold, as bytes.
pub(super) trait Values {
    /// What stands at this place; `None` when nothing does.
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>>;
    /// The fields that a signature puts in order, as sent and unpacked once.
    fn fields(&self, of: SortedOf) -> Fields<'_>;
}

/// The places of a call: form, query, headers, and the scalars of a JSON object.
pub(super) struct Scope<'a> {
    call: &'a Call<'a>,
}

type Pair = (Vec<u8>, Vec<u8>);

impl<'a> Scope<'a> {
    pub(super) fn of(call: &'a Call<'a>) -> Scope<'a> {
        Scope { call }
    }

    fn form(&self) -> Vec<Pair> {
        let json = self.call.body.first() == Some(&b'{');
        if json || !self.call.route.formats.contains(&Format::Form) {
            return Vec::new();
        }
        pairs(self.call.body)
    }

    fn document(&self) -> Vec<Pair> {
        if self.call.method == http::Method::GET {
            return pairs(self.call.query.as_bytes());
        }
        let form = self.form();
        let inside = self.call.route.inside.as_ref();
        let held = inside
            .and_then(|inside| form.iter().find(|(name, _)| *name == inside.field.as_bytes()));
        match held {
            Some((_, json)) => scalars(json),
            None if form.is_empty() => scalars(self.call.body),
            None => form,
        }
    }
}

impl Values for Scope<'_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        let named = |pairs: Vec<Pair>| {
            let name = source.path.first()?.as_bytes();
            pairs.into_iter().find(|(other, _)| other == name).map(|(_, value)| Cow::Owned(value))
        };
        match &source.place {
            Place::Item | Place::Document => named(self.document()),
            Place::Query => named(pairs(self.call.query.as_bytes())),
            Place::Form => named(self.form()),
            Place::Header(name) => {
                let value = self.call.headers.get(name)?.as_bytes();
                let Some(parameter) = &source.parameter else { return Some(Cow::Borrowed(value)) };
                let text = std::str::from_utf8(value).ok()?;
                let (_, rest) = text.split_once(&format!("{parameter}=\""))?;
                Some(Cow::Borrowed(rest.split('"').next()?.as_bytes()))
            }
            Place::Body => Some(Cow::Borrowed(self.call.body)),
            Place::Method => Some(Cow::Borrowed(self.call.method.as_str().as_bytes())),
            Place::Route => Some(Cow::Borrowed(self.call.route.name.as_bytes())),
            Place::Target => Some(Cow::Borrowed(self.call.target.as_bytes())),
            Place::Url => Some(Cow::Borrowed(self.call.url.as_bytes())),
            _ => None,
        }
    }

    fn fields(&self, of: SortedOf) -> Fields<'_> {
        let pairs = match of {
            SortedOf::Query => pairs(self.call.query.as_bytes()),
            SortedOf::Form => self.form(),
            SortedOf::Document => self.document(),
        };
        pairs.into_iter().map(|(name, value)| (Cow::Owned(name), Cow::Owned(value))).collect()
    }
}

fn pairs(text: &[u8]) -> Vec<Pair> {
    let unpacked = |part: &[u8]| {
        let spaced: Vec<u8> =
            part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&spaced).collect::<Vec<u8>>()
    };
    let parts = text.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    let pair = |part: &[u8]| match part.iter().position(|byte| *byte == b'=') {
        Some(at) => (unpacked(&part[..at]), unpacked(&part[at + 1..])),
        None => (unpacked(part), Vec::new()),
    };
    parts.map(pair).collect()
}

fn scalars(json: &[u8]) -> Vec<Pair> {
    let Ok(Value::Object(object)) = serde_json::from_slice(json) else { return Vec::new() };
    let scalar = |(name, value): (String, Value)| match value {
        Value::String(text) => Some((name.into_bytes(), text.into_bytes())),
        Value::Number(_) | Value::Bool(_) => {
            Some((name.into_bytes(), value.to_string().into_bytes()))
        }
        _ => None,
    };
    object.into_iter().filter_map(scalar).collect()
}
