//! The fields of an item, asked for one by one, and what is found wrong on the way. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// What is wrong with a field, without its value, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The field; `item` for the item as a whole.
    pub field: Cow<'static, str>,
    /// What is wrong.
    pub wrong: Cow<'static, str>,
    /// What would be right.
    pub right: Cow<'static, str>,
}

impl Problem {
    /// The field that stands for the item as a whole.
    pub const ITEM: &'static str = "item";

    /// Of a field.
    pub fn new(
        field: &'static str,
        wrong: impl Into<Cow<'static, str>>,
        right: impl Into<Cow<'static, str>>,
    ) -> Problem {
        Problem { field: field.into(), wrong: wrong.into(), right: right.into() }
    }
}

/// An item while it is read. An empty text and `null` are as if the field were not there.
pub(super) struct Fields<'a> {
    item: &'a Map<String, Value>,
    problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(item: &'a Map<String, Value>) -> Fields<'a> {
        Fields { item, problems: Vec::new() }
    }

    /// All that was found wrong; fields that are none of these are, too.
    pub(super) fn finish(mut self, known: &[&str]) -> Vec<Problem> {
        let strange = self.item.keys().filter(|key| !known.contains(&key.as_str())).count();
        if strange > 0 {
            // Their names may be anything, so they are not repeated.
            let wrong = format!("holds names that are not known here: {strange}");
            let right = "take them out; upper and lower case count";
            self.reject(Problem::ITEM, wrong, right);
        }
        self.problems
    }

    /// Notes a problem.
    pub(super) fn reject(
        &mut self,
        field: &'static str,
        wrong: impl Into<Cow<'static, str>>,
        right: impl Into<Cow<'static, str>>,
    ) {
        self.problems.push(Problem::new(field, wrong, right));
    }

    /// Whether anything was found wrong with one of these.
    pub(super) fn is_faulty(&self, fields: &[&str]) -> bool {
        self.problems.iter().any(|problem| fields.contains(&&*problem.field))
    }

    /// Whether the field says anything.
    pub(super) fn has(&self, field: &str) -> bool {
        self.value(field).is_some()
    }

    /// Notes that the field is missing, if it is.
    pub(super) fn demand(&mut self, field: &'static str, right: &'static str) {
        if !self.has(field) {
            self.reject(field, "is missing", right);
        }
    }

    fn value(&self, field: &str) -> Option<&'a Value> {
        let says = |value: &&Value| !value.is_null() && value.as_str() != Some("");
        self.item.get(field).filter(says)
    }

    /// A text of at most so many characters, without control characters.
    pub(super) fn text(&mut self, field: &'static str, most: usize) -> Option<&'a str> {
        let value = self.value(field)?;
        let Some(text) = value.as_str() else {
            self.reject(field, format!("is {}", kind(value)), "write a text in quotes");
            return None;
        };
        if text.chars().count() > most {
            let right = format!("write at most {most} characters");
            self.reject(field, "is too long", right);
            return None;
        }
        if text.chars().any(char::is_control) {
            self.reject(field, "holds a control character", "write it on one line, as plain text");
            return None;
        }
        Some(text)
    }

    /// A text that is kept as it is, and so may not begin or end with blanks that nobody sees.
    pub(super) fn opaque(&mut self, field: &'static str, most: usize) -> Option<&'a str> {
        let text = self.text(field, most)?;
        if text.trim() == text {
            return Some(text);
        }
        self.reject(field, "begins or ends with a blank", "write it without");
        None
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        field: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(field, 64)?;
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meant);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let known = known.join(" or ");
        self.reject(field, "is none of the known words", format!("write {known}"));
        None
    }

    /// A whole number, which a table may have as text.
    pub(super) fn number(
        &mut self,
        field: &'static str,
        bounds: RangeInclusive<u32>,
    ) -> Option<u32> {
        let number = match self.value(field)? {
            Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok()
            }
            value => value.as_u64().and_then(|number| u32::try_from(number).ok()),
        };
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            let right = format!("write a whole number from {} to {}", bounds.start(), bounds.end());
            self.reject(field, "is no such number", right);
        }
        number
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a yes or no",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
