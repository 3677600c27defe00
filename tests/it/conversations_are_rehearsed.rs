//! A conversation is rehearsed without secrets, network and store, as the document says; and what was
//! rehearsed is what a gateway does.

use crate::exchange::SECRET;
use crate::support::{Done, Gateway, Platform, Site, shipped, until};
use bridge8890::lifecycle::Tasks;
use bridge8890::model::Secret;
use bridge8890::standin::sms::{Options, SmsCarrier, Speech};
use serde_json::Value;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

/// What stands in the document's blocks of this language, in order.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = document.split(&fence).skip(1);
    parts.map(|part| part.split_once("```").expect("an end").0.to_owned()).collect()
}

#[tokio::test]
async fn the_session_of_the_document_goes_as_written() {
    let document = std::fs::read_to_string(shipped("docs/rehearsing.md")).expect("the document");
    let site = Site::new(&Platform::start().await, "");
    site.write("gateway.toml", &blocks(&document, "toml")[0]);
    site.write("evening.txt", &blocks(&document, "text")[0]);
    let session = &blocks(&document, "console")[0];
    let (command, expected) = session.split_once('\n').expect("a command");
    let arguments = command.strip_prefix("$ bridge8890 ").expect("one of ours");
    let done = Done::of(site.command(arguments.split(' '))).await;
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    assert_eq!(done.stdout, *expected);
    let again = Done::of(site.command(arguments.split(' '))).await;
    assert_eq!(again.stdout, *expected, "ids are the same whenever it is played");
    let left = std::fs::read_dir(site.path("")).expect("the directory");
    assert!(!left.map(|it| it.expect("an entry")).any(|it| it.path().is_dir()), "a store was made");
    site.write("help.txt", "/help\n");
    let mut help = site.command(["rehearse", "--campaign", "hotline", "--config", "gateway.toml"]);
    help.arg("help.txt");
    assert!(Done::of(help).await.stdout.contains(&blocks(&document, "text")[1]));
}

