//! Answers by rules: whatever comes, nothing dies but by a list.

use super::*;
use crate::config::dialect::{AnswerFormat, CodePlace};
use crate::egress::backoff::Backoff;
use crate::egress::flight::Flight;
use crate::egress::samples::{destination, leased, now};
use crate::store::{DeadClass, Settled};
use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;

fn path(name: &str) -> CodePlace {
    CodePlace::Path(vec![name.to_owned()])
}

fn exact(codes: &[&str]) -> Vec<Code> {
    codes.iter().map(|code| Code::Exact((*code).to_owned())).collect()
}

fn rule(format: AnswerFormat, code: CodePlace) -> AnswerRule {
    AnswerRule {
        format,
        statuses: Vec::new(),
        code: vec![code],
        message: Some(path("msg")),
        success: exact(&["0"]),
        duplicate: exact(&["2", "had it"]),
        identity: exact(&["8"]),
        throttled: exact(&["3"]),
        retry: exact(&["4"]),
        last: exact(&["5", "never"]),
    }
}

fn of(rule: &AnswerRule, status: u16, body: &str) -> Verdict {
    let status = StatusCode::from_u16(status).expect("a status");
    let body = Bytes::copy_from_slice(body.as_bytes());
    let answer = Answer { status, headers: HeaderMap::new(), body };
    read(rule, &[StatusCode::GONE], &answer, &leased(1).record, now())
}

fn json(status: u16, body: &str) -> Verdict {
    of(&rule(AnswerFormat::Json, path("code")), status, body)
}

