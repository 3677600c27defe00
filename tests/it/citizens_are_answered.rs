//! A short conversation with a citizen: an invitation, thanks, one question for the reason, and
//! silence after a refusal; held events and messages outlive a kill, and no message reaches a citizen twice.

use crate::exchange::SECRET;
use crate::support::{Answer, Gateway, Platform, until};
use bridge8890::lifecycle::Tasks;
use bridge8890::model::Secret;
use bridge8890::standin::sms::{Mood, Options, SmsCarrier, Speech};

const CITIZEN: &str = "+8613940000001";

/// A carrier that sends, and the configuration of an account that it believes.
pub(crate) async fn carrier() -> (SmsCarrier, String) {
    let options = Options {
        listen: ([127, 0, 0, 1], 0).into(),
        user: "8890".to_owned(),
        secret: Secret::new(SECRET.into()),
    };
    let carrier = SmsCarrier::start(options, &Tasks::new()).await.expect("a free port");
    let url = carrier.url(Speech::Kannel);
    let own = format!(
        r#"
        [accounts.kannel]
        carrier = "kannel"
        allow_http = true
        [accounts.kannel.send]
        url = "{url}"
        allow_http = true
        user = "8890"
        secret = "file:carrier.secret"
        values = {{ report_url = "https://gateway.8890.example/callback/kannel/dlr" }}
        request_timeout = "500ms"
        [accounts.vonage]
        carrier = "vonage"
        allow_http = true
        [campaigns.talk]
        service_numbers = ["1069*", "8624*"]
        scheme = "asc"
        target = "case"
        sms_channel_code = 6
        [invitations]
        allow_http = true
        secrets = ["file:platform.key"]
        key_id = "platform"
        [campaigns.talk.conversation]
        sender = "kannel"
        invite = "请评价${{task_name}}"
        thank_you = "感谢您的评价"
        ask_reason = "请问哪里不满意？"
        opt_out_confirmed = "不再打扰您"
        "#
    );
    (carrier, own)
}

/// Has a citizen say something, which must be taken.
pub(crate) async fn says(gateway: &Gateway, id: &str, text: &str) {
    says_from(gateway, CITIZEN, id, text).await;
}

/// Has whoever has this number say something, which must be taken.
async fn says_from(gateway: &Gateway, caller: &str, id: &str, text: &str) {
    let answer = said_from(gateway, caller, id, text).await;
    assert!(answer.status < 300, "{}", answer.text());
}

/// What is answered when a citizen says something.
pub(crate) async fn said(gateway: &Gateway, id: &str, text: &str) -> Answer {
    said_from(gateway, CITIZEN, id, text).await
}

/// The same of whoever has this number.
pub(crate) async fn said_from(gateway: &Gateway, caller: &str, id: &str, text: &str) -> Answer {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("from", caller)
        .append_pair("to", "10690088")
        .append_pair("charset", "UTF-8")
        .append_pair("ts", "1772677230")
        .append_pair("id", id)
        .append_pair("text", text)
        .finish();
    gateway.get(&format!("/callback/kannel/mo?{query}")).await
}

pub(crate) async fn told(carrier: &SmsCarrier, texts: &[&str]) {
    until("the citizen is told", async || carrier.taken().len() >= texts.len()).await;
    let taken: Vec<String> = carrier.taken().into_iter().map(|taken| taken.content).collect();
    assert_eq!(taken, texts);
}

/// The records of a kind: level, revision and how long the comment is.
pub(crate) async fn found(gateway: &Gateway, kind: &str) -> Vec<(Option<i64>, i64, i64)> {
    let found = gateway.site.run("records find --json").await.lines();
    let of_kind = found.iter().filter(|record| record["kind"] == kind);
    let number = |record: &serde_json::Value, key: &str| record[key].as_i64();
    let mut rows: Vec<_> = of_kind
        .map(|record| {
            let revision = number(record, "revision").expect("a revision");
            let comment = number(record, "comment_characters").expect("a length");
            (number(record, "level"), revision, comment)
        })
        .collect();
    rows.sort_unstable();
    rows
}

