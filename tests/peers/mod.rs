//! A gateway's listener on a free port, and peers that behave as badly as they like.

use bridge8890::carrier::{Answer, Call, Carrier, Decoded, Denied, Garbled, Proof, Reply, Spec};
use bridge8890::clock::{Clock, Entropy};
use bridge8890::config::{Account, Http, Limits, Origin, Tls};
use bridge8890::ingress::{self, Ground};
use bridge8890::intake::Intake;
use bridge8890::lifecycle::Tasks;
use bridge8890::model::{AccountName, Secret};
use bridge8890::store::{KEY_LEN, KeyRing, Options, Store};
use bridge8890::telemetry::{Metrics, Progress};
use http::{Method, StatusCode};
use jiff::{Timestamp, tz::Offset};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Believes every request that has no `x-forged` header, and reads nothing.
struct Trusting;

static SPEC: Spec = Spec {
    key: "trusting",
    title: "Trusting",
    routes: &["report"],
    methods: &[Method::POST, Method::GET],
    max_body: 1000,
    proof: Proof::Nothing,
    patience: "none",
};

impl Carrier for Trusting {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn verify(&self, call: &Call<'_>, _: &Account, _: Timestamp) -> Result<(), Denied> {
        if call.headers.contains_key("x-forged") { Err(Denied::BadSignature) } else { Ok(()) }
    }

    fn decode(&self, _: &Call<'_>, _: &Account, _: Timestamp) -> Result<Decoded, Garbled> {
        Ok(Decoded::default())
    }

    fn reply(&self, _: &Call<'_>, answer: &Answer) -> Reply {
        let (status, body) = match answer {
            Answer::Accepted | Answer::Duplicate => (StatusCode::OK, "taken"),
            Answer::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "later"),
            Answer::Refused(_) => (StatusCode::UNAUTHORIZED, "no"),
        };
        Reply::fixed(status, "text/plain", body)
    }
}

/// What a peer may take when a test does not say otherwise: so much that no timeout rings.
pub(crate) fn patient() -> Limits {
    let long = Duration::from_secs(60);
    Limits {
        max_connections: 100,
        max_requests: 100,
        handshake_timeout: long,
        header_timeout: long,
        body_timeout: long,
        idle_timeout: long,
        max_body: 1 << 20,
        max_buffered: 1 << 26,
        retry_after: Duration::from_secs(3),
    }
}

/// How long a timeout is that a test waits for.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

/// A listener with one account, `shop`.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Metrics,
    pub(crate) tasks: Tasks,
    _directory: TempDir,
}

impl Gateway {
    pub(crate) async fn start(limits: Limits) -> Gateway {
        Gateway::start_with(limits, None).await
    }

    pub(crate) async fn start_with(limits: Limits, tls: Option<Tls>) -> Gateway {
        let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let (tasks, metrics) = (Tasks::new(), Metrics::new().expect("bounds are fine"));
        let directory = TempDir::new().expect("a directory");
        let entropy = Entropy::seeded(1);
        let options = Options {
            directory: directory.path().to_owned(),
            lanes: Vec::new(),
            queue: 100,
            max_group: 100,
            progress: Progress::new("writer"),
        };
        let ring = KeyRing::new(&Secret::new(vec![1; KEY_LEN]), &[]).expect("a key");
        let clock = Clock::system();
        let opened = Store::open(&options, ring, clock.clone(), entropy.clone(), &metrics, &tasks);
        let store = opened.await.expect("it opens");
        let ground = Ground {
            intake: Intake::new(store, &[], clock, entropy, &metrics),
            tasks: tasks.clone(),
            entropy: Entropy::seeded(1),
            metrics: metrics.clone(),
        };
        let account: (_, &'static dyn Carrier) = (Arc::new(account()), &Trusting);
        let config = Http { listen, tls, limits };
        let addresses = ingress::start(&config, [account], ground).await.expect("a free port");
        Gateway { address: addresses[0], metrics, tasks, _directory: directory }
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Peer<TcpStream> {
        Peer::over(TcpStream::connect(self.address).await.expect("it listens"))
    }

    /// Waits until this line is among the metrics.
    pub(crate) async fn counts(&self, line: &str) {
        let look = async {
            while !self.metrics.render().lines().any(|there| there == line) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(10), look).await;
        assert!(seen.is_ok(), "no line {line} in\n{}", self.metrics.render());
    }
}

fn account() -> Account {
    Account {
        name: AccountName::new("shop").expect("a name"),
        carrier: SPEC.key.to_owned(),
        secrets: Vec::new(),
        offset: Offset::UTC,
        country: "86".to_owned(),
        default_campaign: None,
        origin: Origin { file: "test".to_owned(), line: 1 },
    }
}

/// A peer that writes bytes and reads answers.
pub(crate) struct Peer<S>(BufReader<S>);

/// An answer as it came: status line and headers in lower case, then the body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) fn over(stream: S) -> Peer<S> {
        Peer(BufReader::new(stream))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("the gateway reads");
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn finish(&mut self) {
        self.0.shutdown().await.expect("half closed");
    }

    /// The next answer; fails at the end of the connection.
    pub(crate) async fn answer(&mut self) -> Answered {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).await.expect("an answer, not a reset");
            assert_ne!(read, 0, "the connection ended after {head:?}");
        }
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length = length.expect("a length").parse().expect("digits");
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.expect("a whole body");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("digits");
        Answered { status, head, body: String::from_utf8(body).expect("text") }
    }

    /// Waits until the gateway has closed the connection without another byte.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end too: the gateway owes a peer that broke off no politeness.
        drop(self.0.read_to_end(&mut rest).await);
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

/// A callback of a shop with this body.
pub(crate) fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /callback/shop HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")
}