#[test]
fn two_hundred_but_refused_is_a_class_of_its_own() {
    let refused = |reason: &str, is_final| {
        Verdict::RefusedIn200(Refusal { reason: reason.to_owned(), is_final })
    };
    assert_eq!(json(200, r#"{"code":9}"#), refused("refused in 200: code 9", false));
    assert_eq!(json(200, r#"{"code":5,"msg":"x"}"#), refused("refused in 200: code 5, x", true));
    let by_status = Refusal { reason: "400: code 5".to_owned(), is_final: true };
    assert_eq!(json(400, r#"{"code":"5"}"#), Verdict::Refused(by_status));
}

#[test]
fn words_count_as_codes_do_but_never_as_a_success() {
    let duplicate = Verdict::Each(vec![ItemVerdict::Duplicate]);
    assert_eq!(json(200, r#"{"code":"9","msg":"had it"}"#), duplicate);
    assert_eq!(json(409, r#"{"code":"9","msg":"had it"}"#), duplicate);
    assert!(matches!(json(200, r#"{"code":"9","msg":"0"}"#), Verdict::RefusedIn200(_)));
    let both = json(200, r#"{"code":"5","msg":"had it"}"#);
    assert_eq!(both, duplicate, "the milder one of two");
}

#[test]
fn what_speaks_of_us_is_never_taken_for_a_word_about_the_record() {
    for status in [401, 403, 404, 407] {
        assert!(matches!(json(status, r#"{"code":"5"}"#), Verdict::Fault(_)), "{status}");
        assert!(matches!(json(status, r#"{"code":"0"}"#), Verdict::Fault(_)), "{status}");
    }
    for status in [500, 502, 503] {
        assert!(matches!(json(status, r#"{"code":"5"}"#), Verdict::Failed(_)), "{status}");
    }
    assert!(matches!(json(410, ""), Verdict::Refused(Refusal { is_final: true, .. })), "listed");
}

#[test]
fn a_code_of_identity_is_a_fault_and_no_word_about_the_record() {
    let body = r#"{"code":"8","msg":"never"}"#;
    for status in [200, 400] {
        assert_eq!(json(status, body), Verdict::Fault(format!("{status}: code 8, never")));
    }
    let rule = rule(AnswerFormat::Json, path("code"));
    let answer = |status, body: &'static str| Answer {
        status,
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
    };
    assert!(disowns(&rule, &answer(StatusCode::OK, body)));
    assert!(!disowns(&rule, &answer(StatusCode::OK, r#"{"code":"0","msg":"8"}"#)));
    assert!(!disowns(&rule, &answer(StatusCode::BAD_GATEWAY, body)));
}

#[test]
fn a_success_needs_one_of_the_statuses() {
    let mut rule = rule(AnswerFormat::Json, path("code"));
    rule.statuses = vec![StatusCode::CREATED];
    let delivered = Verdict::Each(vec![ItemVerdict::Delivered]);
    assert_eq!(of(&rule, 201, r#"{"code":"0"}"#), delivered);
    assert!(matches!(of(&rule, 200, r#"{"code":"0"}"#), Verdict::RefusedIn200(_)));
    assert!(matches!(json(400, r#"{"code":"0"}"#), Verdict::Refused(_)));
}

#[test]
fn a_page_of_something_in_between_says_nothing_and_is_not_kept() {
    let text = rule(AnswerFormat::Text, CodePlace::Body);
    assert_eq!(of(&text, 200, "0\n"), Verdict::Each(vec![ItemVerdict::Delivered]));
    assert_eq!(
        of(&text, 200, "welcome, 张三"),
        Verdict::Unknown("200 with a text that no list has".to_owned())
    );
    for body in ["", "<html>", "{}", r#"{"code":""}"#, r#"{"code":{}}"#] {
        assert!(matches!(json(200, body), Verdict::Unknown(_)), "{body}");
    }
}

#[test]
fn words_of_another_encoding_are_read_where_it_is_declared() {
    let words = "<?xml version=\"1.0\" encoding=\"GBK\"?><r><code>9</code><msg>记录重复</msg></r>";
    let body = Bytes::from(encoding_rs::GBK.encode(words).0.into_owned());
    let rule = AnswerRule {
        duplicate: vec![Code::Part("重复".to_owned())],
        ..rule(AnswerFormat::Xml, path("code"))
    };
    let answer = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body };
    let verdict = read(&rule, &[], &answer, &leased(1).record, now());
    assert_eq!(verdict, Verdict::Each(vec![ItemVerdict::Duplicate]));
}

#[test]
fn what_is_kept_names_nobody() {
    let Verdict::RefusedIn200(refusal) =
        json(200, r#"{"code":"9","msg":"13940000001: 等了\n两个小时 is too short"}"#)
    else {
        panic!("refused");
    };
    assert_eq!(refusal.reason, "refused in 200: code 9, ****: … is too short");
}

proptest! {
    #[test]
    fn whatever_the_answer_the_record_is_settled_once_and_dies_by_a_list_alone(
        status in 100_u16..600,
        code in "[0-9]{0,2}|\\PC{0,6}",
        msg in "had it|never|\\PC{0,6}",
        whole in any::<bool>(),
    ) {
        let body = serde_json::json!({ "code": code, "msg": msg }).to_string();
        let verdict = json(status, if whole { &body } else { &code });
        let listed = ["5"].contains(&code.as_str()) || msg == "never";
        let backoff = Backoff::new(&destination().backoff).expect("sense");
        let landed =
            Flight::new(Vec::new()).land(vec![leased(1)], verdict, &backoff, now(), || 0.5);
        prop_assert_eq!(landed.len(), 1);
        match &landed[0].1 {
            Settled::Dead { class: DeadClass::RefusedIn200, .. } => {
                prop_assert!((200..300).contains(&status) && listed);
            }
            Settled::Dead { class: DeadClass::Rejected, .. } => {
                prop_assert!(status == 410 || ([400, 409, 422].contains(&status) && listed));
            }
            Settled::Dead { class, .. } => prop_assert!(false, "{:?}", class),
            Settled::Delivered => {
                let told = code == "0" || code == "2" || msg == "had it";
                prop_assert!(told && ((200..300).contains(&status) || [400, 409, 422].contains(&status)));
            }
            Settled::Retry { .. } | Settled::Released => {}
        }
    }

    #[test]
    fn any_bytes_are_an_answer_to_any_format(status in 100_u16..600, body in "\\PC{0,40}") {
        for (format, place) in [
            (AnswerFormat::Json, path("code")),
            (AnswerFormat::Xml, path("code")),
            (AnswerFormat::Text, CodePlace::Body),
        ] {
            if let Verdict::Each(each) = of(&rule(format, place), status, &body) {
                prop_assert_eq!(each.len(), 1);
            }
        }
    }
}
