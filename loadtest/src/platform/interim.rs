//! A stand-in of the platform until the gateway's library has one: takes every record, checks no
//! signature, knows which keys it had.

use super::{Delivery, Totals};
use anyhow::Context;
use bridge8890::lifecycle::Tasks;
use bridge8890::model::Secret;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// The stand-in, shared by cloning.
#[derive(Debug, Clone)]
pub(crate) struct Platform {
    book: Arc<Mutex<Book>>,
    delay: Duration,
}

#[derive(Debug, Default)]
struct Book {
    totals: Totals,
    message_ids: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(default, borrow)]
    message_id: Cow<'a, str>,
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Verdict<'a>>,
}

#[derive(Serialize)]
struct Verdict<'a> {
    key: &'a str,
    status: &'static str,
}

impl Platform {
    /// Listens, and waits `delay` before each answer.
    pub(crate) async fn start(
        listen: SocketAddr,
        _secret: Secret,
        delay: Duration,
        tasks: &Tasks,
    ) -> anyhow::Result<Platform> {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("the platform cannot listen on {listen}"))?;
        let platform = Platform { book: Arc::default(), delay };
        tasks.spawn("platform", platform.clone().serve(listener, tasks.clone()));
        Ok(platform)
    }

    /// What it received so far.
    pub(crate) fn totals(&self) -> Totals {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).totals
    }

    /// Every key it has.
    pub(crate) fn ledger(&self) -> Vec<Delivery> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let delivery = |(key, message_id): (&String, &String)| Delivery {
            key: key.clone(),
            message_id: message_id.clone(),
            effects: 1,
        };
        book.message_ids.iter().map(delivery).collect()
    }

    async fn serve(self, listener: TcpListener, tasks: Tasks) {
        while let Ok((stream, _)) = listener.accept().await {
            let platform = self.clone();
            tasks.spawn("platform connection", async move {
                let answer = service_fn(|request| platform.answer(request));
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await
            });
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let body = request.into_body().collect().await?.to_bytes();
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        let (status, answer) = match serde_json::from_slice(&body) {
            Ok(batch) => (StatusCode::OK, self.take(&batch)),
            Err(_) => (StatusCode::BAD_REQUEST, Vec::new()),
        };
        let mut response = Response::new(Full::new(answer.into()));
        *response.status_mut() = status;
        Ok(response)
    }

    fn take(&self, batch: &Batch<'_>) -> Vec<u8> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.totals.requests += 1;
        let mut results = Vec::with_capacity(batch.records.len());
        for Record { key, message_id } in &batch.records {
            let fresh = book.message_ids.insert(key.to_string(), message_id.to_string()).is_none();
            let status = if fresh { "accepted" } else { "duplicate" };
            book.totals.effects += u64::from(fresh);
            book.totals.repeats += u64::from(!fresh);
            results.push(Verdict { key, status });
        }
        serde_json::to_vec(&Results { results }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Connection;

    #[tokio::test]
    async fn a_key_has_an_effect_once() {
        let tasks = Tasks::new();
        let address = crate::process::free_address().expect("a free port");
        let secret = crate::secrets::platform();
        let platform =
            Platform::start(address, secret, Duration::ZERO, &tasks).await.expect("it listens");
        let mut connection = Connection::open(address).await.expect("it listens");
        let batch = br#"{"records":[{"key":"a:1","message_id":"7"},{"key":"b:1"}]}"#;
        for expected in ["accepted", "duplicate"] {
            let answer = connection.post("/v1/records", "application/json", batch).await;
            let answer = answer.expect("answered");
            assert_eq!(answer.status, 200);
            assert!(String::from_utf8_lossy(answer.body).contains(expected));
        }
        assert_eq!(platform.totals(), Totals { requests: 2, effects: 2, repeats: 2 });
        assert_eq!(platform.ledger().len(), 2);
        tasks.abort();
    }
}
