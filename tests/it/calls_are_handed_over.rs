//! Calls for a dialling system: listed when they may be put, taken once, and valid from then on; and what
//! operators see of it.

use crate::openapi::{self, problems};
use crate::support::{Answer, Gateway, Platform, until};
use bridge8890::clock::{Clock, Entropy};
use bridge8890::model::Secret;
use bridge8890::signature::Signer;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use jiff::SignedDuration;
use jiff::tz::offset;
use serde_json::{Value, json};

const KEY: &str = "the platform's key";

const DIALLING: &str = r#"
[invitations]
allow_http = true
secrets = ["file:platform.key"]
key_id = "platform"

[accounts.voice]
carrier = "generic"
allow_http = true
[accounts.voice.dialect]
formats = ["json"]
answers.accepted = { body = "ok" }
answers.busy = { status = 503, body = "busy" }
answers.refused = { status = 403, body = "no" }
[[accounts.voice.dialect.events]]
kind = "ivr_keypad"
id = "call"
caller = "from"
service = "to"
digits = "digits"
pass_through = "data"
dedupe = ["call", "digits"]

[campaigns.asked]
ivr_channel_code = 8
[campaigns.asked.call]
rating = "请评价"
[campaigns.asked.conversation]
invited_only = true
"#;

impl Gateway {
    /// Asks as a dialling system or the platform does, signed with this key.
    async fn signed(&self, method: Method, path: &str, key: &str, body: String) -> Answer {
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.url(path).parse().expect("a URL");
        let signer = Signer::new("platform", &Secret::new(key.into())).expect("an id");
        signer.sign(&mut request, Clock::system().now(), Entropy::system().bytes());
        self.send(request.map(Full::new)).await
    }

