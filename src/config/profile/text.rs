//! Texts with fields of a record in them: `${project_no}`, `${occurred_at|local:-}`,
//! `${level|satisfaction}`.

use super::field::{Presence, RecordField};
use crate::config::dialect::{Filter, TimeForm, template_parts};
use crate::config::problem::{Fault, listed, nearest};
use crate::model::RecordKind;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A text with fields of a record in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordText {
    /// What it is made of, in order.
    pub pieces: Vec<RecordPiece>,
}

/// A part of such a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordPiece {
    /// As it stands.
    Literal(String),
    /// A field.
    Field(FieldPiece),
}

/// A field as it is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPiece {
    /// Which.
    pub field: RecordField,
    /// How a moment or a day is written; `None`: ISO 8601.
    pub time: Option<TimeForm>,
    /// What is done to it, in order.
    pub steps: Vec<TextStep>,
    /// What stands in its place where a record does not have it; `None`: the record is not sent.
    pub otherwise: Option<String>,
}

/// What is done to a field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextStep {
    /// The destination's own code for it.
    Code(Arc<CodeTable>),
    /// As in the templates of carriers.
    Filter(Filter),
}

/// A destination's own codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeTable {
    /// The name by which templates call it.
    pub name: String,
    /// The codes, by what they stand for.
    pub codes: BTreeMap<String, String>,
}

/// The tables of codes that a template can call.
pub(super) type CodeTables = Vec<Arc<CodeTable>>;

/// The ways to write a moment, besides patterns.
const TIMES: [&str; 5] = ["local", "compact", "iso", "epoch_s", "epoch_ms"];

/// Stands for any value where a text is tried out: it fits nowhere but between quotes or tags.
pub(super) const ANY: &str = "\u{e000} \u{e000}";

impl RecordText {
    /// Reads a text for records of a kind.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(
        text: &str,
        kind: RecordKind,
        tables: &CodeTables,
    ) -> Result<RecordText, Fault> {
        let right = "write for example \"${project_no}\", or $${ for the characters themselves";
        let parts = template_parts(text).map_err(|fault| Fault::new(fault.to_string(), right))?;
        let piece = |(literal, is_value): (String, bool)| match is_value {
            false => Ok(RecordPiece::Literal(literal)),
            true => field_piece(&literal, kind, tables).map(RecordPiece::Field),
        };
        Ok(RecordText { pieces: parts.into_iter().map(piece).collect::<Result<_, _>>()? })
    }

    /// The fields it names.
    pub(super) fn fields(&self) -> impl Iterator<Item = &FieldPiece> {
        self.pieces.iter().filter_map(|piece| match piece {
            RecordPiece::Field(field) => Some(field),
            RecordPiece::Literal(_) => None,
        })
    }

    /// The text as it may come out: with every value there, and with none that need not be.
    pub(super) fn samples(&self) -> [String; 2] {
        [false, true].map(|bare| {
            let piece = |piece: &RecordPiece| match piece {
                RecordPiece::Literal(literal) => literal.clone(),
                RecordPiece::Field(field) => match &field.otherwise {
                    Some(otherwise) if bare => otherwise.clone(),
                    _ if field.is_number() => "0".to_owned(),
                    _ => ANY.to_owned(),
                },
            };
            self.pieces.iter().map(piece).collect()
        })
    }
}

impl FieldPiece {
    fn is_number(&self) -> bool {
        let is_number = |code: &String| code.parse::<u64>().is_ok_and(|it| it.to_string() == *code);
        match self.steps.as_slice() {
            [] => self.field.is_number() || self.time.as_ref().is_some_and(is_epoch),
            [.., TextStep::Code(table)] => table.codes.values().all(is_number),
            [.., TextStep::Filter(_)] => false,
        }
    }
}

fn is_epoch(form: &TimeForm) -> bool {
    matches!(form, TimeForm::EpochSeconds | TimeForm::EpochMillis)
}

