//! The platform knows us by a signature, a token or a certificate, and we connect to nobody else:
//! tokens are fetched once for all, renewed and given up; files are replaced while it runs.

use crate::support::{
    Book, Caller, Came, Door, Gateway, Platform, SECRET, Said, Site, answer, until,
};
use bridge8890::clock::Clock;
use bridge8890::model::Secret;
use bridge8890::signature::{Key, TOLERANCE, Verifier};
use bridge8890::standin::faults::{Faults, Mishap};
use http::{Response, StatusCode, header};
use md5::{Digest, Md5};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const STATE: &str = "bridge8890_egress_lane_state{lane=\"platform\"}";
const FAULTS: &str = "bridge8890_egress_requests_total{lane=\"platform\",result=\"fault\"}";

fn tokens(result: &str) -> String {
    format!("bridge8890_egress_tokens_total{{lane=\"platform\",result=\"{result}\"}}")
}

/// A platform that gives out tokens and takes records with the last one.
#[derive(Clone)]
struct Office(Arc<OfficeInner>);

struct OfficeInner {
    book: Book,
    lifetime: Duration,
    given: Mutex<Option<(String, Instant)>>,
    fetches: AtomicUsize,
    /// Fetches while the token before was still good.
    ahead: AtomicUsize,
    is_down: AtomicBool,
}

impl Office {
    fn new(lifetime: Duration) -> Office {
        Office(Arc::new(OfficeInner {
            book: Book::default(),
            lifetime,
            given: Mutex::default(),
            fetches: AtomicUsize::new(0),
            ahead: AtomicUsize::new(0),
            is_down: AtomicBool::new(false),
        }))
    }

    fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::SeqCst)
    }

    fn is_good(&self, token: &str) -> bool {
        let given = self.0.given.lock().expect("nobody panics with it");
        given.as_ref().is_some_and(|(good, ends)| good == token && Instant::now() < *ends)
    }

    fn revoke(&self) {
        *self.0.given.lock().expect("nobody panics with it") = None;
    }

    fn give(&self) -> String {
        let number = self.0.fetches.fetch_add(1, Ordering::SeqCst);
        let token = format!("token-{number}");
        let next = (token.clone(), Instant::now() + self.0.lifetime);
        let before = self.0.given.lock().expect("nobody panics with it").replace(next);
        if before.is_some_and(|(_, ends)| Instant::now() < ends) {
            self.0.ahead.fetch_add(1, Ordering::SeqCst);
        }
        token
    }

    /// OAuth: who asks is known by Basic, and shows the token as Bearer.
    fn by_client_credentials(&self, came: &Came) -> Said {
        let authorization = came.request.headers().get(header::AUTHORIZATION);
        let said = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default();
        if came.request.uri().path() != "/token" {
            let token = said.strip_prefix("Bearer ").unwrap_or_default();
            return (Duration::ZERO, self.take(came, token));
        }
        // `us` and the secret, encoded as in a form: RFC 6749, 2.3.1.
        assert_eq!(said, "Basic dXM6dGhlK3BsYXRmb3JtJTI3cytrZXk=");
        assert_eq!(came.request.body(), "grant_type=client_credentials&scope=records");
        if self.0.is_down.load(Ordering::SeqCst) {
            let error = json!({ "error": "temporarily_unavailable", "secret": SECRET });
            return (Duration::ZERO, answer(StatusCode::SERVICE_UNAVAILABLE, &error));
        }
        let body = json!({
            "access_token": self.give(), "token_type": "Bearer",
            "expires_in": self.0.lifetime.as_secs(),
        });
        // So long that all who need it wait for it.
        (Duration::from_millis(300), answer(StatusCode::OK, &body))
    }

    fn take(&self, came: &Came, token: &str) -> Response<http_body_util::Full<bytes::Bytes>> {
        match self.is_good(token) {
            true => self.0.book.take(&came.request),
            false => answer(StatusCode::UNAUTHORIZED, &json!({ "reason": "no such token" })),
        }
    }
}

/// Serves a platform at this address, which knows us as `own` says.
async fn gateway_to(url: &str, own: &str) -> Gateway {
    let nobody = Platform::start().await;
    let own = format!("destination.url = '{url}'\ndestination.key_id = 'us'\n{own}");
    Gateway::with(&nobody, &own).await
}

const CLIENT: &str = "destination.max_batch = 1\ndestination.concurrency = 8\n\
                      destination.concurrency_min = 8\n";

fn client_of(door: &Door) -> String {
    format!(
        "{CLIENT}[destination.identity]\nscheme = 'client-credentials'\nscope = 'records'\n\
         token_url = 'http://{}/token'",
        door.address
    )
}