#[tokio::test]
async fn who_is_invited_rates_the_case_that_was_asked_about() {
    let platform = Platform::start().await;
    let (carrier, own) = carrier().await;
    let mut gateway = Gateway::with(&platform, &own).await;
    let table = "id,campaign,channel,mobile,projectNo,taskName,senderNumber\n\
                 i-1,talk,sms,13940000001,P-1,身份证换领,10690088\n";
    gateway.site.write("in.csv", table);
    let url = gateway.url("");
    let import = gateway.site.run(&format!("invitations import in.csv --url {url}")).await;
    assert_eq!(import.code, Some(0), "{import:?}");
    told(&carrier, &["请评价身份证换领"]).await;
    until("it is known that it was sent", async || {
        let sent = "bridge8890_messages_settled_total{account=\"kannel\",result=\"sent\"}";
        gateway.metric(sent).await == 1.0
    })
    .await;
    gateway.kill9().await;
    gateway.restart().await;
    says(&gateway, "m-1", "满意").await;
    told(&carrier, &["请评价身份证换领", "感谢您的评价"]).await;
    gateway.drained().await;
    let taken = platform.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!((taken[0].kind.as_str(), taken[0].invitation.as_deref()), ("rating", Some("i-1")));
    gateway.finish().await;
}

#[tokio::test]
async fn a_case_is_rated_once_whoever_rates_it() {
    let platform = Platform::start().await;
    let (_carrier, own) = carrier().await;
    let mut gateway = Gateway::with(&platform, &own).await;
    let table = "id,campaign,channel,mobile,projectNo,senderNumber\n\
                 i-1,talk,sms,13940000001,P-1,10690088\n\
                 i-2,talk,sms,13940000002,P-1,10690088\n";
    gateway.site.write("in.csv", table);
    let url = gateway.url("");
    let import = gateway.site.run(&format!("invitations import in.csv --url {url}")).await;
    assert_eq!(import.code, Some(0), "{import:?}");
    until("it is known that both were asked", async || {
        let sent = "bridge8890_messages_settled_total{account=\"kannel\",result=\"sent\"}";
        gateway.metric(sent).await == 2.0
    })
    .await;
    says(&gateway, "m-1", "满意").await;
    until("it is rated", async || found(&gateway, "rating").await == [(Some(4), 1, 0)]).await;
    gateway.kill9().await;
    gateway.restart().await;
    says_from(&gateway, "+8613940000002", "m-2", "非常满意").await;
    says(&gateway, "m-3", "不满意").await;
    gateway.drained().await;
    let surplus = "bridge8890_events_total{outcome=\"surplus\"}";
    until("the third is kept only", async || gateway.metric(surplus).await == 1.0).await;
    let ratings = [(Some(4), 1, 0), (Some(5), 2, 0)];
    assert_eq!(found(&gateway, "rating").await, ratings);
    gateway.finish().await;
}

#[tokio::test]
async fn an_operator_sees_what_was_given_up_and_puts_it_back() {
    let platform = Platform::start().await;
    let (carrier, own) = carrier().await;
    let gateway = Gateway::with(&platform, &own).await;
    let dead = async || gateway.site.run("messages dead --json").await;
    assert_eq!(dead().await.code, Some(1), "nothing was given up");
    carrier.set_mood(Mood::Refusing);
    says(&gateway, "m-1", "非常满意").await;
    until("it is given up", async || dead().await.code == Some(0)).await;
    let shown = dead().await;
    let message = &shown.lines()[0];
    assert_eq!((&message["class"], &message["to"]), (&"rejected".into(), &"139****0001".into()));
    assert!(!shown.stdout.contains("感谢"), "texts are not shown: {}", shown.stdout);
    carrier.set_mood(Mood::Well);
    let replay = gateway.site.run("messages replay --class rejected").await;
    assert_eq!(replay.code, Some(0), "{replay:?}");
    told(&carrier, &["感谢您的评价"]).await;
    assert_eq!(dead().await.code, Some(1));
    gateway.finish().await;
}

