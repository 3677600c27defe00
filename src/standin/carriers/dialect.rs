//! The dialects that the synthetic carriers speak, in the shapes of recorded exchanges.

use super::answers::Said;
use crate::model::Secret;
use jiff::Timestamp;
use jiff::tz::{Offset, offset};
use md5::{Digest, Md5};
use rand::RngExt;
use rand::rngs::StdRng;
use serde::Serialize;

/// A carrier that can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Aliyun SMS (阿里云短信), `SmsUp`: a JSON array, no signature.
    AliyunSms,
    /// Tencent voice (腾讯云语音), `voicekey_callback`: a wrapper key, no time.
    TencentVms,
    /// Yunpian (云片), reply push: JSON with an MD5 signature in a form field.
    Yunpian,
}

/// What is put into words by a dialect.
pub(super) struct Sent<'a> {
    /// What sets this source apart from all others.
    pub(super) run: u64,
    /// How many it sent before.
    pub(super) count: u64,
    pub(super) citizen: Citizen,
    pub(super) answer: &'a str,
    pub(super) at: Timestamp,
}

/// The last four digits of an invented number, 1390000xxxx.
#[derive(Debug, Clone, Copy)]
pub(super) struct Citizen(pub(super) u16);

impl Citizen {
    fn mobile(self) -> String {
        format!("1390000{:04}", self.0)
    }
}

const SERVICE: &str = "8890";
const BEIJING: Offset = offset(8);

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 3] = [Dialect::AliyunSms, Dialect::TencentVms, Dialect::Yunpian];

    /// The name of the account that it calls; the carrier's key in the configuration is the same.
    #[must_use]
    pub fn account(self) -> &'static str {
        match self {
            Dialect::AliyunSms => "aliyun-sms",
            Dialect::TencentVms => "tencent-vms",
            Dialect::Yunpian => "yunpian",
        }
    }

    /// The path that it posts to.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Dialect::AliyunSms => "/callback/aliyun-sms/up",
            Dialect::TencentVms => "/callback/tencent-vms",
            Dialect::Yunpian => "/callback/yunpian/reply",
        }
    }

    /// The content type that it announces.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Dialect::AliyunSms => "application/json;charset=UTF-8",
            Dialect::TencentVms => "application/json",
            Dialect::Yunpian => "application/x-www-form-urlencoded;charset=utf-8",
        }
    }

    /// The body that its documentation gives for success.
    #[must_use]
    pub fn success(self) -> &'static str {
        match self {
            Dialect::AliyunSms => r#"{"code":0,"msg":"接收成功"}"#,
            Dialect::TencentVms => r#"{"result":0,"errmsg":"OK"}"#,
            Dialect::Yunpian => "SUCCESS",
        }
    }

    /// Whether an answer of status 200 with this body means success to it.
    #[must_use]
    pub fn is_success(self, body: &[u8]) -> bool {
        if body == self.success().as_bytes() {
            return true;
        }
        match self {
            Dialect::AliyunSms => json_zero(body, "code"),
            Dialect::TencentVms => json_zero(body, "result"),
            Dialect::Yunpian => body == b"0",
        }
    }

    pub(super) fn said(self) -> Said {
        match self {
            Dialect::TencentVms => Said::Keys,
            Dialect::AliyunSms | Dialect::Yunpian => Said::Text,
        }
    }

    pub(super) fn draw(rng: &mut StdRng) -> Dialect {
        match rng.random_range(0..100) {
            0..55 => Dialect::AliyunSms,
            55..80 => Dialect::TencentVms,
            _ => Dialect::Yunpian,
        }
    }

    /// An id of the carrier's own form that no other message of any source has.
    pub(super) fn message_id(self, sent: &Sent<'_>) -> String {
        let Sent { run, count, .. } = sent;
        match self {
            Dialect::AliyunSms => format!("{run:020}{count:010}"),
            Dialect::TencentVms => format!("{run:016x}-{count}"),
            Dialect::Yunpian => format!("{run:016x}{count:016x}"),
        }
    }

    pub(super) fn body(self, sent: &Sent<'_>, id: &str, yunpian: &Secret) -> Vec<u8> {
        match self {
            Dialect::AliyunSms => aliyun_sms(sent, id),
            Dialect::TencentVms => tencent_vms(sent, id),
            Dialect::Yunpian => yunpian_reply(sent, id, yunpian),
        }
    }
}

#[derive(Serialize)]
struct SmsUp<'a> {
    phone_number: &'a str,
    content: &'a str,
    send_time: &'a str,
    dest_code: &'a str,
    sequence_id: &'a str,
}

fn aliyun_sms(sent: &Sent<'_>, id: &str) -> Vec<u8> {
    json(&[SmsUp {
        phone_number: &sent.citizen.mobile(),
        content: sent.answer,
        send_time: &beijing(sent.at),
        dest_code: SERVICE,
        sequence_id: id,
    }])
}

#[derive(Serialize)]
struct VoiceKey<'a> {
    voicekey_callback: KeyPress<'a>,
}

#[derive(Serialize)]
struct KeyPress<'a> {
    call_from: &'a str,
    callid: &'a str,
    keypress: &'a str,
    mobile: &'a str,
    nationcode: &'a str,
}

fn tencent_vms(sent: &Sent<'_>, id: &str) -> Vec<u8> {
    json(&VoiceKey {
        voicekey_callback: KeyPress {
            call_from: "02488908890",
            callid: id,
            keypress: sent.answer,
            mobile: &sent.citizen.mobile(),
            nationcode: "86",
        },
    })
}

