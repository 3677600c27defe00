//! What an answer says about a message.

use crate::carrier::Reading;
use crate::config::Sending;
use crate::config::dialect::{CarrierId, CodePlace, SendAnswer};
use crate::model::{Message, MessageId};
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The most characters of a code that are kept.
const CODE: usize = 64;

/// How long a carrier may ask to be left alone, at least and at most.
const WAIT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);

/// What an answer says about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendVerdict {
    /// The carrier has it.
    Sent {
        /// Its id of it, by which delivery reports name it; `None`: it gives none.
        carrier_id: Option<MessageId>,
    },
    /// Not now, and slower from now on.
    Throttled {
        /// How long it wants to be left alone, where it says so.
        wait: Option<Duration>,
        /// The code.
        code: String,
    },
    /// It was not taken and may be later.
    Retry {
        /// The code, or the status.
        code: String,
    },
    /// It will never be taken.
    Final {
        /// The code.
        code: String,
    },
    /// Whether it was taken is not known.
    Unknown,
}

/// What the answer says.
///
/// Without a code that can be read, a status 429 or 503 means later, another 3xx or 4xx that nothing
/// was done; anything else may be an answer of something in between, when the carrier has done its
/// work or not.
#[must_use]
pub fn verdict(
    sending: &Sending,
    message: &Message,
    status: StatusCode,
    headers: &HeaderMap,
    body: &Bytes,
) -> SendVerdict {
    let answer = &sending.submission.answer;
    let reading = Reading::new(answer.format, status, body);
    let throttled = |code: String| SendVerdict::Throttled { wait: wait(headers), code };
    let found = answer.code.iter().find_map(|place| Some((place, reading.at(place)?)));
    let Some((place, code)) = found else {
        let code = status.as_str().to_owned();
        return match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => throttled(code),
            StatusCode::REQUEST_TIMEOUT => SendVerdict::Unknown,
            status if status.is_client_error() || status.is_redirection() => {
                SendVerdict::Retry { code }
            }
            _ => SendVerdict::Unknown,
        };
    };
    let is_one = |codes: &[crate::config::dialect::Code]| codes.iter().any(|it| it.fits(&code));
    let told = shown(&code);
    if is_one(&answer.sent) && (status.is_success() || *place == CodePlace::Status) {
        SendVerdict::Sent { carrier_id: carrier_id(answer, &reading, message) }
    } else if is_one(&answer.throttled) {
        throttled(told)
    } else if is_one(&answer.rejected) {
        SendVerdict::Final { code: told }
    } else if reading.is_somebody_elses() {
        SendVerdict::Unknown
    } else {
        SendVerdict::Retry { code: told }
    }
}

fn carrier_id(answer: &SendAnswer, reading: &Reading<'_>, message: &Message) -> Option<MessageId> {
    match answer.id.as_ref()? {
        CarrierId::Ours => Some(MessageId(message.key.to_string())),
        CarrierId::Given { place, after, before } => {
            let text = reading.at(place)?;
            let (_, rest) = text.split_once(after.as_str())?;
            let id = match before.is_empty() {
                true => rest,
                false => rest.split_once(before.as_str())?.0,
            };
            (!id.is_empty()).then(|| MessageId(id.to_owned()))
        }
    }
}

/// A code as it may be logged: short, and without runs of digits that could be a number.
fn shown(code: &str) -> String {
    let mut shown = String::new();
    let mut digits = 0;
    for character in code.chars().take(CODE).filter(|character| !character.is_control()) {
        digits = if character.is_ascii_digit() { digits + 1 } else { 0 };
        if digits < 7 {
            shown.push(character);
        } else if digits == 7 {
            shown.truncate(shown.len() - 6);
            shown.push('…');
        }
    }
    shown
}

fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(*WAIT.start(), *WAIT.end()))
}
