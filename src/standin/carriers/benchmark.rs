//! The callback of load tests: one Aliyun SMS reply, written by hand since the generator shares its
//! cores with what it measures.

use super::{Head, Sent, Success};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use jiff::tz::{Offset, offset};
use serde::Serialize;
use std::sync::{Arc, LazyLock};

const BEIJING: Offset = offset(8);

/// Everything but the body, the same for all.
static HEAD: LazyLock<Arc<Head>> = LazyLock::new(|| {
    let json = HeaderValue::from_static("application/json;charset=UTF-8");
    let success = r#"{"code":0,"msg":"接收成功"}"#;
    Arc::new(Head {
        account: "aliyun-sms".to_owned(),
        method: Method::POST,
        target: "/callback/aliyun-sms/up".to_owned(),
        headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
        success: Success { status: 200, body: Bytes::from_static(success.as_bytes()) },
    })
});

#[derive(Serialize)]
struct SmsUp<'a> {
    phone_number: &'a str,
    content: &'a str,
    send_time: &'a str,
    dest_code: &'a str,
    sequence_id: &'a str,
}

/// Everything but the body.
pub(super) fn head() -> Arc<Head> {
    Arc::clone(&HEAD)
}

/// An id as Aliyun has them.
pub(super) fn message_id(sent: &Sent<'_>) -> String {
    format!("{:020}{:010}", sent.run, sent.count)
}

/// The body.
#[expect(clippy::expect_used, reason = "a struct of strings has no value that JSON cannot hold")]
pub(super) fn body(sent: &Sent<'_>, id: &str) -> Vec<u8> {
    let up = SmsUp {
        phone_number: &sent.citizen.mobile(),
        content: sent.answer,
        send_time: &beijing(sent.at),
        dest_code: super::SERVICE,
        sequence_id: id,
    };
    serde_json::to_vec(&[up]).expect("strings are JSON")
}

/// `YYYY-MM-DD hh:mm:ss` in Beijing, as Aliyun writes it.
fn beijing(at: Timestamp) -> String {
    BEIJING.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::carriers::{Citizen, accounts};

    #[test]
    fn it_is_written_as_recorded() {
        // 2026-03-05 10:20:30 in Beijing, as in the recorded exchanges.
        let at = Timestamp::from_second(1_772_677_230).expect("in range");
        let sent = Sent { run: 0, count: 7, citizen: Citizen(1), answer: "1", at };
        assert_eq!(
            String::from_utf8(body(&sent, "1234567890")).expect("text"),
            r#"[{"phone_number":"13900000001","content":"1","send_time":"2026-03-05 10:20:30","dest_code":"8890","sequence_id":"1234567890"}]"#
        );
    }

    #[test]
    fn it_goes_where_the_dialect_has_it_and_hears_what_the_dialect_answers() {
        let accounts = accounts::load(&["aliyun-sms"], "").expect("an account");
        let successes = accounts::successes(&accounts);
        assert_eq!(successes.get(&head().target), Some(&head().success));
    }
}
