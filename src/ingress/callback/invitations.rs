//! Where the platform asks us to invite: the same gate and limits as for carriers, and answers in JSON.

use super::Callbacks;
use crate::carrier::Denied;
use crate::config;
use crate::ingress::Ground;
use crate::ingress::admit::Shed;
use crate::ingress::body::{self, Unreadable};
use crate::ingress::gate;
use crate::ingress::http::{and_close, and_hear_out, come_back, unread};
use crate::ingress::visitor::Visitor;
use crate::intake::Invitations;
use crate::intake::invitations::{self, Call, Refusal};
use crate::net::Response;
use crate::signature::Distrust;
use crate::telemetry::ingress::{AccountTelemetry, Reasons};
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// Who takes the platform's invitations.
pub(super) struct Inviting {
    pub(super) invitations: Invitations,
    pub(super) telemetry: AccountTelemetry,
}

/// Why a call is refused as a whole.
#[derive(Serialize)]
struct Reason<'a> {
    reason: &'a str,
}

impl Inviting {
    pub(super) fn new(invitations: Invitations, ground: &Ground) -> Inviting {
        let refused = Denied::ALL.map(Denied::name);
        let reasons = Reasons { refused: &refused, busy: &Shed::NAMES };
        let (account, refusals) = (config::Invitations::account(), ground.intake.refusals());
        let telemetry = AccountTelemetry::new(&ground.metrics, account, reasons, refusals);
        Inviting { invitations, telemetry }
    }

    /// Whether it is what answers at this path; a slash at its end says nothing.
    pub(super) fn is_at(&self, path: &str) -> bool {
        path.strip_suffix('/').unwrap_or(path) == config::Invitations::PATH
    }
}

impl Callbacks {
    /// Answers a call of the platform.
    pub(super) async fn invite(
        &self,
        inviting: &Inviting,
        visitor: &Visitor,
        head: &Parts,
        body: Incoming,
    ) -> Response {
        let begun = Instant::now();
        let origin = visitor.origin(&head.headers, &self.proxies);
        let access = inviting.invitations.access();
        let response = if let Err(denied) = gate::admit(access, origin, visitor.certificate()) {
            inviting.telemetry.refused(denied.name());
            let reason = match denied {
                Denied::PlainHttp => "call over HTTPS",
                _ => "not from this address; it must stand in `sources` of [invitations]",
            };
            unread(refusal(StatusCode::FORBIDDEN, reason), &body)
        } else if head.method != Method::POST {
            inviting.telemetry.wrong_method();
            let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "call by POST");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            unread(response, &body)
        } else if !gate::takes_encoding(access, &head.headers) {
            inviting.telemetry.encoding();
            let reason = "send the body as it is, without a content encoding";
            unread(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason), &body)
        } else {
            self.take_invitations(inviting, head, body).await
        };
        inviting.telemetry.answered(response.status().as_u16(), begun.elapsed());
        response
    }

    /// Admits, reads, hands over, and replies.
    async fn take_invitations(
        &self,
        inviting: &Inviting,
        head: &Parts,
        body: Incoming,
    ) -> Response {
        let cap = self.limits.max_body;
        let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let (_guard, load) = self.begin(announced.unwrap_or(cap).min(cap));
        if let Err(shed) = self.admit(self.intake.admits(), load) {
            let after = shed.retry_after(self.limits.retry_after);
            return unread(inviting.busy(shed, after), &body);
        }
        let body = match body::read(body, cap, self.limits.body_timeout).await {
            Ok(body) => body,
            Err(unreadable) => return inviting.unreadable(unreadable, cap),
        };
        let call = Call {
            method: &head.method,
            target: head.uri.path_and_query().map_or("", |target| target.as_str()),
            headers: &head.headers,
            body: &body,
        };
        match inviting.invitations.accept(&call).await {
            Ok(answer) => {
                inviting.telemetry.accepted();
                json(StatusCode::OK, &answer)
            }
            Err(Refusal::Distrusted(distrust)) => {
                inviting.telemetry.refused(denied(distrust).name());
                refusal(StatusCode::UNAUTHORIZED, &distrust.to_string())
            }
            Err(Refusal::Unreadable(unreadable)) => {
                inviting.telemetry.unreadable();
                let status = match unreadable {
                    invitations::Unreadable::TooMany(_) => StatusCode::PAYLOAD_TOO_LARGE,
                    _ => StatusCode::BAD_REQUEST,
                };
                refusal(status, &unreadable.to_string())
            }
            Err(Refusal::Busy(after)) => inviting.busy(Shed::NotCommitted, after),
        }
    }
}

impl Inviting {
    pub(super) fn busy(&self, shed: Shed, after: Duration) -> Response {
        self.telemetry.busy(shed.name());
        let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "not now; come back later");
        come_back(response.headers_mut(), after);
        response
    }

    /// What was not read is left to the connection's end.
    fn unreadable(&self, unreadable: Unreadable, cap: usize) -> Response {
        match unreadable {
            Unreadable::TooLarge => {
                self.telemetry.too_large(cap);
                let reason = format!("too large; at most {cap} bytes are taken here");
                and_hear_out(refusal(StatusCode::PAYLOAD_TOO_LARGE, &reason))
            }
            Unreadable::TooSlow => {
                self.telemetry.too_slow();
                let reason = "the body did not come in time";
                and_close(refusal(StatusCode::REQUEST_TIMEOUT, reason))
            }
            Unreadable::CutOff => {
                self.telemetry.cut_off();
                and_close(refusal(StatusCode::BAD_REQUEST, "the body ended early"))
            }
        }
    }
}

/// As it is counted.
pub(super) fn denied(distrust: Distrust) -> Denied {
    match distrust {
        Distrust::Unsigned => Denied::Unsigned,
        Distrust::KeyId => Denied::BadCredentials,
        Distrust::Signature => Denied::BadSignature,
        Distrust::Stale => Denied::Stale,
    }
}

pub(super) fn refusal(status: StatusCode, reason: &str) -> Response {
    json(status, &Reason { reason })
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Plain data always serialises; an empty body would show as unreadable.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