    async fn invites(&self, id: &str) {
        let invitation = json!({
            "id": id, "campaign": "asked", "account": "voice", "channel": "ivr", "senderNumber": "8890",
            "mobile": "13940000001", "projectNo": "P-1", "taskName": "身份证换领", "validHours": 72,
        });
        let path = "/v1/invitations";
        let answer = self.signed(Method::POST, path, KEY, invitation.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    async fn calls(&self) -> Vec<Value> {
        let path = "/v1/calls?account=voice&limit=10";
        let answer = self.signed(Method::GET, path, KEY, String::new()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        json_of(&answer)["calls"].as_array().expect("a list").clone()
    }

    async fn takes(&self, call: &Value) -> Answer {
        let path = format!("/v1/calls/{}", call.as_str().expect("a key"));
        self.signed(Method::POST, &path, KEY, String::new()).await
    }

    async fn shows(&self, id: &str) -> Value {
        let shown = self.site.run(&format!("invitations show {id} --json")).await;
        serde_json::from_str(&shown.stdout).unwrap_or_default()
    }
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[tokio::test]
async fn a_call_is_taken_once_and_its_validity_begins_then() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::with(&platform, DIALLING).await;
    gateway.invites("v-1").await;
    until("it waits", async || gateway.calls().await.len() == 1).await;
    let call = gateway.calls().await.remove(0);
    assert_eq!((&call["mobile"], &call["passThrough"]), (&"+8613940000001".into(), &"v-1".into()));
    assert_eq!(call["question"], json!({"say": "请评价"}));
    assert_eq!(call["keys"][0], json!({"digits": 1, "level": 5, "title": "非常满意"}));
    assert_eq!(gateway.shows("v-1").await["state"], "planned");

    let taken = gateway.takes(&call["call"]).await;
    assert_eq!((taken.status, &json_of(&taken)["repeated"]), (200, &false.into()));
    // The answer is on disk: whoever lost it asks again, and whoever else asks is told.
    gateway.kill9().await;
    gateway.restart().await;
    let again = gateway.takes(&call["call"]).await;
    assert_eq!((again.status, &json_of(&again)["repeated"]), (200, &true.into()));
    assert!(gateway.calls().await.is_empty());
    until("it is open", async || gateway.shows("v-1").await["state"] == "open").await;
    let shown = gateway.shows("v-1").await;
    assert!(shown["asked_at"].is_string(), "{shown}");
    let message = &shown["messages"][0];
    assert_eq!((&message["kind"], &message["state"]), (&"call".into(), &"sent".into()));

    let keys =
        json!({"call": "c-1", "from": "13940000001", "to": "8890", "digits": "5", "data": "v-1"});
    assert_eq!(gateway.post("/callback/voice", keys.to_string()).await.status, 200);
    until("it is rated", async || gateway.shows("v-1").await["state"] == "rated").await;
    let shown = gateway.shows("v-1").await;
    assert_eq!((&shown["record"]["level"], &shown["caller"]), (&1.into(), &"139****0001".into()));
    gateway.drained().await;
    let rated = platform.taken().into_iter().find(|taken| taken.kind == "rating");
    assert_eq!(rated.and_then(|taken| taken.invitation).as_deref(), Some("v-1"));
    gateway.finish().await;
}

#[tokio::test]
async fn an_operator_finds_invitations_by_citizen_case_and_id() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, DIALLING).await;
    gateway.invites("v-1").await;
    gateway.invites("v-2").await;
    until("both wait", async || gateway.calls().await.len() == 2).await;
    for (by, count) in [
        ("--caller 13940000001", 2),
        ("--caller +8613940000001", 2),
        ("--project P-1", 2),
        ("--id v-2", 1),
        ("--caller 13940000002", 0),
        ("--project P-2", 0),
        ("--id v-3", 0),
    ] {
        let found = gateway.site.run(&format!("invitations find {by} --json")).await;
        assert_eq!((found.lines().len(), found.code), (count, Some(i32::from(count == 0))), "{by}");
        assert!(!found.stdout.contains("13940000001"), "numbers are masked: {}", found.stdout);
    }
    assert_eq!(gateway.site.run("invitations show v-3").await.code, Some(1));
    let text = gateway.site.run("invitations show v-2").await.stdout;
    assert!(text.contains("not asked yet") && text.contains("call by voice, waits"), "{text}");
    assert_eq!(gateway.site.run("invitations find").await.code, Some(2));
    gateway.finish().await;
}

#[tokio::test]
async fn in_quiet_hours_nobody_is_called() {
    let platform = Platform::start().await;
    let clock = |hours| {
        let at = Clock::system().now() + SignedDuration::from_hours(hours);
        offset(8).to_datetime(at).strftime("%H:%M").to_string()
    };
    let quiet = format!("{DIALLING}quiet_hours = \"{}-{}\"", clock(-2), clock(4));
    let gateway = Gateway::with(&platform, &quiet).await;
    gateway.invites("v-1").await;
    until("it is planned", async || gateway.shows("v-1").await["state"] == "planned").await;
    assert!(gateway.calls().await.is_empty());
    let shown = gateway.shows("v-1").await;
    let early = gateway.takes(&shown["messages"][0]["id"]).await;
    assert_eq!(early.status, 409, "{}", early.text());
    assert_eq!(gateway.shows("v-1").await["state"], "planned");
    gateway.finish().await;
}

#[tokio::test]
async fn whoever_is_not_believed_learns_nothing_and_every_answer_is_as_documented() {
    let api = openapi::document(include_str!("../../docs/invitations-api.yaml"));
    let is_documented = |path: &str, method: &str, answer: &Answer| {
        let mut response = &api["paths"][path][method]["responses"][answer.status.to_string()];
        if let Some(reference) = response["$ref"].as_str() {
            response = api.pointer(reference.trim_start_matches('#')).expect("a reference");
        }
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{path} {method} {} is not documented", answer.status);
        assert_eq!(problems(&api, schema, &json_of(answer), "answer"), [""; 0], "{answer:?}");
    };
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, DIALLING).await;
    gateway.invites("v-1").await;
    until("it waits", async || gateway.calls().await.len() == 1).await;
    let call = gateway.calls().await.remove(0)["call"].as_str().expect("a key").to_owned();
    let one = format!("/v1/calls/{call}");
    let list = "/v1/calls?account=voice";
    let unknown = "/v1/calls/01a20c8b-b71c-7ac3-8e19-8a9be3ab2476";
    for (method, path, key, body, status) in [
        (Method::GET, list, "another key", "", 401),
        (Method::POST, one.as_str(), "another key", "", 401),
        (Method::POST, list, KEY, "", 405),
        (Method::GET, one.as_str(), KEY, "", 405),
        (Method::GET, "/v1/calls", KEY, "", 400),
        (Method::GET, "/v1/calls?account=nobody", KEY, "", 400),
        (Method::GET, "/v1/calls?account=voice&limit=0", KEY, "", 400),
        (Method::POST, one.as_str(), KEY, "{}", 400),
        (Method::POST, unknown, KEY, "", 404),
        (Method::POST, "/v1/calls/x", KEY, "", 404),
        (Method::GET, list, KEY, "", 200),
        (Method::POST, one.as_str(), KEY, "", 200),
    ] {
        let answer = gateway.signed(method.clone(), path, key, body.to_owned()).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let documented =
            if path.starts_with("/v1/calls/") { "/v1/calls/{call}" } else { "/v1/calls" };
        if status != 405 {
            is_documented(documented, method.as_str().to_ascii_lowercase().as_str(), &answer);
        }
    }
    gateway.finish().await;
}
