//! Connections and requests: limits, timeouts, versions, and the polite end.

use crate::peers::{Gateway, Peer, SHORT, certificate, patient, post, shake_hands};
use bridge8890::config::Limits;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tokio::net::TcpStream;

const HALF: &str = "POST /callback/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345";

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let gateway = Gateway::start(patient()).await;
    let mut peer = gateway.connect().await;
    let report = "GET /callback/shop/report?id=1 HTTP/1.1\r\nhost: x\r\n\r\n";
    peer.send(post("1") + "GET /elsewhere HTTP/1.1\r\nhost: x\r\n\r\n" + report).await;
    assert_eq!(peer.answer().await.body, "taken");
    assert_eq!(peer.answer().await.status, 404);
    assert_eq!(peer.answer().await.body, "taken");
    gateway.counts("bridge8890_callbacks_total{account=\"shop\",outcome=\"accepted\"} 2").await;
    gateway.counts("bridge8890_requests_unknown_total{what=\"path\"} 1").await;
    gateway.counts("bridge8890_callbacks_under_way 0").await;
}

#[tokio::test]
async fn what_is_not_there_is_said_and_the_connection_stays() {
    let gateway = Gateway::start(patient()).await;
    let mut peer = gateway.connect().await;
    peer.send("PUT /callback/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n1").await;
    let wrong_method = peer.answer().await;
    assert_eq!(wrong_method.status, 405);
    assert!(wrong_method.head.contains("\r\nallow: post, get\r\n"), "{}", wrong_method.head);
    for path in ["/callback/nobody", "/callback/shop/other", "/callback/shop/report/x"] {
        peer.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        let unknown = peer.answer().await;
        assert_eq!(unknown.status, 404);
        assert!(!unknown.body.contains("nobody"), "a path is not echoed");
    }
    gateway.counts("bridge8890_requests_unknown_total{what=\"account\"} 3").await;
    assert!(!gateway.metrics.render().contains("nobody"), "nor is it a label");
}

#[tokio::test]
async fn a_peer_that_closes_its_side_early_gets_its_answer() {
    let gateway = Gateway::start(patient()).await;
    let mut peer = gateway.connect().await;
    peer.send(post("1")).await;
    peer.finish().await;
    assert_eq!(peer.answer().await.status, 200);
    peer.closed().await;
}

#[tokio::test]
async fn a_forged_callback_gets_the_carriers_refusal() {
    let gateway = Gateway::start(patient()).await;
    let mut peer = gateway.connect().await;
    peer.send("GET /callback/guarded HTTP/1.1\r\nhost: x\r\nx-token: wrong\r\n\r\n").await;
    let refused = peer.answer().await;
    assert_eq!((refused.status, refused.body.as_str()), (401, "no"));
    let reason = "account=\"guarded\",reason=\"bad_credentials\"";
    gateway.counts(&format!("bridge8890_callbacks_refused_total{{{reason}}} 1")).await;
    gateway.counts("bridge8890_store_committed_callbacks_total 0").await;
}

