//! Aliyun SMS (阿里云短信), `SmsUp` and `SmsReport`: a JSON array of any size, signed by nothing.
//!
//! Format: help.aliyun.com 101867 (replies) and 101847 (reports). Older pages write `sequence_id`
//! as a number, add `sign_name`, and write `send_time` in 14 digits; all of them are read.

use super::kit::dedupe;
use super::kit::fields::{Fields, Json};
use super::{Answer, Call, Carrier, Decoded, Denied, Garbled, Proof, Reply, Spec};
use crate::config::Account;
use crate::model::{Caller, DeliveryStatus, Event, EventBody, MessageId, ServiceNumber};
use http::{Method, StatusCode};
use jiff::Timestamp;

const UP: &str = "up";
const REPORT: &str = "report";

static SPEC: Spec = Spec {
    key: "aliyun-sms",
    title: "Aliyun SMS (阿里云短信)",
    routes: &[REPORT, UP],
    methods: &[Method::POST],
    max_body: 4 << 20,
    proof: Proof::Nothing,
    patience: "repeats 1, 5 and 10 minutes after the first failure, then drops the push",
};

const JSON: &str = "application/json";
// `code` is only checked to be 0; the texts are for the logs of the far end.
const TAKEN: &str = r#"{"code":0,"msg":"接收成功"}"#;
const BUSY: &str = r#"{"code":1,"msg":"系统繁忙，请稍后重试"}"#;
const REFUSED: &str = r#"{"code":2,"msg":"拒绝接收"}"#;

/// See the module.
pub(super) struct AliyunSms;

impl Carrier for AliyunSms {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn verify(&self, _: &Call<'_>, _: &Account, _: Timestamp) -> Result<(), Denied> {
        Ok(())
    }

    fn decode(&self, call: &Call<'_>, account: &Account, _: Timestamp) -> Result<Decoded, Garbled> {
        let read = match call.route {
            UP => reply,
            REPORT => report,
            _ => return Err(Garbled::new("path", "expected the route `up` or `report`")),
        };
        let body = Json::new(call.body, "body");
        Ok(Decoded::from_items(body.items()?.map(|item| read(&item?, account))))
    }

    fn reply(&self, _: &Call<'_>, answer: &Answer) -> Reply {
        match answer {
            Answer::Accepted | Answer::Duplicate => Reply::fixed(StatusCode::OK, JSON, TAKEN),
            Answer::Busy(_) => Reply::fixed(StatusCode::SERVICE_UNAVAILABLE, JSON, BUSY),
            Answer::Refused(_) => Reply::fixed(StatusCode::FORBIDDEN, JSON, REFUSED),
        }
    }
}

fn reply(item: &Fields<'_>, account: &Account) -> Result<Event, Garbled> {
    let id = item.filled("sequence_id")?;
    Ok(Event {
        dedupe: dedupe::key(UP, &[&id]),
        message_id: Some(MessageId(id.into_owned())),
        caller: Some(Caller::read(&item.filled("phone_number")?, &account.country)),
        service: item.optional("dest_code")?.map(|code| ServiceNumber(code.into_owned())),
        occurred_at: item.local_time("send_time", account.offset)?,
        pass_through: None,
        body: EventBody::SmsReply { text: item.text("content")?.into_owned() },
    })
}

fn report(item: &Fields<'_>, account: &Account) -> Result<Event, Garbled> {
    // One `biz_id` covers every number of a batch send, so it identifies nothing alone.
    let id = item.filled("biz_id")?;
    let number = item.filled("phone_number")?;
    let code = item.optional("err_code")?.unwrap_or_default();
    let status = match &*item.filled("success")? {
        "true" => DeliveryStatus::Delivered,
        "false" => DeliveryStatus::Failed,
        _ => DeliveryStatus::Unknown,
    };
    Ok(Event {
        dedupe: dedupe::key(REPORT, &[&id, &number, &code]),
        message_id: Some(MessageId(id.into_owned())),
        caller: Some(Caller::read(&number, &account.country)),
        service: None,
        occurred_at: item.local_time("report_time", account.offset)?,
        pass_through: item.optional("out_id")?.map(Into::into),
        body: EventBody::DeliveryReport { status, raw: code.into_owned() },
    })
}
