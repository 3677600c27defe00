//! What an answer means by the rule of its destination: for every profile without a contract that
//! says it.
//!
//! ```text
//! success ─────────────────────────────▶ delivered
//! duplicate ───────────────────────────▶ delivered, by an earlier attempt
//! identity ────────────────────────────▶ a fault: the lane holds, or a token is given up
//! throttled, retry ────────────────────▶ again, later
//! final ───────────────────────────────▶ a dead letter
//! another code, the status a success ──▶ refused in 200: again, until attempts or age run out
//! no code, the status a success ───────▶ unknown: again, under the same key
//! another status ──────────────────────▶ as the status says
//! ```

use crate::carrier::Reading;
use crate::config::dialect::Code;
use crate::config::profile::AnswerRule;
use crate::egress::verdict::{ItemVerdict, Refusal, Verdict, about, by_status};
use crate::egress::verdict::{throttled, unreadable};
use crate::model::Record;
use crate::net::client::Answer;
use http::StatusCode;
use jiff::Timestamp;

/// What the answer to a request with one record means.
#[must_use]
pub(super) fn read(
    rule: &AnswerRule,
    finals: &[StatusCode],
    answer: &Answer,
    record: &Record,
    now: Timestamp,
) -> Verdict {
    let status = answer.status;
    let reading = Reading::new(rule.format, status, &answer.body);
    let code = rule.code.iter().find_map(|place| reading.at(place));
    let message = rule.message.as_ref().and_then(|place| reading.at(place));
    let told = said(record, code.as_deref(), message.as_deref());
    let by_status = || by_status(answer, finals, told_with(status, &told), now);
    if !speaks_of_records(status) {
        return by_status();
    }
    let Some(code) = code else {
        return if status.is_success() { unreadable(answer) } else { by_status() };
    };
    let is_code = |codes: &[Code]| codes.iter().any(|it| it.fits(&code));
    let in_words = |codes: &[Code]| {
        message.as_ref().is_some_and(|message| codes.iter().any(|it| it.fits(message)))
    };
    let is_one = |codes: &[Code]| is_code(codes) || in_words(codes);
    let may_succeed = match rule.statuses.as_slice() {
        [] => status.is_success(),
        statuses => statuses.contains(&status),
    };
    if may_succeed && is_code(&rule.success) {
        Verdict::Each(vec![ItemVerdict::Delivered])
    } else if is_one(&rule.duplicate) {
        Verdict::Each(vec![ItemVerdict::Duplicate])
    } else if is_one(&rule.identity) {
        Verdict::Fault(told_with(status, &told))
    } else if is_one(&rule.throttled) {
        throttled(answer, now)
    } else if is_one(&rule.retry) {
        Verdict::Failed(told_with(status, &told))
    } else if is_one(&rule.last) {
        refused(status, &told, true)
    } else if reading.is_somebody_elses() {
        Verdict::Unknown(format!("{} with a text that no list has", status.as_u16()))
    } else if status.is_success() {
        refused(status, &told, false)
    } else {
        by_status()
    }
}

/// Whether an answer says that its destination does not know us, or no longer.
#[must_use]
pub(super) fn disowns(rule: &AnswerRule, answer: &Answer) -> bool {
    if rule.identity.is_empty() || !speaks_of_records(answer.status) {
        return false;
    }
    let reading = Reading::new(rule.format, answer.status, &answer.body);
    let Some(code) = rule.code.iter().find_map(|place| reading.at(place)) else { return false };
    let message = rule.message.as_ref().and_then(|place| reading.at(place));
    let is_one = |codes: &[Code]| {
        codes.iter().any(|it| it.fits(&code) || message.as_ref().is_some_and(|said| it.fits(said)))
    };
    let succeeds = rule.success.iter().any(|it| it.fits(&code));
    !succeeds && !is_one(&rule.duplicate) && is_one(&rule.identity)
}

/// Whether an answer with this status can be about what was sent: others are about who we are, the
/// address or the time, whatever stands in them.
fn speaks_of_records(status: StatusCode) -> bool {
    status.is_success()
        || matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY
        )
}

fn refused(status: StatusCode, told: &str, is_final: bool) -> Verdict {
    match status.is_success() {
        true => Verdict::RefusedIn200(Refusal {
            reason: format!("refused in {}: {told}", status.as_u16()),
            is_final,
        }),
        false => Verdict::Refused(Refusal { reason: told_with(status, told), is_final }),
    }
}

fn told_with(status: StatusCode, told: &str) -> String {
    match told {
        "" => status.as_u16().to_string(),
        told => format!("{}: {told}", status.as_u16()),
    }
}

/// Code and message, fit to be kept.
fn said(record: &Record, code: Option<&str>, message: Option<&str>) -> String {
    let parts = [code.map(|code| format!("code {code}")), message.map(str::to_owned)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    about([record], &parts.join(", "))
}

#[cfg(test)]
mod tests;