#[tokio::test]
async fn the_reason_that_was_asked_for_becomes_the_comment_of_the_rating() {
    let platform = Platform::start().await;
    let (carrier, own) = carrier().await;
    let mut gateway = Gateway::with(&platform, &own).await;
    says(&gateway, "m-1", "不满意").await;
    told(&carrier, &["请问哪里不满意？"]).await;
    until("it is known that it was sent", async || {
        let sent = "bridge8890_messages_settled_total{account=\"kannel\",result=\"sent\"}";
        gateway.metric(sent).await == 1.0
    })
    .await;
    // What was asked outlives the process that asked.
    gateway.kill9().await;
    gateway.restart().await;
    says(&gateway, "m-2", "排队5个小时").await;
    says(&gateway, "m-2", "排队5个小时").await;
    until("the comment is there", async || {
        found(&gateway, "rating").await.contains(&(Some(2), 2, 6))
    })
    .await;
    assert_eq!(found(&gateway, "bad rating").await.len(), 1);
    gateway.drained().await;
    let revisions: Vec<(String, u32)> = platform
        .taken()
        .into_iter()
        .filter(|taken| taken.kind == "rating")
        .map(|taken| (taken.key.id.to_string(), taken.key.revision.0))
        .collect();
    assert_eq!(revisions.len(), 2, "{revisions:?}");
    assert_eq!(revisions[0].0, revisions[1].0, "it is the same rating");
    assert_eq!(carrier.taken().len(), 1);
    gateway.finish().await;
}

#[tokio::test]
async fn a_good_rating_is_thanked_for_once_and_who_refuses_is_left_in_peace() {
    let platform = Platform::start().await;
    let (carrier, own) = carrier().await;
    let gateway = Gateway::with(&platform, &own).await;
    says(&gateway, "m-1", "非常满意").await;
    told(&carrier, &["感谢您的评价"]).await;
    says(&gateway, "m-2", "退订").await;
    told(&carrier, &["感谢您的评价", "不再打扰您"]).await;
    says(&gateway, "m-3", "不满意").await;
    until("it is rated", async || found(&gateway, "bad rating").await.len() == 1).await;
    let opt_outs = gateway.metric("bridge8890_events_total{outcome=\"opt_out\"}").await;
    assert_eq!(opt_outs, 1.0);
    gateway.drained().await;
    assert_eq!(carrier.taken().len(), 2, "nothing more is said to somebody who refused");
    gateway.finish().await;
}

#[tokio::test]
async fn a_message_that_may_have_been_sent_is_not_sent_again() {
    let platform = Platform::start().await;
    let (carrier, own) = carrier().await;
    let mut gateway = Gateway::with(&platform, &own).await;
    carrier.set_mood(Mood::Hanging);
    says(&gateway, "m-1", "非常满意").await;
    told(&carrier, &["感谢您的评价"]).await;
    gateway.kill9().await;
    carrier.set_mood(Mood::Well);
    gateway.restart().await;
    let dead = "bridge8890_messages_settled_total{account=\"kannel\",result=\"dead_unknown\"}";
    until("it is given up", async || gateway.metric(dead).await == 1.0).await;
    assert_eq!(carrier.taken().len(), 1);
    says(&gateway, "m-2", "不满意").await;
    told(&carrier, &["感谢您的评价", "请问哪里不满意？"]).await;
    gateway.finish().await;
}

#[tokio::test]
async fn the_parts_of_a_long_text_are_read_as_one_whenever_they_come() {
    let platform = Platform::start().await;
    let (carrier, own) = carrier().await;
    let mut gateway = Gateway::with(&platform, &own).await;
    let part = |number: u32, text: &str| {
        format!(
            r#"{{"msisdn":"8613940000002","to":"862488908890","messageId":"p-{number}","text":"{text}",
            "type":"unicode","concat":"true","concat-ref":"7","concat-total":"3",
            "concat-part":"{number}","message-timestamp":"2026-03-05 02:20:30"}}"#
        )
    };
    let path = "/callback/vonage/inbound-sms";
    for (number, text) in [(3, "一直没人管"), (1, "不满意，"), (1, "不满意，")] {
        assert_eq!(gateway.post(path, part(number, text)).await.status, 200);
    }
    gateway.kill9().await;
    gateway.restart().await;
    assert!(found(&gateway, "rating").await.is_empty(), "a part says nothing yet");
    assert_eq!(gateway.post(path, part(2, "窗口的人态度差，")).await.status, 200);
    until("the whole is read", async || found(&gateway, "rating").await.len() == 1).await;
    let (level, revision, comment) = found(&gateway, "rating").await[0];
    assert_eq!((level, revision), (Some(2), 1));
    assert!(comment >= 12, "all parts are in the comment: {comment}");
    assert_eq!(found(&gateway, "bad rating").await.len(), 1);
    assert!(carrier.taken().is_empty(), "the reason is known already");
    gateway.finish().await;
}