/// Reads what stands between the braces: `field|step|step:-otherwise`.
fn field_piece(text: &str, kind: RecordKind, tables: &CodeTables) -> Result<FieldPiece, Fault> {
    let (value, otherwise) = match text.split_once(":-") {
        Some((value, otherwise)) => (value, Some(otherwise.to_owned())),
        None => (text, None),
    };
    let mut parts = value.split('|').map(str::trim);
    let field = field(parts.next().unwrap_or_default())?;
    if field.presence(kind) == Presence::Never && otherwise.is_none() {
        let (name, kind) = (field.name(), kind_name(kind));
        let right = format!("remove it, or say what stands there, ${{{name}:-}}");
        return Err(Fault::new(format!("no {kind} has `${{{name}}}`"), right));
    }
    let mut piece = FieldPiece { field, time: None, steps: Vec::new(), otherwise };
    for step in parts {
        if let Some(table) = tables.iter().find(|table| table.name == step) {
            complete(&piece, table)?;
            piece.steps.push(TextStep::Code(Arc::clone(table)));
        } else if piece.steps.is_empty() && piece.time.is_none() && has_forms(field) {
            piece.time = Some(time_form(field, step)?);
        } else {
            piece.steps.push(TextStep::Filter(filter(step, tables)?));
        }
    }
    Ok(piece)
}

fn field(name: &str) -> Result<RecordField, Fault> {
    let known = RecordField::NAMES.iter().find(|(known, _)| *known == name);
    known.map(|(_, field)| *field).ok_or_else(|| {
        let names = || RecordField::NAMES.iter().map(|(name, _)| *name);
        let right = match nearest(name, names()) {
            Some(near) => format!("did you mean `${{{near}}}`?"),
            None => format!("the fields are {}", listed(names())),
        };
        Fault::new(format!("no record has `${{{name}}}`"), right)
    })
}

fn kind_name(kind: RecordKind) -> &'static str {
    RecordKind::NAMES.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name)
}

fn has_forms(field: RecordField) -> bool {
    field.is_time() || field.is_date()
}

fn time_form(field: RecordField, text: &str) -> Result<TimeForm, Fault> {
    let form = match text {
        "local" => Some(TimeForm::Local),
        "compact" => Some(TimeForm::Pattern("%Y%m%d%H%M%S".to_owned())),
        "iso" => Some(TimeForm::Iso),
        "epoch_s" => Some(TimeForm::EpochSeconds),
        "epoch_ms" => Some(TimeForm::EpochMillis),
        pattern if pattern.contains('%') => Some(TimeForm::Pattern(pattern.to_owned())),
        _ => None,
    };
    let right = match field.is_date() {
        true => "write a pattern of days, for example %Y%m%d".to_owned(),
        false => format!("write one of {}, or a pattern such as %Y/%m/%d", listed(TIMES)),
    };
    let day = date(2026, 3, 5);
    let works = match &form {
        Some(TimeForm::Pattern(pattern)) if field.is_date() => strtime::format(pattern, day),
        Some(TimeForm::Pattern(pattern)) => {
            let moment = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
            strtime::format(pattern, &moment)
        }
        _ => Ok(String::new()),
    };
    match (form, works) {
        (Some(form), Ok(_)) if !field.is_date() || matches!(form, TimeForm::Pattern(_)) => Ok(form),
        _ => Err(Fault::new(format!("{text:?} is no way to write `{}`", field.name()), right)),
    }
}

fn filter(name: &str, tables: &CodeTables) -> Result<Filter, Fault> {
    let known = Filter::NAMES.iter().find(|(known, _)| *known == name);
    known.map(|(_, filter)| *filter).ok_or_else(|| {
        let filters = Filter::NAMES.iter().map(|(name, _)| *name);
        let names = tables.iter().map(|table| table.name.as_str());
        let all: Vec<&str> = names.chain(filters).collect();
        let right = match nearest(name, all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", listed(all)),
        };
        Fault::new(format!("there is no table of codes and no filter `{name}`"), right)
    })
}

/// A field of which all values are known needs a code for each.
fn complete(piece: &FieldPiece, table: &CodeTable) -> Result<(), Fault> {
    if !piece.steps.is_empty() || piece.otherwise.is_some() {
        return Ok(());
    }
    let missing = piece.field.range().iter().filter(|value| !table.codes.contains_key(**value));
    let missing: Vec<&str> = missing.copied().collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Fault::new(
            format!("`codes.{}` has no code for {}", table.name, listed(missing)),
            format!(
                "write them there, or say what stands for them, ${{{}|{}:-…}}",
                piece.field.name(),
                table.name
            ),
        )),
    }
}