#[tokio::test]
async fn one_fetch_serves_all_and_a_revoked_token_costs_one_more_and_no_record() {
    let office = Office::new(Duration::from_hours(1));
    let own = office.clone();
    let door = Door::open(None, move |came| own.by_client_credentials(&came)).await;
    let gateway = gateway_to(&format!("http://{}", door.address), &client_of(&door)).await;
    let mut caller = Caller::new(1);
    let first = gateway.take(&caller.take(40)).await.len();
    gateway.drained().await;
    assert_eq!((office.fetches(), office.0.book.len()), (1, first));

    office.revoke();
    let second = gateway.take(&caller.take(40)).await.len();
    gateway.drained().await;
    assert_eq!((office.fetches(), office.0.book.len()), (2, first + second));
    assert_eq!(gateway.metric(&tokens("refused")).await, 1.0);
    assert_eq!(gateway.metric(FAULTS).await, 0.0, "the lane did not hold");
    let lane = gateway.site.lane().await;
    assert_eq!((lane.dead, lane.adds_up), (0, true));
    assert!(!gateway.log().contains("token-0"));
    gateway.finish().await;
}

#[tokio::test]
async fn a_token_is_renewed_while_it_is_still_good() {
    let office = Office::new(Duration::from_secs(5));
    let own = office.clone();
    let door = Door::open(None, move |came| own.by_client_credentials(&came)).await;
    let gateway = gateway_to(&format!("http://{}", door.address), &client_of(&door)).await;
    let mut caller = Caller::new(1);
    let mut taken = 0;
    until("a token was renewed ahead of its end", async || {
        taken += gateway.take(&caller.take(2)).await.len();
        office.0.ahead.load(Ordering::SeqCst) > 0
    })
    .await;
    gateway.drained().await;
    assert_eq!((office.0.book.len(), gateway.site.lane().await.dead), (taken, 0));
    gateway.finish().await;
}

#[tokio::test]
async fn without_a_token_the_lane_holds_and_says_why() {
    let office = Office::new(Duration::from_hours(1));
    office.0.is_down.store(true, Ordering::SeqCst);
    let own = office.clone();
    let door = Door::open(None, move |came| own.by_client_credentials(&came)).await;
    let gateway = gateway_to(&format!("http://{}", door.address), &client_of(&door)).await;
    let taken = gateway.take(&Caller::new(1).take(10)).await.len();
    until("the lane holds", async || gateway.metric(STATE).await > 0.0).await;
    holds_because(&gateway, "no token: destination.identity.token_url: answered 503").await;
    assert!(!gateway.log().contains(SECRET));

    office.0.is_down.store(false, Ordering::SeqCst);
    gateway.drained().await;
    assert_eq!((office.0.book.len(), gateway.site.lane().await.dead), (taken, 0));
    assert!(gateway.metric(&tokens("failed")).await >= 1.0);
    gateway.finish().await;
}

/// `lane status` names this cause.
async fn holds_because(gateway: &Gateway, cause: &str) {
    let said = async || gateway.site.run("lane status").await.stdout;
    until(&format!("the lane holds: {cause}"), async || said().await.contains(cause)).await;
}

#[tokio::test]
async fn a_token_is_come_by_with_md5_and_carried_in_the_query() {
    let office = Office::new(Duration::from_hours(1));
    let own = office.clone();
    let door = Door::open(None, move |came| {
        let query = came.request.uri().query().unwrap_or_default().to_owned();
        if came.request.uri().path() != "/token" {
            let token = query.strip_prefix("t=").unwrap_or_default();
            return (Duration::ZERO, own.take(&came, token));
        }
        let form = String::from_utf8(came.request.body().to_vec()).expect("text");
        let rest = form.strip_prefix("app_key=us&timestamp=").expect("our name");
        let (time, sign) = rest.split_once("&sign=").expect("signed");
        assert_eq!(sign, hex::encode(Md5::digest(format!("{SECRET}{time}"))));
        assert_eq!(time.len(), "yyyyMMddHHmmss".len());
        let given = json!({ "accessToken": own.give(), "refreshToken": "r", "expiresIn": "3600" });
        let body = json!({ "code": "0", "data": given });
        (Duration::ZERO, answer(StatusCode::OK, &body))
    })
    .await;
    let url = format!("http://{}", door.address);
    let own = format!(
        "[destination.identity]\nscheme = 'md5-token'\ntoken_url = '{url}/token'\ntoken.query = 't'\n\
         md5 = {{ token = 'data.accessToken', expires = 'data.expiresIn' }}"
    );
    let gateway = gateway_to(&url, &own).await;
    let taken = gateway.take(&Caller::new(1).take(10)).await.len();
    gateway.drained().await;
    assert_eq!((office.0.book.len(), office.fetches()), (taken, 1));
    gateway.finish().await;
}

