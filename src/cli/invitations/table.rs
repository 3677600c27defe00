//! A table of invitations: CSV with a header that names the fields.

use super::rejected;
use crate::intake::invitations::{FIELDS, Problem};
use clap::ValueEnum;
use csv::StringRecord;
use encoding_rs::GB18030;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// How the file's text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Charset {
    /// UTF-8, with or without a mark in front.
    #[value(name = "utf-8")]
    Utf8,
    /// GBK, or GB18030, of which it is a part.
    Gbk,
}

/// Why a file cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// Bytes that are no text.
    #[error("line {line} is not {name}; {hint}")]
    Charset {
        /// The line, from 1.
        line: usize,
        /// What it should be.
        name: &'static str,
        /// What may be done.
        hint: &'static str,
    },
    /// A column whose name is no field.
    #[error("the header names the column {0:?}, which is no field; take it out. Fields are: {fields}",
            fields = FIELDS.join(", "))]
    UnknownColumn(String),
    /// A column that is there twice.
    #[error("the header names the column {0:?} twice; take one out")]
    TwoColumns(String),
    /// A column that every invitation needs.
    #[error("the header has no column {0:?}, which every invitation needs; add it")]
    NoColumn(&'static str),
    /// Not CSV.
    #[error("{0}; expected CSV with a header")]
    Csv(#[from] csv::Error),
}

impl Charset {
    /// The text of a file.
    ///
    /// # Errors
    /// [`Unusable::Charset`] with the first line that is none.
    pub(super) fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, Unusable> {
        match self {
            Charset::Utf8 => {
                let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
                let text = std::str::from_utf8(bytes).map_err(|error| Unusable::Charset {
                    line: 1 + newlines(bytes.iter().take(error.valid_up_to())),
                    name: "UTF-8",
                    hint: "save the file as UTF-8, or say --charset gbk",
                })?;
                Ok(Cow::Borrowed(text))
            }
            Charset::Gbk => gbk(bytes).ok_or_else(|| {
                // No character of GB18030 holds the byte of a line feed.
                let bad = bytes.split(|byte| *byte == b'\n').position(|line| gbk(line).is_none());
                Unusable::Charset {
                    line: 1 + bad.unwrap_or_default(),
                    name: "GBK",
                    hint: "save the file as GBK, or leave --charset out if it is UTF-8",
                }
            }),
        }
    }

    /// A text as bytes of a file.
    pub(super) fn encode(self, text: &str) -> Cow<'_, [u8]> {
        match self {
            Charset::Utf8 => Cow::Borrowed(text.as_bytes()),
            Charset::Gbk => GB18030.encode(text).0,
        }
    }
}

fn gbk(bytes: &[u8]) -> Option<Cow<'_, str>> {
    GB18030.decode_without_bom_handling_and_without_replacement(bytes)
}

fn newlines<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    bytes.filter(|byte| **byte == b'\n').count()
}

/// A table being read.
pub(super) struct Table<'a> {
    text: &'a str,
    reader: csv::Reader<&'a [u8]>,
    header: Vec<String>,
}

/// A row: what it says, or why that cannot be told.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// The line on which it begins, from 1.
    pub(super) line: u64,
    /// Its cells.
    pub(super) cells: Vec<String>,
    /// The invitation, if it has as many cells as the header.
    pub(super) item: Result<Map<String, Value>, Problem>,
}

