//! What an answer means: for the batch, for each record in it, and for the lane. Pure.
//!
//! No status is final by default: a record is given up only where its profile or the destination's
//! configuration lists the answer, and where it stands alone. An answer with a status of success
//! that refuses is a class of its own: "200 but refused".

use super::breaker::Health;
use super::identity::SendError;
use crate::model::Record;
use crate::net::client::{Answer, CallError};
use crate::store::Leased;
use http::{HeaderMap, StatusCode, header};
use jiff::{Timestamp, fmt::rfc2822};
use std::borrow::Cow;
use std::collections::HashSet;
use std::error::Error;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The window in which the platform's wish to be left alone is obeyed.
const RETRY_AFTER: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);

/// How long a platform is left alone that asks for it without saying how long.
const UNSAID_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The most of the platform's words that is kept, in characters.
const QUOTE: usize = 200;

/// The most of them that is looked at.
const READ: usize = 2000;

/// So many characters in a row that a citizen said are known again; of a shorter text, all.
const RUN: usize = 8;

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Each record has its own, in the order of the batch.
    Each(Vec<ItemVerdict>),
    /// The whole batch is refused by the status, which may be the fault of one record.
    Refused(Refusal),
    /// The same by what stands in an answer whose status is a success.
    RefusedIn200(Refusal),
    /// The batch is too large.
    TooLarge {
        /// Whether the status is listed as one by which a record that stands alone dies.
        is_final: bool,
    },
    /// The platform wants to be left alone for so long.
    Throttled(Duration),
    /// Nothing was done, and nothing is wrong: the same again will do.
    Again(String),
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
    /// It is refused by what stands in an answer whose status is a success.
    RefusedIn200(Refusal),
}

/// The answer of a platform that did not take what it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it said.
    pub reason: String,
    /// Whether it is listed as one that no repeat would change.
    pub is_final: bool,
}

impl Verdict {
    /// The verdict on a request; `read` reads its answer, if there is one.
    #[must_use]
    pub fn of(
        answer: &Result<Answer, SendError>,
        read: impl FnOnce(&Answer) -> Verdict,
    ) -> Verdict {
        match answer {
            Ok(answer) => read(answer),
            Err(error @ (SendError::NoToken(_) | SendError::Call(CallError::Unreachable(_)))) => {
                Verdict::Fault(chain(error))
            }
            Err(SendError::Call(error @ (CallError::TimedOut | CallError::Broken(_)))) => {
                Verdict::Unknown(chain(error))
            }
            Err(error @ SendError::TokenEnded) => Verdict::Again(error.to_string()),
        }
    }

    /// What it says about the destination, if anything. A refusal that is listed is the answer of a
    /// platform that works. Of any other nobody knows, so it is a failure; but only of a record that
    /// stands alone, and only the first time: what is refused again and again may be its own fault,
    /// and holds up nobody else.
    #[must_use]
    pub fn health(&self, batch: &[Leased]) -> Option<Health> {
        match self {
            Verdict::Each(_) | Verdict::Again(_) => Some(Health::Well),
            Verdict::Refused(Refusal { is_final, .. })
            | Verdict::RefusedIn200(Refusal { is_final, .. })
            | Verdict::TooLarge { is_final } => match batch {
                _ if *is_final => Some(Health::Well),
                [Leased { attempt: 1, .. }] => Some(Health::Failed),
                _ => None,
            },
            Verdict::Throttled(wait) => Some(Health::Wait(*wait)),
            Verdict::Failed(_) | Verdict::Unknown(_) => Some(Health::Failed),
            Verdict::Fault(_) => Some(Health::Faulty),
        }
    }

    /// In short, for the history; empty when each record has its own verdict.
    #[must_use]
    pub fn summary(&self) -> Cow<'_, str> {
        match self {
            Verdict::Each(_) => Cow::Borrowed(""),
            Verdict::TooLarge { .. } => Cow::Borrowed("413: the batch is too large"),
            Verdict::Throttled(wait) => {
                Cow::Owned(format!("asked to wait for {} s", wait.as_secs()))
            }
            Verdict::Refused(Refusal { reason, .. })
            | Verdict::RefusedIn200(Refusal { reason, .. })
            | Verdict::Again(reason)
            | Verdict::Failed(reason)
            | Verdict::Unknown(reason)
            | Verdict::Fault(reason) => Cow::Borrowed(reason),
        }
    }
}

