//! Records of fields, all set apart by characters.

use super::form::unescaped;
use super::part::Part;
use super::{Found, Item};
use crate::config::dialect::{Charset, Records};
use csv::{ByteRecord, ReaderBuilder, Terminator};
use std::borrow::Cow;

/// Delimited records, split once.
#[derive(Debug)]
pub(in crate::carrier) struct RecordList<'a> {
    bytes: Cow<'a, [u8]>,
    columns: &'a [String],
    /// Whether the values are UTF-8 already.
    is_decoded: bool,
    /// The fields of each; `None` for one that has more fields than there are columns.
    records: Vec<Option<Vec<Part>>>,
}

impl<'a> RecordList<'a> {
    /// The records in these bytes of this charset, `most` of them and one more; an empty last one
    /// is none.
    pub(super) fn read(
        bytes: Cow<'a, [u8]>,
        form: &'a Records,
        charset: Charset,
        most: usize,
    ) -> RecordList<'a> {
        let most = most.saturating_add(1);
        let records = match form.quote {
            Some(quote) => quoted(&bytes, form, quote, most),
            None => bare(&bytes, form, charset, most),
        };
        RecordList { bytes, columns: &form.columns, is_decoded: false, records }
    }

    /// Whether its values are UTF-8 already.
    pub(super) fn is_decoded(&self) -> bool {
        self.is_decoded
    }

    /// The same, of bytes that were UTF-8 already.
    pub(super) fn decoded(self) -> RecordList<'a> {
        RecordList { is_decoded: true, ..self }
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

/// Records whose delimiters are nothing else.
fn bare(bytes: &[u8], form: &Records, charset: Charset, most: usize) -> Vec<Option<Vec<Part>>> {
    let mut texts = split(bytes, form.record.as_bytes(), charset);
    if form.record == "\n" {
        texts = texts.into_iter().map(|it| it.strip_suffix(b"\r").unwrap_or(it)).collect();
    }
    if texts.last().is_some_and(|last| last.trim_ascii().is_empty()) {
        texts.pop();
    }
    let fields = |text: &[u8]| -> Option<Vec<Part>> {
        let columns = columns(text, form, charset);
        if columns.len() > form.columns.len() {
            return None;
        }
        let part = |field| match form.split_encoded {
            true => Part::of(bytes, unescaped(field)),
            false => Part::of(bytes, Cow::Borrowed(field)),
        };
        Some(columns.into_iter().map(part).collect())
    };
    texts.into_iter().skip(form.skip).take(most).map(fields).collect()
}

/// Records whose fields may stand in quotes, with delimiters within.
fn quoted(bytes: &[u8], form: &Records, quote: u8, most: usize) -> Vec<Option<Vec<Part>>> {
    let first = |text: &str| text.bytes().next().unwrap_or_default();
    let terminator = match form.record.as_str() {
        "\n" => Terminator::CRLF,
        other => Terminator::Any(first(other)),
    };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(first(&form.field))
        .terminator(terminator)
        .quote(quote)
        .from_reader(bytes);
    let fields = |record: ByteRecord| {
        let fits = record.len() <= form.columns.len();
        fits.then(|| record.iter().map(|field| Part::Unpacked(field.to_vec())).collect())
    };
    // Bytes in memory can always be read, and flexible records are never wrong.
    reader.byte_records().map_while(Result::ok).skip(form.skip).take(most).map(fields).collect()
}

/// The fields of a record in the order of its columns. What is too much goes to the column that
/// takes it, with its delimiters: a text that holds them is whole again.
fn columns<'t>(text: &'t [u8], form: &Records, charset: Charset) -> Vec<&'t [u8]> {
    let mut fields = split(text, form.field.as_bytes(), charset);
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
pub(in crate::carrier) fn split<'t>(
    text: &'t [u8],
    delimiter: &[u8],
    charset: Charset,
) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, delimiter, charset) {
        parts.push(&rest[..at]);
        rest = &rest[at + delimiter.len()..];
    }
    parts.push(rest);
    parts
}

