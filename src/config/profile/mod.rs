//! From the file as written to the checked types: how a destination is spoken to.

mod answer;
mod field;
mod fit;
mod template;
mod text;

pub use answer::AnswerRule;
pub use field::{Presence, RecordField};
pub use template::{BodyCharset, RecordBody, RecordTemplate, Shape};
pub use text::{CodeTable, FieldPiece, RecordPiece, RecordText, TextStep};

use super::National;
use super::national::national;
use super::problem::{Fault, one_of};
use super::raw::Section;
use super::values::wrong_kind;
use crate::model::Selection;
use http::StatusCode;
use std::num::NonZeroUsize;
use std::sync::Arc;
use toml::de::DeValue;

/// How a destination is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// In our own documented JSON (`docs/platform-api.yaml`).
    Native,
    /// In the field family of the national interface, signed and encrypted with SM2.
    National(Arc<National>),
    /// In its own words, as the configuration has them.
    Template(Arc<RecordTemplate>),
}

impl Profile {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Profile::Native => "native",
            Profile::National(_) => "national",
            Profile::Template(_) => "template",
        }
    }

    /// The most records that one request can hold, whatever `max_batch` says.
    #[must_use]
    pub fn most_in_a_batch(&self) -> NonZeroUsize {
        match self {
            Profile::Native => NonZeroUsize::MAX,
            // What they answer is about the request, and so can be about one record only.
            Profile::National(_) | Profile::Template(_) => NonZeroUsize::MIN,
        }
    }
}

/// The profiles by name; each but `native` has a table of its own under its name.
const NAMES: [(&str, Name); 3] =
    [("native", Name::Native), ("national", Name::National), ("template", Name::Template)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Native,
    National,
    Template,
}

/// What the native interface documents as the refusal of a record.
const NATIVE_FINALS: [StatusCode; 2] = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY];

/// The statuses that speak of us or of the time, and never of a record.
const NEVER_FINAL: [u16; 5] = [401, 403, 407, 413, 429];

/// Reads `profile` and the table that belongs to it; `only` is what the destination is sent.
pub(super) fn profile(section: &mut Section<'_>, only: &Selection) -> Option<Profile> {
    let name = section.text("profile", "\"native\"", |it| one_of(it, "a profile", &NAMES))?;
    for (table, its) in [("national", Name::National), ("template", Name::Template)] {
        if name.value != its {
            section.refuse(table, || {
                let wrong = "is the table of another profile";
                Fault::new(wrong, format!("write profile = \"{table}\" beside it, or remove it"))
            });
        }
    }
    match name.value {
        Name::Native => Some(Profile::Native),
        Name::National => {
            let here = section.here().key;
            section.demand("national", &format!("write [{here}.national], see docs/national.md"));
            let national = section.table("national", |it| national(it, only))?;
            Some(Profile::National(Arc::new(national)))
        }
        Name::Template => {
            section.demand("template", "say how records are written, [destination.template]");
            let template = section.table("template", |it| template::template(it, only))?;
            Some(Profile::Template(Arc::new(template)))
        }
    }
}

/// Reads `final_statuses`: those by which a record is refused for good. Where nothing is said, none
/// is but by the interface that we document ourselves.
pub(super) fn final_statuses(
    section: &mut Section<'_>,
    profile: Option<&Profile>,
) -> Vec<StatusCode> {
    let list = section.list("final_statuses", "[422]", final_status);
    match (list, profile) {
        (Some(list), _) => list.value.into_iter().map(|status| status.value).collect(),
        (None, Some(Profile::Native)) => NATIVE_FINALS.to_vec(),
        (None, _) => Vec::new(),
    }
}

fn final_status(value: &DeValue<'_>) -> Result<StatusCode, Fault> {
    let DeValue::Integer(integer) = value else {
        return Err(wrong_kind(value, "a number", "422"));
    };
    let number = u16::from_str_radix(integer.as_str(), integer.radix()).unwrap_or_default();
    match StatusCode::from_u16(number) {
        Ok(_) if NEVER_FINAL.contains(&number) => Err(Fault::new(
            format!("{number} speaks of us or of the time, not of a record"),
            "remove it: such an answer holds or slows the lane, and the record is kept",
        )),
        Ok(status) if status.is_client_error() || status.is_server_error() => Ok(status),
        _ => Err(Fault::new(
            format!("{number} is no status of a refusal"),
            "write statuses from 400 to 599, [422]",
        )),
    }
}

#[cfg(test)]
mod tests;
