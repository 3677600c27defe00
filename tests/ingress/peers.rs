//! A gateway's listener on a free port, and peers that behave as badly as they like.

use bridge8890::clock::{Clock, Entropy};
use bridge8890::config::dialect::{
    AnswerForm, Answers, Auth, Charset, Check, Dialect, EventRule, Format, Place, Route, RuleKind,
    Scheme, Source, Template, Transport,
};
use bridge8890::config::{Access, Account, Http, Limits, Origin, Proxies, Tls};
use bridge8890::ingress::{self, Ground};
use bridge8890::intake::Intake;
use bridge8890::lifecycle::Tasks;
use bridge8890::model::{AccountName, Secret};
use bridge8890::session;
use bridge8890::store::housekeeping::{self, House};
use bridge8890::store::{self, KEY_LEN, KeyRing, Options, Retention, Store};
use bridge8890::telemetry::{Metrics, Progress};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use jiff::tz::Offset;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

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

/// A listener on a free port that speaks plain HTTP and knows no proxy.
pub(crate) fn http(limits: Limits) -> Http {
    let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    Http { listen, tls: None, external_url: None, proxies: Proxies::default(), limits }
}

/// A gateway's listener.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Metrics,
    pub(crate) tasks: Tasks,
    /// Its writer ends when nobody has it any more.
    pub(crate) store: Store,
    directory: TempDir,
}

impl Gateway {
    /// With the accounts `shop` and `guarded`.
    pub(crate) async fn start(limits: Limits) -> Gateway {
        Gateway::start_with(limits, None).await
    }

    pub(crate) async fn start_with(limits: Limits, tls: Option<Tls>) -> Gateway {
        Gateway::of(Http { tls, ..http(limits) }, vec![shop(), guarded()]).await
    }

    pub(crate) async fn of(config: Http, accounts: Vec<Account>) -> Gateway {
        let (tasks, metrics) = (Tasks::new(), Metrics::new().expect("bounds are fine"));
        let directory = TempDir::new().expect("a directory");
        let entropy = Entropy::seeded(1);
        let options = Options {
            place: store::Place::Directory(directory.path().to_owned()),
            lanes: Vec::new(),
            queue: 100,
            max_group: 100,
            progress: Progress::new("writer"),
        };
        let ring = KeyRing::new(&Secret::new(vec![1; KEY_LEN]), &[]).expect("a key");
        let clock = Clock::system();
        let opened = Store::open(&options, ring, clock.clone(), entropy.clone(), &metrics, &tasks);
        let store = opened.await.expect("it opens");
        let accounts: Vec<Arc<Account>> = accounts.into_iter().map(Arc::new).collect();
        let named = accounts.iter().map(|account| (account.name.clone(), Arc::clone(account)));
        let ground = Ground {
            intake: Intake::new(
                store.clone(),
                &named.collect(),
                &[],
                (clock, entropy.clone()),
                &metrics,
            ),
            tasks: tasks.clone(),
            entropy,
            metrics: metrics.clone(),
        };
        session::start(accounts.clone(), &ground).expect("links can be opened");
        let addresses = ingress::start(&config, accounts, None, ground).await.expect("a free port");
        Gateway { address: addresses[0], metrics, tasks, store, directory }
    }

    /// Has the store take nothing while there are fewer free bytes than these.
    pub(crate) fn disk_floor(&self, bytes: u64) {
        let ever = Duration::from_hours(1);
        let keep = Retention { callbacks: ever, records: ever, keys: ever };
        let directory = self.directory.path().to_owned();
        housekeeping::look_at_disk(
            &self.store,
            &House { directory: Some(directory), disk_floor: bytes, keep },
        );
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Peer<TcpStream> {
        Peer::over(TcpStream::connect(self.address).await.expect("it listens"))
    }

    /// What this metric says now.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.expect("a series").parse().expect("a number")
    }

