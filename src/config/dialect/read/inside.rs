//! A document within a field of another, or within a text.

use super::super::{Format, Inside, InsideFormat, Records, Segment, read_path};
use super::decoding::attempts;
use super::values::{flag, wrong_shape};
use crate::config::problem::{Fault, one_of};
use crate::config::raw::{At, Section};
use crate::config::values::text;

/// What a field holds, where it holds no records.
#[derive(Clone, Copy)]
enum Whole {
    Json,
    Xml,
    Form,
}

const FORMATS: [(&str, Whole); 3] =
    [("json", Whole::Json), ("xml", Whole::Xml), ("form", Whole::Form)];

/// Reads `inside`; one without `field` changes its carrier's, one with it stands alone.
pub(super) fn inside(section: &mut Section<'_>, formats: &[Format]) -> Option<Inside> {
    let node = section.node("inside")?;
    if !node.value.is_table() {
        wrong_shape(&node, "a table", "write inside = { field = \"data\", format = \"json\" }");
        return None;
    }
    section.table("inside", |section| {
        section.end_with("field");
        section
            .demand("field", "name the field, field = \"data\", or \"body:\" for the whole body");
        let field = section.text("field", "\"data\"", |name| field(name, formats));
        let decode = attempts(section);
        let optional = flag(section, "optional");
        let format = format(section);
        let (field, name) = field?.value;
        Some(Inside { field, name, decode, format: format?, optional })
    })
}

/// The way to the field, and its name for errors.
fn field(name: &str, formats: &[Format]) -> Result<(Vec<Segment>, String), Fault> {
    let has_fields = formats.iter().any(|format| *format != Format::Text);
    match name {
        BODY if formats.is_empty() || formats.contains(&Format::Text) => {
            Ok((Vec::new(), "body".to_owned()))
        }
        BODY => {
            let wrong = "is the whole body, which these formats take apart";
            Err(Fault::new(
                wrong,
                "write formats = [\"text\"]; what is inside says `inside` itself",
            ))
        }
        _ if !formats.is_empty() && !has_fields => {
            let right = "write field = \"body:\" for the whole body, or other `formats`";
            Err(Fault::new(format!("`{name}` is a field, and a text has none"), right))
        }
        _ => match read_path(name) {
            Ok(path) => Ok((path, name.to_owned())),
            Err(_) => {
                let wrong = format!("{name:?} is not a field or a way to one");
                Err(Fault::new(wrong, "write for example \"data\" or \"Envelope.message\""))
            }
        },
    }
}

/// The field that is the whole body.
const BODY: &str = "body:";

fn format(section: &mut Section<'_>) -> Option<InsideFormat> {
    let right = "write format = \"json\", \"xml\" or \"form\", or records = { … }";
    if section.has("records") && section.has("format") {
        let wrong = "a field holds a document or records";
        section.refuse("format", || Fault::new(wrong, "keep one of `format` and `records`"));
    }
    if let Some(node) = section.node("records") {
        section.node("format");
        if !node.value.is_table() {
            let right = "write records = { record = \";\", field = \",\", columns = [\"mobile\"] }";
            wrong_shape(&node, "a table", right);
        }
        return node.section(records)?.map(InsideFormat::Records);
    }
    section.demand("format", right);
    let format = section
        .text("format", "\"json\"", |format| one_of(format, "a format within a field", &FORMATS))?;
    Some(match format.value {
        Whole::Json => InsideFormat::Json,
        Whole::Xml => InsideFormat::Xml,
        Whole::Form => InsideFormat::Form,
    })
}

fn records(section: &mut Section<'_>) -> Option<Records> {
    section.demand("field", "say what ends a field, field = \",\"");
    section.demand("columns", "name the fields in order, columns = [\"mobile\", \"content\"]");
    let delimiter = |text: &str| match text {
        "" => Err(Fault::new("is empty", "write what stands between two, \";\" or \",\"")),
        text => Ok(text.to_owned()),
    };
    let record = section.text("record", "\";\"", delimiter);
    let field = section.text("field", "\",\"", delimiter);
    let quote = section.text("quote", "'\"'", |text| match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(Fault::new("is not one ASCII character", "write quote = '\"'")),
    });
    let skip = section.count("skip", 0..=100).map_or(0, |skip| skip.value);
    if let (Some(record), Some(field)) = (&record, &field)
        && record.value == field.value
    {
        let right = "give both their own, as the carrier does";
        section.reject(field, Fault::new("is also what ends a record", right));
    }
    let example = "[\"mobile\", \"content\"]";
    section.demand_items("columns", &format!("name the fields in order, {example}"));
    let columns = section.list("columns", example, |item| Ok(text(item, example)?.to_owned()))?;
    for (place, column) in columns.value.iter().enumerate() {
        let mut before = columns.value.iter().take(place);
        if !column.value.is_empty() && before.any(|earlier| earlier.value == column.value) {
            let wrong = format!("{:?} stands twice", column.value);
            section.reject(column, Fault::new(wrong, "name each column once; \"\" for one unused"));
        }
    }
    let names: Vec<(&str, usize)> =
        columns.value.iter().enumerate().map(|(at, column)| (column.value.as_str(), at)).collect();
    let surplus = section.text("surplus", "\"content\"", |name| one_of(name, "a column", &names));
    if quote.is_some() {
        let single = |text: &Option<At<String>>| text.as_ref().is_none_or(|it| it.value.len() == 1);
        if !single(&record) || !single(&field) || record.is_none() {
            let wrong = "needs delimiters of one ASCII character each";
            let right = "write record = \"\\n\" and field = \",\", or remove `quote`";
            section.refuse("quote", || Fault::new(wrong, right));
        }
        for key in ["surplus", "split_encoded"] {
            let right = "remove it, or `quote`";
            section.refuse(key, || Fault::new("has no place where texts stand in quotes", right));
        }
    }
    Some(Records {
        record: record.map(|record| record.value).unwrap_or_default(),
        field: field?.value,
        surplus: surplus.map(|surplus| surplus.value),
        split_encoded: flag(section, "split_encoded"),
        quote: quote.map(|quote| quote.value),
        skip,
        columns: columns.value.into_iter().map(|column| column.value).collect(),
    })
}

/// The names that a record's fields have.
pub(super) fn columns(inside: Option<&Inside>) -> Vec<String> {
    match inside {
        Some(Inside { format: InsideFormat::Records(records), optional: false, .. }) => {
            records.columns.clone()
        }
        _ => Vec::new(),
    }
}
