//! What the province's answer means. It is about the one rating of the request; only texts that
//! are listed end a rating, and any other refusal is tried again.

use crate::config::National;
use crate::egress::verdict::{self, ItemVerdict, Refusal, Verdict, about};
use crate::net::client::Answer;
use crate::store::Leased;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Where the services of this family say in words what they did.
const WORDS: [&str; 7] = ["C-Response-Desc", "msg", "message", "text", "desc", "error", "errorMsg"];

/// Where such words may lie further in.
const WITHIN: [&str; 3] = ["C-Response-Body", "custom", "data"];

/// Reads an answer.
pub(super) fn read(
    answer: &Answer,
    batch: &[Leased],
    national: &National,
    finals: &[StatusCode],
    now: Timestamp,
) -> Verdict {
    let each = |verdict: ItemVerdict| Verdict::Each(vec![verdict; batch.len()]);
    let status = answer.status;
    let body = serde_json::from_slice::<Map<String, Value>>(&answer.body).ok();
    let said = body.as_ref().map(words).unwrap_or_default();
    let kept = about(batch.iter().map(|leased| &leased.record), &said);
    let is_listed = |texts: &[String]| texts.iter().any(|text| said.contains(text.as_str()));
    let refused = |is_final| match status.is_success() {
        true => {
            let reason = format!("refused in 200: {kept}");
            Verdict::RefusedIn200(Refusal { reason, is_final })
        }
        false => {
            let reason = format!("{}: {kept}", status.as_u16());
            Verdict::Refused(Refusal { reason, is_final })
        }
    };
    match body {
        Some(body) if status.is_success() && is_success(&body) => each(ItemVerdict::Delivered),
        Some(_) if is_listed(&national.duplicates) => each(ItemVerdict::Duplicate),
        Some(_) if is_listed(&national.permanent) => refused(true),
        Some(_) if status.is_success() && !said.is_empty() => refused(false),
        _ if status.is_success() => verdict::unreadable(answer),
        _ => {
            let status = status.as_u16().to_string();
            let said = if kept.is_empty() { status } else { format!("{status}: {kept}") };
            verdict::by_status(answer, finals, said, now)
        }
    }
}

/// Both shapes of success, each in full: `code` 0 alone is also how some refuse.
fn is_success(body: &Map<String, Value>) -> bool {
    let says = |key: &str, expected: &str| body.get(key).is_some_and(|it| is(it, expected));
    let coded = says("code", "0") && says("success", "true");
    let described = says("C-Response-Desc", "success")
        && body.get("C-Response-Body").is_some_and(|within| !refuses(within));
    coded || described
}

/// Whether what lies in a success says that it is none.
fn refuses(within: &Value) -> bool {
    opened(within).is_some_and(|it| it.get("success").is_some_and(|it| !is(it, "true")))
}

fn is(value: &Value, expected: &str) -> bool {
    match value {
        Value::String(text) => text == expected,
        Value::Bool(flag) => expected.parse() == Ok(*flag),
        Value::Number(number) => number.as_i64().is_some_and(|it| expected.parse() == Ok(it)),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// What it says in words, here and one step further in; a "success" that is none says nothing.
fn words(body: &Map<String, Value>) -> String {
    let here = |map: &Map<String, Value>| -> Vec<String> {
        let texts = WORDS.iter().filter_map(|key| map.get(*key)?.as_str());
        texts.filter(|text| *text != "success").map(str::to_owned).collect()
    };
    let mut words = here(body);
    for key in WITHIN {
        words.extend(body.get(key).and_then(opened).iter().flat_map(here));
    }
    words.join("; ")
}

/// An object, also where it is written as a text.
fn opened(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests;
