//! The part of the stand-in platform that reads requests and answers them.

use super::counts::CountBook;
use super::faults::{Faults, Mishap};
use super::ledger::{Fate, Ledger, Seen};
use super::platform::{OnRecord, Totals};
use super::speech::{Dropped, Speech};
use super::window::Window;
use crate::clock::Clock;
use crate::egress::counts;
use crate::egress::native::Key;
use crate::model::Secret;
use crate::signature::{TOLERANCE, Verifier};
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use jiff::fmt::rfc2822;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The largest request that is read.
const MAX_BODY: usize = 16 << 20;

/// A refusal that calls itself a success.
const REFUSED: &str = r#"{"code":"500","success":"false","msg":"refused on demand"}"#;

/// Where requests are answered.
pub(super) struct Desk {
    verifier: Verifier,
    clock: Clock,
    ledger: Ledger,
    counts: CountBook,
    requests: AtomicU64,
    unsigned: AtomicU64,
    window: Mutex<Window>,
    /// When the next new record is taken, while they are taken one after the other.
    next_taking: Mutex<Instant>,
    on_record: Option<OnRecord>,
}

/// What is read of a record; the rest is skipped.
#[derive(Deserialize)]
struct Record<'a> {
    key: &'a str,
    kind: &'a str,
    account: &'a str,
    #[serde(default)]
    received_at: &'a str,
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

impl Desk {
    pub(super) fn new(secret: &Secret, clock: Clock, on_record: Option<OnRecord>) -> Desk {
        Desk {
            verifier: Verifier::new(None, [secret], TOLERANCE),
            clock,
            ledger: Ledger::default(),
            counts: CountBook::default(),
            requests: AtomicU64::new(0),
            unsigned: AtomicU64::new(0),
            window: Mutex::default(),
            next_taking: Mutex::new(Instant::now()),
            on_record,
        }
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            requests: self.requests.load(Ordering::Relaxed),
            unsigned: self.unsigned.load(Ordering::Relaxed),
            busiest_second: self.window.lock().unwrap_or_else(PoisonError::into_inner).most(),
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
    ) -> Result<Response<Speech>, Dropped> {
        let came = Instant::now();
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| Dropped)?.to_bytes();
        self.window.lock().unwrap_or_else(PoisonError::into_inner).came(came);
        let mishap = faults.mishap_of(self.requests.fetch_add(1, Ordering::Relaxed) + 1);
        if !faults.latency.is_zero() {
            tokio::time::sleep(faults.latency).await;
        }
        match mishap {
            Some(Mishap::Refuse { status, retry_after }) => {
                return Ok(refusal(status, retry_after));
            }
            Some(Mishap::RefuseUntil { status, wait }) => {
                return Ok(self.refusal_until(status, wait));
            }
            Some(Mishap::RefuseIn200) => return Ok(Response::new(Speech::whole(REFUSED))),
            Some(Mishap::Hang) => return std::future::pending().await,
            Some(Mishap::DropBeforeWork) => return Err(Dropped),
            _ => {}
        }
        let riddle = mishap == Some(Mishap::Riddle);
        let answer = self.work(&head, &body, &faults, riddle).await;
        match mishap {
            Some(Mishap::DropAfterWork) => Err(Dropped),
            Some(Mishap::DropInAnswer) => Ok(answer.map(Speech::broken_off)),
            Some(Mishap::Trickle { every }) => Ok(answer.map(|it| it.in_a_trickle(every))),
            Some(Mishap::Garbage) => Ok(Response::new(Speech::whole("<html>welcome</html>"))),
            _ => Ok(answer),
        }
    }

    async fn work(
        &self,
        head: &Parts,
        body: &[u8],
        faults: &Faults,
        riddle: bool,
    ) -> Response<Speech> {
        if !self.is_signed(head, body) {
            self.unsigned.fetch_add(1, Ordering::Relaxed);
            return refusal(StatusCode::UNAUTHORIZED, None);
        }
        if head.uri.path().ends_with(counts::PATH) {
            let counts = self.counts.answer(head.uri.query().unwrap_or_default());
            return counts.map_or_else(
                || refusal(StatusCode::BAD_REQUEST, None),
                |it| json(StatusCode::OK, &it),
            );
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
        let keys = keys.into_iter().map(|key| key.filter(|key| !faults.rejects(*key)));
        let wanted: Vec<(&Record<'_>, Option<Key>)> = records.iter().zip(keys).collect();
        let fates = match faults.records_per_second {
            None => self.take(head, &wanted),
            Some(rate) => self.take_slowly(head, &wanted, rate).await,
        };
        let results = records.iter().zip(fates).map(|(record, fate)| ItemResult {
            key: record.key,
            status: match fate {
                _ if riddle => "perhaps",
                Fate::Accepted => "accepted",
                Fate::Duplicate => "duplicate",
                Fate::Rejected => "rejected",
            },
            reason: (fate == Fate::Rejected).then_some("rejected on demand"),
        });
        json(StatusCode::OK, &Results { results: results.collect() })
    }

    /// Takes records, and tells of those that are new.
    fn take(&self, head: &Parts, wanted: &[(&Record<'_>, Option<Key>)]) -> Vec<Fate> {
        let fates = self.ledger.take(wanted.iter().map(|(_, key)| *key));
        for ((record, key), fate) in wanted.iter().zip(&fates) {
            let (Fate::Accepted, Some(key)) = (fate, *key) else { continue };
            self.counts.took(head, record.received_at, record.kind);
            let Some(tell) = &self.on_record else { continue };
            let message_id = record.message_id.as_deref();
            let invitation = record.invitation.as_deref();
            let (kind, account) = (record.kind, record.account);
            tell(&Seen { key, kind, account, message_id, invitation });
        }
        fates
    }

    /// Takes them one by one, each new one in its turn; what was taken stays so if the sender goes away.
    async fn take_slowly(
        &self,
        head: &Parts,
        wanted: &[(&Record<'_>, Option<Key>)],
        rate: NonZeroU32,
    ) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(wanted.len());
        for one in wanted {
            if one.1.is_some_and(|key| self.ledger.times_seen(key) == 0) {
                sleep_until(self.turn(Duration::from_secs(1) / rate.get())).await;
            }
            fates.extend(self.take(head, std::slice::from_ref(one)));
        }
        fates
    }

    fn turn(&self, each: Duration) -> Instant {
        let mut next = self.next_taking.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = Instant::now().max(*next) + each;
        *next = turn;
        turn
    }

    fn refusal_until(&self, status: StatusCode, wait: Duration) -> Response<Speech> {
        let mut response = refusal(status, None);
        let until = self.clock.now().checked_add(wait + Duration::from_millis(999));
        let date = until.ok().and_then(|until| {
            rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&until).ok()
        });
        if let Some(date) = date.and_then(|date| HeaderValue::from_str(&date).ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, date);
        }
        response
    }

    fn is_signed(&self, head: &Parts, body: &[u8]) -> bool {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let now = self.clock.now();
        self.verifier.verify((&head.method, path), &head.headers, body, now).is_ok()
    }
}

fn refusal(status: StatusCode, retry_after: Option<Duration>) -> Response<Speech> {
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

fn json(status: StatusCode, body: &impl Serialize) -> Response<Speech> {
    // Plain data that always serialises; an empty body would show as unreadable.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Speech::whole(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