#[tokio::test]
async fn a_body_announced_too_large_is_refused_and_the_sender_reads_why() {
    let gateway = Gateway::start(patient()).await;
    let mut peer = gateway.connect().await;
    // More than the sockets' buffers hold, so the gateway must go on reading after its answer.
    peer.send(post(&"x".repeat(6 << 20))).await;
    let refused = peer.answer().await;
    assert_eq!(refused.status, 413);
    assert_eq!(refused.body, "too large; at most 1000 bytes are taken here\n");
    assert!(refused.head.contains("\r\nconnection: close\r\n"), "{}", refused.head);
    drop(peer);
    gateway.counts("bridge8890_callbacks_total{account=\"shop\",outcome=\"too_large\"} 1").await;
    gateway.counts("bridge8890_connections_open{listener=\"carriers\"} 0").await;
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_cut_at_the_cap() {
    let gateway = Gateway::start(Limits { max_body: 100, ..patient() }).await;
    let mut peer = gateway.connect().await;
    let head = "POST /callback/shop HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    peer.send(format!("{head}{}", "a\r\n0123456789\r\n".repeat(11))).await;
    assert_eq!(peer.answer().await.status, 413);

    let mut peer = gateway.connect().await;
    peer.send(format!("{head}{}0\r\n\r\n", "a\r\n0123456789\r\n".repeat(10))).await;
    assert_eq!(peer.answer().await.status, 200);
}

#[tokio::test]
async fn a_peer_slow_with_its_headers_is_closed() {
    let gateway = Gateway::start(Limits { header_timeout: SHORT, ..patient() }).await;
    let mut first = gateway.connect().await;
    first.send("POST /callback/shop HTTP/1.1\r\nho").await;
    first.closed().await;
    // The same on a connection that has behaved so far, and while it keeps sending.
    let mut second = gateway.connect().await;
    second.send(post("1")).await;
    assert_eq!(second.answer().await.status, 200);
    second.send("G").await;
    second.closed().await;
    gateway
        .counts(
            "bridge8890_connections_ended_total{listener=\"carriers\",reason=\"slow_header\"} 2",
        )
        .await;
}

#[tokio::test]
async fn a_peer_slow_with_its_body_is_told_and_closed() {
    let gateway = Gateway::start(Limits { body_timeout: SHORT, ..patient() }).await;
    let mut peer = gateway.connect().await;
    peer.send(HALF).await;
    assert_eq!(peer.answer().await.status, 408);
    peer.closed().await;
    gateway.counts("bridge8890_callbacks_total{account=\"shop\",outcome=\"too_slow\"} 1").await;
}

#[tokio::test]
async fn a_peer_gone_before_the_end_of_its_body_leaves_nothing_behind() {
    let gateway = Gateway::start(patient()).await;
    let mut peer = gateway.connect().await;
    peer.send(HALF).await;
    gateway.counts("bridge8890_callbacks_under_way 1").await;
    drop(peer);
    gateway.counts("bridge8890_callbacks_under_way 0").await;
    gateway.counts("bridge8890_connections_open{listener=\"carriers\"} 0").await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_used_or_not() {
    let gateway = Gateway::start(Limits { idle_timeout: SHORT, ..patient() }).await;
    let mut used = gateway.connect().await;
    used.send(post("1")).await;
    assert_eq!(used.answer().await.status, 200);
    used.closed().await;
    gateway.connect().await.closed().await;
    gateway
        .counts("bridge8890_connections_ended_total{listener=\"carriers\",reason=\"idle\"} 2")
        .await;
}

#[tokio::test]
async fn a_connection_too_many_waits_for_its_turn() {
    let gateway = Gateway::start(Limits { max_connections: 1, ..patient() }).await;
    let mut first = gateway.connect().await;
    first.send(post("1")).await;
    assert_eq!(first.answer().await.status, 200);
    let mut second = gateway.connect().await;
    second.send(post("2")).await;
    gateway.counts("bridge8890_connections_full_total{listener=\"carriers\"} 1").await;
    gateway.counts("bridge8890_connections_open{listener=\"carriers\"} 1").await;
    drop(first);
    assert_eq!(second.answer().await.status, 200);
}

#[tokio::test]
async fn a_request_too_many_is_told_when_to_come_back_and_keeps_its_connection() {
    let gateway = Gateway::start(Limits { max_requests: 1, ..patient() }).await;
    let mut slow = gateway.connect().await;
    slow.send(HALF).await;
    gateway.counts("bridge8890_callbacks_under_way 1").await;
    let mut other = gateway.connect().await;
    other.send(post("1")).await;
    let busy = other.answer().await;
    assert_eq!((busy.status, busy.body.as_str()), (503, "later"));
    assert!(busy.head.contains("\r\nretry-after: 3\r\n"), "{}", busy.head);
    slow.send("67890").await;
    assert_eq!(slow.answer().await.status, 200);
    other.send(post("1")).await;
    assert_eq!(other.answer().await.status, 200);
    let line = "bridge8890_callbacks_busy_total{account=\"shop\",reason=\"too_many\"} 1";
    gateway.counts(line).await;
}

#[tokio::test]
async fn garbage_is_refused_and_closed() {
    let gateway = Gateway::start(patient()).await;
    let mut noise = gateway.connect().await;
    noise.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await;
    assert_eq!(noise.answer().await.status, 400);
    noise.closed().await;
    let mut large = gateway.connect().await;
    large.send(format!("GET /{} HTTP/1.1\r\n", "x".repeat(40 << 10))).await;
    assert!([414, 431].contains(&large.answer().await.status));
    gateway
        .counts("bridge8890_connections_ended_total{listener=\"carriers\",reason=\"garbage\"} 2")
        .await;
}

#[tokio::test]
async fn stopping_finishes_the_request_under_way_and_closes_the_rest() {
    let gateway = Gateway::start(patient()).await;
    let mut idle = gateway.connect().await;
    idle.send(post("1")).await;
    assert_eq!(idle.answer().await.status, 200);
    let mut busy = gateway.connect().await;
    busy.send(HALF).await;
    gateway.counts("bridge8890_callbacks_under_way 1").await;

    gateway.tasks.stop();
    idle.closed().await;
    busy.send("67890").await;
    let answer = busy.answer().await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("\r\nconnection: close\r\n"), "{}", answer.head);
    busy.closed().await;
    drop(gateway.store);
    let left = gateway.tasks.shut_down(Duration::from_secs(10), |_| {}).await;
    assert!(left.is_empty(), "{left}");
    assert!(TcpStream::connect(gateway.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn http2_is_spoken_without_tls_to_who_knows() {
    let gateway = Gateway::start(patient()).await;
    let stream = TcpStream::connect(gateway.address).await.expect("it listens");
    assert_eq!(over_http2(stream).await, [200, 404, 413]);
    gateway.counts("bridge8890_callbacks_total{account=\"shop\",outcome=\"accepted\"} 1").await;
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed() {
    let gateway = Gateway::start(Limits { idle_timeout: SHORT, ..patient() }).await;
    let stream = TcpStream::connect(gateway.address).await.expect("it listens");
    let (mut requests, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let talk = async {
        let answer = requests.send_request(request("/callback/shop", 1)).await.expect("answered");
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.expect("whole");
        // Kept, so that it is not the client that closes.
        requests
    };
    let (requests, closed) = tokio::join!(talk, connection);
    assert!(closed.is_ok() && requests.is_closed());
    gateway
        .counts("bridge8890_connections_ended_total{listener=\"carriers\",reason=\"idle\"} 1")
        .await;
}

#[tokio::test]
async fn tls_serves_both_versions() {
    let (tls, connector, _directory) = certificate();
    let gateway = Gateway::start_with(patient(), Some(tls)).await;
    let stream = shake_hands(&gateway, &connector(b"h2", None)).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(over_http2(stream).await, [200, 404, 413]);

    let stream = shake_hands(&gateway, &connector(b"http/1.1", None)).await;
    let mut peer = Peer::over(stream);
    peer.send(post("1")).await;
    assert_eq!(peer.answer().await.status, 200);
    peer.send(post(&"x".repeat(4 << 20))).await;
    assert_eq!(peer.answer().await.status, 413);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_or_is_none_ends() {
    let (tls, _, _directory) = certificate();
    let limits = Limits { handshake_timeout: SHORT, ..patient() };
    let gateway = Gateway::start_with(limits, Some(tls)).await;
    let ended = "bridge8890_connections_ended_total{listener=\"carriers\",reason=";
    let mut silent = gateway.connect().await;
    silent.send(b"\x16\x03\x01\x02\x00\x01").await;
    silent.closed().await;
    gateway.counts(&format!("{ended}\"handshake_timeout\"}} 1")).await;
    let mut plain = gateway.connect().await;
    plain.send(post("1")).await;
    gateway.counts(&format!("{ended}\"handshake\"}} 1")).await;
}

fn request(path: &str, size: usize) -> hyper::Request<Full<Bytes>> {
    hyper::Request::post(format!("http://x{path}"))
        .body(Full::new(Bytes::from(vec![b'x'; size])))
        .expect("a request")
}

/// The statuses of a callback, one for nobody, and one too large, at once on one connection.
async fn over_http2<S>(stream: S) -> [u16; 3]
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (requests, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let ask = |path, size| {
        let mut requests = requests.clone();
        async move {
            let answer = requests.send_request(request(path, size)).await.expect("an answer");
            answer.status().as_u16()
        }
    };
    let asked = async {
        tokio::join!(
            ask("/callback/shop", 3),
            ask("/callback/nobody", 3),
            ask("/callback/shop", 1 << 20)
        )
    };
    tokio::select! {
        (taken, unknown, large) = asked => [taken, unknown, large],
        ended = connection => panic!("the connection ended first: {ended:?}"),
    }
}