/// Rehearses a script from the standard input.
async fn rehearsed(site: &Site, arguments: &str, script: &str) -> Done {
    let arguments = format!("rehearse --config gateway.toml {arguments}");
    let mut command = site.command(arguments.split(' '));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut input = child.stdin.take().expect("an input");
    input.write_all(script.as_bytes()).await.expect("written");
    drop(input);
    let output = child.wait_with_output().await.expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Done { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[tokio::test]
async fn what_cannot_be_played_ends_a_script_with_its_line() {
    let site = Site::new(&Platform::start().await, "");
    for (arguments, script, expected) in [
        ("--campaign asked", "满意\n/keyz\n满意\n", "line 2: /keyz is no command"),
        ("--campaign asked", "/hangup\n", "line 1: there is no call"),
        ("--campaign asked", "/report failed\n", "line 1: no text was sent"),
        ("--campaign asked", "/from me\n", "line 1: not a telephone number"),
        (
            "--campaign asked",
            "\n/invite\n",
            "line 2: the invitation is rejected: campaign does not",
        ),
        ("--campaign gone", "", "there is no campaign \"gone\"; there are asked"),
        (
            "--campaign asked --account gone",
            "",
            "there is no account \"gone\"; there are aliyun-sms,",
        ),
        ("--campaign asked gone.txt", "", "gone.txt cannot be read"),
    ] {
        let done = rehearsed(&site, arguments, script).await;
        assert_eq!(done.code, Some(2), "{arguments} {script}");
        assert!(done.stderr.contains(expected), "{script}: {}", done.stderr);
    }
    let done = rehearsed(&site, "--campaign asked", "满意\n/quit\n/keyz\n").await;
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_campaign_that_only_reads_is_rehearsed_too() {
    let site = Site::new(&Platform::start().await, "");
    let script = "不满意，没人管\n好的\n/keys 5#\n/to 10086\n满意\n";
    let done = rehearsed(&site, "--campaign asked --json", script).await;
    let scenes = done.lines();
    let seen = |field: &str| -> Vec<Value> { scenes.iter().map(|it| it[field].clone()).collect() };
    assert_eq!(
        Value::from(seen("outcomes")),
        serde_json::json!([["rated"], ["unrecognised"], ["noted"], ["rated"], ["rated"]])
    );
    assert_eq!(scenes[0]["readings"][0]["rule"], "D3");
    let forwarded = |scene: &Value, place: usize| scene["records"][place]["forwarded"].clone();
    assert_eq!(forwarded(&scenes[0], 0)["comment"], "没人管");
    assert_eq!(forwarded(&scenes[0], 1)["complaint"]["kind"], "bad_rating");
    assert_eq!(forwarded(&scenes[3], 0)["channel"], "ivr");
    assert_eq!(forwarded(&scenes[4], 0)["service_number"], "10086", "by the account's default");
}

/// The rehearsed citizen says this to the gateway, and is told that.
async fn says(gateway: &Gateway, carrier: &SmsCarrier, id: usize, text: &str, told: usize) {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("from", "+8613940000001")
        .append_pair("to", "1069")
        .append_pair("charset", "UTF-8")
        .append_pair("ts", "1772677230")
        .append_pair("id", &id.to_string())
        .append_pair("text", text)
        .finish();
    let answer = gateway.get(&format!("/callback/kannel/mo?{query}")).await;
    assert!(answer.status < 300, "{}", answer.text());
    until("what is held is concluded", async || {
        let held = gateway.site.run("lane status --json").await.json();
        held["held"] == 0 && carrier.taken().len() >= told
    })
    .await;
    gateway.drained().await;
}

#[tokio::test]
async fn what_was_rehearsed_is_what_the_gateway_does() {
    let platform = Platform::start().await;
    let options = Options {
        listen: ([127, 0, 0, 1], 0).into(),
        user: "8890".to_owned(),
        secret: Secret::new(SECRET.into()),
    };
    let carrier = SmsCarrier::start(options, &Tasks::new()).await.expect("a free port");
    let own = format!(
        r#"
        [accounts.kannel]
        carrier = "kannel"
        allow_http = true
        [accounts.kannel.send]
        url = "{}"
        allow_http = true
        user = "8890"
        secret = "file:carrier.secret"
        values = {{ report_url = "https://gateway.8890.example/callback/kannel/dlr" }}
        [campaigns.talk]
        service_numbers = ["1069*"]
        scheme = "asc"
        target = "case"
        [campaigns.talk.conversation]
        sender = "kannel"
        thank_you = "感谢您的评价"
        ask_reason = "请问哪里不满意？"
        opt_out_confirmed = "不再打扰您"
        "#,
        carrier.url(Speech::Kannel)
    );
    let gateway = Gateway::with(&platform, &own).await;
    let texts = ["不满意", "排队5个小时", "非常满意", "路灯坏了一直没人修", "退订", "1", "好的"];
    let played = rehearsed(&gateway.site, "--campaign talk --json", &texts.join("\n")).await;
    let scenes = played.lines();
    let mut told = 0;
    for (place, text) in texts.iter().enumerate() {
        let sent = |it: &&Value| it["line"] == place + 1 && it["what"] == "sent";
        told += scenes.iter().filter(sent).count();
        says(&gateway, &carrier, place, text, told).await;
    }
    let sent = scenes.iter().filter(|scene| scene["what"] == "sent");
    let sent: Vec<&Value> = sent.map(|scene| &scene["message"]["text"]).collect();
    assert!(told >= 3, "{told}");
    let taken: Vec<Value> = carrier.taken().into_iter().map(|it| it.content.into()).collect();
    assert_eq!(sent, taken.iter().collect::<Vec<_>>());
    let records = scenes.iter().flat_map(|scene| scene["records"].as_array().expect("records"));
    let mut rehearsed: Vec<(String, u64)> = records
        .map(|record| {
            let (kind, revision) = (&record["forwarded"]["kind"], &record["forwarded"]["revision"]);
            (kind.as_str().expect("a kind").to_owned(), revision.as_u64().expect("a revision"))
        })
        .collect();
    let mut forwarded: Vec<(String, u64)> = platform
        .taken()
        .into_iter()
        .map(|taken| (taken.kind, u64::from(taken.key.revision.0)))
        .collect();
    rehearsed.sort_unstable();
    forwarded.sort_unstable();
    assert_eq!(rehearsed, forwarded);
    gateway.finish().await;
}
