//! From the file as written to the checked types: how a destination is spoken to.

use super::problem::{Fault, one_of};
use super::raw::Section;
use super::values::{kind, wrong_kind};
use http::StatusCode;
use toml::de::DeValue;

/// How a destination is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// In our own documented JSON (`docs/platform-api.yaml`).
    Native,
}

impl Profile {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Profile::Native => "native",
        }
    }
}

/// The profiles by name; each but `native` has a table of its own under its name.
const NAMES: [(&str, Name); 1] = [("native", Name::Native)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Native,
}

/// What the native interface documents as the refusal of a record.
const NATIVE_FINALS: [StatusCode; 2] = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY];

/// The statuses that speak of us or of the time, and never of a record.
const NEVER_FINAL: [u16; 5] = [401, 403, 407, 413, 429];

/// Reads `profile` and the table that belongs to it.
pub(super) fn profile(section: &mut Section<'_>) -> Option<Profile> {
    let name = section.text("profile", "\"native\"", |it| one_of(it, "a profile", &NAMES))?;
    match name.value {
        Name::Native => Some(Profile::Native),
    }
}

/// Reads `final_statuses`: those by which a record is refused for good. Where nothing is said, none
/// is but by the interface that we document ourselves.
pub(super) fn final_statuses(section: &mut Section<'_>, profile: &Profile) -> Vec<StatusCode> {
    let list = section.list("final_statuses", "[422]", final_status);
    match (list, profile) {
        (Some(list), _) => list.value.into_iter().map(|status| status.value).collect(),
        (None, Profile::Native) => NATIVE_FINALS.to_vec(),
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
            format!("{} is no status of a refusal", kind(value)),
            "write statuses from 400 to 599, [422]",
        )),
    }
}
