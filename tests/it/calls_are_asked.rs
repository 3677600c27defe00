//! Calls whose steps are ours: asked, answered, ended in one outcome, whatever happens to the gateway meanwhile.

use crate::support::{Answer, Gateway, Platform, until};
use crate::transcript::{self, FLOW, Transcript};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::collections::BTreeSet;

/// A carrier that wants JSON, all of it configuration.
const OWN: &str = include_str!("../fixtures/voice.toml");

/// What the citizen hears.
#[derive(Debug, PartialEq)]
struct Step {
    says: String,
    next: Option<String>,
}

/// A call.
struct Call<'g> {
    gateway: &'g Gateway,
    id: &'static str,
    at: String,
}

impl Step {
    fn of(answer: &Answer) -> Step {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let step: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let says = step["say"].as_array().expect("prompts").iter();
        let says = says.map(|it| it.as_str().expect("a text")).collect::<Vec<_>>().join(" ");
        // The gateway is called under whatever name the carrier knows.
        let next = step["next"]
            .as_str()
            .map(|next| next[next.find("/callback").expect("ours")..].to_owned());
        Step { says, next }
    }
}

impl Call<'_> {
    async fn posts(&mut self, more: &str) -> Step {
        let body = format!("call={}&from=13940000001&to=024-8890{more}", self.id);
        let step = Step::of(&self.gateway.post(&self.at, body).await);
        if let Some(next) = &step.next {
            self.at.clone_from(next);
        }
        step
    }

    async fn presses(&mut self, keys: &str) -> String {
        self.posts(&format!("&keys={keys}")).await.says
    }

    async fn hangs_up(&mut self) {
        self.posts("&over=yes").await;
    }
}

async fn call<'g>(gateway: &'g Gateway, id: &'static str) -> Call<'g> {
    let key = crate::exchange::SECRET;
    let mut call = Call { gateway, id, at: format!("/callback/voice/call?key={key}") };
    assert_eq!(call.posts("").await.says, "请评价");
    call
}

/// The newest records of a call: kind, revision, and level or why there is none.
async fn came_to(gateway: &Gateway, platform: &Platform, id: &str) -> Vec<(String, u32)> {
    gateway.drained().await;
    let mut taken: Vec<(String, u32)> = platform
        .taken()
        .into_iter()
        .filter(|taken| taken.message_id.as_deref() == Some(id))
        .map(|taken| (taken.kind, taken.key.revision.0))
        .collect();
    taken.sort();
    taken
}

#[tokio::test]
async fn every_call_ends_in_one_outcome() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, OWN).await;

    let mut good = call(&gateway, "c-good").await;
    assert_eq!(good.presses("1").await, "谢谢");
    good.hangs_up().await;

    let mut bad = call(&gateway, "c-bad").await;
    assert_eq!(bad.presses("4").await, "原因");
    assert_eq!(bad.presses("1").await, "谢谢");
    bad.hangs_up().await;

    let mut silent = call(&gateway, "c-silent").await;
    assert_eq!(silent.presses("").await, "请评价");
    assert_eq!(silent.presses("").await, "再见");
    silent.hangs_up().await;

    let mut declined = call(&gateway, "c-declined").await;
    assert_eq!(declined.presses("0").await, "再见");

    let mut gone = call(&gateway, "c-gone").await;
    gone.hangs_up().await;

    let of = |kind: &str, revision| (kind.to_owned(), revision);
    for (id, expected) in [
        ("c-good", vec![of("rating", 1)]),
        ("c-bad", vec![of("complaint", 1), of("rating", 1), of("rating", 2)]),
        ("c-silent", vec![of("not_rated", 1)]),
        ("c-declined", vec![of("not_rated", 1)]),
        ("c-gone", vec![of("not_rated", 1)]),
    ] {
        until("it is concluded and forwarded", async || {
            let came = came_to(&gateway, &platform, id).await;
            let newest = |kind: &str| came.iter().filter(|it| it.0 == kind).map(|it| it.1).max();
            // A revision that is not sent yet may be overtaken by the next.
            expected.iter().all(|(kind, _)| {
                newest(kind) == expected.iter().filter(|it| it.0 == *kind).map(|it| it.1).max()
            })
        })
        .await;
    }
    assert_eq!(platform.taken().iter().filter(|taken| taken.kind == "not_rated").count(), 3);
    gateway.finish().await;
}

