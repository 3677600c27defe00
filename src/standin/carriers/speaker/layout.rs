//! Which values stand where in a request of one form, before it is written.

use super::{Unspoken, Way, charset};
use crate::config::dialect::{
    Charset, Condition, Decode, Decoding, Format, InsideFormat, Place, Segment, Source, Test,
};
use http::HeaderName;

/// What holds a value. Several ways of naming a place come to the same slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    /// A path through JSON or XML, or a field within a form field.
    Document(Vec<Segment>),
    /// A path through the JSON or XML that the document stands in.
    Outer(Vec<Segment>),
    /// A field of the query.
    Query(String),
    /// A field of the form or of a multipart body.
    Form(String),
    /// A header.
    Header(HeaderName),
    /// A parameter within a header.
    Parameter(HeaderName, String),
    /// The body as a text.
    Body,
}

/// The values of a request by slot.
#[derive(Debug, Clone)]
pub(super) struct Layout<'w> {
    /// How they are to be sent.
    pub(super) way: &'w Way<'w>,
    /// In the order in which they were put; those of JSON and XML in UTF-8.
    pub(super) values: Vec<(Slot, Vec<u8>)>,
}

impl<'w> Layout<'w> {
    pub(super) fn new(way: &'w Way<'w>) -> Layout<'w> {
        Layout { way, values: Vec::new() }
    }

    /// What is inside a form field, in this form.
    pub(super) fn inside(&self) -> Option<&'w InsideFormat> {
        let inside = self.way.route.inside.as_ref()?;
        self.way.packing.map(|_| &inside.format)
    }

    /// Whether the document is read as a whole, so that its values need no charset of their own.
    pub(super) fn is_decoded(&self) -> bool {
        match self.inside() {
            Some(InsideFormat::Records(_)) => self.is_within_characters(),
            Some(inside) => matches!(inside, InsideFormat::Json | InsideFormat::Xml),
            None => matches!(self.way.format, Format::Json | Format::Xml),
        }
    }

    /// Whether a document within stands as it is in JSON or XML, which has its own charset.
    pub(super) fn is_within_characters(&self) -> bool {
        let steps = self.way.route.inside.as_ref().zip(self.way.packing);
        let steps = steps.and_then(|(inside, packing)| inside.decode.get(packing));
        let is_packed = steps.is_some_and(|steps| !steps.is_empty());
        self.inside().is_some()
            && !is_packed
            && matches!(self.way.format, Format::Json | Format::Xml)
    }

    /// The slot of a place for an item at this path; `None` if this form has none.
    pub(super) fn slot(&self, items: &[Segment], source: &Source) -> Option<Slot> {
        let name = || source.path.join(".");
        match &source.place {
            // Only these have items further in.
            Place::Item if !items.is_empty() && !self.is_decoded() => None,
            Place::Item => self.document([items, &source.path].concat()),
            Place::Document => self.document(source.path.clone()),
            Place::Above(levels) => {
                let above = items.len().checked_sub(*levels)?;
                self.document([&items[..above], &source.path].concat())
            }
            Place::Each => self.slot(items, &self.way.rule.each.as_ref()?.of),
            Place::Outer if self.inside().is_none() => None,
            Place::Outer => match self.way.format {
                Format::Json | Format::Xml => Some(Slot::Outer(source.path.clone())),
                _ => self.field(name()),
            },
            Place::Query => Some(Slot::Query(name())),
            Place::Form => self.field(name()),
            Place::Header(header) => Some(match &source.parameter {
                Some(parameter) => Slot::Parameter(header.clone(), parameter.clone()),
                None => Slot::Header(header.clone()),
            }),
            Place::Body => (self.way.format == Format::Text).then_some(Slot::Body),
            _ => None,
        }
    }

    fn document(&self, path: Vec<Segment>) -> Option<Slot> {
        match (self.inside(), self.way.format) {
            (Some(InsideFormat::Records(records)), _) => {
                let column = path.join(".");
                records.columns.contains(&column).then(|| Slot::Document(vec![column]))
            }
            (Some(InsideFormat::Form), _) => Some(Slot::Document(vec![path.join(".")])),
            (Some(InsideFormat::Json | InsideFormat::Xml), _)
            | (None, Format::Json | Format::Xml) => Some(Slot::Document(path)),
            (None, Format::Query | Format::Form | Format::Multipart) => self.field(path.join(".")),
            (None, Format::Text) => None,
        }
    }

    /// A field of whatever form the request has.
    pub(super) fn field(&self, name: String) -> Option<Slot> {
        match self.way.format {
            Format::Query => Some(Slot::Query(name)),
            Format::Form | Format::Multipart => Some(Slot::Form(name)),
            Format::Json | Format::Xml | Format::Text => None,
        }
    }

    /// What stands in a slot.
    pub(super) fn at(&self, slot: &Slot) -> Option<&[u8]> {
        self.values.iter().find(|(taken, _)| taken == slot).map(|(_, value)| value.as_slice())
    }

    /// What stands at a place.
    pub(super) fn get(&self, items: &[Segment], source: &Source) -> Option<&[u8]> {
        match source.place {
            Place::Method => Some(self.way.method.as_str().as_bytes()),
            Place::Route => Some(self.way.route.name.as_bytes()),
            _ => self.at(&self.slot(items, source)?),
        }
    }

    /// Puts a value at a place.
    ///
    /// # Errors
    /// There is no such place in this form, or another value stands there.
    pub(super) fn put(
        &mut self,
        items: &[Segment],
        source: &Source,
        value: Vec<u8>,
    ) -> Result<(), Unspoken> {
        let slot = self.slot(items, source).ok_or_else(|| Unspoken::NoPlace(source.clone()))?;
        match self.at(&slot) {
            Some(there) if there == value => Ok(()),
            Some(_) => Err(Unspoken::Taken(source.clone())),
            None => {
                self.values.push((slot, value));
                Ok(())
            }
        }
    }

    /// Puts a value where there is a place for it and nothing stands yet.
    pub(super) fn put_if_free(&mut self, items: &[Segment], source: &Source, value: &str) {
        if let Some(slot) = self.slot(items, source).filter(|slot| self.at(slot).is_none()) {
            self.values.push((slot, value.as_bytes().to_vec()));
        }
    }

    /// Whether a condition holds for an item at this path.
    pub(super) fn holds(&self, items: &[Segment], condition: &Condition) -> bool {
        let found = self.get(items, &condition.source);
        match &condition.test {
            Test::OneOf(values) => values.iter().any(|value| found == Some(value.as_bytes())),
            Test::Present(wanted) => {
                let within = match self.slot(items, &condition.source) {
                    Some(Slot::Document(path)) => self.has_below(&path),
                    _ => false,
                };
                (within || found.is_some_and(|value| !value.is_empty())) == *wanted
            }
        }
    }

    /// Whether anything stands further along a path through the document.
    pub(super) fn has_below(&self, path: &[Segment]) -> bool {
        self.values.iter().any(|(slot, _)| match slot {
            Slot::Document(there) => there.len() > path.len() && there.starts_with(path),
            _ => false,
        })
    }

    /// Bytes that this decoding does not read at all; `None` if it reads all.
    pub(super) fn undecodable(
        &mut self,
        items: &[Segment],
        decoding: &Decoding,
        decoded: bool,
    ) -> Option<Vec<u8>> {
        let own = self.way.route.charset;
        let broken = |decode: &Decode| {
            // The charset of a document counts where it is decoded as a whole.
            let charset = if decoded && decode.steps.is_empty() { None } else { decode.charset };
            charset::undecodable(&decode.steps, charset.unwrap_or(own), decoded)
        };
        match decoding {
            Decoding::Always(decode) => broken(decode),
            Decoding::ByName { charset: name, steps } => {
                self.put_if_free(items, name, UTF8);
                broken(&Decode { steps: steps.clone(), charset: Some(Charset::Utf8) })
            }
            Decoding::ByCode { code, by, .. } => {
                let (name, bytes) = by.iter().find_map(|(name, it)| Some((name, broken(it)?)))?;
                self.put_if_free(items, code, name);
                Some(bytes)
            }
        }
    }

    /// The bytes that this decoding reads as the text; `None` if it has none for it. A code or
    /// charset that stands beside it is put there unless it stands already.
    pub(super) fn encode(
        &mut self,
        items: &[Segment],
        decoding: &Decoding,
        decoded: bool,
        text: &str,
    ) -> Option<Vec<u8>> {
        let own = self.way.route.charset;
        let write = |decode: &Decode| {
            let charset = match decoded && decode.steps.is_empty() {
                true => Charset::Utf8,
                false => decode.charset.unwrap_or(own),
            };
            Some(charset::pack(charset::encode(text, charset)?, &decode.steps))
        };
        match decoding {
            Decoding::Always(decode) => write(decode),
            Decoding::ByName { charset: name, steps } => {
                self.put_if_free(items, name, UTF8);
                write(&Decode { steps: steps.clone(), charset: Some(Charset::Utf8) })
            }
            Decoding::ByCode { code, by, other } => {
                if let Some(there) = self.get(items, code) {
                    let named = by.iter().find(|(name, _)| name.as_bytes() == there);
                    return write(named.map(|(_, decode)| decode).or(other.as_ref())?);
                }
                let (name, bytes) =
                    by.iter().find_map(|(name, decode)| Some((name, write(decode)?)))?;
                self.put_if_free(items, code, name);
                Some(bytes)
            }
        }
    }
}

/// The charset that carries everything, where a field beside the text names one.
const UTF8: &str = "UTF-8";
