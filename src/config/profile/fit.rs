//! Whether a text stays what it is, whatever the fields in it hold.

use super::text::{ANY, RecordText};
use crate::config::problem::Fault;
use http::uri::PathAndQuery;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Whether values, percent-encoded, leave a path and query what it is.
pub(super) fn a_path(text: &RecordText) -> Result<(), Fault> {
    let is_path = |sample: &String| sample.replace(ANY, "x").parse::<PathAndQuery>().is_ok();
    if text.samples().iter().all(|sample| is_path(sample) && !sample.contains('#')) {
        return Ok(());
    }
    let right = "write it as in a URL, other characters percent-encoded, \"/rating?id=${key}\"";
    Err(Fault::new("is no path with a query", right))
}

/// Whether it is JSON whatever the values are.
pub(super) fn a_json(text: &RecordText) -> Result<(), Fault> {
    for sample in text.samples() {
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&sample) {
            return Err(Fault::new(
                format!("is not JSON with fields in it ({error})"),
                "write texts in quotes, '{\"no\":\"${project_no}\",\"level\":${level}}'; only \
                 numbers may stand without",
            ));
        }
    }
    Ok(())
}

/// Whether it is XML whatever the values are.
pub(super) fn an_xml(text: &RecordText) -> Result<(), Fault> {
    for sample in text.samples() {
        well_formed(&sample).map_err(|error| {
            Fault::new(
                format!("is not XML with fields in it ({error})"),
                "write values as text or in quotes, '<rating level=\"${level}\">${comment}</rating>'",
            )
        })?;
    }
    Ok(())
}

fn well_formed(sample: &str) -> Result<(), String> {
    const ROOT: &str = "there must be one root element, and nothing but it";
    let mut reader = Reader::from_str(sample);
    let (mut depth, mut roots) = (0_usize, 0_usize);
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match &event {
            Event::Start(tag) | Event::Empty(tag) if is_broken(tag) => {
                return Err("a tag is broken, or has a value where none can be".to_owned());
            }
            Event::Start(_) => {
                roots += usize::from(depth == 0);
                depth += 1;
            }
            Event::Empty(_) => roots += usize::from(depth == 0),
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(text) if depth == 0 && !text.xml10_content().trim().is_empty() => {
                return Err(ROOT.to_owned());
            }
            Event::Comment(piece) if piece.contains(ANY) => return Err(MISPLACED.to_owned()),
            Event::CData(piece) if piece.contains(ANY) => return Err(MISPLACED.to_owned()),
            Event::PI(piece) if piece.contains(ANY) => return Err(MISPLACED.to_owned()),
            Event::DocType(_) => return Err("a document type is nothing we send".to_owned()),
            Event::Eof if depth == 0 && roots == 1 => return Ok(()),
            Event::Eof => return Err(ROOT.to_owned()),
            _ => {}
        }
    }
}

const MISPLACED: &str = "a value stands where it cannot be escaped";

fn is_broken(tag: &BytesStart<'_>) -> bool {
    tag.attributes().any(|attribute| attribute.is_err())
}