#[tokio::test]
async fn a_call_goes_on_after_a_kill_and_a_repeat_is_a_repeat() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::with(&platform, OWN).await;
    let mut before = call(&gateway, "c-1").await;
    assert_eq!(before.presses("5").await, "原因");
    let asked = before.at.clone();
    gateway.kill9().await;
    gateway.restart().await;
    let mut after = Call { gateway: &gateway, id: "c-1", at: asked.clone() };
    assert_eq!(after.presses("1").await, "谢谢");
    let mut again = Call { gateway: &gateway, id: "c-1", at: asked };
    assert_eq!(again.presses("1").await, "谢谢", "the carrier's repeat is answered alike");
    after.hangs_up().await;
    until("the reason is the rating's second revision", async || {
        let came = came_to(&gateway, &platform, "c-1").await;
        came.iter().any(|it| *it == ("rating".to_owned(), 2))
    })
    .await;
    let kinds = came_to(&gateway, &platform, "c-1").await;
    assert!(
        !kinds.iter().any(|(kind, revision)| kind == "not_rated" || *revision > 2),
        "{kinds:?}"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn while_the_store_is_slow_the_key_is_asked_for_again() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, OWN).await;
    let mut rates = call(&gateway, "c-1").await;
    let database = SqliteConnectOptions::new().filename(gateway.site.database());
    let mut other = database.connect().await.expect("it opens");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("nobody writes now");
    assert_eq!(rates.presses("1").await, "请再按一次 请评价");
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("it was open");
    other.close().await.expect("closed");
    until("the store commits again", async || gateway.look("/readyz").await.status == 200).await;
    assert_eq!(rates.presses("1").await, "谢谢");
    rates.hangs_up().await;
    until("there is a rating", async || {
        let came = came_to(&gateway, &platform, "c-1").await;
        came.first().is_some_and(|it| it.0 == "rating")
    })
    .await;
    let ratings = platform.taken();
    assert!(ratings.windows(2).all(|two| two[0].key.id == two[1].key.id), "{ratings:?}");
    gateway.finish().await;
}

/// What each course of the recorded calls comes to, whichever carrier tells of it.
const COURSES: [(&str, &[&str]); 5] = [
    ("declined", &["not_rated"]),
    ("rated-badly", &["complaint", "rating"]),
    ("rated-well", &["rating"]),
    ("silent", &["not_rated"]),
    ("wrong-keys", &["not_rated"]),
];

#[tokio::test]
async fn a_call_of_every_carrier_goes_as_recorded_and_comes_to_one_outcome() {
    let calls = transcript::all();
    for (course, outcome) in COURSES {
        let platform = Platform::start().await;
        let gateway = Gateway::with(&platform, &recorded_accounts()).await;
        let ours = |call: &&Transcript| call.name.ends_with(&format!("/{course}"));
        let calls: Vec<&Transcript> = calls.iter().filter(ours).collect();
        assert!(calls.len() >= 6, "{course}: {}", calls.len());
        for call in &calls {
            for exchange in &call.exchanges {
                let recorded = &exchange.request;
                let mut request = Request::new(Full::new(Bytes::clone(&recorded.body)));
                *request.method_mut() = recorded.method.clone();
                *request.uri_mut() = gateway.url(&recorded.target).parse().expect("a URL");
                *request.headers_mut() = recorded.headers.clone();
                let answer = gateway.send(request).await;
                // What names no number is answered by the account's default campaign, and Vonage does not
                // read what a recording is answered with.
                let unread =
                    exchange.event["kind"] == "recording" && exchange.event["service"].is_null();
                if unread {
                    assert_eq!(answer.status, 200, "{}: {}", call.name, recorded.target);
                    continue;
                }
                assert_eq!(answer.text(), exchange.answer, "{}: {}", call.name, recorded.target);
            }
        }
        let newest = || {
            let taken = platform.taken().into_iter();
            taken.map(|taken| (taken.account, taken.kind)).collect::<BTreeSet<_>>()
        };
        until("every call is concluded and forwarded", async || {
            newest().len() >= calls.len() * outcome.len()
        })
        .await;
        gateway.drained().await;
        for call in &calls {
            let (carrier, _) = call.name.split_once('/').expect("a carrier");
            let came = newest().into_iter().filter(|(account, _)| account == carrier);
            let came: Vec<String> = came.map(|(_, kind)| kind).collect();
            assert_eq!(came, outcome, "{}", call.name);
        }
        gateway.finish().await;
    }
}

/// The accounts for which the calls were recorded, in March 2026.
fn recorded_accounts() -> String {
    let accounts = format!("{}zero = \"decline\"\n{FLOW}", crate::exchange::ACCOUNTS);
    let numbers = "service_numbers = [\"8890*\", \"024*\", \"+86*\", \"86*\"]";
    let accounts = accounts.replace("service_numbers = [\"8890*\"]", numbers);
    let lines = accounts.lines().map(|line| match line.starts_with("[accounts.") {
        true => format!("{line}\ntolerance = \"1800d\"\n"),
        false => format!("{line}\n"),
    });
    lines.collect::<String>() + "[store]\ndedupe_window = \"3650d\"\nkeep_callbacks = \"3650d\"\n"
}
