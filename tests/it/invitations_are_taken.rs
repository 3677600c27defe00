//! Invitations of the platform, over a real socket and from a file: believed, checked one by one, on disk
//! when they are answered, and each once in effect, whatever happens in between.

use crate::openapi::{self, problems};
use crate::support::{Answer, Client, Gateway, Platform, Site, until};
use bridge8890::clock::{Clock, Entropy};
use bridge8890::intake::invitations::FIELDS;
use bridge8890::model::Secret;
use bridge8890::signature::Signer;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use tokio::task::JoinSet;

const PATH: &str = "/v1/invitations";
const KEY: &str = "the platform's key";

/// The platform may ask, and one campaign can.
const INVITING: &str = r#"
[invitations]
allow_http = true
secrets = ["file:platform.key"]
key_id = "platform"

[campaigns.asked.conversation]
invite = "请评价本次服务"
"#;

fn signed(url: &str, key: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::new(body.into());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.parse().expect("a URL");
    let signer = Signer::new("platform", &Secret::new(key.into())).expect("an id");
    signer.sign(&mut request, Clock::system().now(), Entropy::system().bytes());
    request
}

impl Gateway {
    /// Posts as the platform does.
    pub(crate) async fn ask(&self, body: &Value) -> Answer {
        let request = signed(&self.url(PATH), KEY, body.to_string());
        self.send(request.map(Full::new)).await
    }

    /// The same; returns the statuses.
    async fn asks(&self, body: &Value) -> Vec<String> {
        let answer = self.ask(body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        statuses(&answer)
    }
}

fn statuses(answer: &Answer) -> Vec<String> {
    let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let results = answer["results"].as_array().expect("results").iter();
    results.map(|result| result["status"].as_str().expect("a status").to_owned()).collect()
}

fn number(of: usize) -> String {
    format!("139{of:08}")
}

/// An invitation that a call is to put, and that ends by itself unless one does.
fn short(of: usize) -> Value {
    let ends = Clock::system().now() + SignedDuration::from_secs(2);
    json!({
        "id": format!("i-{of}"), "campaign": "asked", "account": "tencent-vms", "channel": "ivr",
        "mobile": number(of), "projectNo": format!("P-{of}"), "expiresAt": ends.to_string(),
    })
}

/// Waits until all that was asked has ended unanswered, and each once.
async fn ended_once(platform: &Platform, gateway: &Gateway, count: usize) {
    until("all have ended", async || platform.taken().len() >= count).await;
    gateway.drained().await;
    let taken = platform.taken();
    assert!(taken.iter().all(|taken| taken.kind == "not_rated"), "{taken:?}");
    assert_eq!(taken.len(), count);
    assert_eq!(taken.iter().map(|taken| taken.key).collect::<BTreeSet<_>>().len(), count);
}

#[tokio::test]
async fn every_answer_is_as_documented() {
    let api = openapi::document(include_str!("../../docs/invitations-api.yaml"));
    let post = &api["paths"]["/v1/invitations"]["post"];
    let asked = &post["requestBody"]["content"]["application/json"];
    let fields = api["components"]["schemas"]["Invitation"]["properties"].as_object();
    let fields: BTreeSet<&str> = fields.expect("fields").keys().map(String::as_str).collect();
    assert_eq!(fields, BTreeSet::from(FIELDS));
    for (name, example) in asked["examples"].as_object().expect("examples") {
        assert_eq!(problems(&api, &asked["schema"], &example["value"], name), [""; 0]);
    }

    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, INVITING).await;
    let is_documented = |answer: &Answer| {
        let mut response = &post["responses"][answer.status.to_string()];
        if let Some(reference) = response["$ref"].as_str() {
            response = api.pointer(reference.trim_start_matches('#')).expect("a reference");
        }
        assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let schema = &response["content"]["application/json"]["schema"];
        assert_eq!(problems(&api, schema, &body, "answer"), [""; 0], "{answer:?}");
    };
    let good = short(1);
    let mixed = json!([good, good, {"id": "b", "mobile": "x"}, 7]);
    let answer = gateway.ask(&mixed).await;
    is_documented(&answer);
    assert_eq!(statuses(&answer), ["accepted", "duplicate", "rejected", "rejected"]);
    let example =
        &post["responses"]["200"]["content"]["application/json"]["examples"]["mixed"]["value"];
    let schema = &api["components"]["schemas"]["Answer"];
    assert_eq!(problems(&api, schema, example, "example"), [""; 0]);

