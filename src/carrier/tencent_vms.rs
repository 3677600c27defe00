//! Tencent Cloud voice messages (腾讯云语音消息): one JSON object whose only key names the kind of
//! callback, signed by nothing; a key press carries no time.
//!
//! Format: cloud.tencent.com product 1128, pages 51533 (codes), 51534 (notices), 51535 (keys).

use super::kit::dedupe;
use super::kit::fields::{Fields, Json};
use super::{Answer, Call, Carrier, Decoded, Denied, Garbled, Proof, Reply, Spec};
use crate::config::Account;
use crate::model::{CallStatus, Caller, Event, EventBody, MessageId, ServiceNumber};
use http::{Method, StatusCode};
use jiff::Timestamp;

static SPEC: Spec = Spec {
    key: "tencent-vms",
    title: "Tencent Cloud voice messages (腾讯云语音消息)",
    routes: &[],
    methods: &[Method::POST],
    max_body: 64 << 10,
    proof: Proof::Nothing,
    patience: "repeats are not documented",
};

type Read = fn(&Fields<'_>, &Account) -> Result<Event, Garbled>;

/// The kinds of callback, by the key that wraps them.
const KINDS: [(&str, Read); 3] = [
    ("voicekey_callback", keypad),
    ("voiceprompt_callback", status),
    ("voicecode_callback", status),
];

const JSON: &str = "application/json";
const TAKEN: &str = r#"{"result":0,"errmsg":"OK"}"#;
const BUSY: &str = r#"{"result":1,"errmsg":"系统繁忙，请稍后重试"}"#;
const REFUSED: &str = r#"{"result":2,"errmsg":"拒绝接收"}"#;

/// See the module.
pub(super) struct TencentVms;

impl Carrier for TencentVms {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn verify(&self, _: &Call<'_>, _: &Account, _: Timestamp) -> Result<(), Denied> {
        Ok(())
    }

    fn decode(&self, call: &Call<'_>, account: &Account, _: Timestamp) -> Result<Decoded, Garbled> {
        let body = Json::new(call.body, "body");
        let wrapper = body.object()?;
        let decoded = Decoded::from_items(KINDS.iter().filter_map(|(key, read)| {
            Some(wrapper.object(key)?.and_then(|fields| read(&fields, account)))
        }));
        if decoded.events.is_empty() && decoded.garbled.is_empty() {
            return Err(Garbled::new("body", "no key of a known kind of callback"));
        }
        Ok(decoded)
    }

    fn reply(&self, _: &Call<'_>, answer: &Answer) -> Reply {
        match answer {
            Answer::Accepted | Answer::Duplicate => Reply::fixed(StatusCode::OK, JSON, TAKEN),
            Answer::Busy(_) => Reply::fixed(StatusCode::SERVICE_UNAVAILABLE, JSON, BUSY),
            Answer::Refused(_) => Reply::fixed(StatusCode::FORBIDDEN, JSON, REFUSED),
        }
    }
}

fn keypad(fields: &Fields<'_>, account: &Account) -> Result<Event, Garbled> {
    let id = fields.filled("callid")?;
    let digits = fields.text("keypress")?;
    Ok(Event {
        dedupe: dedupe::key("key", &[&id, &digits]),
        message_id: Some(MessageId(id.into_owned())),
        caller: Some(callee(fields, account)?),
        service: hotline(fields)?,
        occurred_at: None,
        pass_through: None,
        body: EventBody::Keypad { digits: digits.into_owned() },
    })
}

fn status(fields: &Fields<'_>, account: &Account) -> Result<Event, Garbled> {
    let id = fields.filled("callid")?;
    let raw = fields.filled("result")?.into_owned();
    let status = match raw.as_str() {
        "0" => CallStatus::Answered,
        "1" => CallStatus::NoAnswer,
        "2" => CallStatus::Failed,
        _ => CallStatus::Unknown,
    };
    // A call that nobody answered may have 0 for the time of its end.
    let ended = fields.epoch_seconds("end_calltime")?.filter(|time| *time > Timestamp::UNIX_EPOCH);
    Ok(Event {
        dedupe: dedupe::key("status", &[&id]),
        message_id: Some(MessageId(id.into_owned())),
        caller: Some(callee(fields, account)?),
        service: hotline(fields)?,
        occurred_at: ended,
        pass_through: None,
        body: EventBody::CallStatus { status, raw },
    })
}

/// The citizen, whose country has a field of its own.
fn callee(fields: &Fields<'_>, account: &Account) -> Result<Caller, Garbled> {
    let country = fields.optional("nationcode")?;
    let country = country.as_deref().unwrap_or(&account.country);
    Ok(Caller::read(&fields.filled("mobile")?, country.trim_start_matches('+')))
}

/// The number that we called from.
fn hotline(fields: &Fields<'_>) -> Result<Option<ServiceNumber>, Garbled> {
    Ok(fields.optional("call_from")?.map(|number| ServiceNumber(number.into_owned())))
}
