//! The client against servers that are strangers, slow, or say too much.

#![expect(clippy::expect_used, reason = "helpers of tests may fail like tests")]

use bridge8890::net::client::{Answer, CallError, Client, ClientError, Options, Reach, Trust};
use bytes::Bytes;
use http::{Request, StatusCode};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

const LONG: Duration = Duration::from_secs(20);

fn client(trust: Trust, connect_timeout: Duration) -> Client {
    Client::new(&Options { trust, reach: Reach::Anywhere, connect_timeout, max_idle: 1 })
        .expect("a client")
}

async fn get(client: &Client, url: String) -> Result<Answer, CallError> {
    let request = Request::get(url).body(Bytes::new()).expect("a request");
    client.call(request, Instant::now() + LONG, 100).await
}

/// Answers every connection with these bytes once, over TLS if there is an acceptor.
async fn serve(answer: &'static [u8], tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut request = [0; 1024];
            match &tls {
                // A stranger breaks off the handshake, and that is the test.
                Some(tls) => {
                    if let Ok(mut stream) = tls.accept(tcp).await {
                        let read = stream.read(&mut request).await.expect("a request");
                        assert_ne!(read, 0);
                        stream.write_all(answer).await.expect("sent");
                        stream.shutdown().await.expect("closed");
                    }
                }
                None => {
                    let read = tcp.read(&mut request).await.expect("a request");
                    assert_ne!(read, 0);
                    tcp.write_all(answer).await.expect("sent");
                }
            }
        }
    };
    drop(bridge8890::lifecycle::Tasks::new().spawn("server", server));
    address
}

#[tokio::test]
async fn over_tls_only_the_configured_roots_are_believed() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a certificate and its key");
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let server = serve(answer, Some(TlsAcceptor::from(Arc::new(config)))).await;
    let url = |host| format!("https://{host}:{}/", server.port());

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, cert.pem()).expect("written");
    let friend = client(Trust::Roots(path.clone()), LONG);
    let answer = get(&friend, url("localhost")).await.expect("an answer");
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"ok"[..]));
    // The certificate is for another name.
    let error = get(&friend, url("127.0.0.1")).await.expect_err("a stranger");
    assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");

    let another = generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(&path, another.cert.pem()).expect("written");
    let stranger = client(Trust::Roots(path.clone()), LONG);
    // Roots are read at each connection, so whom they no longer vouch for is a stranger to both.
    for client in [&stranger, &friend] {
        let error = get(client, url("localhost")).await.expect_err("a stranger");
        assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");
    }
    std::fs::write(&path, cert.pem()).expect("written");
    assert!(get(&stranger, url("localhost")).await.is_ok());
    std::fs::write(&path, "").expect("written");
    assert!(get(&stranger, url("localhost")).await.is_ok(), "what is unusable changes nothing");

    for bad in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, bad).expect("written");
        let options = Options {
            trust: Trust::Roots(path.clone()),
            reach: Reach::Anywhere,
            connect_timeout: LONG,
            max_idle: 1,
        };
        assert!(matches!(Client::new(&options), Err(ClientError::BadRoots { .. })), "{bad}");
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_no_connection() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ca.pem");
    let CertifiedKey { cert, .. } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(&path, cert.pem()).expect("written");
    // Connects by its backlog, and never says a word.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let port = silent.local_addr().expect("an address").port();
    let client = client(Trust::Roots(path), Duration::from_millis(50));
    let error = get(&client, format!("https://localhost:{port}/")).await.expect_err("silence");
    assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn answers_are_bounded_and_redirects_are_answers() {
    let client = client(Trust::Plain, LONG);
    let talkative = serve(
        b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n\
          0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789x",
        None,
    )
    .await;
    let error = get(&client, format!("http://{talkative}/")).await.expect_err("too much");
    assert!(matches!(error, CallError::Broken(_)), "{error:?}");

    let elsewhere = b"HTTP/1.1 302 Found\r\nlocation: /loop\r\ncontent-length: 0\r\n\r\n";
    let redirecting = serve(elsewhere, None).await;
    let answer = get(&client, format!("http://{redirecting}/")).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::FOUND);

    let unfinished = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", None).await;
    let error = get(&client, format!("http://{unfinished}/")).await.expect_err("half");
    assert!(matches!(error, CallError::Broken(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_out_of_reach_is_not_connected_to_by_number_or_by_name() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let address = serve(answer, None).await;
    let within = |reach: Reach| {
        let options = Options { trust: Trust::Plain, reach, connect_timeout: LONG, max_idle: 1 };
        Client::new(&options).expect("a client")
    };
    let public = within(Reach::Where(Arc::new(|address| !address.is_loopback())));
    let loopback = within(Reach::Where(Arc::new(|address| address.is_loopback())));
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1"] {
        let url = format!("http://{host}:{}/", address.port());
        let refused = get(&public, url).await.expect_err("refused");
        assert!(refused.is_out_of_reach(), "{host}: {refused:?}");
    }
    for host in ["127.0.0.1", "localhost"] {
        let answer = get(&loopback, format!("http://{host}:{}/", address.port())).await;
        assert_eq!(answer.expect("an answer").status, StatusCode::OK, "{host}");
    }
}
