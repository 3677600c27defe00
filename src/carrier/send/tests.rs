//! The requests of the built-in carriers, signatures of the providers' documentation, and answers.

use super::*;
use crate::config::{self, Environment};
use crate::model::{AccountName, MessageKey, MessageKind, Msisdn, ServiceNumber};
use http::StatusCode;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// 2026-03-05T02:20:30Z.
const NOW: Timestamp = Timestamp::constant(1_772_677_230, 0);

/// The one-time value of Aliyun's example.
const NONCE: [u8; 16] = 0x45e2_5e9b_0a6f_4070_8c85_2956_eda1_b466_u128.to_be_bytes();

/// An account of this carrier that sends, with these further lines.
fn sending(carrier: &str, lines: &str) -> Arc<Sending> {
    let text = format!("[accounts.x]\ncarrier = \"{carrier}\"\nallow_http = true\n{lines}");
    let environment = Environment::given(Path::new(""), &[("KEY", "testSecret")]);
    let config = config::parse(&text, "gateway.toml", &environment);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let name = AccountName::new("x").expect("a name");
    config.accounts[&name].send.clone().expect("it sends")
}

/// How each built-in carrier is sent with.
static BUILT_IN: LazyLock<BTreeMap<&'static str, Arc<Sending>>> = LazyLock::new(|| {
    ["aliyun-sms", "tencent-sms", "huawei-sms", "kannel", "jasmin"]
        .map(|carrier| (carrier, read_built_in(carrier)))
        .into()
});

fn built_in(carrier: &str) -> Arc<Sending> {
    Arc::clone(&BUILT_IN[carrier])
}

fn read_built_in(carrier: &str) -> Arc<Sending> {
    let rest = match carrier {
        "aliyun-sms" => "values = { sign_name = \"沈阳8890\" }",
        "tencent-sms" => {
            "values = { sign_name = \"沈阳8890\", sdk_app_id = \"1400006666\", region = \"ap-beijing\" }"
        }
        "huawei-sms" => {
            "url = \"https://smsapi.example:443/sms/batchSendSms/v1\"\nfrom = \"1069008890\"\n\
             values = { sign_name = \"沈阳8890\", report_url = \"https://gw.example/callback/x/report\" }"
        }
        "kannel" => {
            "url = \"https://kannel.example/cgi-bin/sendsms\"\n\
             values = { report_url = \"https://gw.example/callback/x/dlr\" }"
        }
        _ => {
            "url = \"https://jasmin.example/send\"\n\
             values = { report_url = \"https://gw.example/callback/x\" }"
        }
    };
    sending(carrier, &format!("[accounts.x.send]\nuser = \"testId\"\nsecret = \"env:KEY\"\n{rest}"))
}

fn message(content: Content) -> Message {
    Message {
        key: MessageKey(uuid::Uuid::from_u128(7)),
        account: AccountName::new("x").expect("a name"),
        from: None,
        to: Msisdn::read("15300000001", "86").expect("a number"),
        content,
        kind: MessageKind::Invite,
        campaign: "hotline".to_owned(),
        invitation: None,
        not_before: NOW,
        expires: Timestamp::MAX,
    }
}

fn text(text: &str) -> Message {
    message(Content::Text(text.to_owned()))
}

fn template(code: &str, parameters: &[(&str, &str)]) -> Message {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let parameters = parameters.iter().map(pair).collect();
    message(Content::Template { code: code.to_owned(), parameters })
}

fn ready(sending: &Sending, message: &Message, now: Timestamp) -> Outgoing {
    request(sending, message, now, NONCE).expect("it can be sent")
}

fn fields(encoded: &[u8]) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(encoded);
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn field(encoded: &[u8], name: &str) -> Option<String> {
    fields(encoded).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn header<'o>(outgoing: &'o Outgoing, name: &str) -> &'o str {
    outgoing.headers[name].to_str().expect("text")
}

/// help.aliyun.com 101343 (签名机制): a GET with `testId` and `testSecret`.
#[test]
fn aliyun_signs_as_its_documentation_does() {
    let sending = sending(
        "generic",
        r#"
        [accounts.x.dialect]
        formats = ["json"]
        events = [{ kind = "sms_reply", id = "id", caller = "m", text = "t" }]
        [accounts.x.dialect.send]
        url = "https://dysmsapi.aliyuncs.com/"
        to = "national"
        query = { Action = "SendSms", Format = "XML", OutId = "123", PhoneNumbers = "${to}", RegionId = "cn-hangzhou", SignName = "${sign}", TemplateCode = "${template}", TemplateParam = "${parameters}", Version = "2017-05-25" }
        auth = { scheme = "aliyun-rpc" }
        answer = { format = "xml", code = "Code", sent = "OK" }
        [accounts.x.send]
        user = "testId"
        secret = "env:KEY"
        values = { sign = "阿里云短信测试专用" }
        "#,
    );
    let now = "2017-07-12T02:42:19Z".parse().expect("a time");
    let outgoing = ready(&sending, &template("SMS_71390007", &[("customer", "test")]), now);
    assert_eq!((outgoing.method, outgoing.body.is_empty()), (Method::GET, true));
    let query = outgoing.url.query().expect("a query").as_bytes();
    assert_eq!(
        field(query, "SignatureNonce").as_deref(),
        Some("45e25e9b-0a6f-4070-8c85-2956eda1b466")
    );
    assert_eq!(field(query, "Signature").as_deref(), Some("zJDF+Lrzhj/ThnlvIToysFRq6t4="));
}

