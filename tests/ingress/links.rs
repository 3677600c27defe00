//! WebSockets, opened by the carrier or by us: each text frame is stored, and the link is kept.

use crate::peers::{Gateway, SHORT, certificate, http, link, patient, shop};
use bridge8890::config::dialect::{Auth, Check, Scheme};
use bridge8890::config::{Account, Connect, Limits};
use bridge8890::model::{AccountName, Secret};
use bridge8890::net::tls;
use futures_util::{SinkExt, StreamExt};
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderValue, StatusCode};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async, client_async};

type Socket = WebSocketStream<TcpStream>;

/// `ari:secret`.
const BASIC: &str = "Basic YXJpOnNlY3JldA==";

fn guarded() -> Account {
    let basic = Scheme {
        check: Check::Basic,
        user: None,
        time: None,
        tolerance: std::time::Duration::ZERO,
        nonce: None,
    };
    let auth = Auth { schemes: vec![basic], optional: false };
    let secrets = vec![Secret::new(b"secret".to_vec())];
    Account { user: Some("ari".to_owned()), secrets, ..link(&auth) }
}

/// Opens a link to the gateway as the carrier does.
async fn open(gateway: &Gateway, authorization: Option<&'static str>) -> Result<Socket, Error> {
    let mut request = "ws://x/callback/link?app=hotline".into_client_request().expect("a request");
    let headers = request.headers_mut();
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("ari"));
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, HeaderValue::from_static(authorization));
    }
    let stream = TcpStream::connect(gateway.address).await.expect("it listens");
    let (socket, answer) = client_async(request, stream).await?;
    assert_eq!(answer.headers()[SEC_WEBSOCKET_PROTOCOL], "ari");
    Ok(socket)
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, text: &str) {
    socket.send(Message::text(text)).await.expect("the gateway reads");
}

async fn counts(gateway: &Gateway, what: &str, times: u32) {
    gateway.counts(&format!("bridge8890_link_{what} {times}")).await;
}

#[tokio::test]
async fn each_text_frame_of_a_carriers_link_is_stored() {
    let limits = Limits { idle_timeout: SHORT, header_timeout: SHORT, ..patient() };
    let gateway = Gateway::of(http(limits), vec![link(&Auth::default())]).await;
    let mut socket = open(&gateway, None).await.expect("it is let in");
    say(&mut socket, "1").await;
    // Longer than a request may take, or a connection be idle.
    tokio::time::sleep(3 * SHORT).await;
    socket.send(Message::binary(vec![0])).await.expect("the gateway reads");
    say(&mut socket, "2").await;
    counts(&gateway, "frames_total{account=\"link\"}", 2).await;
    counts(&gateway, "frames_dropped_total{account=\"link\",reason=\"binary\"}", 1).await;
    gateway.counts("bridge8890_store_committed_callbacks_total 2").await;
    counts(&gateway, "up{account=\"link\"}", 1).await;
    gateway.counts("bridge8890_connections_open{listener=\"carriers\"} 1").await;
    socket.close(None).await.expect("the gateway reads");
    counts(&gateway, "up{account=\"link\"}", 0).await;
    gateway.counts("bridge8890_connections_open{listener=\"carriers\"} 0").await;
}

#[tokio::test]
async fn a_frame_over_the_cap_ends_the_link() {
    let gateway = Gateway::of(http(patient()), vec![link(&Auth::default())]).await;
    let mut socket = open(&gateway, None).await.expect("it is let in");
    say(&mut socket, &"x".repeat(1000)).await;
    say(&mut socket, &"x".repeat(1001)).await;
    counts(&gateway, "frames_dropped_total{account=\"link\",reason=\"too_large\"}", 1).await;
    counts(&gateway, "frames_total{account=\"link\"}", 1).await;
    counts(&gateway, "up{account=\"link\"}", 0).await;
}

#[tokio::test]
async fn a_frame_waits_for_a_store_that_takes_nothing_and_holds_the_next_ones_back() {
    let gateway = Gateway::of(http(patient()), vec![link(&Auth::default())]).await;
    let mut socket = open(&gateway, None).await.expect("it is let in");
    gateway.disk_floor(u64::MAX);
    say(&mut socket, "1").await;
    say(&mut socket, "2").await;
    let waits = "bridge8890_link_waits_total{account=\"link\"}";
    gateway.grows(waits, 1.0).await;
    counts(&gateway, "frames_total{account=\"link\"}", 0).await;
    gateway.disk_floor(0);
    counts(&gateway, "frames_total{account=\"link\"}", 2).await;

    gateway.disk_floor(u64::MAX);
    let before = gateway.value(waits);
    say(&mut socket, "3").await;
    gateway.grows(waits, before).await;
    gateway.tasks.stop();
    counts(&gateway, "frames_dropped_total{account=\"link\",reason=\"stopping\"}", 1).await;
}

#[tokio::test]
async fn a_link_is_opened_to_who_knows_the_password() {
    let gateway = Gateway::of(http(patient()), vec![guarded()]).await;
    for wrong in [None, Some("Basic YXJpOndyb25n")] {
        let Err(Error::Http(refused)) = open(&gateway, wrong).await else { panic!("let in") };
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }
    let mut socket = open(&gateway, Some(BASIC)).await.expect("it is let in");
    say(&mut socket, "1").await;
    counts(&gateway, "frames_total{account=\"link\"}", 1).await;
    counts(&gateway, "connects_total{account=\"link\"}", 1).await;
}