/// What a status means that is none of success, or whose answer says no more: `finals` refuse for
/// good, whatever they mean elsewhere. `said` is kept of the answer.
#[must_use]
pub fn by_status(answer: &Answer, finals: &[StatusCode], said: String, now: Timestamp) -> Verdict {
    let told = retry_after(&answer.headers, now);
    match answer.status {
        status @ StatusCode::PAYLOAD_TOO_LARGE => {
            Verdict::TooLarge { is_final: finals.contains(&status) }
        }
        status if finals.contains(&status) => {
            Verdict::Refused(Refusal { reason: said, is_final: true })
        }
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            Verdict::Refused(Refusal { reason: said, is_final: false })
        }
        StatusCode::TOO_MANY_REQUESTS => throttled(answer, now),
        StatusCode::SERVICE_UNAVAILABLE => {
            told.map_or_else(|| Verdict::Failed(said), Verdict::Throttled)
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_EARLY => {
            Verdict::Failed(said)
        }
        status if status.is_server_error() => Verdict::Failed(said),
        status if status.is_success() => Verdict::Unknown(said),
        // Redirects and the other client errors speak of the address or of us, not of a record.
        _ => Verdict::Fault(said),
    }
}

/// The platform wants to be left alone, for as long as it says.
#[must_use]
pub fn throttled(answer: &Answer, now: Timestamp) -> Verdict {
    Verdict::Throttled(retry_after(&answer.headers, now).unwrap_or(UNSAID_RETRY_AFTER))
}

/// An answer of which nothing can be read: nobody knows whether the work was done.
#[must_use]
pub fn unreadable(answer: &Answer) -> Verdict {
    Verdict::Unknown(format!("{} with an unreadable body", answer.status.as_u16()))
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

/// A platform's wish to be left alone, brought into the window in which it is obeyed.
#[must_use]
pub fn bounded(wait: Duration) -> Duration {
    wait.clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end())
}

/// The platform's words about these records, fit to be kept: as [`quote`], and without what the
/// citizens said, of which even a part may have been sent and be repeated.
#[must_use]
pub fn about<'r>(records: impl IntoIterator<Item = &'r Record>, said: &str) -> String {
    let said: Vec<char> = said.chars().take(READ).collect();
    let mut is_theirs = vec![false; said.len()];
    for record in records {
        let comment: Vec<char> = record.comment.0.chars().collect();
        let run = comment.len().min(RUN);
        if run == 0 {
            continue;
        }
        let runs: HashSet<&[char]> = comment.windows(run).collect();
        for (place, window) in said.windows(run).enumerate() {
            if runs.contains(window) {
                is_theirs[place..place + run].fill(true);
            }
        }
    }
    let mut kept = String::new();
    for (place, character) in said.iter().enumerate() {
        match is_theirs[place] {
            false => kept.push(*character),
            true if place == 0 || !is_theirs[place - 1] => kept.push('…'),
            true => {}
        }
    }
    quote(&kept)
}

