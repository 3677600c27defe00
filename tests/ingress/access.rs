//! Who may call an account, where and how; of whom may not, nothing is stored.

use crate::peers::{
    Answered, Gateway, Identity, Peer, certificate, http, patient, post, shake_hands, shop,
};
use bridge8890::config::{Account, CertificateRule, ContentEncoding, Http, Subject};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use ring::digest::{SHA256, digest};
use rustls::pki_types::PrivateKeyDer;

/// A request for the shop with these headers.
fn with(headers: &str) -> String {
    post("1").replacen("host: x\r\n", &format!("host: x\r\n{headers}"), 1)
}

async fn ask(gateway: &Gateway, request: &str) -> Answered {
    let mut peer = gateway.connect().await;
    peer.send(request).await;
    peer.answer().await
}

/// The shop, called from this network only.
fn from(network: &str) -> Account {
    let mut shop = shop();
    shop.access.sources = vec![network.parse().expect("a network")];
    shop
}

fn behind(proxy: &str) -> Http {
    let mut http = http(patient());
    http.proxies.trusted = vec![proxy.parse().expect("a network")];
    http
}

async fn refused(gateway: &Gateway, reason: &str, times: u32) {
    let labels = format!("account=\"shop\",reason=\"{reason}\"");
    gateway.counts(&format!("bridge8890_callbacks_refused_total{{{labels}}} {times}")).await;
    gateway.counts("bridge8890_store_committed_callbacks_total 0").await;
}

#[tokio::test]
async fn an_account_answers_where_its_carrier_dictates() {
    let mut hooks = shop();
    hooks.access.path = "/hooks/1".to_owned();
    let gateway = Gateway::of(http(patient()), vec![hooks]).await;
    let at = |path: &str| post("1").replacen("/callback/shop", path, 1);
    assert_eq!(ask(&gateway, &at("/hooks/1")).await.status, 200);
    assert_eq!(ask(&gateway, &at("/hooks/1/")).await.status, 200);
    assert_eq!(ask(&gateway, &at("/hooks/1/report?a=1")).await.status, 200);
    for path in ["/hooks/1/other", "/hooks/10", "/hooks", "/callback/shop", "/"] {
        assert_eq!(ask(&gateway, &at(path)).await.status, 404, "{path}");
    }
    gateway.counts("bridge8890_requests_unknown_total{what=\"account\"} 2").await;
    gateway.counts("bridge8890_requests_unknown_total{what=\"path\"} 3").await;
}

#[tokio::test]
async fn plain_http_is_refused_unless_the_account_allows_it() {
    let mut strict = shop();
    strict.access.allow_http = false;
    let gateway = Gateway::of(http(patient()), vec![strict]).await;
    let answer = ask(&gateway, &with("x-forwarded-proto: https\r\n")).await;
    assert_eq!((answer.status, answer.body.as_str()), (401, "no"));
    refused(&gateway, "plain_http", 1).await;
}

#[tokio::test]
async fn a_trusted_proxy_may_say_that_it_was_called_over_https() {
    let mut strict = shop();
    strict.access.allow_http = false;
    let gateway = Gateway::of(behind("127.0.0.0/8"), vec![strict]).await;
    assert_eq!(ask(&gateway, &post("1")).await.status, 401);
    assert_eq!(ask(&gateway, &with("x-forwarded-proto: http\r\n")).await.status, 401);
    refused(&gateway, "plain_http", 2).await;
    assert_eq!(ask(&gateway, &with("x-forwarded-proto: https\r\n")).await.status, 200);
}

#[tokio::test]
async fn an_address_off_the_list_is_refused_before_its_body_is_read() {
    let gateway = Gateway::of(http(patient()), vec![from("192.0.2.0/24")]).await;
    // The body never comes.
    let head = "POST /callback/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n";
    assert_eq!(ask(&gateway, head).await.status, 401);
    let spoofed = with("x-forwarded-for: 192.0.2.1\r\nforwarded: for=192.0.2.1\r\n");
    assert_eq!(ask(&gateway, &spoofed).await.status, 401, "a stranger speaks for itself only");
    refused(&gateway, "source", 2).await;
    let gateway = Gateway::of(http(patient()), vec![from("127.0.0.1/32")]).await;
    assert_eq!(ask(&gateway, &post("1")).await.status, 200);
}

