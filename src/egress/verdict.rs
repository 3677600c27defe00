//! What an answer means: for the batch, for each record in it, and for the lane. Pure.
//!
//! No status is final by default: a record is rejected only where the platform names it alone.

use super::breaker::Health;
use super::identity::SendError;
use super::native::{self, ItemResult, ItemStatus, Key};
use crate::net::client::{Answer, CallError};
use crate::store::Leased;
use http::{HeaderMap, StatusCode, header};
use jiff::{Timestamp, fmt::rfc2822};
use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The window in which the platform's wish to be left alone is obeyed.
const RETRY_AFTER: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);

/// How long a platform is left alone that asks for it without saying how long.
const UNSAID_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The most of the platform's words that is kept, in characters.
const QUOTE: usize = 200;

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Each record has its own, in the order of the batch.
    Each(Vec<ItemVerdict>),
    /// The whole batch is refused, which may be the fault of one record.
    Refused(String),
    /// The batch is too large.
    TooLarge,
    /// The platform wants to be left alone for so long.
    Throttled(Duration),
    /// The platform failed; whether it did the work first is not known.
    Failed(String),
    /// Nothing is known of any record.
    Unknown(String),
    /// No request can succeed before somebody repairs something.
    Fault(String),
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemVerdict {
    /// The platform has it now.
    Delivered,
    /// The platform had it from an earlier attempt.
    Duplicate,
    /// It is to be sent again.
    Retry {
        /// Why.
        reason: String,
        /// Not before so long, if the platform said so.
        asked: Option<Duration>,
    },
    /// The platform will never take it.
    Rejected(String),
}

impl Verdict {
    /// The verdict on a request with `batch`.
    #[must_use]
    pub fn of(answer: &Result<Answer, SendError>, batch: &[Leased], now: Timestamp) -> Verdict {
        match answer {
            Ok(answer) => of_answer(answer, batch, now),
            Err(error @ (SendError::NoToken(_) | SendError::Call(CallError::Unreachable(_)))) => {
                Verdict::Fault(chain(error))
            }
            Err(SendError::Call(error @ (CallError::TimedOut | CallError::Broken(_)))) => {
                Verdict::Unknown(chain(error))
            }
            // The platform works, and so does the lane.
            Err(error @ SendError::TokenEnded) => {
                let again = ItemVerdict::Retry { reason: error.to_string(), asked: None };
                Verdict::Each(vec![again; batch.len()])
            }
        }
    }

    /// What it says about the destination. A refusal is the answer of a platform that works.
    #[must_use]
    pub fn health(&self) -> Health {
        match self {
            Verdict::Each(_) | Verdict::Refused(_) | Verdict::TooLarge => Health::Well,
            Verdict::Throttled(wait) => Health::Wait(*wait),
            Verdict::Failed(_) | Verdict::Unknown(_) => Health::Failed,
            Verdict::Fault(_) => Health::Faulty,
        }
    }

    /// In short, for the history; empty when each record has its own verdict.
    #[must_use]
    pub fn summary(&self) -> Cow<'_, str> {
        match self {
            Verdict::Each(_) => Cow::Borrowed(""),
            Verdict::TooLarge => Cow::Borrowed("the batch is too large"),
            Verdict::Throttled(wait) => {
                Cow::Owned(format!("asked to wait for {} s", wait.as_secs()))
            }
            Verdict::Refused(reason)
            | Verdict::Failed(reason)
            | Verdict::Unknown(reason)
            | Verdict::Fault(reason) => Cow::Borrowed(reason),
        }
    }
}

