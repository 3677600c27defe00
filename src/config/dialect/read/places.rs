//! Places and templates, against what a route has settled about its requests.

use super::super::{Filter, Format, Piece, Place, Source, SourceFault, Template, TemplateFault};
use crate::config::problem::{Fault, listed, nearest, one_of};

/// What a route has settled before its fields are read.
#[derive(Debug, Clone, Default)]
pub(super) struct Ground {
    /// Where fields stand; empty if that could not be read, and nothing is held against it.
    pub(super) formats: Vec<Format>,
    /// The columns of its records; empty if there are none.
    pub(super) columns: Vec<String>,
    /// Whether the document is within another.
    pub(super) within: bool,
    /// Whether each piece of an item is an event.
    pub(super) each: bool,
}

/// What a text with places is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// The fields of an event.
    Event,
    /// What proves the request.
    Proof,
    /// One field of `${sorted}`.
    Pair,
    /// What is answered.
    Answer,
    /// A step of a call.
    Step,
    /// A request of ours.
    Send,
}

/// The parts of a request, with their names.
const PLACES: [&str; 9] =
    ["query", "form", "outer", "header", "body", "method", "route", "target", "url"];

impl Ground {
    /// Reads a place.
    ///
    /// # Errors
    /// That it names none, or one that these requests do not have.
    pub(super) fn source(&self, text: &str, of: Use) -> Result<Source, Fault> {
        let source = Source::read(text).map_err(|fault| place_fault(&fault))?;
        self.holds(&source, text, of)?;
        Ok(source)
    }

    /// Reads a template.
    ///
    /// # Errors
    /// That it is none, or what is wrong with a place in it.
    pub(super) fn template(&self, text: &str, of: Use) -> Result<Template, Fault> {
        let template = Template::read(text).map_err(template_fault)?;
        for piece in &template.pieces {
            let Piece::Value(source, filters) = piece else { continue };
            suits(source, of)?;
            if of == Use::Event || of == Use::Answer {
                written(source, filters)?;
            }
            self.holds(source, &source.to_string(), of)?;
        }
        Ok(template)
    }

    /// Whether these requests have such a place.
    fn holds(&self, source: &Source, text: &str, of: Use) -> Result<(), Fault> {
        let some = |formats: &[Format]| formats.iter().any(|it| self.formats.contains(it));
        let formats = listed(
            Format::NAMES
                .iter()
                .filter_map(|(name, format)| self.formats.contains(format).then_some(*name)),
        );
        match &source.place {
            _ if self.formats.is_empty() => Ok(()),
            Place::Form if !some(&[Format::Form, Format::Multipart]) => Err(Fault::new(
                format!("`{text}` is a form's field, and the formats are {formats}"),
                "add \"form\" to `formats`, or name a field of the document without `form:`",
            )),
            Place::Outer if !self.within => Err(Fault::new(
                format!("`{text}` is around a document within, and no `inside` names one"),
                "name a field of the document without `outer:`, or add `inside`",
            )),
            Place::Above(_) if of != Use::Event => Err(Fault::new(
                format!("`{text}` is above an item, and only events are read of items"),
                "name the field from the top, \"/data.id\"",
            )),
            Place::Each if !self.each => Err(Fault::new(
                "`each:` is a piece of the item, and no `each` says which",
                "add each = { of = \"mobiles\", split = \",\" }, or name a field",
            )),
            Place::Item | Place::Document if self.formats == [Format::Text] && !self.within => {
                Err(Fault::new(
                    format!("`{text}` is a field, and a text has none"),
                    "write \"body:\" for the text, and \"header:…\" or \"query:…\" for the rest",
                ))
            }
            Place::Item | Place::Document if !some(&[Format::Xml]) => known_part(text),
            _ => Ok(()),
        }?;
        if of == Use::Event && source.place == Place::Item && !self.columns.is_empty() {
            return self.column(&source.path.join("."));
        }
        Ok(())
    }

    fn column(&self, name: &str) -> Result<(), Fault> {
        let columns = || self.columns.iter().map(String::as_str).filter(|name| !name.is_empty());
        let names: Vec<(&str, ())> = columns().map(|name| (name, ())).collect();
        one_of(name, "a column of the records", &names)
    }
}

/// Whether what looks like a part of the request is one.
fn known_part(text: &str) -> Result<(), Fault> {
    let Some((part, rest)) = text.split_once(':') else { return Ok(()) };
    if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Ok(());
    }
    let right = match nearest(part, PLACES) {
        Some(near) => format!("did you mean \"{near}:{rest}\"?"),
        None => format!(
            "a request has {}; a field of this name is written '{part}\\:{rest}'",
            listed(PLACES.map(|name| format!("{name}:")).iter().map(String::as_str))
        ),
    };
    Err(Fault::new(format!("there is no place `{part}:`"), right))
}

/// Whether a value with a meaning of its own has one here.
fn suits(source: &Source, of: Use) -> Result<(), Fault> {
    let own = match source.place {
        Place::Name | Place::Value => Use::Pair,
        _ if of == Use::Pair => {
            return Err(Fault::new(
                format!("`${{{source}}}` cannot stand in a pair"),
                "a pair is made of ${name} and ${value}; other values stand in `over`",
            ));
        }
        Place::Secret | Place::User if of == Use::Send => return Ok(()),
        Place::Secret | Place::User | Place::Sorted => Use::Proof,
        _ => return Ok(()),
    };
    if own == of {
        return Ok(());
    }
    let right = format!("write ${{/{source}}} for a field of that name");
    let wrong = match own {
        Use::Pair => format!("`${{{source}}}` means something in `pair` only"),
        _ if source.place == Place::Secret => "`${secret}` would be told to others".to_owned(),
        _ => format!("`${{{source}}}` means something in `over` only"),
    };
    Err(Fault::new(wrong, right))
}

/// Whether filters end in a text.
pub(super) fn written(source: &Source, filters: &[Filter]) -> Result<(), Fault> {
    if !Filter::end_in_bytes(filters) {
        return Ok(());
    }
    let wrong = format!("the digest of `{source}` is bytes, not text");
    Err(Fault::new(wrong, "add `|hex` or `|base64` behind it"))
}

fn place_fault(fault: &SourceFault) -> Fault {
    halves(&fault.to_string())
}

fn template_fault(fault: TemplateFault) -> Fault {
    match fault {
        TemplateFault::Filter { name } => match one_of(&name, "a filter", &Filter::NAMES) {
            Ok(_) => Fault::new("is not a template", "write ${field}"),
            Err(fault) => fault,
        },
        other => halves(&other.to_string()),
    }
}

/// What is wrong and what would be right, of an error that says both.
fn halves(message: &str) -> Fault {
    let (wrong, right) = message.rsplit_once("; ").unwrap_or((message, "name a field"));
    Fault::new(wrong, right)
}
