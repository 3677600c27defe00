//! The native profile: batches in our own documented JSON, answered record by record
//! (`docs/platform-api.yaml`).

mod words;

pub use words::{ItemResult, ItemStatus, Key, PATH, read, read_refusal, write, write_one};

use super::Written;
use crate::egress::verdict::{self, ItemVerdict, Verdict, about};
use crate::net::client::Answer;
use crate::store::Leased;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use jiff::Timestamp;
use ring::digest;
use std::collections::HashMap;
use std::time::Duration;

/// The native profile of a destination.
#[derive(Debug, Clone)]
pub struct Native {
    /// The statuses by which it refuses a record for good.
    pub finals: Vec<StatusCode>,
}

impl Native {
    /// Writes a batch; there is no record that cannot be written.
    #[must_use]
    pub fn write(&self, batch: &[Leased]) -> Written {
        let mut request = Request::new(Bytes::from(write(batch)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static(PATH);
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("idempotency-key", ascii(batch_key(batch)));
        Written { request: Some(request), unwritable: Vec::new() }
    }

    /// What an answer means.
    #[must_use]
    pub fn read(&self, answer: &Answer, batch: &[Leased], now: Timestamp) -> Verdict {
        if !answer.status.is_success() {
            return verdict::by_status(answer, &self.finals, refusal(answer, batch), now);
        }
        match read(&answer.body) {
            Ok(results) => Verdict::Each(of_results(results, batch)),
            Err(_) => verdict::unreadable(answer),
        }
    }
}

/// The same for the same records in the same order, whatever the attempt.
fn batch_key(batch: &[Leased]) -> String {
    let mut keys = digest::Context::new(&digest::SHA256);
    for leased in batch {
        keys.update(leased.record.id.0.as_bytes());
        keys.update(&leased.record.revision.0.to_be_bytes());
    }
    hex::encode(keys.finish())
}

#[expect(clippy::expect_used, reason = "hex always fits into a header")]
fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("plain ASCII")
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
    let reason = || about([&leased.record], result.reason.as_deref().unwrap_or_default());
    let wait = |seconds: u32| verdict::bounded(Duration::from_secs(seconds.into()));
    let asked = result.retry_after.map(wait);
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
fn refusal(answer: &Answer, batch: &[Leased]) -> String {
    let status = answer.status.as_u16();
    match read_refusal(&answer.body) {
        Some(reason) if !reason.is_empty() => {
            let kept = about(batch.iter().map(|leased| &leased.record), &reason);
            format!("{status}: {kept}")
        }
        _ => status.to_string(),
    }
}

#[cfg(test)]
mod tests;
