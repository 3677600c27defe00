//! The part of the stand-in platform that reads requests and answers them.

use super::faults::{Faults, Mishap};
use super::ledger::{Fate, Ledger, Seen};
use super::platform::{OnRecord, Totals};
use crate::clock::Clock;
use crate::egress::native::Key;
use crate::model::Secret;
use crate::signature::{TOLERANCE, Verifier};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The largest request that is read.
const MAX_BODY: usize = 16 << 20;

/// Where requests are answered.
pub(super) struct Desk {
    verifier: Verifier,
    clock: Clock,
    ledger: Ledger,
    requests: AtomicU64,
    unsigned: AtomicU64,
    on_record: Option<OnRecord>,
}

/// What is read of a record; the rest is skipped.
#[derive(Deserialize)]
struct Record<'a> {
    key: &'a str,
    kind: &'a str,
    account: &'a str,
    #[serde(default, borrow)]
    message_id: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    invitation: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<ItemResult<'a>>,
}

#[derive(Serialize)]
struct ItemResult<'a> {
    key: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// The connection is to be dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the request was dropped")]
pub(super) struct Dropped;

impl Desk {
    pub(super) fn new(secret: &Secret, clock: Clock, on_record: Option<OnRecord>) -> Desk {
        Desk {
            verifier: Verifier::new(None, [secret], TOLERANCE),
            clock,
            ledger: Ledger::default(),
            requests: AtomicU64::new(0),
            unsigned: AtomicU64::new(0),
            on_record,
        }
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            requests: self.requests.load(Ordering::Relaxed),
            unsigned: self.unsigned.load(Ordering::Relaxed),
            effects: self.ledger.effects(),
        }
    }

    pub(super) fn times_seen(&self, key: Key) -> u32 {
        self.ledger.times_seen(key)
    }

    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        faults: Faults,
    ) -> Result<Response<Full<Bytes>>, Dropped> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| Dropped)?.to_bytes();
        let mishap = faults.mishap_of(self.requests.fetch_add(1, Ordering::Relaxed) + 1);
        if !faults.latency.is_zero() {
            tokio::time::sleep(faults.latency).await;
        }
        match mishap {
            Some(Mishap::Refuse { status, retry_after }) => {
                return Ok(refusal(status, retry_after));
            }
            Some(Mishap::Hang) => return std::future::pending().await,
            Some(Mishap::DropBeforeWork) => return Err(Dropped),
            Some(Mishap::DropAfterWork | Mishap::Garbage) | None => {}
        }
        let answer = self.work(&head, &body, &faults);
        match mishap {
            Some(Mishap::DropAfterWork) => Err(Dropped),
            Some(Mishap::Garbage) => Ok(Response::new(Full::from("<html>welcome</html>"))),
            _ => Ok(answer),
        }
    }

    fn work(&self, head: &Parts, body: &[u8], faults: &Faults) -> Response<Full<Bytes>> {
        if !self.is_signed(head, body) {
            self.unsigned.fetch_add(1, Ordering::Relaxed);
            return refusal(StatusCode::UNAUTHORIZED, None);
        }
        let Ok(Batch { records }) = serde_json::from_slice::<Batch<'_>>(body) else {
            return refusal(StatusCode::BAD_REQUEST, None);
        };
        if faults.max_batch.is_some_and(|most| records.len() > most) {
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, None);
        }
        let keys: Vec<Option<Key>> = records.iter().map(|record| Key::read(record.key)).collect();
        if keys.iter().flatten().any(|key| faults.poisons(*key)) {
            return refusal(StatusCode::BAD_REQUEST, None);
        }
        let fates =
            self.ledger.take(keys.iter().map(|key| key.filter(|key| !faults.rejects(*key))));
        let results = records.iter().zip(keys).zip(fates).map(|((record, key), fate)| {
            if let (Fate::Accepted, Some(key), Some(tell)) = (fate, key, &self.on_record) {
                let message_id = record.message_id.as_deref();
                let invitation = record.invitation.as_deref();
                let (kind, account) = (record.kind, record.account);
                tell(&Seen { key, kind, account, message_id, invitation });
            }
            ItemResult {
                key: record.key,
                status: match fate {
                    Fate::Accepted => "accepted",
                    Fate::Duplicate => "duplicate",
                    Fate::Rejected => "rejected",
                },
                reason: (fate == Fate::Rejected).then_some("rejected on demand"),
            }
        });
        json(StatusCode::OK, &Results { results: results.collect() })
    }

    fn is_signed(&self, head: &Parts, body: &[u8]) -> bool {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let now = self.clock.now();
        self.verifier.verify((&head.method, path), &head.headers, body, now).is_ok()
    }
}

fn refusal(status: StatusCode, retry_after: Option<Duration>) -> Response<Full<Bytes>> {
    #[derive(Serialize)]
    struct Refusal {
        reason: &'static str,
    }
    let reason = status.canonical_reason().unwrap_or("refused");
    let mut response = json(status, &Refusal { reason });
    if let Some(wait) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().into());
    }
    response
}

fn json(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    // Plain data that always serialises; an empty body would show as unreadable.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
