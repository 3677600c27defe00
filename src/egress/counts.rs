//! Asking a platform what it has of a day, where its profile can be asked (`docs/platform-api.yaml`, `getCounts`).

use super::identity::SendError;
use super::platform::Platform;
use crate::config::{self, Destination};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The path below the destination's URL.
pub const PATH: &str = "/v1/records/counts";

/// What the platform has of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCounts {
    /// The day at +08:00 on which the gateway received the records.
    pub day: Date,
    /// How many different keys were accepted.
    pub accepted: Accepted,
}

/// Different keys that were accepted, by the kind of their records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Ratings.
    pub rating: u64,
    /// Complaints.
    pub complaint: u64,
    /// Ends without a rating.
    pub not_rated: u64,
}

impl Accepted {
    /// All of them.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.rating.saturating_add(self.complaint).saturating_add(self.not_rated)
    }
}

/// What a platform said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// This is what it has.
    Counts(Accepted),
    /// It does not know the question.
    CannotSay,
}

/// Why nothing is known of what a platform has.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No answer.
    #[error("the platform did not answer: {0}")]
    Unanswered(#[from] SendError),
    /// It refused.
    #[error(
        "the platform answered {0}; with 401 or 403 compare key_id, secret and clocks, else ask again"
    )]
    Refused(StatusCode),
    /// It answered something else.
    #[error("the platform's answer is not as docs/platform-api.yaml says: {0}")]
    Unreadable(&'static str),
}

/// Whether the destination's profile has this question.
#[must_use]
pub fn can_be_asked(destination: &Destination) -> bool {
    matches!(destination.profile, config::Profile::Native)
}

/// Asks what the platform has of a day; of all its gateways, or only what came under one key's id.
///
/// # Errors
/// [`AskError`].
pub async fn ask(platform: &Platform, day: Date, key_id: Option<&str>) -> Result<Told, AskError> {
    let answer = platform.send(question(day, key_id), |_| false).await.answer?;
    read(answer.status, &answer.body, day)
}

fn question(day: Date, key_id: Option<&str>) -> Request<Bytes> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("day", &day.to_string());
    if let Some(key_id) = key_id {
        query.append_pair("key_id", key_id);
    }
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::GET;
    // What a form may hold, a URI may hold.
    if let Ok(target) = format!("{PATH}?{}", query.finish()).parse() {
        *request.uri_mut() = target;
    }
    request
}

fn read(status: StatusCode, body: &[u8], day: Date) -> Result<Told, AskError> {
    match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            return Ok(Told::CannotSay);
        }
        status if !status.is_success() => return Err(AskError::Refused(status)),
        _ => {}
    }
    let counts: DayCounts =
        serde_json::from_slice(body).map_err(|_| AskError::Unreadable("no counts are in it"))?;
    if counts.day == day {
        Ok(Told::Counts(counts.accepted))
    } else {
        Err(AskError::Unreadable("it is of another day"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::openapi::{self, problems};
    use jiff::civil::date;
    use serde_json::Value;

    const DAY: Date = date(2026, 11, 24);

    #[test]
    fn question_and_answer_are_as_documented() {
        let api = openapi::document(include_str!("../../docs/platform-api.yaml"));
        let get = &api["paths"][PATH]["get"];
        let request = question(DAY, Some("bridge 8890"));
        assert_eq!(
            request.uri().to_string(),
            "/v1/records/counts?day=2026-11-24&key_id=bridge+8890"
        );
        let query: Vec<&str> = get["parameters"]
            .as_array()
            .expect("parameters")
            .iter()
            .filter(|it| it["in"] == "query")
            .map(|it| it["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(query, ["day", "key_id"]);

        let answer = &get["responses"]["200"]["content"]["application/json"];
        let accepted = Accepted { rating: 5, complaint: 2, not_rated: 0 };
        let written = serde_json::json!(DayCounts { day: DAY, accepted });
        assert_eq!(problems(&api, &answer["schema"], &written, "answer"), [""; 0]);
        let example: &Value = &answer["examples"]["day"]["value"];
        assert_eq!(problems(&api, &answer["schema"], example, "answer"), [""; 0]);
        let body = serde_json::to_vec(example).expect("JSON");
        let told = read(StatusCode::OK, &body, DAY).expect("counts");
        let expected = Accepted { rating: 1841, complaint: 207, not_rated: 96 };
        assert_eq!(told, Told::Counts(expected));
        assert_eq!(expected.sum(), 2144);
        assert!(read(StatusCode::OK, &body, date(2026, 11, 25)).is_err(), "another day");
    }

    #[test]
    fn a_platform_that_does_not_know_the_question_cannot_say() {
        for status in [404, 405, 501].map(|it| StatusCode::from_u16(it).expect("a status")) {
            assert!(matches!(read(status, b"", DAY), Ok(Told::CannotSay)));
        }
        for status in [401, 500].map(|it| StatusCode::from_u16(it).expect("a status")) {
            assert!(matches!(read(status, b"", DAY), Err(AskError::Refused(_))));
        }
        assert!(matches!(read(StatusCode::OK, b"<html>", DAY), Err(AskError::Unreadable(_))));
    }
}