fn find(text: &[u8], delimiter: &[u8], charset: Charset) -> Option<usize> {
    let first = *delimiter.first()?;
    // The second byte of a character of GB 18030 may be a `|`, which then is none.
    let is_first = |byte: u8| charset == Charset::Gb18030 && byte > 0x80;
    let is_second = |byte: &u8| *byte >= 0x40;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if *byte == first && text[at..].starts_with(delimiter) {
            return Some(at);
        }
        at += if is_first(*byte) && text.get(at + 1).is_some_and(is_second) { 2 } else { 1 };
    }
    None
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
            quote: None,
            skip: 0,
        }
    }

    fn read<'a>(bytes: &'a [u8], form: &'a Records) -> RecordList<'a> {
        RecordList::read(Cow::Borrowed(bytes), form, Charset::Utf8, 10)
    }

    fn value(records: &RecordList<'_>, record: usize, column: &str) -> Option<String> {
        records.value(record, column).map(|it| String::from_utf8_lossy(it).into_owned())
    }

    #[test]
    fn a_text_with_delimiters_is_whole_again() {
        let form = form(&["", "mobile", "text", "time"], Some(2), false);
        let bytes = b"x,139,a,b,,c,10:20;x,156,d,10:21;x,157,,10:22;";
        let records = read(bytes, &form);
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
        let records =
            RecordList::read(Cow::Borrowed(b"139,a,b;156,c;157"), &form, Charset::Utf8, 2);
        let readable: Vec<bool> = records.all().map(|record| record.is_ok()).collect();
        assert_eq!(readable, [false, true, true]);
        assert_eq!(value(&records, 2, "text"), None);
    }

    #[test]
    fn fields_may_be_split_before_they_are_decoded() {
        let form = form(&["mobile", "text"], None, true);
        let records = read(b"139,a%2Cb%3B+c;156,d", &form);
        assert_eq!(value(&records, 0, "text").as_deref(), Some("a,b; c"));
        assert_eq!(value(&records, 1, "text").as_deref(), Some("d"));
    }

    #[test]
    fn lines_end_either_way_and_a_heading_is_skipped() {
        let form =
            Records { record: "\n".to_owned(), skip: 1, ..form(&["mobile", "text"], None, false) };
        let records = read(b"mobile,text\r\n139,a\r\n156,b\n\n", &form);
        assert_eq!(value(&records, 0, "text").as_deref(), Some("a"));
        assert_eq!(value(&records, 1, "text").as_deref(), Some("b"));
        assert_eq!(value(&records, 2, "text"), None);
    }

    #[test]
    fn without_an_end_there_is_one_record() {
        let form = Records { record: String::new(), ..form(&["mobile", "text"], Some(1), false) };
        let records = read(b"139,a;b,\nc", &form);
        assert_eq!(records.all().count(), 1);
        assert_eq!(value(&records, 0, "text").as_deref(), Some("a;b,\nc"));
    }

    #[test]
    fn quotes_keep_delimiters_in_a_text() {
        let form = Records {
            record: "\n".to_owned(),
            quote: Some(b'"'),
            ..form(&["mobile", "text"], None, false)
        };
        let records = read(b"139,\"a, \"\"b\"\"\nc\"\r\n\"156\",d\n1,2,3\n", &form);
        let readable: Vec<bool> = records.all().map(|record| record.is_ok()).collect();
        assert_eq!(readable, [true, true, false]);
        assert_eq!(value(&records, 0, "text").as_deref(), Some("a, \"b\"\nc"));
        assert_eq!(value(&records, 1, "mobile").as_deref(), Some("156"));
    }

    #[test]
    fn half_of_a_character_is_no_delimiter() {
        let form = Records { field: "|".to_owned(), ..form(&["text", "mobile"], None, false) };
        // 亅 is 0x81 0x7C in GB 18030.
        let bytes = b"\x81\x7c|139";
        let records = RecordList::read(Cow::Borrowed(bytes), &form, Charset::Gb18030, 10);
        assert_eq!(records.value(0, "text"), Some(&b"\x81\x7c"[..]));
        assert_eq!(records.value(0, "mobile"), Some(&b"139"[..]));
    }
}
