//! Records of fields, all set apart by characters.

use super::form::unescaped;
use super::part::Part;
use crate::config::dialect::Records;
use std::borrow::Cow;

/// Delimited records, split once.
#[derive(Debug)]
pub(in crate::carrier) struct RecordList<'a> {
    bytes: Cow<'a, [u8]>,
    columns: &'a [String],
    records: Vec<Vec<Part>>,
}

impl<'a> RecordList<'a> {
    /// The records in these bytes; an empty last one is none.
    pub(super) fn read(bytes: Cow<'a, [u8]>, form: &'a Records) -> RecordList<'a> {
        let mut texts = split(&bytes, form.record.as_bytes());
        if texts.last().is_some_and(|last| last.trim_ascii().is_empty()) {
            texts.pop();
        }
        let fields = |text: &[u8]| -> Vec<Part> {
            let columns = columns(text, form);
            let part = |field| match form.split_encoded {
                true => Part::of(&bytes, unescaped(field)),
                false => Part::of(&bytes, Cow::Borrowed(field)),
            };
            columns.into_iter().map(part).collect()
        };
        let records = texts.into_iter().map(fields).collect();
        RecordList { bytes, columns: &form.columns, records }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The field of this column in a record; `None` if the record ends before it.
    pub(super) fn value(&self, record: usize, column: &str) -> Option<&[u8]> {
        let column = self.columns.iter().position(|name| !name.is_empty() && name == column)?;
        Some(self.records.get(record)?.get(column)?.bytes(&self.bytes))
    }
}

/// The fields of a record in the order of its columns. What is too much goes to the column that
/// takes it, with its delimiters: a text that holds them is whole again.
fn columns<'t>(text: &'t [u8], form: &Records) -> Vec<&'t [u8]> {
    let mut fields = split(text, form.field.as_bytes());
    let surplus = fields.len().saturating_sub(form.columns.len());
    if let Some(column) = form.surplus.filter(|column| surplus > 0 && *column < fields.len()) {
        let before: usize = fields[..column].iter().map(|field| field.len()).sum();
        let start = before + column * form.field.len();
        let taken: usize = fields[column..=column + surplus].iter().map(|field| field.len()).sum();
        let whole = &text[start..start + taken + surplus * form.field.len()];
        fields.splice(column..=column + surplus, [whole]);
    }
    fields
}

/// What stands between the delimiters.
fn split<'t>(text: &'t [u8], delimiter: &[u8]) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, delimiter) {
        parts.push(&rest[..at]);
        rest = &rest[at + delimiter.len()..];
    }
    parts.push(rest);
    parts
}

fn find(text: &[u8], delimiter: &[u8]) -> Option<usize> {
    match delimiter {
        [] => None,
        [byte] => text.iter().position(|other| other == byte),
        delimiter => text.windows(delimiter.len()).position(|window| window == delimiter),
    }
}