/// cloud.tencent.com/document/api/382/52072 (签名方法 v3), with the example's keys.
#[test]
fn tencent_signs_as_its_documentation_does() {
    let mut sending = Sending::clone(&sending(
        "generic",
        r#"
        [accounts.x.dialect]
        formats = ["json"]
        events = [{ kind = "sms_reply", id = "id", caller = "m", text = "t" }]
        [accounts.x.dialect.send]
        url = "https://cvm.tencentcloudapi.com/"
        headers = { X-To = "${to}", X-Text = "${text}" }
        json = '{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
        auth = { scheme = "tencent-tc3", service = "cvm" }
        answer = { format = "json", code = "Code", sent = "Ok" }
        [accounts.x.send]
        user = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
        secret = "env:KEY"
        "#,
    ));
    sending.secret = Some(crate::model::Secret::new(b"Gu5t9xGARNpq86cd98joQYCN3EXAMPLE".to_vec()));
    let now = Timestamp::from_second(1_551_113_065).expect("a time");
    let outgoing = ready(&sending, &text("x"), now);
    assert_eq!(header(&outgoing, "x-tc-timestamp"), "1551113065");
    assert_eq!(
        header(&outgoing, "authorization"),
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
         SignedHeaders=content-type;host, \
         Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    );
}

#[test]
fn aliyun_is_told_a_template() {
    let sending = built_in("aliyun-sms");
    let outgoing = ready(&sending, &template("SMS_1", &[("name", "\"张\""), ("n", "1")]), NOW);
    assert_eq!(outgoing.url, "https://dysmsapi.aliyuncs.com/");
    let body = &outgoing.body;
    for (name, value) in [
        ("PhoneNumbers", "15300000001"),
        ("SignName", "沈阳8890"),
        ("TemplateParam", r#"{"name":"\"张\"","n":"1"}"#),
        ("OutId", "00000000-0000-0000-0000-000000000007"),
        ("Timestamp", "2026-03-05T02:20:30Z"),
    ] {
        assert_eq!(field(body, name).as_deref(), Some(value));
    }
    assert_eq!(field(body, "SmsUpExtendCode"), None, "an empty field is left out");
    assert_eq!(request(&sending, &text("x"), NOW, NONCE).err(), Some(Unsendable::Text));
}

#[test]
fn tencent_is_told_parameters_in_order() {
    let sending = built_in("tencent-sms");
    let message = Message {
        from: Some(ServiceNumber("01".into())),
        ..template("9", &[("a", "\"1"), ("b", "2")])
    };
    let outgoing = ready(&sending, &message, NOW);
    let body: serde_json::Value = serde_json::from_slice(&outgoing.body).expect("JSON");
    assert_eq!(body["PhoneNumberSet"][0], "+8615300000001");
    assert_eq!(body["TemplateParamSet"], serde_json::json!(["\"1", "2"]));
    assert_eq!(body["ExtendCode"], "01");
    assert_eq!(header(&outgoing, "x-tc-region"), "ap-beijing");
    assert_eq!(header(&outgoing, "host"), "sms.tencentcloudapi.com");
}

#[test]
fn huawei_is_proven_by_a_digest_of_time_and_secret() {
    let outgoing = ready(&built_in("huawei-sms"), &template("t", &[("1", "3")]), NOW);
    assert_eq!(field(&outgoing.body, "templateParas").as_deref(), Some(r#"["3"]"#));
    assert_eq!(field(&outgoing.body, "from").as_deref(), Some("1069008890"));
    let nonce = "45e25e9b-0a6f-4070-8c85-2956eda1b466";
    let digest = huawei::digest(nonce, "2026-03-05T02:20:30Z", b"testSecret");
    let expected = format!(
        "UsernameToken Username=\"testId\",PasswordDigest=\"{digest}\",Nonce=\"{nonce}\",\
         Created=\"2026-03-05T02:20:30Z\""
    );
    assert_eq!(header(&outgoing, "x-wsse"), expected);
}

#[test]
fn kannel_and_jasmin_are_told_texts() {
    let outgoing = ready(&built_in("kannel"), &text("满意吗？1&2"), NOW);
    let query = outgoing.url.query().expect("a query").as_bytes();
    assert_eq!(field(query, "text").as_deref(), Some("满意吗？1&2"));
    assert_eq!(field(query, "to").as_deref(), Some("8615300000001"));
    let report = field(query, "dlr-url").expect("an address");
    assert!(report.contains("/dlr?id=00000000-0000-0000-0000-000000000007&type=%d"), "{report}");

    let outgoing = ready(&built_in("jasmin"), &text("满1"), NOW);
    assert_eq!(field(&outgoing.body, "hex-content").as_deref(), Some("6ee10031"));
    let report =
        ["dlr", "dlr-url", "dlr-level", "dlr-method"].map(|key| field(&outgoing.body, key));
    let asked = ["yes", "https://gw.example/callback/x", "3", "POST"];
    assert_eq!(report.each_ref().map(Option::as_deref), asked.map(Some));
    assert_eq!(field(&outgoing.body, "password").as_deref(), Some("testSecret"));
    let template = template("t", &[]);
    assert_eq!(
        request(&built_in("jasmin"), &template, NOW, NONCE).err(),
        Some(Unsendable::Template)
    );
}

/// A dialect of one's own: what is signed is the form in order, without the signature.
#[test]
fn a_digest_goes_where_the_signature_stands() {
    let sending = sending(
        "generic",
        r#"
        [accounts.x.dialect]
        formats = ["json"]
        events = [{ kind = "sms_reply", id = "id", caller = "m", text = "t" }]
        [accounts.x.dialect.send]
        to = "national"
        time = "%m%d%H%M%S"
        form = { account = "${user}", mobile = "${to}", content = "${text|gb18030}", timestamp = "${time}", sign = "${signature}" }
        [accounts.x.dialect.send.auth]
        scheme = "digest"
        algorithm = "md5"
        over = "${sorted}&key=${secret}"
        sorted = { of = "form" }
        [accounts.x.dialect.send.answer]
        format = "json"
        code = "code"
        sent = ["0"]
        [accounts.x.send]
        url = "https://sms.example/send"
        user = "J8890"
        secret = "env:KEY"
        "#,
    );
    let outgoing = ready(&sending, &text("满"), NOW);
    let body = String::from_utf8(outgoing.body.to_vec()).expect("ASCII");
    assert!(body.contains("content=%C2%FA"), "{body}");
    let rest = body.rsplit_once("&sign=").expect("a signature");
    let signed =
        b"account=J8890&content=\xc2\xfa&mobile=15300000001&timestamp=0305102030&key=testSecret";
    let field = |name| body.split('&').find_map(|pair| pair.strip_prefix(name));
    assert_eq!(field("timestamp="), Some("0305102030"));
    let expected = {
        use md5::{Digest as _, Md5};
        hex::encode(Md5::digest(signed))
    };
    assert!(rest.1.starts_with(&expected), "{body}");
}

fn judged(carrier: &str, status: u16, body: &str) -> SendVerdict {
    let status = StatusCode::from_u16(status).expect("a status");
    let body = Bytes::from(body.to_owned());
    verdict(&built_in(carrier), &text("x"), status, &HeaderMap::new(), &body)
}

fn sent(id: &str) -> SendVerdict {
    SendVerdict::Sent { carrier_id: Some(crate::model::MessageId(id.to_owned())) }
}

#[test]
fn success_brings_the_id_by_which_reports_come() {
    for (carrier, status, body, id) in [
        (
            "aliyun-sms",
            200,
            r#"{"RequestId":"1","Message":"OK","BizId":"134523^4351232","Code":"OK"}"#,
            "134523^4351232",
        ),
        (
            "tencent-sms",
            200,
            r#"{"Response":{"SendStatusSet":[{"SerialNo":"5000:1045710669157053657849499619","PhoneNumber":"+8615300000001","Fee":1,"SessionContext":"","Code":"Ok","Message":"send success"}],"RequestId":"a"}}"#,
            "5000:1045710669157053657849499619",
        ),
        (
            "huawei-sms",
            200,
            r#"{"code":"000000","description":"Success.","result":[{"originTo":"+8615300000001","createTime":"2018-08-06T11:59:50Z","from":"1069","smsMsgId":"4b4b34e7_85496076","status":"000000"}]}"#,
            "4b4b34e7_85496076",
        ),
        ("kannel", 202, "0: Accepted for delivery", "00000000-0000-0000-0000-000000000007"),
        (
            "jasmin",
            200,
            "Success \"07033084-5cfd-4812-90a4-e4d24ffb6e3d\"",
            "07033084-5cfd-4812-90a4-e4d24ffb6e3d",
        ),
    ] {
        assert_eq!(judged(carrier, status, body), sent(id), "{carrier}");
    }
}

#[test]
fn failures_are_told_apart() {
    let retry = |code: &str| SendVerdict::Retry { code: code.to_owned() };
    let dead = |code: &str| SendVerdict::Final { code: code.to_owned() };
    let later = |code: &str| SendVerdict::Throttled { wait: None, code: code.to_owned() };
    for (carrier, status, body, verdict) in [
        (
            "aliyun-sms",
            200,
            r#"{"Code":"isv.BUSINESS_LIMIT_CONTROL"}"#,
            later("isv.BUSINESS_LIMIT_CONTROL"),
        ),
        (
            "aliyun-sms",
            200,
            r#"{"Code":"isv.MOBILE_NUMBER_ILLEGAL"}"#,
            dead("isv.MOBILE_NUMBER_ILLEGAL"),
        ),
        ("aliyun-sms", 400, r#"{"Code":"SignatureDoesNotMatch"}"#, retry("SignatureDoesNotMatch")),
        // A success that is none.
        ("aliyun-sms", 500, r#"{"Code":"OK"}"#, retry("OK")),
        (
            "tencent-sms",
            200,
            r#"{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure"}}}"#,
            retry("AuthFailure.SignatureFailure"),
        ),
        (
            "huawei-sms",
            200,
            r#"{"code":"E000510","result":[{"status":"E200028","smsMsgId":"1"}]}"#,
            dead("E200028"),
        ),
        ("kannel", 503, "Temporal failure, try again later.", later("503")),
        ("kannel", 403, "Authorization failed for sendsms", retry("403")),
        (
            "jasmin",
            403,
            "Error \"User throughput exceeded\"",
            later("Error \"User throughput exceeded\""),
        ),
        (
            "jasmin",
            403,
            "Error \"Authentication failure for 13900000001\"",
            retry("Error \"Authentication failure for …\""),
        ),
        ("jasmin", 412, "Error \"No route found\"", dead("Error \"No route found\"")),
        ("aliyun-sms", 429, "", later("429")),
        ("aliyun-sms", 404, "<html>", retry("404")),
    ] {
        assert_eq!(judged(carrier, status, body), verdict, "{carrier} {status} {body}");
    }
}

#[test]
fn what_nobody_can_read_leaves_the_fate_unknown() {
    for (carrier, status, body) in [
        ("aliyun-sms", 200, ""),
        ("aliyun-sms", 200, "<html>login</html>"),
        ("aliyun-sms", 502, "<html>Bad Gateway</html>"),
        ("tencent-sms", 200, r#"{"Response":{}}"#),
        ("huawei-sms", 504, "{"),
        ("kannel", 500, "x"),
        ("jasmin", 200, "<html>login</html>"),
    ] {
        assert_eq!(
            judged(carrier, status, body),
            SendVerdict::Unknown,
            "{carrier} {status} {body}"
        );
    }
}

proptest! {
    #[test]
    fn every_text_arrives_whole(content in "\\PC{1,80}") {
        for carrier in ["kannel", "jasmin"] {
            let outgoing = ready(&built_in(carrier), &text(&content), NOW);
            let arrived = match carrier {
                "kannel" => field(outgoing.url.query().expect("a query").as_bytes(), "text"),
                _ => field(&outgoing.body, "hex-content").map(|digits| {
                    let bytes = hex::decode(digits).expect("hex");
                    let units = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                    String::from_utf16(&units.collect::<Vec<_>>()).expect("UTF-16")
                }),
            };
            prop_assert_eq!(arrived.as_deref(), Some(content.as_str()));
        }
    }

    #[test]
    fn parameters_stay_json_whatever_they_are(name in "\\PC{0,8}", value in any::<String>()) {
        let message = template("t", &[(&name, &value)]);
        let outgoing = ready(&built_in("tencent-sms"), &message, NOW);
        let body: serde_json::Value = serde_json::from_slice(&outgoing.body).expect("JSON");
        prop_assert_eq!(body["TemplateParamSet"][0].as_str(), Some(value.as_str()));
    }

    #[test]
    fn no_answer_makes_anybody_panic(status in 100_u16..600, body in any::<Vec<u8>>()) {
        let status = StatusCode::from_u16(status).expect("a status");
        for carrier in ["aliyun-sms", "jasmin"] {
            let headers = HeaderMap::new();
            let body = Bytes::from(body.clone());
            let _verdict = verdict(&built_in(carrier), &text("x"), status, &headers, &body);
        }
    }
}