#[tokio::test]
async fn behind_a_proxy_the_last_address_that_is_not_ours_counts() {
    let gateway = Gateway::of(behind("127.0.0.1/32"), vec![from("192.0.2.0/24")]).await;
    let asked = async |list: &str| {
        ask(&gateway, &with(&format!("x-forwarded-for: {list}\r\n"))).await.status
    };
    assert_eq!(asked("198.51.100.1").await, 401);
    assert_eq!(asked("192.0.2.1, 198.51.100.1").await, 401);
    assert_eq!(asked("unknown").await, 401);
    assert_eq!(ask(&gateway, &post("1")).await.status, 401, "the proxy itself is on no list");
    refused(&gateway, "source", 4).await;
    assert_eq!(asked("198.51.100.1, 192.0.2.1").await, 200);
    assert_eq!(asked("192.0.2.1, 127.0.0.1").await, 200);
}

#[tokio::test]
async fn an_encoding_that_is_not_on_the_list_is_answered_415() {
    let mut packed = shop();
    packed.access.content_encodings = vec![ContentEncoding::Gzip];
    let gateway = Gateway::of(http(patient()), vec![packed]).await;
    for odd in
        ["content-encoding: deflate\r\n", "content-encoding: gzip\r\ncontent-encoding: gzip\r\n"]
    {
        let answer = ask(&gateway, &with(odd)).await;
        assert_eq!(answer.status, 415);
        assert_eq!(answer.body, "bodies are taken in these encodings: identity, gzip\n");
        assert!(answer.head.contains("\r\naccept-encoding: identity, gzip\r\n"), "{}", answer.head);
    }
    gateway.counts("bridge8890_callbacks_total{account=\"shop\",outcome=\"encoding\"} 2").await;
    gateway.counts("bridge8890_store_committed_callbacks_total 0").await;
    assert_eq!(ask(&gateway, &with("content-encoding: identity\r\n")).await.status, 200);
    assert_eq!(ask(&gateway, &with("content-encoding: gzip\r\n")).await.status, 200);
}

#[tokio::test]
async fn a_client_certificate_is_wanted_where_one_is_named() {
    let (mut tls, connector, directory) = certificate();
    let (carriers, strangers) = (Authority::new(), Authority::new());
    let roots = directory.path().join("client-ca.pem");
    std::fs::write(&roots, &carriers.root).expect("written");
    tls.client_ca = Some(roots);
    let (named, other) = (carriers.vouch_for("push.example"), carriers.vouch_for("other.example"));
    let pinned = carriers.vouch_for("pinned.example");

    let mut wanting = shop();
    let subject = Subject::read("CN=push.example").expect("a name");
    let fingerprint = digest(&SHA256, &pinned.0).as_ref().try_into().expect("32 bytes");
    wanting.access.client_certificates =
        vec![CertificateRule::Subject(subject), CertificateRule::Fingerprint(fingerprint)];
    let config = Http { tls: Some(tls), ..http(patient()) };
    let gateway = Gateway::of(config, vec![wanting]).await;
    let asked = async |identity: Option<&Identity>| {
        let identity = identity.map(|(chain, key)| (chain.clone(), key.clone_key()));
        let mut peer = Peer::over(shake_hands(&gateway, &connector(b"http/1.1", identity)).await);
        peer.send(post("1")).await;
        peer.answer().await.status
    };
    assert_eq!(asked(None).await, 401);
    assert_eq!(asked(Some(&other)).await, 401);
    refused(&gateway, "certificate", 2).await;
    assert_eq!(asked(Some(&named)).await, 200);
    assert_eq!(asked(Some(&pinned)).await, 200);

    // A certificate that nobody vouches for ends the connection, whatever account it is for.
    let forged = connector(b"http/1.1", Some(strangers.vouch_for("push.example")));
    let mut peer = Peer::over(shake_hands(&gateway, &forged).await);
    peer.try_send(post("1")).await;
    peer.closed().await;
    let ended = "bridge8890_connections_ended_total{listener=\"carriers\",reason=\"handshake\"} 1";
    gateway.counts(ended).await;
}

/// Somebody who vouches for carriers.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: String,
}

impl Authority {
    fn new() -> Authority {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = parameters.self_signed(&key).expect("a root").pem();
        Authority { issuer: Issuer::new(parameters, key), root }
    }

    fn vouch_for(&self, name: &str) -> Identity {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.distinguished_name.push(DnType::OrganizationName, "Carrier, Ltd.");
        let key = KeyPair::generate().expect("a key");
        let made = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        (made.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}