/// The platform's words, fit to be kept: short, on one line, and without digits that may be
/// somebody's number.
#[must_use]
pub fn quote(text: &str) -> String {
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
    use crate::egress::identity::TokenError;
    use crate::egress::samples::{batch, leased, now, rating};
    use crate::model::Comment;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(header::RETRY_AFTER, value.parse().expect("a header"));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        let answer = Answer { status, headers, body: Bytes::new() };
        by_status(&answer, &[StatusCode::GONE], status.as_u16().to_string(), now())
    }

    #[test]
    fn every_status_has_its_meaning() {
        let text = |status: u16| status.to_string();
        let refused = |status: u16, is_final| {
            Verdict::Refused(Refusal { reason: status.to_string(), is_final })
        };
        let throttled = |seconds| Verdict::Throttled(Duration::from_secs(seconds));
        for status in [301, 302, 307, 401, 402, 403, 404, 405, 407, 415, 421, 451] {
            assert_eq!(answer(status, None), Verdict::Fault(text(status)));
        }
        for status in [408, 409, 425, 500, 501, 502, 503, 504, 599] {
            assert_eq!(answer(status, None), Verdict::Failed(text(status)));
        }
        for status in [400, 422] {
            assert_eq!(answer(status, None), refused(status, false), "nothing is final by itself");
        }
        assert_eq!(answer(410, None), refused(410, true), "but what is listed");
        assert_eq!(answer(413, None), Verdict::TooLarge { is_final: false });
        assert_eq!(answer(429, None), throttled(5));
        for (value, seconds) in [
            ("30", 30),
            ("0", 1),
            ("86400", 300),
            ("Thu, 05 Mar 2026 02:21:00 GMT", 20),
            ("Thu, 05 Mar 2020 02:21:00 GMT", 1),
        ] {
            assert_eq!(answer(429, Some(value)), throttled(seconds), "{value}");
            assert_eq!(answer(503, Some(value)), throttled(seconds), "{value}");
        }
        assert_eq!(answer(429, Some("soon")), throttled(5));
        assert_eq!(answer(503, Some("soon")), Verdict::Failed(text(503)));
    }

    #[test]
    fn no_answer_is_no_knowledge_and_no_connection_is_a_fault() {
        let of = |error: CallError| Verdict::of(&Err(error.into()), |_| unreachable!());
        assert!(matches!(of(CallError::TimedOut), Verdict::Unknown(_)));
        assert!(matches!(of(CallError::Broken("reset".into())), Verdict::Unknown(_)));
        let Verdict::Fault(cause) = of(CallError::Unreachable("no such host".into())) else {
            panic!("a destination that cannot be reached is a fault");
        };
        assert!(cause.ends_with("certificates: no such host"), "{cause}");
    }

    #[test]
    fn a_token_that_ends_costs_a_try_and_one_that_cannot_be_had_holds_the_lane() {
        let of = |error| Verdict::of(&Err(error), |_| unreachable!());
        let ended = of(SendError::TokenEnded);
        assert!(matches!(ended, Verdict::Again(_)));
        assert_eq!(ended.health(&batch(1)), Some(Health::Well));
        let none = of(SendError::NoToken(TokenError::TooEarly("the server is down".to_owned())));
        assert_eq!(none, Verdict::Fault("no token: the server is down".to_owned()));
    }

    #[test]
    fn a_refusal_that_is_not_listed_fails_the_lane_by_the_first_try_of_a_record_alone() {
        let refusal = |is_final| Refusal { reason: String::new(), is_final };
        for of in [
            (|it| Verdict::Refused(it)) as fn(Refusal) -> Verdict,
            Verdict::RefusedIn200,
            |Refusal { is_final, .. }| Verdict::TooLarge { is_final },
        ] {
            let known = Leased { attempt: 2, ..leased(0) };
            assert_eq!(of(refusal(false)).health(&batch(1)), Some(Health::Failed));
            assert_eq!(of(refusal(false)).health(&[known]), None, "it was refused before");
            assert_eq!(
                of(refusal(false)).health(&batch(2)),
                None,
                "one of the two may be at fault"
            );
            assert_eq!(of(refusal(true)).health(&batch(1)), Some(Health::Well));
        }
    }

    #[test]
    fn no_part_of_what_a_citizen_said_is_kept() {
        let said = |number: u32, text: &str| {
            let mut record = rating(number);
            record.comment = Comment(text.to_owned());
            record
        };
        let long = said(1, "我在窗口等了两个小时没有人理我，工作人员态度很差");
        let short = said(2, "太慢");
        let told = "『我在窗口等了两个小时没有人』太长，『太慢』太短，2 个小时内重试";
        let kept = "『…』太长，『…』太短，2 个小时内重试";
        assert_eq!(about([&long, &short], told), kept);
        assert_eq!(about([], "nobody said that"), "nobody said that");
    }

    proptest! {
        #[test]
        fn of_a_comment_that_is_repeated_no_run_is_kept(
            comment in "[a-f]{8,60}", from in 0_usize..40, before in "[x-z ]{0,9}", after in "[x-z ]{0,9}",
        ) {
            let mut record = rating(1);
            record.comment = Comment(comment.clone());
            let part = &comment[from.min(comment.len() - RUN)..];
            let kept = about([&record], &format!("{before}{part}{after}"));
            prop_assert_eq!(kept, format!("{before}…{after}"));
        }

        #[test]
        fn quotes_are_short_and_hold_no_number(text in "[0-9a-z+\\- 中\n]{0,400}") {
            let quoted = quote(&text);
            prop_assert!(quoted.chars().count() <= QUOTE + 1);
            let mut runs = quoted.split(|c: char| !c.is_ascii_digit());
            prop_assert!(runs.all(|run| run.len() < 5), "{}", quoted);
        }
    }
}