#[tokio::test]
async fn requests_are_signed_with_sm3_and_sm2_and_a_bearer_is_sent_along() {
    const PRIVATE: &str = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
    let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
    let bearer = format!("Bearer {PRIVATE}");
    for (scheme, key) in [
        ("hmac-sm3", Some(Key::hmac_sm3(&secret(PRIVATE)))),
        ("sm2", Some(Key::sm2(&secret(PRIVATE)).expect("a key"))),
        ("bearer", None),
    ] {
        let (book, bearer) = (Book::default(), bearer.clone());
        let verifier = key.map(|key| Verifier::of(Some("us"), vec![key], TOLERANCE));
        let own = book.clone();
        let door = Door::open(None, move |Came { request, .. }| {
            let target = (request.method(), request.uri().path());
            let now = Clock::system().now();
            let is_ours = match &verifier {
                Some(it) => it.verify(target, request.headers(), request.body(), now).is_ok(),
                None => request.headers()[header::AUTHORIZATION] == bearer,
            };
            assert!(is_ours, "{request:?}");
            (Duration::ZERO, own.take(&request))
        })
        .await;
        let nobody = Platform::start().await;
        let site = Site::new(
            &nobody,
            &format!(
                "[destination]\nurl = 'http://{}'\nkey_id = 'us'\nsecret = 'file:sm2.key'\n\
                 identity.scheme = '{scheme}'",
                door.address
            ),
        );
        site.write("sm2.key", PRIVATE);
        let gateway = Gateway::unready(site).await;
        gateway.is_ready().await;
        let taken = gateway.take(&Caller::new(1).take(5)).await.len();
        gateway.drained().await;
        assert_eq!(book.len(), taken, "{scheme}");
        gateway.finish().await;
    }
}

/// An authority, and what it vouches for.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// A certificate for this name and its key.
    fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.0).expect("signed"), key)
    }

    /// Lets in only whom it vouches for.
    fn acceptor(&self) -> TlsAcceptor {
        let (certificate, key) = self.certify("127.0.0.1");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a root");
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients.build().expect("a verifier"))
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            );
        TlsAcceptor::from(Arc::new(config.expect("a certificate and its key")))
    }
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_shown_from_the_next_connection_on() {
    let authority = Authority::new();
    let (book, shown) = (Book::default(), Arc::new(Mutex::new(None)));
    let own = (book.clone(), Arc::clone(&shown));
    let door = Door::open(Some(authority.acceptor()), move |came| {
        *own.1.lock().expect("nobody panics with it") = came.certificate;
        (Duration::ZERO, own.0.take(&came.request))
    })
    .await;
    let shown = || shown.lock().expect("nobody panics with it").clone();
    let nobody = Platform::start().await;
    let site = Site::new(
        &nobody,
        &format!(
            "[destination]\nurl = 'https://{}'\nidentity.scheme = 'none'\nca = 'ca.pem'\n\
             client_cert = 'us.pem'\nclient_key = 'us.key'",
            door.address
        ),
    );
    let (first, first_key) = authority.certify("first.example");
    let (second, second_key) = authority.certify("second.example");
    site.write("ca.pem", authority.0.pem());
    site.write("us.pem", first.pem());
    site.write("us.key", first_key.serialize_pem());
    let gateway = Gateway::unready(site).await;
    gateway.is_ready().await;
    let mut caller = Caller::new(1);
    let mut taken = gateway.take(&caller.take(1)).await.len();
    gateway.drained().await;
    assert_eq!(shown().as_deref(), Some(&first.der()[..]));
    let ends = "bridge8890_egress_client_certificate_end_timestamp_seconds{lane=\"platform\"}";
    assert!(gateway.metric(ends).await > 0.0);

    // The new chain with the old key: someone is in the middle of replacing them.
    gateway.site.write("us.pem", second.pem());
    taken += gateway.take(&caller.take(1)).await.len();
    gateway.drained().await;
    assert_eq!(shown().as_deref(), Some(&first.der()[..]));
    let files = "bridge8890_egress_certificate_files_total{lane=\"platform\",result=";
    assert_eq!(gateway.metric(&format!("{files}\"refused\"}}")).await, 1.0);

    gateway.site.write("us.key", second_key.serialize_pem());
    taken += gateway.take(&caller.take(1)).await.len();
    gateway.drained().await;
    assert_eq!(shown().as_deref(), Some(&second.der()[..]));
    assert_eq!(gateway.metric(&format!("{files}\"taken\"}}")).await, 1.0);
    assert_eq!(book.len(), taken);
    gateway.finish().await;
}

