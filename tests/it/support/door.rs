//! A platform that a test answers for itself, request by request, with TLS if the test wants it.

use bridge8890::lifecycle::Tasks;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as it came, and who sent it.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    pub(crate) request: Request<Bytes>,
    /// The certificate of the client, if it showed one.
    pub(crate) certificate: Option<Vec<u8>>,
}

/// What it answers; a delay stands before it.
pub(crate) type Said = (Duration, Response<Full<Bytes>>);

/// A listener with an answer to everything.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
}

impl Door {
    /// Every connection serves one request.
    pub(crate) async fn open(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(Came) -> Said + Send + Sync + 'static,
    ) -> Door {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (tasks, answer) = (Tasks::new(), Arc::new(answer));
        let own = tasks.clone();
        let accept = async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, answer) = (tls.clone(), Arc::clone(&answer));
                let serve = async move {
                    let Some(tls) = tls else { return serve(tcp, None, answer).await };
                    // Whoever shows no certificate is not let in, and that is a test.
                    let Ok(stream) = tls.accept(tcp).await else { return };
                    let certificates = stream.get_ref().1.peer_certificates();
                    let first = certificates.and_then(|them| them.first()).map(|it| it.to_vec());
                    serve(stream, first, answer).await;
                };
                drop(own.spawn("connection", serve));
            }
        };
        drop(tasks.spawn("door", accept));
        Door { address }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    certificate: Option<Vec<u8>>,
    answer: Arc<impl Fn(Came) -> Said + Send + Sync + 'static>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (answer, certificate) = (Arc::clone(&answer), certificate.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            let request = Request::from_parts(head, body);
            let (delay, response) = answer(Came { request, certificate });
            tokio::time::sleep(delay).await;
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    let connection = http.keep_alive(false).serve_connection(TokioIo::new(stream), service);
    // A peer that goes away has had enough.
    drop(connection.await);
}

/// What a platform took, by the records' keys: how often each had an effect or would have had one.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<BTreeMap<String, usize>>>);

impl Book {
    /// Takes a batch, each record once.
    pub(crate) fn take(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/v1/records"));
        let batch: Value = serde_json::from_slice(request.body()).expect("JSON");
        let mut book = self.0.lock().expect("nobody panics with it");
        let records = batch["records"].as_array().expect("records");
        let results = records.iter().map(|record| {
            let key = record["key"].as_str().expect("a key");
            let times = book.entry(key.to_owned()).or_default();
            *times += 1;
            json!({ "key": key, "status": if *times == 1 { "accepted" } else { "duplicate" } })
        });
        let results = json!({ "results": results.collect::<Vec<_>>() });
        Response::new(Full::from(results.to_string()))
    }

    /// How many records it has.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().expect("nobody panics with it").len()
    }
}

/// An answer with a status and JSON.
pub(crate) fn answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response
}
