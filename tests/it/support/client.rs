//! An HTTP client as carriers have one, and a bare connection for those who misbehave.

use super::DEADLINE;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Keeps its connections, and never repeats a request by itself.
#[derive(Clone)]
pub(crate) struct Client(legacy::Client<HttpConnector, Full<Bytes>>);

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// There was no answer.
#[derive(Debug)]
pub(crate) struct Unanswered;

impl Client {
    pub(crate) fn new() -> Client {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        Client(builder.retry_canceled_requests(false).build_http())
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Answer, Unanswered> {
        let request = Request::get(url).body(Full::default()).expect("a request");
        self.send(request).await
    }

    pub(crate) async fn post(
        &self,
        url: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Unanswered> {
        let request = Request::post(url).body(Full::new(body.into())).expect("a request");
        self.send(request).await
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Unanswered> {
        let whole = async {
            let (head, body) = self.0.request(request).await.map_err(|_| Unanswered)?.into_parts();
            let body = body.collect().await.map_err(|_| Unanswered)?.to_bytes();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        timeout(DEADLINE, whole).await.expect("an answer or the end of the connection")
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("text")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().expect("text"))
    }
}

/// A connection on which anything may be said.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> Wire {
        Wire(TcpStream::connect(address).await.expect("it listens"))
    }

    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("it reads");
    }

    /// Says that nothing more will be said.
    pub(crate) async fn hang_up(&mut self) {
        // The other side may have closed already.
        drop(self.0.shutdown().await);
    }

    /// Everything that comes until the other side closes.
    pub(crate) async fn rest(mut self) -> String {
        let mut heard = Vec::new();
        // A reset is an end too.
        let read = timeout(DEADLINE, self.0.read_to_end(&mut heard)).await;
        drop(read.expect("the gateway closes"));
        String::from_utf8_lossy(&heard).into_owned()
    }
}