#[derive(Serialize)]
struct SmsReply<'a> {
    id: &'a str,
    mobile: &'a str,
    reply_time: &'a str,
    text: &'a str,
    extend: &'a str,
    base_extend: &'a str,
    #[serde(rename = "_sign")]
    sign: &'a str,
}

fn yunpian_reply(sent: &Sent<'_>, id: &str, secret: &Secret) -> Vec<u8> {
    let (mobile, reply_time) = (sent.citizen.mobile(), beijing(sent.at));
    let (extend, base_extend) = ("01", SERVICE);
    // The values in the order of their keys, then the secret (Yunpian's page on reply push).
    let sign = md5_of(&[base_extend, extend, id, &mobile, &reply_time, sent.answer], secret);
    let reply = SmsReply {
        id,
        mobile: &mobile,
        reply_time: &reply_time,
        text: sent.answer,
        extend,
        base_extend,
        sign: &sign,
    };
    let reply = String::from_utf8_lossy(&json(&reply)).into_owned();
    form_urlencoded::Serializer::new(String::new())
        .append_pair("sms_reply", &reply)
        .finish()
        .into_bytes()
}

fn md5_of(values: &[&str], secret: &Secret) -> String {
    let mut md5 = Md5::new();
    for value in values {
        md5.update(value);
        md5.update(",");
    }
    md5.update(secret.reveal());
    hex::encode(md5.finalize())
}

/// `YYYY-MM-DD hh:mm:ss` in Beijing, as the carriers write it.
fn beijing(at: Timestamp) -> String {
    BEIJING.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[expect(clippy::expect_used, reason = "structs of strings have no value that JSON cannot hold")]
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings are JSON")
}

fn json_zero(body: &[u8], field: &str) -> bool {
    serde_json::from_slice::<serde_json::Value>(body)
        .is_ok_and(|answer| answer.get(field).and_then(serde_json::Value::as_i64) == Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2026-03-05 10:20:30 in Beijing, as in the recorded exchanges.
    const AT: i64 = 1_772_677_230;

    fn sent(answer: &str) -> Sent<'_> {
        let at = Timestamp::from_second(AT).expect("in range");
        Sent { run: 0, count: 7, citizen: Citizen(1), answer, at }
    }

    fn body_of(dialect: Dialect, answer: &str, id: &str) -> String {
        let secret = Secret::new(b"test-secret".to_vec());
        String::from_utf8(dialect.body(&sent(answer), id, &secret)).expect("text")
    }

    #[test]
    fn aliyun_is_written_as_recorded() {
        assert_eq!(
            body_of(Dialect::AliyunSms, "1", "1234567890"),
            r#"[{"phone_number":"13900000001","content":"1","send_time":"2026-03-05 10:20:30","dest_code":"8890","sequence_id":"1234567890"}]"#
        );
    }

    #[test]
    fn tencent_is_written_as_recorded() {
        assert_eq!(
            body_of(Dialect::TencentVms, "2", "8d2c7e60-1"),
            r#"{"voicekey_callback":{"call_from":"02488908890","callid":"8d2c7e60-1","keypress":"2","mobile":"13900000001","nationcode":"86"}}"#
        );
    }

    #[test]
    fn yunpian_is_written_as_recorded_with_a_signature_computed_elsewhere() {
        // md5sum of `8890,01,2a70…2747,13900000001,2026-03-05 10:20:30,收到了,谢谢！,test-secret`.
        assert_eq!(
            body_of(Dialect::Yunpian, "收到了,谢谢！", "2a70c6bb4f2845da816ea1bfe5732747"),
            "sms_reply=%7B%22id%22%3A%222a70c6bb4f2845da816ea1bfe5732747%22%2C%22mobile%22%3A%2213900000001%22%2C%22reply_time%22%3A%222026-03-05+10%3A20%3A30%22%2C%22text%22%3A%22%E6%94%B6%E5%88%B0%E4%BA%86%2C%E8%B0%A2%E8%B0%A2%EF%BC%81%22%2C%22extend%22%3A%2201%22%2C%22base_extend%22%3A%228890%22%2C%22_sign%22%3A%2251c94c5d0d03e907a5c885a7f8021f55%22%7D"
        );
    }

    #[test]
    fn the_signature_is_that_of_the_recorded_exchange() {
        let secret = Secret::new(b"test-secret".to_vec());
        let values = [
            "8890",
            "01",
            "2a70c6bb4f2845da816ea1bfe5732747",
            "13940000001",
            "2026-03-05 10:20:30",
            "收到了,谢谢！",
        ];
        assert_eq!(md5_of(&values, &secret), "95028f7a39c619c905dc7e0956ca3669");
    }

    #[test]
    fn success_is_what_the_carrier_reads_as_success() {
        for dialect in Dialect::ALL {
            assert!(dialect.is_success(dialect.success().as_bytes()));
            assert!(!dialect.is_success(b""));
            assert!(!dialect.is_success(b"busy"));
        }
        assert!(Dialect::AliyunSms.is_success(br#"{"msg":"ok","code":0}"#));
        assert!(!Dialect::AliyunSms.is_success(br#"{"msg":"busy","code":1}"#));
        assert!(Dialect::Yunpian.is_success(b"0"));
    }
}
