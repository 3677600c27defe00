//! The operators' listener: metrics and health, nothing that changes anything.
//!
//! It has its own few connections, so that a flood of callbacks cannot blind the operators.

mod health;

use crate::clock::Entropy;
use crate::config::Admin;
use crate::lifecycle::Tasks;
use crate::net::{BindError, HttpServer, Listener, Response, Timeouts};
use crate::telemetry::net::Listening;
use crate::telemetry::{Health, Metrics};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

const MAX_CONNECTIONS: usize = 64;
const TIMEOUTS: Timeouts =
    Timeouts { header: Duration::from_secs(5), idle: Duration::from_secs(60) };

/// What the console shows.
#[derive(Debug, Clone)]
pub struct Console {
    /// Behind `/livez`, `/readyz` and `/startupz`.
    pub health: Health,
    /// Behind `/metrics`.
    pub metrics: Metrics,
}

impl Console {
    /// Binds the operators' address, starts to serve, and returns the address it has.
    ///
    /// # Errors
    /// [`BindError`] when the address cannot be had.
    pub async fn start(
        self,
        config: &Admin,
        tasks: &Tasks,
        entropy: Entropy,
    ) -> Result<SocketAddr, BindError> {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let telemetry = Listening::new(&self.metrics, "operators");
        let listener = Listener::bind(config.listen, permits, entropy, telemetry).await?;
        let address = listener.address();
        let server = Arc::new(HttpServer::new(TIMEOUTS, tasks.clone()));
        let serve = move |socket, _| {
            let (server, console) = (Arc::clone(&server), self.clone());
            async move {
                let answer = |request| std::future::ready(console.answer(&request));
                server.serve(socket, answer).await
            }
        };
        tasks.spawn_vital("operators' listener", listener.run(tasks.clone(), serve));
        Ok(address)
    }

    /// Answers a request; its body is never read.
    fn answer<B>(&self, request: &Request<B>) -> Response {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is used here\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/metrics" => whole(StatusCode::OK, PROMETHEUS, self.metrics.render().into()),
            "/livez" => health::answer(&self.health.liveness()),
            "/readyz" => health::answer(&self.health.readiness()),
            "/startupz" => health::answer(&self.health.startup()),
            _ => text(
                StatusCode::NOT_FOUND,
                "nothing here; there are /metrics, /livez, /readyz and /startupz\n",
            ),
        }
    }
}

/// The text format of Prometheus, version 0.0.4.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

fn text(status: StatusCode, body: &'static str) -> Response {
    whole(status, "text/plain; charset=utf-8", Bytes::from_static(body.as_bytes()))
}

fn whole(status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> Console {
        let health = Health::new(|| Ok(()));
        Console { health, metrics: Metrics::new().expect("bounds are fine") }
    }

    fn ask(console: &Console, method: Method, path: &str) -> Response {
        let request = Request::builder().method(method).uri(path).body(()).expect("a request");
        console.answer(&request)
    }

    #[test]
    fn readiness_follows_the_start_and_the_stop() {
        let console = console();
        let ready = || ask(&console, Method::GET, "/readyz").status();
        assert_eq!(ready(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(&console, Method::GET, "/livez").status(), StatusCode::OK);
        console.health.started();
        assert_eq!(ready(), StatusCode::OK);
        console.health.stopping();
        assert_eq!(ready(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(&console, Method::GET, "/startupz").status(), StatusCode::OK);
    }

    #[test]
    fn there_is_nothing_else_and_nothing_to_change() {
        let console = console();
        assert_eq!(ask(&console, Method::GET, "/").status(), StatusCode::NOT_FOUND);
        let refused = ask(&console, Method::POST, "/metrics");
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused.headers()[ALLOW], "GET, HEAD");
        let metrics = ask(&console, Method::GET, "/metrics");
        assert_eq!(metrics.headers()[CONTENT_TYPE], PROMETHEUS);
    }

    #[tokio::test]
    async fn it_is_served_over_a_socket() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (console, tasks) = (console(), Tasks::new());
        let config = Admin { listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let address = console.start(&config, &tasks, Entropy::seeded(1)).await.expect("a port");
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers and closes");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let open = "bridge8890_connections_open{listener=\"operators\"} 1\n";
        assert!(answer.contains(open), "{answer}");
    }
}
