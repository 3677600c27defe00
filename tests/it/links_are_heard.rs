//! Asterisk's events come over a WebSocket, opened by it or by us, and reach the platform.

use crate::support::{Gateway, Platform, Site, until};
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async, client_async};

/// One call in which a key was pressed, a frame each line.
const RECORDED: &str = include_str!("../fixtures/carriers/asterisk-ari/ivr_keypad.ndjson");

/// The call of it.
const CALL: &str = "1772677220.8890";

const ACCOUNT: &str = r#"
[accounts.hotline]
carrier = "asterisk-ari"
allow_http = true
user = "ari"
secrets = ["file:ari.key"]
default_campaign = "asked"
"#;

/// `ari:the key of ari`.
const BASIC: &str = "Basic YXJpOnRoZSBrZXkgb2YgYXJp";

async fn serve(platform: &Platform, further: &str) -> Gateway {
    let site = Site::new(platform, &format!("{ACCOUNT}{further}"));
    site.write("ari.key", "the key of ari");
    let gateway = Gateway::unready(site).await;
    gateway.is_ready().await;
    gateway
}

async fn replay<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) {
    for line in RECORDED.lines() {
        socket.send(Message::text(line)).await.expect("the gateway reads");
    }
}

async fn frames(gateway: &Gateway, times: f64) {
    until("the frames are stored", async || {
        gateway.metric("bridge8890_link_frames_total{account=\"hotline\"}").await >= times
    })
    .await;
}

#[expect(clippy::result_large_err, reason = "the library's signature")]
fn look(request: &Request, answer: Response) -> Result<Response, ErrorResponse> {
    assert_eq!(request.uri(), "/ari/events?app=hotline8890");
    assert_eq!(request.headers()["authorization"], BASIC);
    Ok(answer)
}

#[tokio::test]
async fn asterisk_calls_us() {
    let platform = Platform::start().await;
    let gateway = serve(&platform, "").await;
    let stream = async || TcpStream::connect(gateway.carriers()).await.expect("it listens");
    let request = || "ws://x/callback/hotline".into_client_request().expect("a request");
    let Err(Error::Http(refused)) = client_async(request(), stream().await).await else {
        panic!("it was let in without a password");
    };
    assert!(refused.status().is_client_error(), "{refused:?}");

    let mut known = request();
    known.headers_mut().insert("authorization", BASIC.parse().expect("a value"));
    let (mut socket, _) = client_async(known, stream().await).await.expect("it is let in");
    let sent = RECORDED.lines().count() as f64;
    replay(&mut socket).await;
    // Asterisk has no memory of what it has sent, but a second one beside it may send the same.
    replay(&mut socket).await;
    frames(&gateway, 2.0 * sent).await;
    socket.close(None).await.expect("the gateway reads");
    gateway.drained().await;
    assert_eq!(platform.effects().into_iter().collect::<Vec<_>>(), [(CALL.to_owned(), 1)]);
    assert_eq!(gateway.metric("bridge8890_events_total{outcome=\"garbled\"}").await, 0.0);
    gateway.finish().await;
}

#[tokio::test]
async fn we_call_asterisk_and_call_again() {
    let asterisk = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = asterisk.local_addr().expect("it is bound");
    let platform = Platform::start().await;
    let connect = format!("connect = \"ws://{address}/ari/events?app=hotline8890\"\n");
    let gateway = serve(&platform, &connect).await;
    let called = async || {
        let (stream, _) = asterisk.accept().await.expect("the gateway calls");
        accept_hdr_async(stream, look).await.expect("a WebSocket")
    };
    drop(called().await);
    let mut socket = called().await;
    replay(&mut socket).await;
    frames(&gateway, RECORDED.lines().count() as f64).await;
    assert_eq!(gateway.metric("bridge8890_link_up{account=\"hotline\"}").await, 1.0);
    gateway.drained().await;
    assert_eq!(platform.effects().into_iter().collect::<Vec<_>>(), [(CALL.to_owned(), 1)]);
    gateway.finish().await;
}
