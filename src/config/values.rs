//! The kinds of value that keys have: texts, numbers, durations, sizes, paths, secrets.

use super::environment::{Reference, Resolved};
use super::problem::Fault;
use super::raw::{At, Section};
use super::units;
use crate::model::Secret;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

impl<'a> Section<'a> {
    /// A text as `read` sees it.
    pub(super) fn text<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&str) -> Result<T, Fault>,
    ) -> Option<At<T>> {
        self.value(key, |value| read(text(value, example)?))
    }

    /// A yes or no.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<At<bool>> {
        self.value(key, |value| {
            value.as_bool().ok_or_else(|| wrong_kind(value, "a yes or no", "true` or `false"))
        })
    }

    /// A whole number within bounds.
    pub(super) fn count<T>(&mut self, key: &'static str, bounds: RangeInclusive<T>) -> Option<At<T>>
    where
        T: TryFrom<i128> + PartialOrd + std::fmt::Display,
    {
        let right = format!("write a whole number from {} to {}", bounds.start(), bounds.end());
        self.value(key, |value| {
            let DeValue::Integer(integer) = value else {
                return Err(Fault::new(format!("is {}, not a whole number", kind(value)), &right));
            };
            let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
            let fits = number.and_then(|number| T::try_from(number).ok());
            fits.filter(|number| bounds.contains(number))
                .ok_or_else(|| Fault::new(format!("{} is out of bounds", integer.as_str()), &right))
        })
    }

    /// A duration within bounds.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<Duration>,
    ) -> Option<At<Duration>> {
        let right = format!(
            "write a duration from \"{}\" to \"{}\"",
            units::show_duration(*bounds.start()),
            units::show_duration(*bounds.end())
        );
        self.measure(key, &bounds, &right, units::duration)
    }

    /// A size in bytes within bounds.
    pub(super) fn size(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<u64>,
    ) -> Option<At<u64>> {
        let right = format!(
            "write a size from \"{}\" to \"{}\"",
            units::show_size(*bounds.start()),
            units::show_size(*bounds.end())
        );
        self.measure(key, &bounds, &right, units::size)
    }

    fn measure<T: PartialOrd>(
        &mut self,
        key: &'static str,
        bounds: &RangeInclusive<T>,
        right: &str,
        read: fn(&str) -> Result<T, String>,
    ) -> Option<At<T>> {
        self.value(key, |value| {
            let Some(text) = value.as_str() else {
                let wrong = format!("is {}, without a unit in quotes", kind(value));
                return Err(Fault::new(wrong, right));
            };
            let amount = read(text).map_err(|wrong| Fault::new(wrong, right))?;
            if bounds.contains(&amount) {
                return Ok(amount);
            }
            Err(Fault::new(format!("{text:?} is out of bounds"), right))
        })
    }

    /// A path, seen from the working directory.
    pub(super) fn path(&mut self, key: &'static str) -> Option<At<PathBuf>> {
        let place = self.text(key, "\"some/path\"", |path| match path {
            "" => Err(Fault::new("is empty", "write a path")),
            path => Ok(PathBuf::from(path)),
        })?;
        let seen = match place.is_built_in() {
            true => place.value.clone(),
            false => self.environment().path(&place.value),
        };
        Some(place.with(seen))
    }

    /// A reference to a secret.
    pub(super) fn reference(&mut self, key: &'static str) -> Option<At<Reference>> {
        self.text(key, EXAMPLE_REFERENCE, Reference::read)
    }

    /// References to secrets.
    pub(super) fn references(&mut self, key: &'static str) -> Option<At<Vec<At<Reference>>>> {
        let example = format!("[{EXAMPLE_REFERENCE}]");
        self.list(key, &example, |item| Reference::read(text(item, EXAMPLE_REFERENCE)?))
    }

    /// The secret that a reference points to.
    ///
    /// # Errors
    /// That it points to nothing.
    pub(super) fn secret(&self, reference: &At<Reference>) -> Result<Secret, Fault> {
        let Resolved { secret, exposed } = self.environment().resolve(&reference.value)?;
        if let Some(path) = exposed {
            let path = path.display();
            self.warn(
                reference,
                Fault::new(
                    format!("everybody on this machine can read {path}"),
                    format!("chmod 600 {path}, unless nobody else is on this machine"),
                ),
            );
        }
        Ok(secret)
    }
}

const EXAMPLE_REFERENCE: &str = "\"env:NAME\"";

/// The text of a value.
///
/// # Errors
/// That it is no text.
pub(super) fn text<'v>(value: &'v DeValue<'_>, example: &str) -> Result<&'v str, Fault> {
    value.as_str().ok_or_else(|| wrong_kind(value, "a text in quotes", example))
}

pub(super) fn wrong_kind(value: &DeValue<'_>, expected: &str, example: &str) -> Fault {
    Fault::new(format!("is {}, not {expected}", kind(value)), format!("write `{example}`"))
}

pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a yes or no",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
