//! Yunpian (云片): JSON inside one form field, `sms_reply` or `sms_status`; a reply carries an MD5
//! of its values and the account's apikey as `_sign`.
//!
//! Format: yunpian.com `domestic_push_reply` and `intl_push_report`. The page says to URL-decode the
//! field once more after reading it; the form has been decoded by then, and a second time would
//! corrupt every text with `%` or `+`.
//!
//! Reports are not documented to carry a signature and are believed without one: they never become
//! more than a note about a message of ours. Only the route `status` reads them and only the route
//! `reply` reads replies, so nobody gets an unsigned rating in by the other door.

use super::kit::fields::{Fields, Json};
use super::kit::{dedupe, form, sign};
use super::{Answer, Call, Carrier, Decoded, Denied, Garbled, Proof, Reply, Spec};
use crate::config::Account;
use crate::model::{Caller, DeliveryStatus, Event, EventBody, MessageId, ServiceNumber};
use http::{Method, StatusCode};
use jiff::Timestamp;

const REPLY: &str = "reply";
const STATUS: &str = "status";

static SPEC: Spec = Spec {
    key: "yunpian",
    title: "Yunpian SMS (云片)",
    routes: &[REPLY, STATUS],
    methods: &[Method::POST],
    max_body: 1 << 20,
    proof: Proof::Signature { secret: "apikey" },
    patience: "repeats 5 times, a minute apart",
};

const SIGN: &str = "_sign";
const PLAIN: &str = "text/plain";

/// See the module.
pub(super) struct Yunpian;

impl Carrier for Yunpian {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn verify(&self, call: &Call<'_>, account: &Account, _: Timestamp) -> Result<(), Denied> {
        if call.route == STATUS {
            return Ok(());
        }
        let json = form::field(call.body, "sms_reply").ok_or(Denied::Unsigned)?;
        let json = Json::new(&json, "sms_reply");
        let fields = json.object().map_err(|_| Denied::Unsigned)?;
        let given = fields.filled(SIGN).map_err(|_| Denied::Unsigned)?;
        let values = fields.sorted().filter(|(name, _)| *name != SIGN).map(|(_, value)| value);
        if sign::is_md5_of_values(values, &account.secrets, &given) {
            Ok(())
        } else {
            Err(Denied::BadSignature)
        }
    }

    fn decode(&self, call: &Call<'_>, account: &Account, _: Timestamp) -> Result<Decoded, Garbled> {
        let json = |name| {
            form::field(call.body, name).ok_or_else(|| Garbled::new(name, "no such form field"))
        };
        match call.route {
            REPLY => {
                let json = json("sms_reply")?;
                let json = Json::new(&json, "sms_reply");
                Ok(Decoded::from_items([reply(&json.object()?, account)]))
            }
            STATUS => {
                let json = json("sms_status")?;
                let json = Json::new(&json, "sms_status");
                Ok(Decoded::from_items(json.items()?.map(|item| report(&item?, account))))
            }
            _ => Err(Garbled::new("path", "expected the route `reply` or `status`")),
        }
    }

    fn reply(&self, _: &Call<'_>, answer: &Answer) -> Reply {
        match answer {
            Answer::Accepted | Answer::Duplicate => Reply::fixed(StatusCode::OK, PLAIN, "SUCCESS"),
            Answer::Busy(_) => Reply::fixed(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "BUSY"),
            Answer::Refused(_) => Reply::fixed(StatusCode::FORBIDDEN, PLAIN, "REFUSED"),
        }
    }
}

fn reply(fields: &Fields<'_>, account: &Account) -> Result<Event, Garbled> {
    let id = fields.filled("id")?;
    // The number the citizen replied to is theirs, then our extension of it.
    let mut service = fields.optional("base_extend")?.unwrap_or_default().into_owned();
    service.push_str(&fields.optional("extend")?.unwrap_or_default());
    Ok(Event {
        dedupe: dedupe::key(REPLY, &[&id]),
        message_id: Some(MessageId(id.into_owned())),
        caller: Some(Caller::read(&fields.filled("mobile")?, &account.country)),
        service: (!service.is_empty()).then_some(ServiceNumber(service)),
        occurred_at: fields.local_time("reply_time", account.offset)?,
        pass_through: None,
        body: EventBody::SmsReply { text: fields.text("text")?.into_owned() },
    })
}

fn report(item: &Fields<'_>, account: &Account) -> Result<Event, Garbled> {
    let id = item.filled("sid")?;
    let raw = item.filled("report_status")?.into_owned();
    let status = match raw.as_str() {
        "SUCCESS" => DeliveryStatus::Delivered,
        "FAIL" => DeliveryStatus::Failed,
        _ => DeliveryStatus::Unknown,
    };
    Ok(Event {
        dedupe: dedupe::key(STATUS, &[&id]),
        message_id: Some(MessageId(id.into_owned())),
        caller: Some(Caller::read(&item.filled("mobile")?, &account.country)),
        service: None,
        occurred_at: item.local_time("user_receive_time", account.offset)?,
        pass_through: item.optional("uid")?.map(Into::into),
        body: EventBody::DeliveryReport { status, raw },
    })
}
