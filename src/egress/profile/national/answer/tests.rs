//! What the province's answers mean, as they were seen and as they might be.

use super::*;
use crate::egress::profile::national::tests::{counted, national};
use crate::egress::samples::now;
use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;

fn verdict(status: u16, body: impl Into<Bytes>) -> Verdict {
    let status = StatusCode::from_u16(status).expect("a status");
    let answer = Answer { status, headers: HeaderMap::new(), body: body.into() };
    read(&answer, &[counted(0)], &national(), &[StatusCode::GONE], now())
}

fn refusal(reason: &str, is_final: bool) -> Refusal {
    Refusal { reason: reason.to_owned(), is_final }
}

#[test]
fn both_shapes_of_success_are_known_and_neither_by_half() {
    for body in [
        r#"{"code":"0","success":"true","msg":"操作成功"}"#,
        r#"{"code":0,"success":true}"#,
        r#"{"C-Response-Desc":"success","C-Response-Body":{}}"#,
        r#"{"C-Response-Desc":"success","C-Response-Body":"{\"success\":\"true\"}"}"#,
        r#"{"C-Response-Desc":"success","C-Response-Body":"","C-API-Status":"00"}"#,
    ] {
        assert_eq!(verdict(200, body), Verdict::Each(vec![ItemVerdict::Delivered]), "{body}");
    }
    for body in [
        r#"{"code":"0"}"#,
        r#"{"success":"true"}"#,
        r#"{"code":"1","success":"true"}"#,
        r#"{"code":"0","success":"false"}"#,
        r#"{"C-Response-Desc":"success"}"#,
        r#"{"C-Response-Desc":"success","C-Response-Body":{"success":"false"}}"#,
        r#"{"C-Response-Body":{}}"#,
        "{}",
        "[]",
        "ok",
        "",
    ] {
        assert!(matches!(verdict(200, body), Verdict::Unknown(_)), "{body}");
    }
}

#[test]
fn a_duplicate_is_delivered_wherever_it_is_said() {
    for (status, body) in [
        (200, r#"{"C-Response-Desc":"评价数据不可重复，请检查"}"#),
        (200, r#"{"code":"1","success":"false","msg":"评价数据不可重复"}"#),
        (200, r#"{"custom":{"code":"0","text":"评价数据不可重复"},"status":{"code":1}}"#),
        (200, r#"{"C-Response-Body":"{\"msg\":\"评价数据不可重复\"}"}"#),
        (500, r#"{"msg":"评价数据不可重复"}"#),
    ] {
        let duplicate = Verdict::Each(vec![ItemVerdict::Duplicate]);
        assert_eq!(verdict(status, body), duplicate, "{body}");
    }
}

#[test]
fn only_listed_texts_are_final() {
    let body = |text: &str| format!(r#"{{"custom":{{"code":"0","text":"{text}"}}}}"#);
    let unknown = "没有对应的服务数据";
    let refused = |text: &str, is_final| {
        Verdict::RefusedIn200(refusal(&format!("refused in 200: {text}"), is_final))
    };
    let by_status =
        |text: &str, is_final| Verdict::Refused(refusal(&format!("400: {text}"), is_final));
    assert_eq!(verdict(200, body(unknown)), refused(unknown, true));
    assert_eq!(verdict(400, body(unknown)), by_status(unknown, true));
    for text in ["系统繁忙", "参数结构不正确，请检查参数结构", "没有数据"] {
        assert_eq!(verdict(200, body(text)), refused(text, false));
        assert_eq!(verdict(400, body(text)), by_status(text, false));
        assert_eq!(verdict(500, body(text)), Verdict::Failed(format!("500: {text}")));
        assert_eq!(verdict(401, body(text)), Verdict::Fault(format!("401: {text}")));
    }
    assert_eq!(verdict(410, ""), Verdict::Refused(refusal("410", true)));
}

#[test]
fn what_is_kept_of_an_answer_names_nobody() {
    let told = verdict(200, r#"{"msg":"等了\n两个小时 13940000001"}"#);
    assert_eq!(told, Verdict::RefusedIn200(refusal("refused in 200: … ****", false)));
}

proptest! {
    #[test]
    fn nothing_but_what_is_listed_ends_a_rating(
        status in 100_u16..600,
        key in "code|success|msg|C-Response-Desc|C-Response-Body|custom|text",
        value in prop_oneof![any::<String>(), Just("success".to_owned()), Just("0".to_owned())],
        inner in any::<bool>(),
    ) {
        let value = serde_json::Value::String(value);
        let body = match inner {
            true => serde_json::json!({ "custom": { key: value } }),
            false => serde_json::json!({ key: value }),
        };
        let verdict = verdict(status, body.to_string());
        let ends = match &verdict {
            Verdict::Each(_) => true,
            Verdict::TooLarge { is_final } => *is_final,
            Verdict::Refused(refusal) | Verdict::RefusedIn200(refusal) => refusal.is_final,
            _ => false,
        };
        prop_assert!(!ends || status == 410, "{:?}", verdict);
    }

    #[test]
    fn any_answer_is_read(status in 100_u16..600, body in any::<Vec<u8>>()) {
        let _verdict = verdict(status, body);
    }
}
