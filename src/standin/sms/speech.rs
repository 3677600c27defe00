//! The words of each carrier: where it reads a message, and how it answers.

use super::proof::Asked;
use http::StatusCode;
use serde_json::{Value, json};

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// Aliyun SMS, `SendSms`.
    Aliyun,
    /// Tencent Cloud SMS, `SendSms`.
    Tencent,
    /// Huawei Cloud SMS, `batchSendSms`.
    Huawei,
    /// Kannel, `sendsms`.
    Kannel,
    /// Jasmin, `send`.
    Jasmin,
}

/// A message as it was told.
pub(super) struct Told {
    pub(super) to: String,
    pub(super) content: String,
    pub(super) key: Option<String>,
}

/// A status and a body.
type Answer = (StatusCode, String);

impl Speech {
    /// All of them.
    pub const ALL: [Speech; 5] =
        [Speech::Aliyun, Speech::Tencent, Speech::Huawei, Speech::Kannel, Speech::Jasmin];

    /// The key of the carrier.
    #[must_use]
    pub fn carrier(self) -> &'static str {
        match self {
            Speech::Aliyun => "aliyun-sms",
            Speech::Tencent => "tencent-sms",
            Speech::Huawei => "huawei-sms",
            Speech::Kannel => "kannel",
            Speech::Jasmin => "jasmin",
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Speech::Aliyun => "/aliyun/",
            Speech::Tencent => "/tencent/",
            Speech::Huawei => "/sms/batchSendSms/v1",
            Speech::Kannel => "/cgi-bin/sendsms",
            Speech::Jasmin => "/send",
        }
    }

    pub(super) fn at(path: &str) -> Option<Speech> {
        Speech::ALL.into_iter().find(|speech| speech.path() == path)
    }

    pub(super) fn read(self, asked: &Asked<'_>) -> Told {
        let field = |name: &str| asked.field(name).unwrap_or_default();
        let both = |code: &str, parameters: &str| [field(code), field(parameters)].join(" ");
        match self {
            Speech::Aliyun => Told {
                to: field("PhoneNumbers"),
                content: both("TemplateCode", "TemplateParam"),
                key: asked.field("OutId"),
            },
            Speech::Huawei => Told {
                to: field("to"),
                content: both("templateId", "templateParas"),
                key: asked.field("extend"),
            },
            Speech::Kannel => Told {
                to: field("to"),
                content: field("text"),
                key: asked.field("dlr-url").and_then(|url| {
                    let (_, rest) = url.split_once("id=")?;
                    Some(rest.split('&').next().unwrap_or(rest).to_owned())
                }),
            },
            Speech::Jasmin => {
                let bytes = hex::decode(field("hex-content")).unwrap_or_default();
                let units =
                    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                let content = String::from_utf16_lossy(&units.collect::<Vec<_>>());
                Told { to: field("to"), content, key: None }
            }
            Speech::Tencent => {
                let body: Value = serde_json::from_slice(asked.body).unwrap_or_default();
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let code = text(&body["TemplateId"]);
                Told {
                    to: text(&body["PhoneNumberSet"][0]),
                    content: format!("{code} {}", body["TemplateParamSet"]),
                    key: body["SessionContext"].as_str().map(str::to_owned),
                }
            }
        }
    }

    pub(super) fn taken(self, id: &str) -> Answer {
        match self {
            Speech::Aliyun => ok(&json!({"Code": "OK", "Message": "OK", "BizId": id})),
            Speech::Tencent => {
                let status = json!({"SerialNo": id, "Fee": 1, "Code": "Ok"});
                ok(&json!({"Response": {"SendStatusSet": [status], "RequestId": "1"}}))
            }
            Speech::Huawei => {
                let result = json!({"smsMsgId": id, "status": "000000"});
                ok(&json!({"code": "000000", "description": "Success.", "result": [result]}))
            }
            Speech::Kannel => (StatusCode::ACCEPTED, "0: Accepted for delivery".to_owned()),
            Speech::Jasmin => (StatusCode::OK, format!("Success \"{id}\"")),
        }
    }

    pub(super) fn throttled(self) -> Answer {
        match self {
            Speech::Aliyun => ok(&json!({"Code": "isv.BUSINESS_LIMIT_CONTROL"})),
            Speech::Tencent => tencent("RequestLimitExceeded"),
            Speech::Huawei => ok(&json!({"code": "E000623", "description": "limit"})),
            Speech::Kannel => {
                let text = "Temporal failure, try again later.";
                (StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
            }
            Speech::Jasmin => jasmin(StatusCode::FORBIDDEN, "User throughput exceeded"),
        }
    }

    pub(super) fn failed(self) -> Answer {
        match self {
            Speech::Aliyun => ok(&json!({"Code": "isp.SYSTEM_ERROR"})),
            Speech::Tencent => tencent("InternalError.OtherError"),
            Speech::Huawei => ok(&json!({"code": "E000000", "description": "System error."})),
            Speech::Kannel => (StatusCode::FORBIDDEN, "Sender missing".to_owned()),
            Speech::Jasmin => jasmin(StatusCode::FORBIDDEN, "Cannot charge submit_sm"),
        }
    }

    pub(super) fn refused(self) -> Answer {
        match self {
            Speech::Aliyun => ok(&json!({"Code": "isv.MOBILE_NUMBER_ILLEGAL"})),
            Speech::Tencent => {
                let status = json!({"Code": "FailedOperation.PhoneNumberInBlacklist"});
                ok(&json!({"Response": {"SendStatusSet": [status]}}))
            }
            Speech::Huawei => ok(&json!({"code": "E000510", "result": [{"status": "E200028"}]})),
            Speech::Kannel => (StatusCode::BAD_REQUEST, "Number missing".to_owned()),
            Speech::Jasmin => jasmin(StatusCode::PRECONDITION_FAILED, "No route found"),
        }
    }

    pub(super) fn unproven(self) -> Answer {
        match self {
            Speech::Aliyun => {
                (StatusCode::BAD_REQUEST, json!({"Code": "SignatureDoesNotMatch"}).to_string())
            }
            Speech::Tencent => tencent("AuthFailure.SignatureFailure"),
            Speech::Huawei => ok(&json!({"code": "E000102", "description": "app_key invalid"})),
            Speech::Kannel => {
                (StatusCode::FORBIDDEN, "Authorization failed for sendsms".to_owned())
            }
            Speech::Jasmin => jasmin(StatusCode::FORBIDDEN, "Authentication failure"),
        }
    }
}

fn ok(body: &Value) -> Answer {
    (StatusCode::OK, body.to_string())
}

fn tencent(code: &str) -> Answer {
    ok(&json!({"Response": {"Error": {"Code": code, "Message": ""}, "RequestId": "1"}}))
}

fn jasmin(status: StatusCode, text: &str) -> Answer {
    (status, format!("Error \"{text}\""))
}