fn of_answer(answer: &Answer, batch: &[Leased], now: Timestamp) -> Verdict {
    let status = answer.status;
    let told = retry_after(&answer.headers, now);
    let said = || refusal(answer);
    match status {
        _ if status.is_success() => match native::read(&answer.body) {
            Ok(results) => Verdict::Each(of_results(results, batch)),
            Err(_) => Verdict::Unknown(format!("{} with an unreadable body", status.as_u16())),
        },
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Verdict::Refused(said()),
        StatusCode::PAYLOAD_TOO_LARGE => Verdict::TooLarge,
        StatusCode::TOO_MANY_REQUESTS => Verdict::Throttled(told.unwrap_or(UNSAID_RETRY_AFTER)),
        StatusCode::SERVICE_UNAVAILABLE => {
            told.map_or_else(|| Verdict::Failed(said()), Verdict::Throttled)
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_EARLY => {
            Verdict::Failed(said())
        }
        _ if status.is_server_error() => Verdict::Failed(said()),
        // Redirects and the other client errors speak of the address or of us, not of a record.
        _ => Verdict::Fault(said()),
    }
}

fn of_results(results: Vec<ItemResult<'_>>, batch: &[Leased]) -> Vec<ItemVerdict> {
    let mut results: HashMap<Key, ItemResult<'_>> =
        results.into_iter().filter_map(|result| Some((Key::read(&result.key)?, result))).collect();
    batch
        .iter()
        .map(|leased| match results.remove(&Key::of(&leased.record)) {
            Some(result) => of_result(&result, leased),
            None => ItemVerdict::Retry { reason: "not in the answer".to_owned(), asked: None },
        })
        .collect()
}

fn of_result(result: &ItemResult<'_>, leased: &Leased) -> ItemVerdict {
    let reason = || {
        let said = result.reason.as_deref().unwrap_or_default();
        let comment = leased.record.comment.0.as_str();
        if comment.is_empty() { quote(said) } else { quote(&said.replace(comment, "…")) }
    };
    let asked = result.retry_after.map(|seconds| bounded(Duration::from_secs(seconds.into())));
    match result.status {
        ItemStatus::Accepted => ItemVerdict::Delivered,
        ItemStatus::Duplicate => ItemVerdict::Duplicate,
        ItemStatus::Retry => ItemVerdict::Retry { reason: reason(), asked },
        ItemStatus::Rejected => ItemVerdict::Rejected(reason()),
        ItemStatus::Unknown => {
            ItemVerdict::Retry { reason: "answered with an unknown status".to_owned(), asked }
        }
    }
}

/// The status, and the documented `reason` if there is one. Any other body is left out: it may
/// repeat what we sent.
fn refusal(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    match native::read_refusal(&answer.body) {
        Some(reason) if !reason.is_empty() => format!("{status}: {}", quote(&reason)),
        _ => status.to_string(),
    }
}

/// The header's wish (RFC 9110, section 10.2.3: seconds or a date), brought into the window.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(bounded(Duration::from_secs(seconds)));
    }
    let until = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(bounded(Duration::try_from(until.duration_since(now)).unwrap_or_default()))
}

fn bounded(wait: Duration) -> Duration {
    wait.clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end())
}

/// The platform's words, fit to be kept: short, on one line, and without digits that may be
/// somebody's number.
fn quote(text: &str) -> String {
    let mut quoted = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let (length, digits) = number_at(rest);
        let taken = length.max(character.len_utf8());
        if digits >= 5 {
            quoted.push_str("****");
        } else {
            quoted.extend(rest[..taken].chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        rest = &rest[taken..];
    }
    match quoted.char_indices().nth(QUOTE) {
        Some((end, _)) => format!("{}…", &quoted[..end]),
        None => quoted,
    }
}

/// The length in bytes and the digits of what the text begins with, if that is digits with at
/// most a hyphen or a space between two of them.
fn number_at(text: &str) -> (usize, usize) {
    let (mut length, mut digits) = (0, 0);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => (length, digits) = (place + 1, digits + 1),
            b'-' | b' ' if digits > 0 && length == place => {}
            _ => break,
        }
    }
    (length, digits)
}

