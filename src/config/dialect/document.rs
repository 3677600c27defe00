//! Where the fields of a callback stand: the format of a request, and a document within a field.

use super::{Segment, Step};

/// Where the fields of a callback stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The query of the URL.
    Query,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// JSON.
    Json,
    /// XML without a document type.
    Xml,
    /// No fields: the body is a text, reached as `body:`.
    Text,
}

impl Format {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, Format); 6] = [
        ("query", Format::Query),
        ("form", Format::Form),
        ("multipart", Format::Multipart),
        ("json", Format::Json),
        ("xml", Format::Xml),
        ("text", Format::Text),
    ];
}

/// A document within a field of another one, or within a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The way to the field in the document around; empty: the body is all there is around.
    pub field: Vec<Segment>,
    /// The field as errors name it.
    pub name: String,
    /// The decodings to try, in order: the first whose result looks like the format is taken.
    pub decode: Vec<Vec<Step>>,
    /// What is inside.
    pub format: InsideFormat,
    /// Without such a field the outer document is read instead.
    pub optional: bool,
}

/// What is inside a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsideFormat {
    /// A JSON document.
    Json,
    /// An XML document.
    Xml,
    /// Another form.
    Form,
    /// Records of fields, all set apart by characters.
    Records(Records),
}

/// Delimited records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// What ends a record; an empty last record is none. A line's end takes the `\r` before it.
    /// Empty: there is one record.
    pub record: String,
    /// What ends a field.
    pub field: String,
    /// The fields' names in order; an empty name is a field that says nothing.
    pub columns: Vec<String>,
    /// The column that takes what is too much, as a text with unescaped delimiters is.
    pub surplus: Option<usize>,
    /// Split the form value as sent and percent-decode each field after; else the reverse.
    pub split_encoded: bool,
    /// What may stand around a field, so that delimiters within it are text; doubled within, it is
    /// itself (RFC 4180).
    pub quote: Option<u8>,
    /// So many records in front say nothing: a heading.
    pub skip: usize,
}