    /// Waits until this metric is larger than that.
    pub(crate) async fn grows(&self, series: &str, beyond: f64) {
        let look = async {
            while self.value(series) <= beyond {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(10), look).await;
        assert!(seen.is_ok(), "{series} stays at {beyond}");
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

/// An account that believes everybody, over plain HTTP too, and makes nothing of what it reads.
pub(crate) fn shop() -> Account {
    account("shop", &["", "report"], &Auth::default())
}

/// The same for who knows its token.
fn guarded() -> Account {
    let given = Source::of(Place::Header(HeaderName::from_static("x-token")));
    let check = Check::Token { given, prefix: String::new() };
    let token =
        Scheme { check, user: None, time: None, tolerance: std::time::Duration::ZERO, nonce: None };
    let auth = Auth { schemes: vec![token], optional: false };
    Account { secrets: vec![Secret::new(b"right".to_vec())], ..account("guarded", &[""], &auth) }
}

/// An account whose carrier opens a WebSocket.
pub(crate) fn link(auth: &Auth) -> Account {
    let mut account = account("link", &[""], auth);
    Arc::make_mut(&mut account.dialect).transport = Transport::WebSocket;
    account
}

fn account(name: &str, routes: &[&str], auth: &Auth) -> Account {
    let dialect = Dialect {
        retries: Vec::new(),
        carrier: "generic".to_owned(),
        title: "Trusting".to_owned(),
        reference: "none".to_owned(),
        patience: "none".to_owned(),
        transport: Transport::Http,
        send: None,
        routes: routes.iter().map(|name| route(name, auth.clone())).collect(),
    };
    Account {
        name: AccountName::new(name).expect("a name"),
        access: Access { path: format!("/callback/{name}"), allow_http: true, ..Access::default() },
        dialect: Arc::new(dialect),
        user: None,
        secrets: Vec::new(),
        tolerance: None,
        offset: Offset::UTC,
        country: "86".to_owned(),
        default_campaign: None,
        send: None,
        recordings: None,
        origin: Origin { file: "test".to_owned(), line: 1 },
    }
}

fn route(name: &str, auth: Auth) -> Route {
    let ignored = EventRule {
        name: "anything".to_owned(),
        when: Vec::new(),
        items: Vec::new(),
        each: None,
        id: None,
        call: None,
        caller: None,
        service: None,
        time: None,
        pass_through: None,
        part: None,
        kind: RuleKind::Ignored,
        dedupe: Vec::new(),
        resend_window: None,
    };
    let answer = |status, text| AnswerForm {
        status,
        content_type: Some(HeaderValue::from_static("text/plain")),
        headers: Vec::new(),
        body: Template::literal(text),
    };
    Route {
        name: name.to_owned(),
        methods: vec![Method::POST, Method::GET],
        max_body: 1000,
        max_items: 100,
        formats: vec![Format::Query, Format::Text],
        charset: Charset::Utf8,
        inside: None,
        auth,
        events: vec![ignored],
        answers: Answers {
            accepted: answer(StatusCode::OK, "taken"),
            duplicate: answer(StatusCode::OK, "taken"),
            busy: answer(StatusCode::SERVICE_UNAVAILABLE, "later"),
            refused: answer(StatusCode::UNAUTHORIZED, "no"),
            unsigned: answer(StatusCode::UNAUTHORIZED, "no"),
            cases: Vec::new(),
        },
        steps: None,
    }
}

/// Who can show a certificate: the chain and its key.
pub(crate) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A certificate for `localhost`, and clients that trust it, speak one protocol, and may show a
/// certificate of their own.
pub(crate) fn certificate() -> (Tls, impl Fn(&[u8], Option<Identity>) -> TlsConnector, TempDir) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let directory = tempfile::tempdir().expect("a directory");
    let (certificate, key) = (directory.path().join("chain.pem"), directory.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let trusted: CertificateDer<'static> = made.cert.der().clone();
    let connector = move |protocol: &[u8], identity: Option<Identity>| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some((chain, key)) => config.with_client_auth_cert(vec![chain], key).expect("a pair"),
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsConnector::from(Arc::new(config))
    };
    (Tls { certificate, key, client_ca: None }, connector, directory)
}

pub(crate) async fn shake_hands(
    gateway: &Gateway,
    connector: &TlsConnector,
) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(gateway.address).await.expect("it listens");
    let name = ServerName::try_from("localhost").expect("a name");
    connector.connect(name, stream).await.expect("a handshake")
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

    /// Sends to a gateway that may have hung up already.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.0.write_all(bytes.as_ref()).await);
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