/// An error and its sources on one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::samples::{batch, now};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn answer(status: u16, retry_after: Option<&str>, body: impl Into<Bytes>) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(header::RETRY_AFTER, value.parse().expect("a header"));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        let answer = Answer { status, headers, body: body.into() };
        Verdict::of(&Ok(answer), &batch(3), now())
    }

    fn retry(reason: &str, asked: Option<u64>) -> ItemVerdict {
        ItemVerdict::Retry { reason: reason.to_owned(), asked: asked.map(Duration::from_secs) }
    }

    #[test]
    fn every_status_has_its_meaning() {
        let text = |status: u16| status.to_string();
        let throttled = |seconds| Verdict::Throttled(Duration::from_secs(seconds));
        for status in [301, 302, 307, 401, 402, 403, 404, 405, 407, 410, 415, 421, 451] {
            assert_eq!(answer(status, None, "a page"), Verdict::Fault(text(status)));
        }
        for status in [408, 409, 425, 500, 501, 502, 503, 504, 599] {
            assert_eq!(answer(status, None, "a page"), Verdict::Failed(text(status)));
        }
        for status in [400, 422] {
            assert_eq!(answer(status, None, "a page"), Verdict::Refused(text(status)));
        }
        assert_eq!(answer(413, None, ""), Verdict::TooLarge);
        assert_eq!(answer(429, None, ""), throttled(5));
        for (value, seconds) in [
            ("30", 30),
            ("0", 1),
            ("86400", 300),
            ("Thu, 05 Mar 2026 02:21:00 GMT", 20),
            ("Thu, 05 Mar 2020 02:21:00 GMT", 1),
        ] {
            assert_eq!(answer(429, Some(value), ""), throttled(seconds), "{value}");
            assert_eq!(answer(503, Some(value), ""), throttled(seconds), "{value}");
        }
        assert_eq!(answer(429, Some("soon"), ""), throttled(5));
        assert_eq!(answer(503, Some("soon"), ""), Verdict::Failed(text(503)));
    }

    #[test]
    fn no_answer_is_no_knowledge_and_no_connection_is_a_fault() {
        let of = |error| Verdict::of(&Err(error), &batch(1), now());
        assert!(matches!(of(CallError::TimedOut), Verdict::Unknown(_)));
        assert!(matches!(of(CallError::Broken("reset".into())), Verdict::Unknown(_)));
        let Verdict::Fault(cause) = of(CallError::Unreachable("no such host".into())) else {
            panic!("a destination that cannot be reached is a fault");
        };
        assert!(cause.ends_with("certificates: no such host"), "{cause}");
    }

    #[test]
    fn a_success_that_cannot_be_read_says_nothing() {
        for body in ["", "ok", "<html>", "{}", r#"{"results":{}}"#, r#"{"results":[{"key":1}]}"#] {
            assert!(matches!(answer(200, None, body), Verdict::Unknown(_)), "{body}");
        }
    }

    #[test]
    fn each_record_gets_its_own_verdict_whatever_the_order() {
        let keys: Vec<String> =
            batch(3).iter().map(|leased| leased.record.idempotency_key()).collect();
        let body = format!(
            r#"{{"results":[
                {{"key":"{}","status":"retry","reason":"later","retry_after":2}},
                {{"key":"unheard of","status":"rejected"}},
                {{"key":"{}","status":"accepted","extra":1}}
            ]}}"#,
            keys[2], keys[0]
        );
        let verdicts =
            vec![ItemVerdict::Delivered, retry("not in the answer", None), retry("later", Some(2))];
        assert_eq!(answer(200, None, body), Verdict::Each(verdicts));
        let body = format!(
            r#"{{"results":[{{"key":"{}","status":"duplicate"}},{{"key":"{}","status":"rejected",
                "reason":"no such case"}},{{"key":"{}","status":"maybe"}}]}}"#,
            keys[0], keys[1], keys[2]
        );
        let verdicts = vec![
            ItemVerdict::Duplicate,
            ItemVerdict::Rejected("no such case".to_owned()),
            retry("answered with an unknown status", None),
        ];
        assert_eq!(answer(200, None, body), Verdict::Each(verdicts));
    }

    #[test]
    fn what_is_kept_of_an_answer_names_nobody() {
        for (said, kept) in [
            ("caller +8613940000001\\nunknown", "caller +**** unknown"),
            ("caller 139-4000 0001, line 12", "caller ****, line 12"),
            ("12 of 100 - 7", "12 of 100 - 7"),
        ] {
            let refused = format!(r#"{{"reason":"{said}"}}"#);
            assert_eq!(answer(422, None, refused), Verdict::Refused(format!("422: {kept}")));
        }
        let key = batch(1)[0].record.idempotency_key();
        let body = format!(
            r#"{{"results":[{{"key":"{key}","status":"rejected","reason":"comment 等了\n两个小时 is too short"}}]}}"#
        );
        let Verdict::Each(verdicts) = answer(200, None, body) else { panic!("an answer") };
        assert_eq!(verdicts[0], ItemVerdict::Rejected("comment … is too short".to_owned()));
    }

    proptest! {
        #[test]
        fn quotes_are_short_and_hold_no_number(text in "[0-9a-z+\\- 中\n]{0,400}") {
            let quoted = quote(&text);
            prop_assert!(quoted.chars().count() <= QUOTE + 1);
            let mut runs = quoted.split(|c: char| !c.is_ascii_digit());
            prop_assert!(runs.all(|run| run.len() < 5), "{}", quoted);
        }

        #[test]
        fn any_answer_has_a_verdict_for_each_record(status in 100_u16..600, body in any::<Vec<u8>>()) {
            if let Verdict::Each(verdicts) = answer(status, None, body) {
                prop_assert_eq!(verdicts.len(), 3);
            }
        }
    }
}
