//! Providers that nobody here has met, spoken with by configuration alone.

use crate::support::{Gateway, Platform, Wire};
use bridge8890::clock::Clock;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use http_body_util::Full;
use md5::{Digest, Md5};
use serde_json::Value;
use sm3::Sm3;
use std::path::{Path, PathBuf};

const SECRET: &str = "test-secret";

/// What is to come of one record, without what differs between runs.
async fn recorded(gateway: &Gateway) -> Vec<(String, Option<i64>)> {
    let mut found: Vec<(String, Option<i64>)> = gateway
        .site
        .run("records find --json")
        .await
        .lines()
        .iter()
        .map(|record| {
            let id = record["message_id"].as_str().unwrap_or_default().to_owned();
            (id, record["level"].as_i64())
        })
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_form_with_an_upper_case_md5_over_its_sorted_fields() {
    let platform = Platform::start().await;
    let own = r#"
        [accounts.stranger]
        carrier = "generic"
        secrets = ["file:carrier.secret"]
        default_campaign = "asked"
        allow_http = true
        [accounts.stranger.dialect]
        formats = ["form"]
        charset = "gbk"
        [accounts.stranger.dialect.auth]
        scheme = "digest"
        algorithm = "md5"
        over = "${sorted}&key=${secret}"
        sorted = { of = "form", except = ["sign"], skip_empty = true }
        given = "sign"
        [[accounts.stranger.dialect.events]]
        kind = "opt_out"
        when = { type = "R" }
        id = "msgid"
        caller = "phone"
        [[accounts.stranger.dialect.events]]
        kind = "sms_reply"
        id = "msgid"
        caller = "phone"
        service = "spnumber"
        time = { from = "ts", form = "epoch_ms" }
        text = "msg"
        [accounts.stranger.dialect.answers.accepted]
        content_type = "text/xml"
        body = "<r><id>${msgid}</id><code>0</code></r>"
        [accounts.stranger.dialect.answers.busy]
        status = 200
        "#;
    let wrong = Gateway::refuses(&platform, own).await;
    assert!(wrong.contains("busy.status"), "a busy answer must not say success: {wrong}");
    let own = own.replace("[accounts.stranger.dialect.answers.busy]\n        status = 200", "");
    let gateway = Gateway::with(&platform, &own).await;

    // 不满意，排队太久 in GBK.
    let text = "%B2%BB%C2%FA%D2%E2%A3%AC%C5%C5%B6%D3%CC%AB%BE%C3";
    let bytes = b"\xb2\xbb\xc2\xfa\xd2\xe2\xa3\xac\xc5\xc5\xb6\xd3\xcc\xab\xbe\xc3";
    let mut signed = b"msg=".to_vec();
    signed.extend_from_slice(bytes);
    signed.extend_from_slice(
        format!("&msgid=s-1<&phone=13940000001&spnumber=8890&ts=1772677230000&key={SECRET}")
            .as_bytes(),
    );
    let sign = hex::encode_upper(Md5::digest(&signed));
    let body = format!(
        "phone=13940000001&spnumber=8890&msgid=s-1%3C&msg={text}&ts=1772677230000&ext=&sign={sign}"
    );
    let answer = gateway.post("/callback/stranger", body.clone()).await;
    assert_eq!(answer.text(), "<r><id>s-1&lt;</id><code>0</code></r>");
    let altered = body.replace("13940000001", "13940000002");
    assert_eq!(gateway.post("/callback/stranger", altered).await.status, 403);
    gateway.drained().await;
    assert_eq!(recorded(&gateway).await, [("s-1<".into(), None), ("s-1<".into(), Some(2))]);
    gateway.finish().await;
}

#[tokio::test]
async fn json_in_a_wrapper_signed_with_sm3_over_nonce_time_and_body() {
    let platform = Platform::start().await;
    let own = r#"
        [accounts.stranger]
        carrier = "generic"
        secrets = ["file:carrier.secret"]
        default_campaign = "asked"
        allow_http = true
        [accounts.stranger.dialect]
        formats = ["json"]
        [accounts.stranger.dialect.auth]
        scheme = "digest"
        algorithm = "hmac-sm3"
        over = "${header:X-Nonce}\n${header:X-Time}\n${body:}"
        given = "header:X-Sign"
        time = { from = "header:X-Time", form = "epoch_s" }
        tolerance = "2m"
        [[accounts.stranger.dialect.events]]
        items = "keypress.list"
        kind = "ivr_keypad"
        id = "call.id"
        caller = { from = "call.user", country = "call.cc" }
        service = "call.hotline"
        time = { from = "at", form = "%d/%m/%Y %H:%M:%S", zone = "+00:00" }
        digits = { from = "key", map = { "A" = "1", "E" = "5" } }
        dedupe = ["call.id", "at"]
        [[accounts.stranger.dialect.events]]
        items = "mo"
        kind = "sms_reply"
        id = "id"
        caller = "from"
        service = "to"
        text = { from = "content", decode_by = "fmt", decode = { "8" = "hex utf-16be", "15" = "base64 gb18030", other = "utf-8" } }
        "#;
    let gateway = Gateway::with(&platform, own).await;
    let post = async |body: &str, ago: i64, nonce: &str| {
        let time = (Clock::system().now().as_second() - ago).to_string();
        let mut mac = Hmac::<Sm3>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(format!("{nonce}\n{time}\n{body}").as_bytes());
        let request = Request::post(gateway.url("/callback/stranger"))
            .header("x-nonce", nonce)
            .header("x-time", time)
            .header("x-sign", hex::encode(mac.finalize().into_bytes()))
            .body(Full::new(body.to_owned().into()))
            .expect("a request");
        gateway.send(request).await.status
    };
    let keys = r#"{"keypress":{"list":[
        {"at":"05/03/2026 02:20:30","key":"A","call":{"id":"c-1","user":"13940000001","cc":"86","hotline":"8890"}},
        {"at":"05/03/2026 02:20:31","key":"E","call":{"id":"c-2","user":"13940000002","cc":"86","hotline":"8890"}}]}}"#;
    assert_eq!(post(keys, 0, "n1").await, 200);
    assert_eq!(post(keys, 600, "n2").await, 403, "signed too long ago");
    assert_eq!(post(keys, -600, "n3").await, 403, "signed too far ahead");
    // 满意 in UCS-2, and a word that needs four bytes of GB 18030.
    let texts = r#"{"mo":[{"id":"m-1","from":"8613940000003","to":"8890","fmt":8,"content":"6EE1610F"},
                          {"id":"m-2","from":"8613940000004","to":"8890","fmt":"15","content":"ob/C+tLilTKCNg=="},
                          {"id":"m-3","from":"8613940000005","to":"8890","fmt":8,"content":"6EE1610"}]}"#;
    assert_eq!(post(texts, 60, "n4").await, 200);
    gateway.drained().await;
    let found = recorded(&gateway).await;
    assert!(found.contains(&("c-1".into(), Some(5))), "{found:?}");
    assert!(found.contains(&("c-2".into(), Some(1))), "{found:?}");
    assert!(found.contains(&("m-1".into(), Some(4))), "{found:?}");
    let quarantined = gateway.site.run("records find --quarantined --json").await.lines();
    assert_eq!(quarantined.len(), 1, "half a character is not guessed");
    gateway.finish().await;
}

