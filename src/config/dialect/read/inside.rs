//! A document within a form field.

use super::super::{Format, Inside, InsideFormat, Records};
use super::decoding::attempts;
use super::values::{flag, wrong_shape};
use crate::config::problem::{Fault, one_of};
use crate::config::raw::Section;
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
    let forms = [Format::Query, Format::Form, Format::Multipart];
    if !formats.is_empty() && !formats.iter().any(|format| forms.contains(format)) {
        let right = "add \"form\", \"multipart\" or \"query\" to `formats`, or remove this";
        node.reject(Fault::new("is a field of a form, and no format has such", right));
    }
    section.table("inside", |section| {
        section.end_with("field");
        section.demand("field", "name the form's field, field = \"data\"");
        let field = section.text("field", "\"data\"", |field| match field {
            "" => Err(Fault::new("is empty", "name the form's field, \"data\"")),
            field => Ok(field.to_owned()),
        });
        let decode = attempts(section);
        let optional = flag(section, "optional");
        let format = format(section);
        Some(Inside { field: field?.value, decode, format: format?, optional })
    })
}

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
    section.demand("record", "say what ends a record, record = \";\"");
    section.demand("field", "say what ends a field, field = \",\"");
    section.demand("columns", "name the fields in order, columns = [\"mobile\", \"content\"]");
    let delimiter = |text: &str| match text {
        "" => Err(Fault::new("is empty", "write what stands between two, \";\" or \",\"")),
        text => Ok(text.to_owned()),
    };
    let record = section.text("record", "\";\"", delimiter);
    let field = section.text("field", "\",\"", delimiter);
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
    Some(Records {
        record: record?.value,
        field: field?.value,
        surplus: surplus.map(|surplus| surplus.value),
        split_encoded: flag(section, "split_encoded"),
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