    let full = vec![json!({}); 1001];
    for (expected, body) in [(400, json!(1)), (413, json!(full))] {
        let answer = gateway.ask(&body).await;
        is_documented(&answer);
        assert_eq!(answer.status, expected);
    }
    let broken = signed(&gateway.url(PATH), KEY, "[\n{]");
    let answer = gateway.send(broken.map(Full::new)).await;
    is_documented(&answer);
    assert!(answer.text().contains("line 2, column 2"), "{answer:?}");
    for answer in [gateway.get(PATH).await, gateway.post(PATH, "{}").await] {
        is_documented(&answer);
        assert!([405, 401].contains(&answer.status), "{answer:?}");
    }
    let faults = "bridge8890_invitation_faults_total";
    assert_eq!(gateway.metric(&format!("{faults}{{field=\"mobile\"}}")).await, 1.0);
    assert_eq!(gateway.metric(&format!("{faults}{{field=\"item\"}}")).await, 1.0);
    let total = "bridge8890_invitations_total";
    for (outcome, count) in [("accepted", 1.0), ("duplicate", 1.0), ("rejected", 2.0)] {
        assert_eq!(gateway.metric(&format!("{total}{{outcome=\"{outcome}\"}}")).await, count);
    }
    ended_once(&platform, &gateway, 1).await;
    gateway.finish().await;
}

#[tokio::test]
async fn of_whom_is_not_believed_nothing_is_kept() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, INVITING).await;
    let body = short(1).to_string();
    let url = gateway.url(PATH);
    let wrong = signed(&url, "another key", body.clone());
    let mut unsigned = signed(&url, KEY, body.clone());
    unsigned.headers_mut().remove("x-bridge-signature");
    let mut other = signed(&url, KEY, body.clone());
    *other.body_mut() = Bytes::from(body.replace("i-1", "i-2"));
    let elsewhere = signed(&gateway.url("/v1/records"), KEY, body.clone());
    let mut moved = elsewhere.clone();
    *moved.uri_mut() = url.parse().expect("a URL");
    let mut stranger = signed(&url, KEY, body);
    stranger.headers_mut().insert("x-bridge-key-id", "stranger".parse().expect("a value"));
    let cases = [
        (wrong, "bad_signature"),
        (unsigned, "unsigned"),
        (other, "bad_signature"),
        (moved, "bad_signature"),
        (stranger, "bad_credentials"),
    ];
    for (request, reason) in cases {
        let series = "bridge8890_callbacks_refused_total{account=\"invitations\",reason=";
        let series = format!("{series}\"{reason}\"}}");
        let before = gateway.metric(&series).await;
        let answer = gateway.send(request.map(Full::new)).await;
        assert_eq!(answer.status, 401, "{reason}: {answer:?}");
        assert_eq!(gateway.metric(&series).await, before + 1.0, "{reason}");
    }
    // What is rejected item by item leaves nothing either.
    assert_eq!(gateway.asks(&json!([{}, 1])).await, ["rejected", "rejected"]);
    assert_eq!(gateway.site.lane().await.callbacks, 0);
    gateway.finish().await;
}

#[tokio::test]
async fn over_plain_http_from_elsewhere_and_when_busy_nothing_is_taken() {
    let platform = Platform::start().await;
    let behind =
        "http.trusted_proxies = ['192.0.2.1']\ninvitations.secrets = ['file:platform.key']";
    let gateway = Gateway::with(&platform, behind).await;
    let answer = gateway.ask(&short(1)).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("HTTPS"), "{answer:?}");
    gateway.finish().await;

    let elsewhere = INVITING.replace("key_id", "sources = ['192.0.2.0/24']\nkey_id");
    let gateway = Gateway::with(&platform, &elsewhere).await;
    assert_eq!(gateway.ask(&short(1)).await.status, 403);
    gateway.finish().await;

    let low = format!("store.disk_floor = '100 TiB'\n{INVITING}");
    let gateway = Gateway::unready(Site::new(&platform, &low)).await;
    until("the disk was looked at", async || gateway.look("/readyz").await.status == 503).await;
    let answer = gateway.ask(&short(1)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")));
    assert_eq!(gateway.site.lane().await.callbacks, 0);
    gateway.finish().await;
}

#[tokio::test]
async fn without_the_table_nobody_is_answered() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    assert_eq!(gateway.ask(&short(1)).await.status, 404);
    gateway.finish().await;
}

#[tokio::test]
async fn the_same_at_once_on_many_connections_counts_once() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, INVITING).await;
    let body = Value::from((0..20).map(short).collect::<Vec<_>>()).to_string();
    let mut connections = JoinSet::new();
    for _ in 0..64 {
        let request = signed(&gateway.url(PATH), KEY, body.clone());
        connections.spawn(async move {
            let answer = Client::new().send(request.map(Full::new)).await.expect("an answer");
            statuses(&answer)
        });
    }
    let answers = connections.join_all().await;
    for place in 0..20 {
        let accepted = answers.iter().filter(|statuses| statuses[place] == "accepted").count();
        assert_eq!(accepted, 1, "invitation {place}");
    }
    ended_once(&platform, &gateway, 20).await;
    gateway.finish().await;
}