#[tokio::test]
async fn a_certificate_that_is_refused_holds_the_lane_and_costs_no_record_a_try() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let book = Book::default();
    let own = book.clone();
    let door = Door::open(Some(authority.acceptor()), move |came| {
        (Duration::ZERO, own.take(&came.request))
    })
    .await;
    let nobody = Platform::start().await;
    let site = Site::new(
        &nobody,
        &format!(
            "[destination]\nurl = 'https://{}'\nidentity.scheme = 'none'\nca = 'ca.pem'\n\
             client_cert = 'us.pem'\nclient_key = 'us.key'\nbackoff.max_attempts = 2",
            door.address
        ),
    );
    let show = |site: &Site, (certificate, key): (rcgen::Certificate, KeyPair)| {
        site.write("us.pem", certificate.pem());
        site.write("us.key", key.serialize_pem());
    };
    site.write("ca.pem", authority.0.pem());
    show(&site, stranger.certify("us.example"));
    let gateway = Gateway::unready(site).await;
    gateway.is_ready().await;
    let taken = gateway.take(&Caller::new(1).take(5)).await.len();
    until("it was tried more often than attempts are", async || {
        gateway.metric(FAULTS).await >= 3.0
    })
    .await;
    holds_because(&gateway, "check the address, the network and the certificates").await;

    show(&gateway.site, authority.certify("us.example"));
    gateway.drained().await;
    assert_eq!((book.len(), gateway.site.lane().await.dead), (taken, 0));
    gateway.finish().await;
}

#[tokio::test]
async fn an_address_that_is_not_listed_holds_the_lane_and_is_named() {
    let platform = Platform::start().await;
    let pinned = "destination.addresses = ['10.1.2.3', '10.1.0.0/16']";
    let mut gateway = Gateway::with(&platform, pinned).await;
    let ids = gateway.take(&Caller::new(1).take(3)).await;
    until("the lane holds", async || gateway.metric(STATE).await > 0.0).await;
    holds_because(&gateway, "no address that may be reached, only 127.0.0.1").await;
    assert_eq!(platform.requests(), 0);

    gateway.stop().await;
    gateway.site.configure(&platform, "destination.addresses = ['127.0.0.0/8']");
    gateway.restart().await;
    gateway.drained().await;
    assert!(platform.effects().keys().eq(&ids));
    gateway.finish().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_holds_the_lane() {
    let moved = Mishap::Refuse { status: StatusCode::FOUND, retry_after: None };
    let platform = Platform::with(Faults { mishap: Some(moved), ..Faults::default() }).await;
    let gateway = Gateway::start(&platform).await;
    let ids = gateway.take(&Caller::new(1).take(3)).await;
    until("the lane holds", async || gateway.metric(STATE).await > 0.0).await;
    holds_because(&gateway, "302").await;
    platform.set_faults(Faults::default());
    gateway.drained().await;
    assert!(platform.effects().keys().eq(&ids));
    assert_eq!(gateway.site.lane().await.dead, 0);
    gateway.finish().await;
}

/// A proxy that opens a tunnel to whatever it is asked for, by whoever has the password.
async fn proxy(asked: Arc<Mutex<Vec<String>>>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let tunnel = |tcp: TcpStream, asked: Arc<Mutex<Vec<String>>>| async move {
        let mut tcp = BufReader::new(tcp);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(tcp.read_line(&mut head).await.expect("a head"), 0);
        }
        // `bridge` and the platform's key.
        let known = "Proxy-Authorization: Basic YnJpZGdlOnRoZSBwbGF0Zm9ybSdzIGtleQ==\r\n";
        assert!(head.contains(known), "{head}");
        let server = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
        let server = server.expect("a tunnel is asked for").to_owned();
        let mut there = TcpStream::connect(&server).await.expect("it listens");
        asked.lock().expect("nobody panics with it").push(server);
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("sent");
        // Ends when either side does.
        drop(copy_bidirectional(&mut tcp, &mut there).await);
    };
    let tasks = bridge8890::lifecycle::Tasks::new();
    let own = tasks.clone();
    let accept = async move {
        while let Ok((tcp, _)) = listener.accept().await {
            drop(own.spawn("tunnel", tunnel(tcp, Arc::clone(&asked))));
        }
    };
    drop(tasks.spawn("proxy", accept));
    address
}

#[tokio::test]
async fn everything_goes_through_the_proxy_whose_address_is_the_one_that_is_looked_at() {
    let platform = Platform::start().await;
    let asked = Arc::default();
    let proxy = proxy(Arc::clone(&asked)).await;
    let own = format!(
        "[destination]\nproxy = 'http://{proxy}'\nproxy_user = 'bridge'\n\
         proxy_secret = 'file:platform.key'\naddresses = ['127.0.0.1']"
    );
    let gateway = Gateway::with(&platform, &own).await;
    let ids = gateway.take(&Caller::new(1).take(5)).await;
    gateway.drained().await;
    assert!(platform.effects().keys().eq(&ids));
    let asked: Vec<String> = asked.lock().expect("nobody panics with it").clone();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|server| platform.url() == format!("http://{server}/")), "{asked:?}");
    gateway.finish().await;
}