#[tokio::test]
async fn an_account_is_called_by_frames_or_by_requests_and_says_which() {
    let mut walled = link(&Auth::default());
    walled.access.allow_http = false;
    walled.access.path = "/walled".to_owned();
    walled.name = AccountName::new("walled").expect("a name");
    let gateway = Gateway::of(http(patient()), vec![link(&Auth::default()), shop(), walled]).await;
    let mut peer = gateway.connect().await;
    peer.send("GET /callback/link HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = peer.answer().await;
    assert_eq!(answer.status, 426);
    assert!(answer.head.contains("\r\nupgrade: websocket\r\n"), "{}", answer.head);

    for (path, status) in [("/callback/shop", 200), ("/walled", 401), ("/callback/nobody", 404)] {
        let stream = TcpStream::connect(gateway.address).await.expect("it listens");
        let Err(Error::Http(answer)) = client_async(format!("ws://x{path}"), stream).await else {
            panic!("{path} is no WebSocket");
        };
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[tokio::test]
async fn stopping_says_goodbye_and_waits_for_nobody() {
    let gateway = Gateway::of(http(patient()), vec![link(&Auth::default())]).await;
    let mut socket = open(&gateway, None).await.expect("it is let in");
    say(&mut socket, "1").await;
    counts(&gateway, "frames_total{account=\"link\"}", 1).await;
    gateway.tasks.stop();
    let goodbye = socket.next().await.expect("a frame").expect("a good one");
    assert!(matches!(goodbye, Message::Close(Some(frame)) if frame.code == CloseCode::Away));
    drop(socket);
    drop(gateway.store);
    let left = gateway.tasks.shut_down(Duration::from_secs(10), |_| {}).await;
    assert!(left.is_empty(), "{left}");
}

#[expect(clippy::result_large_err, reason = "the library's signature")]
fn look(request: &Request, answer: Response) -> Result<Response, ErrorResponse> {
    assert_eq!(request.uri(), "/ari/events?app=hotline&subscribeAll=true");
    assert_eq!(request.headers()[AUTHORIZATION], BASIC);
    Ok(answer)
}

/// A carrier that waits for the gateway to call.
struct Carrier(TcpListener);

impl Carrier {
    async fn start() -> Carrier {
        Carrier(TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port"))
    }

    /// A gateway that calls it.
    async fn gateway(&self) -> Gateway {
        self.gateway_by("ws://127.0.0.1", None).await
    }

    async fn gateway_by(&self, server: &str, ca: Option<PathBuf>) -> Gateway {
        let port = self.0.local_addr().expect("it is bound").port();
        let url = format!("{server}:{port}/ari/events?app=hotline&subscribeAll=true");
        let mut account = guarded();
        account.access.connect = Some(Connect { url: url.parse().expect("a URL"), ca });
        Gateway::of(http(patient()), vec![account]).await
    }

    /// The next call, if it has the address and the password.
    async fn called(&self) -> Socket {
        let (stream, _) = self.0.accept().await.expect("the gateway calls");
        Carrier::upgrade(stream).await
    }

    async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocketStream<S> {
        accept_hdr_async(stream, look).await.expect("a WebSocket")
    }
}

#[tokio::test]
async fn a_link_that_we_keep_is_opened_again_when_it_is_lost() {
    let carrier = Carrier::start().await;
    let gateway = carrier.gateway().await;
    let mut socket = carrier.called().await;
    say(&mut socket, "1").await;
    counts(&gateway, "frames_total{account=\"link\"}", 1).await;
    counts(&gateway, "up{account=\"link\"}", 1).await;
    drop(socket);
    let mut socket = carrier.called().await;
    say(&mut socket, "2").await;
    counts(&gateway, "frames_total{account=\"link\"}", 2).await;
    counts(&gateway, "connects_total{account=\"link\"}", 2).await;
    counts(&gateway, "failures_total{account=\"link\"}", 1).await;

    let mut peer = gateway.connect().await;
    peer.send("GET /callback/link HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(peer.answer().await.status, 404, "who is called does not call");
    drop(peer);

    gateway.tasks.stop();
    let goodbye = socket.next().await.expect("a frame").expect("a good one");
    assert!(matches!(goodbye, Message::Close(Some(frame)) if frame.code == CloseCode::Away));
    drop(socket);
    drop(gateway.store);
    let left = gateway.tasks.shut_down(Duration::from_secs(10), |_| {}).await;
    assert!(left.is_empty(), "{left}");
}

#[tokio::test]
async fn a_carrier_that_is_not_there_is_tried_until_it_is() {
    let carrier = Carrier::start().await;
    let gateway = carrier.gateway().await;
    for _ in 0..2 {
        let (stream, _) = carrier.0.accept().await.expect("the gateway calls");
        drop(stream);
    }
    let mut socket = carrier.called().await;
    say(&mut socket, "1").await;
    counts(&gateway, "frames_total{account=\"link\"}", 1).await;
    counts(&gateway, "failures_total{account=\"link\"}", 2).await;
}

#[tokio::test]
async fn a_server_that_our_roots_do_not_vouch_for_is_told_nothing() {
    let (files, _, _directory) = certificate();
    let acceptor = tls::acceptor(&files.certificate, &files.key, None).expect("a pair");
    let (stranger, _, _directory) = certificate();
    let carrier = Carrier::start().await;
    let server = "wss://localhost";

    let _gateway = carrier.gateway_by(server, Some(stranger.certificate)).await;
    let (stream, _) = carrier.0.accept().await.expect("the gateway calls");
    assert!(acceptor.accept(stream).await.is_err());

    let carrier = Carrier::start().await;
    let gateway = carrier.gateway_by(server, Some(files.certificate)).await;
    let (stream, _) = carrier.0.accept().await.expect("the gateway calls");
    let stream = acceptor.accept(stream).await.expect("a handshake");
    let mut socket = Carrier::upgrade(stream).await;
    say(&mut socket, "1").await;
    counts(&gateway, "frames_total{account=\"link\"}", 1).await;
}
