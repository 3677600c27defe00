//! What the native profile makes of answers.

use super::*;
use crate::egress::samples::{batch, now};
use crate::egress::verdict::Refusal;
use http::HeaderMap;
use proptest::prelude::*;

fn answer(status: u16, body: impl Into<Bytes>) -> Verdict {
    let status = StatusCode::from_u16(status).expect("a status");
    let answer = Answer { status, headers: HeaderMap::new(), body: body.into() };
    Native { finals: vec![StatusCode::UNPROCESSABLE_ENTITY] }.read(&answer, &batch(3), now())
}

fn retry(reason: &str, asked: Option<u64>) -> ItemVerdict {
    ItemVerdict::Retry { reason: reason.to_owned(), asked: asked.map(Duration::from_secs) }
}

#[test]
fn a_success_that_cannot_be_read_says_nothing() {
    for body in ["", "ok", "<html>", "{}", r#"{"results":{}}"#, r#"{"results":[{"key":1}]}"#] {
        assert!(matches!(answer(200, body), Verdict::Unknown(_)), "{body}");
    }
}

#[test]
fn each_record_gets_its_own_verdict_whatever_the_order() {
    let keys: Vec<String> = batch(3).iter().map(|leased| leased.record.idempotency_key()).collect();
    let body = format!(
        r#"{{"results":[
            {{"key":"{}","status":"retry","reason":"later","retry_after":2}},
            {{"key":"unheard of","status":"rejected"}},
            {{"key":"{}","status":"accepted","extra":1}}
        ]}}"#,
        keys[2], keys[0]
    );
    let verdicts =
        vec![ItemVerdict::Delivered, retry("not in the answer", None), retry("later", Some(2))];
    assert_eq!(answer(200, body), Verdict::Each(verdicts));
    let body = format!(
        r#"{{"results":[{{"key":"{}","status":"duplicate"}},{{"key":"{}","status":"rejected",
            "reason":"no such case"}},{{"key":"{}","status":"maybe"}}]}}"#,
        keys[0], keys[1], keys[2]
    );
    let verdicts = vec![
        ItemVerdict::Duplicate,
        ItemVerdict::Rejected("no such case".to_owned()),
        retry("answered with an unknown status", None),
    ];
    assert_eq!(answer(200, body), Verdict::Each(verdicts));
}

#[test]
fn what_is_kept_of_an_answer_names_nobody() {
    for (said, kept) in [
        ("caller +8613940000001\\nunknown", "caller +**** unknown"),
        ("caller 139-4000 0001, line 12", "caller ****, line 12"),
        ("12 of 100 - 7", "12 of 100 - 7"),
        ("comment 等了\\n两个小时 is too short", "comment … is too short"),
    ] {
        let body = format!(r#"{{"reason":"{said}"}}"#);
        assert_eq!(answer(422, body), refused(format!("422: {kept}")));
    }
    let key = batch(1)[0].record.idempotency_key();
    let body = format!(
        r#"{{"results":[{{"key":"{key}","status":"rejected","reason":"comment 等了\n两个小时 is too short"}}]}}"#
    );
    let Verdict::Each(verdicts) = answer(200, body) else { panic!("an answer") };
    assert_eq!(verdicts[0], ItemVerdict::Rejected("comment … is too short".to_owned()));
}

fn refused(reason: String) -> Verdict {
    Verdict::Refused(Refusal { reason, is_final: true })
}

proptest! {
    #[test]
    fn any_answer_has_a_verdict_for_each_record(status in 100_u16..600, body in any::<Vec<u8>>()) {
        if let Verdict::Each(verdicts) = answer(status, body) {
            prop_assert_eq!(verdicts.len(), 3);
        }
    }
}
