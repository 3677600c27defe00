//! Records of fields, all set apart by characters.

use super::form::unescaped;
use super::part::Part;
use super::{Found, Item};
use crate::config::dialect::Records;
use std::borrow::Cow;

/// Delimited records, split once.
#[derive(Debug)]
pub(in crate::carrier) struct RecordList<'a> {
    bytes: Cow<'a, [u8]>,
    columns: &'a [String],
    /// The fields of each; `None` for one that has more fields than there are columns.
    records: Vec<Option<Vec<Part>>>,
}

impl<'a> RecordList<'a> {
    /// The records in these bytes, `most` of them and one more; an empty last one is none.
    pub(super) fn read(bytes: Cow<'a, [u8]>, form: &'a Records, most: usize) -> RecordList<'a> {
        let mut texts = split(&bytes, form.record.as_bytes());
        if texts.last().is_some_and(|last| last.trim_ascii().is_empty()) {
            texts.pop();
        }
        let fields = |text: &[u8]| -> Option<Vec<Part>> {
            let columns = columns(text, form);
            if columns.len() > form.columns.len() {
                return None;
            }
            let part = |field| match form.split_encoded {
                true => Part::of(&bytes, unescaped(field)),
                false => Part::of(&bytes, Cow::Borrowed(field)),
            };
            Some(columns.into_iter().map(part).collect())
        };
        let records = texts.into_iter().take(most.saturating_add(1)).map(fields).collect();
        RecordList { bytes, columns: &form.columns, records }
    }

    /// Each record, by number.
    pub(super) fn all(&self) -> impl Iterator<Item = Found<'_>> {
        self.records.iter().enumerate().map(|(record, fields)| match fields {
            Some(_) => Ok(Item::Record(record)),
            None => Err("has more fields than there are columns"),
        })
    }

    /// The field of this column in a record; `None` if the record ends before it.
    pub(super) fn value(&self, record: usize, column: &str) -> Option<&[u8]> {
        let column = self.columns.iter().position(|name| !name.is_empty() && name == column)?;
        Some(self.records.get(record)?.as_ref()?.get(column)?.bytes(&self.bytes))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn form(columns: &[&str], surplus: Option<usize>, split_encoded: bool) -> Records {
        Records {
            record: ";".to_owned(),
            field: ",".to_owned(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            surplus,
            split_encoded,
        }
    }

    fn value(records: &RecordList<'_>, record: usize, column: &str) -> Option<String> {
        records.value(record, column).map(|it| String::from_utf8_lossy(it).into_owned())
    }

    #[test]
    fn a_text_with_delimiters_is_whole_again() {
        let form = form(&["", "mobile", "text", "time"], Some(2), false);
        let bytes = b"x,139,a,b,,c,10:20;x,156,d,10:21;x,157,,10:22;";
        let records = RecordList::read(Cow::Borrowed(bytes), &form, 10);
        assert_eq!(records.all().count(), 3);
        assert_eq!(value(&records, 0, "text").as_deref(), Some("a,b,,c"));
        assert_eq!(value(&records, 0, "time").as_deref(), Some("10:20"));
        assert_eq!(value(&records, 1, "text").as_deref(), Some("d"));
        assert_eq!(value(&records, 2, "text").as_deref(), Some(""));
        assert_eq!(value(&records, 2, ""), None, "a column without a name says nothing");
    }

    #[test]
    fn without_a_column_for_it_too_much_is_unreadable() {
        let form = form(&["mobile", "text"], None, false);
        let records = RecordList::read(Cow::Borrowed(b"139,a,b;156,c;157"), &form, 2);
        let readable: Vec<bool> = records.all().map(|record| record.is_ok()).collect();
        assert_eq!(readable, [false, true, true]);
        assert_eq!(value(&records, 2, "text"), None);
    }

    #[test]
    fn fields_may_be_split_before_they_are_decoded() {
        let form = form(&["mobile", "text"], None, true);
        let records = RecordList::read(Cow::Borrowed(b"139,a%2Cb%3B+c;156,d"), &form, 10);
        assert_eq!(value(&records, 0, "text").as_deref(), Some("a,b; c"));
        assert_eq!(value(&records, 1, "text").as_deref(), Some("d"));
    }
}
