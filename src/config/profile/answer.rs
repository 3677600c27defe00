//! By which rule the answer of a destination is a success: its status, and what stands in it.

use crate::config::dialect::{AnswerFormat, Code, CodePlace, code_of, code_place, texts};
use crate::config::problem::{Fault, one_of};
use crate::config::raw::Section;
use crate::config::values::wrong_kind;
use http::StatusCode;
use toml::de::DeValue;

/// By which rule an answer is a success. What no list has is refused, and tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRule {
    /// What the answer is written in.
    pub format: AnswerFormat,
    /// The statuses of an answer that may be a success; empty: all of 2xx.
    pub statuses: Vec<StatusCode>,
    /// Where the code stands that says what became of the record: of several places the first that
    /// is there and not empty.
    pub code: Vec<CodePlace>,
    /// Where it is said in words; the lists below, but for success, have these too.
    pub message: Option<CodePlace>,
    /// The codes of success.
    pub success: Vec<Code>,
    /// The record was there before: a success.
    pub duplicate: Vec<Code>,
    /// It does not know us, or no longer: the lane holds, and a token is given up.
    pub identity: Vec<Code>,
    /// Later, and slower.
    pub throttled: Vec<Code>,
    /// Later.
    pub retry: Vec<Code>,
    /// No repeat would change it: a dead letter.
    pub last: Vec<Code>,
}

/// Reads `answer`.
pub(super) fn answer(section: &mut Section<'_>) -> Option<AnswerRule> {
    section.demand("format", "write format = \"json\", \"xml\" or \"text\"");
    section.demand("code", "say where the code stands, code = \"code\", or \"status:\", \"body:\"");
    section.demand("success", "name the codes of success, success = [\"0\"]");
    let format =
        section.text("format", "\"json\"", |it| one_of(it, "a format", &AnswerFormat::NAMES));
    let statuses = section.list("statuses", "[200]", success_status);
    let code = texts(section, "code", "\"code\"", code_place);
    let message = section.text("message", "\"msg\"", code_place);
    let success = texts(section, "success", "[\"0\"]", |it| Ok(code_of(it)));
    let mut list = |key| {
        let codes = texts(section, key, "[\"E*\", \"*重复*\"]", |it| Ok(code_of(it)));
        codes.map(|codes| codes.value).unwrap_or_default()
    };
    let (duplicate, identity) = (list("duplicate"), list("identity"));
    let throttled = list("throttled");
    let (retry, last) = (list("retry"), list("final"));
    Some(AnswerRule {
        format: format?.value,
        statuses: statuses
            .map(|list| list.value.into_iter().map(|status| status.value).collect())
            .unwrap_or_default(),
        code: code?.value,
        message: message.map(|place| place.value),
        success: success?.value,
        duplicate,
        identity,
        throttled,
        retry,
        last,
    })
}

fn success_status(value: &DeValue<'_>) -> Result<StatusCode, Fault> {
    let DeValue::Integer(integer) = value else {
        return Err(wrong_kind(value, "a number", "200"));
    };
    let number = u16::from_str_radix(integer.as_str(), integer.radix()).unwrap_or_default();
    let status = StatusCode::from_u16(number).ok().filter(StatusCode::is_success);
    let right = "write statuses from 200 to 299; others are never a success";
    status.ok_or_else(|| Fault::new(format!("{number} is no status of success"), right))
}