/// Those of `tests/fixtures/strangers` that sign no time, so that what they once sent is fresh.
const TIMELESS: [&str; 24] = [
    "africas-talking",
    "answer-by-kind",
    "aws-sns",
    "bandwidth",
    "base64-body",
    "bespoke-xml",
    "brevo",
    "clickatell",
    "csv-body",
    "dahan",
    "digest-of-base64",
    "elks46",
    "emay",
    "encoded-json",
    "github-like",
    "grouped",
    "gupshup",
    "json-texts",
    "many-numbers",
    "mns",
    "montnets-json",
    "multipart-xml",
    "piped-body",
    "xuanwu",
];

#[tokio::test]
async fn what_strangers_sent_is_answered_over_a_socket() {
    let strangers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/strangers");
    let own: String = TIMELESS
        .iter()
        .map(|name| strangers.join(name).join("account.toml"))
        .map(|file| std::fs::read_to_string(file).expect("an account"))
        .map(|account| {
            let plain = "carrier = \"generic\"\nallow_http = true";
            let account = account.replacen("carrier = \"generic\"", plain, 1);
            account.replace("env:STRANGER_SECRET", "file:carrier.secret")
        })
        .collect();
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, &own).await;
    for name in TIMELESS {
        let mut files: Vec<PathBuf> = std::fs::read_dir(strangers.join(name))
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|it| it == "http"))
            .collect();
        files.sort();
        for file in files {
            let request = std::fs::read(&file).expect("a request");
            let expected = std::fs::read(file.with_extension("expect.json")).expect("expected");
            let expected: Value = serde_json::from_slice(&expected).expect("JSON");
            let line = request.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
            let mut wire = Wire::open(gateway.carriers()).await;
            wire.say(&request[..line]).await;
            wire.say("Connection: close\r\n").await;
            wire.say(&request[line..]).await;
            let heard = wire.rest().await;
            let (head, body) = heard.split_once("\r\n\r\n").expect("an answer");
            let status = format!("HTTP/1.1 {} ", expected["answer"]["status"]);
            assert!(head.starts_with(&status), "{}: {head}", file.display());
            let wanted = expected["answer"]["body"].as_str().unwrap_or_default();
            assert_eq!(body, wanted, "{}", file.display());
        }
    }
    gateway.finish().await;
}