impl<'a> Table<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Unusable`].
    pub(super) fn open(text: &'a str) -> Result<Table<'a>, Unusable> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let header: Vec<String> =
            reader.headers()?.iter().map(|name| name.trim().to_owned()).collect();
        for (place, name) in header.iter().enumerate() {
            if !FIELDS.contains(&name.as_str()) && !rejected::COLUMNS.contains(&name.as_str()) {
                return Err(Unusable::UnknownColumn(name.clone()));
            }
            if header.iter().take(place).any(|earlier| earlier == name) {
                return Err(Unusable::TwoColumns(name.clone()));
            }
        }
        let lacking = ["id", "mobile", "channel"]
            .into_iter()
            .find(|name| !header.iter().any(|column| column == name));
        match lacking {
            Some(name) => Err(Unusable::NoColumn(name)),
            None => Ok(Table { text, reader, header }),
        }
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// How many bytes of the text were read.
    pub(super) fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    /// At most so many further rows; none at the end.
    ///
    /// # Errors
    /// [`Unusable::Csv`].
    pub(super) fn next(&mut self, most: usize) -> Result<Vec<Row>, Unusable> {
        let mut rows = Vec::new();
        let mut record = StringRecord::new();
        while rows.len() < most && self.reader.read_record(&mut record)? {
            let line = record.position().map_or(0, |begun| self.line(begun));
            rows.push(self.row(&record, line));
        }
        Ok(rows)
    }

    /// The line of a record, which the reader takes to begin with the empty lines before it.
    fn line(&self, begun: &csv::Position) -> u64 {
        let byte = usize::try_from(begun.byte()).unwrap_or(usize::MAX);
        let rest = self.text.as_bytes().get(byte..).unwrap_or_default();
        let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        begun.line() + newlines(empty) as u64
    }

    fn row(&self, record: &StringRecord, line: u64) -> Row {
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        let item = match cells.len() == self.header.len() {
            true => Ok(self.item(&cells)),
            false => {
                let wrong =
                    format!("cells: {}, where the header has {}", cells.len(), self.header.len());
                let right = "quote what holds a comma, and leave no cell out";
                Err(Problem::new(Problem::ITEM, wrong, right))
            }
        };
        Row { line, cells, item }
    }

    /// The blanks that tables have around their cells say nothing.
    fn item(&self, cells: &[String]) -> Map<String, Value> {
        let cells = self.header.iter().zip(cells);
        let said = cells.filter(|(name, _)| !rejected::COLUMNS.contains(&name.as_str()));
        said.map(|(name, cell)| (name.clone(), Value::from(cell.trim()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Result<Vec<String>, String> {
        Table::open(text).map(|table| table.header().to_vec()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_header_names_fields_each_once() {
        assert_eq!(opened("id, mobile,channel\n").map(|header| header.len()), Ok(3));
        for (header, told) in [
            ("id,mobile,channel,phone", "\"phone\""),
            ("id,mobile,channel,id", "twice"),
            ("id,mobile", "no column \"channel\""),
            ("", "no column \"id\""),
        ] {
            let error = opened(header).expect_err("unusable");
            assert!(error.contains(told), "{header}: {error}");
        }
    }

    #[test]
    fn rows_have_their_lines_and_the_wrong_count_of_cells_is_told() {
        let text = "id,mobile,channel,taskName\n1,13940000001, sms ,\"a\nb\"\n2,x\n\n3,,ivr,\n";
        let mut table = Table::open(text).expect("a table");
        let rows = table.next(2).expect("rows");
        let item = rows[0].item.as_ref().expect("an item");
        assert_eq!((rows[0].line, item["channel"].as_str()), (2, Some("sms")));
        assert_eq!(item["taskName"].as_str(), Some("a\nb"));
        let problem = rows[1].item.as_ref().expect_err("two cells");
        assert_eq!((rows[1].line, &*problem.wrong), (4, "cells: 2, where the header has 4"));
        let rows = table.next(10).expect("rows");
        assert_eq!((rows.len(), rows[0].line), (1, 6));
        assert_eq!(table.position(), text.len() as u64);
        assert_eq!(table.next(10).expect("rows"), []);
    }

    #[test]
    fn bytes_that_do_not_fit_are_told_with_their_line() {
        assert_eq!(Charset::Utf8.decode("\u{feff}办".as_bytes()).expect("text"), "办");
        let (gbk, _, _) = encoding_rs::GBK.encode("a\n沈阳市");
        assert_eq!(Charset::Gbk.decode(&gbk).expect("text"), "a\n沈阳市");
        assert_eq!(&*Charset::Gbk.encode("a\n沈阳市"), &*gbk);
        let told = |charset: Charset, bytes: &[u8]| {
            charset.decode(bytes).expect_err("no text").to_string()
        };
        assert!(told(Charset::Utf8, &gbk).starts_with("line 2 is not UTF-8"));
        assert!(told(Charset::Gbk, b"a\nb\n\xff\n").starts_with("line 3 is not GBK"));
    }
}
