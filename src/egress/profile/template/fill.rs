//! Fills a text with the fields of a record.

use super::super::Unwritable;
use super::value::{Value, value};
use crate::carrier::{Surroundings, filtered, time};
use crate::config::dialect::TimeForm;
use crate::config::profile::{FieldPiece, RecordPiece, RecordText, TextStep};
use crate::model::Record;
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::Offset;

/// Times leave at +08:00, the province's clock.
const CHINA: Offset = Offset::constant(8);

/// The text with what the record has in its places, each escaped for what is around it.
///
/// # Errors
/// [`Unwritable`] for the first field that the record lacks and the text does not do without.
pub(super) fn fill(
    text: &RecordText,
    record: &Record,
    now: Timestamp,
    around: Surroundings,
) -> Result<Vec<u8>, Unwritable> {
    let mut filled = Vec::new();
    for piece in &text.pieces {
        match piece {
            RecordPiece::Literal(literal) => filled.extend_from_slice(literal.as_bytes()),
            RecordPiece::Field(piece) => filled.extend(around.escape(told(piece, record, now)?)),
        }
    }
    Ok(filled)
}

/// What stands in the place of a field.
fn told(piece: &FieldPiece, record: &Record, now: Timestamp) -> Result<Vec<u8>, Unwritable> {
    let lack = match value(piece.field, record, now) {
        Some(value) => match stepped(piece, written(&value, piece.time.as_ref())) {
            Ok(told) => return Ok(told),
            Err(lack) => lack,
        },
        None => Unwritable::Missing(piece.field.name().to_owned()),
    };
    let otherwise = piece.otherwise.as_ref().ok_or(lack)?;
    Ok(otherwise.clone().into_bytes())
}

fn stepped(piece: &FieldPiece, text: String) -> Result<Vec<u8>, Unwritable> {
    let mut told = text.into_bytes();
    for step in &piece.steps {
        told = match step {
            TextStep::Filter(filter) => filtered(told, filter),
            TextStep::Code(table) => {
                let code = std::str::from_utf8(&told).ok().and_then(|it| table.codes.get(it));
                let (field, table) = (piece.field.name(), &table.name);
                let lack = || Unwritable::NoCode { field, table: table.clone() };
                code.ok_or_else(lack)?.clone().into_bytes()
            }
        };
    }
    Ok(told)
}

fn written(value: &Value<'_>, form: Option<&TimeForm>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Time(at) => {
            time::write(*at, form.unwrap_or(&TimeForm::Iso), CHINA).unwrap_or_default()
        }
        Value::Day(day) => match form {
            Some(TimeForm::Pattern(pattern)) => strtime::format(pattern, *day).unwrap_or_default(),
            _ => day.to_string(),
        },
    }
}