#[tokio::test]
async fn what_was_answered_survives_a_kill_and_a_repeat() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::with(&platform, INVITING).await;
    let mut asked = 0;
    for round in 0..3 {
        let body = Value::from((asked..asked + 50).map(short).collect::<Vec<_>>());
        assert!(gateway.asks(&body).await.iter().all(|status| status == "accepted"));
        gateway.kill9().await;
        gateway.restart().await;
        let again = gateway.asks(&body).await;
        assert!(again.iter().all(|status| status == "duplicate"), "round {round}: {again:?}");
        asked += 50;
    }
    ended_once(&platform, &gateway, asked).await;
    gateway.finish().await;
}

/// A table of `count` good rows.
fn table(count: usize) -> String {
    let mut table = "id,campaign,account,channel,mobile,projectNo,taskName,areaCode\n".to_owned();
    for of in 0..count {
        let number = number(of);
        writeln!(table, "t-{of},asked,tencent-vms,ivr,{number},P-{of},身份证换领,210100")
            .expect("text grows");
    }
    table
}

#[tokio::test]
async fn a_table_is_imported_through_the_gateway_or_into_the_store() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::with(&platform, INVITING).await;
    gateway.site.write("in.csv", table(10_000) + "bad,asked,tencent-vms,ivr,x,P,,\nshort\n");
    let dry = gateway.site.run("invitations import in.csv --dry-run --json").await;
    assert_eq!((dry.code, dry.json()["accepted"].as_u64()), (Some(1), Some(10_000)), "{dry:?}");
    assert_eq!(gateway.site.lane().await.callbacks, 0);

    let url = gateway.url("");
    let through = gateway.site.run(&format!("invitations import in.csv --json --url {url}")).await;
    assert_eq!(through.code, Some(1), "{through:?}");
    let report = through.json();
    assert_eq!(report["by"], "gateway");
    assert_eq!(
        (report["rows"].as_u64(), report["accepted"].as_u64()),
        (Some(10_002), Some(10_000))
    );
    assert_eq!((report["duplicate"].as_u64(), report["rejected"].as_u64()), (Some(0), Some(2)));
    let rejected =
        std::fs::read_to_string(gateway.site.path("in.csv.rejected.csv")).expect("a file");
    let lines: Vec<&str> = rejected.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with("10002,\"mobile: is not a telephone number"), "{rejected}");
    assert!(lines[2].starts_with("10003,\"item: cells: 1, where the header has 8"), "{rejected}");

    // One that serves elsewhere cannot be found by a configuration that says any port.
    let lost = gateway.site.run("invitations import in.csv").await;
    assert_eq!(lost.code, Some(2));
    assert!(lost.stderr.contains("--url"), "{lost:?}");

    gateway.stop().await;
    gateway.site.write("more.csv", table(10_001));
    let into = gateway.site.run("invitations import more.csv --json").await;
    assert_eq!(into.code, Some(0), "{into:?}");
    assert_eq!(into.json()["by"], "store");
    assert_eq!(
        (into.json()["accepted"].as_u64(), into.json()["duplicate"].as_u64()),
        (Some(1), Some(10_000))
    );
    gateway.restart().await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_table_in_gbk_is_read_and_given_back_in_gbk() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::with(&platform, INVITING).await;
    gateway.stop().await;
    let (text, _, _) = encoding_rs::GBK.encode("id,mobile,channel,taskName\n1,1,sms,身份证换领\n");
    gateway.site.write("in.csv", &text);
    let plain = gateway.site.run("invitations import in.csv").await;
    assert_eq!(plain.code, Some(2));
    assert!(plain.stderr.contains("line 2 is not UTF-8"), "{plain:?}");
    let read = gateway.site.run("invitations import in.csv --charset gbk").await;
    assert_eq!(read.code, Some(1), "{read:?}");
    assert!(
        read.stdout.contains("1 rows: 0 accepted, 0 were there before, 1 rejected"),
        "{read:?}"
    );
    let rejected = std::fs::read(gateway.site.path("in.csv.rejected.csv")).expect("a file");
    let (rejected, _, failed) = encoding_rs::GBK.decode(&rejected);
    assert!(!failed && rejected.contains("身份证换领"), "{rejected}");
    gateway.restart().await;
    gateway.finish().await;
}
