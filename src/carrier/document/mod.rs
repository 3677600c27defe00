//! A request's document: the fields and items in it, whatever it is written in.

mod form;
mod json;
mod multipart;
mod open;
mod part;
mod records;
mod xml;

pub(super) use json::Node;
pub(super) use open::{Opened, answer, open};

use crate::config::dialect::Segment;
use form::Fields;
use json::Json;
use records::RecordList;
use std::borrow::Cow;
use std::fmt;
use xml::Xml;

/// A document, parsed as far as it had to be.
#[derive(Debug)]
pub(super) enum Document<'a> {
    /// A form, a query or a multipart body.
    Fields(Fields<'a>),
    /// JSON.
    Json(Json<'a>),
    /// XML.
    Xml(Xml<'a>),
    /// Delimited records.
    Records(RecordList<'a>),
    /// A text without fields.
    Text,
}

/// Names and values in the order sent.
pub(super) type Pairs<'a> = Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>;

/// One item of a document, which a rule reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item<'d> {
    /// A JSON object, or an array.
    Json(&'d Node),
    /// An XML element, by number.
    Element(usize),
    /// A record, by number.
    Record(usize),
    /// The document itself.
    Whole,
}

/// An item, or why what stands in its place is none.
pub(super) type Found<'d> = Result<Item<'d>, &'static str>;

/// What stands at a place.
#[derive(Debug)]
pub(super) enum Value<'d> {
    /// Nothing, `null`, or something without content.
    Nothing,
    /// One value.
    Text(Cow<'d, [u8]>),
    /// Something with parts of its own, and what was expected instead.
    Composite(&'static str),
    /// A value that cannot be read, and what was expected.
    Broken(&'static str),
}

/// The way to an item, as an operator reads it: `body.objects[3]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trail<'t> {
    outer: Option<&'t Trail<'t>>,
    step: Step<'t>,
}

/// A step of the way.
#[derive(Debug, Clone, Copy)]
enum Step<'t> {
    Name(&'t str),
    Index(usize),
}

impl<'t> Trail<'t> {
    /// The beginning, `body` for example.
    pub(super) fn new(root: &'t str) -> Trail<'t> {
        Trail { outer: None, step: Step::Name(root) }
    }

    fn then(&'t self, step: Step<'t>) -> Trail<'t> {
        Trail { outer: Some(self), step }
    }
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            outer.fmt(f)?;
        }
        match self.step {
            Step::Name(name) if self.outer.is_some() => write!(f, ".{name}"),
            Step::Name(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

impl Document<'_> {
    /// Whether its values are UTF-8 already: the document was decoded as a whole.
    pub(super) fn is_decoded(&self) -> bool {
        matches!(self, Document::Json(_) | Document::Xml(_))
    }

    /// The document itself as an item.
    pub(super) fn root(&self) -> Item<'_> {
        match self {
            Document::Json(json) => Item::Json(json.root()),
            Document::Xml(_) => Item::Element(xml::ROOT),
            Document::Fields(_) | Document::Records(_) | Document::Text => Item::Whole,
        }
    }

    /// Shows each item at this path with the way to it; `false` if there is no such path. An empty
    /// path is the document itself, or what is in it if it is a list.
    pub(super) fn each<'d>(
        &'d self,
        path: &[Segment],
        root: &str,
        show: &mut dyn FnMut(&Trail<'_>, Found<'d>),
    ) -> bool {
        let root = Trail::new(root);
        match self {
            Document::Json(json) => json.each(path, &root, show),
            Document::Xml(xml) => xml.each(path, &root, show),
            _ if !path.is_empty() => false,
            Document::Records(records) => {
                for (index, record) in records.all().enumerate() {
                    show(&root.then(Step::Index(index)), record);
                }
                true
            }
            Document::Fields(_) | Document::Text => {
                show(&root, Ok(Item::Whole));
                true
            }
        }
    }

    /// The value at this path within an item of this document.
    pub(super) fn value<'d>(&'d self, item: Item<'d>, path: &[Segment]) -> Value<'d> {
        match (self, item) {
            (Document::Json(json), Item::Json(node)) => json.value(node, path),
            (Document::Xml(xml), Item::Element(element)) => xml.value(element, path),
            (Document::Records(records), Item::Record(record)) => {
                text(records.value(record, &whole(path)))
            }
            (Document::Fields(fields), _) => text(fields.value(&whole(path))),
            _ => Value::Nothing,
        }
    }

    /// The text at this path of the document itself, if there is one.
    pub(super) fn text(&self, path: &[Segment]) -> Option<String> {
        match self.value(self.root(), path) {
            Value::Text(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            Value::Nothing | Value::Composite(_) | Value::Broken(_) => None,
        }
    }

    /// The fields of the document; `None` if they are not all that it says.
    pub(super) fn fields(&self) -> Option<Pairs<'_>> {
        match self {
            Document::Fields(fields) => Some(borrowed(fields)),
            Document::Json(json) => json.fields(),
            Document::Xml(xml) => xml.fields(),
            Document::Records(_) | Document::Text => None,
        }
    }
}

impl Opened<'_> {
    /// The value of a field of the form around the document.
    pub(super) fn form_value(&self, path: &[Segment]) -> Option<&[u8]> {
        self.form()?.value(&whole(path))
    }

    /// The fields of the form around the document; `None` if there is no form.
    pub(super) fn form_fields(&self) -> Option<Pairs<'_>> {
        self.form().map(borrowed)
    }

    /// The form around the document, which may be the document itself.
    fn form(&self) -> Option<&Fields<'_>> {
        match (&self.around, &self.document) {
            (Some(around), _) => Some(around),
            (None, Document::Fields(fields)) => Some(fields),
            (None, _) => None,
        }
    }
}

/// A query's fields.
#[derive(Debug)]
pub(super) struct Query<'a>(Fields<'a>);

impl<'a> Query<'a> {
    /// Reads a query, without `?`.
    pub(super) fn read(query: &'a str) -> Query<'a> {
        Query(Fields::form(Cow::Borrowed(query.as_bytes())))
    }

    /// The value of a field.
    pub(super) fn value(&self, path: &[Segment]) -> Option<&[u8]> {
        self.0.value(&whole(path))
    }

    /// All fields.
    pub(super) fn fields(&self) -> Pairs<'_> {
        borrowed(&self.0)
    }
}

fn borrowed<'d>(fields: &'d Fields<'_>) -> Pairs<'d> {
    fields.all().map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect()
}

/// The whole path as one name: forms and records have no inner places.
fn whole(path: &[Segment]) -> Cow<'_, str> {
    match path {
        [name] => Cow::Borrowed(name),
        path => Cow::Owned(path.join(".")),
    }
}

fn text(value: Option<&[u8]>) -> Value<'_> {
    value.map_or(Value::Nothing, |value| Value::Text(Cow::Borrowed(value)))
}

fn is_number(step: &str) -> bool {
    step.bytes().all(|byte| byte.is_ascii_digit())
}
