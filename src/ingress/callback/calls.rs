//! Where dialling systems ask what to dial: the gate, the signature and the answers of the invitations.

use super::Callbacks;
use super::invitations::{Inviting, denied, json, refusal};
use crate::config;
use crate::ingress::admit::Shed;
use crate::ingress::gate;
use crate::ingress::http::{come_back, unread};
use crate::ingress::visitor::Visitor;
use crate::intake::calls::CallsError;
use crate::net::Response;
use http::header::{ALLOW, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use hyper::body::{Body, Incoming};
use serde::Serialize;
use tokio::time::Instant;

/// What is asked for at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// What waits to be dialled.
    List,
    /// To take one call.
    Take,
}

impl Asked {
    /// What this path is for; `None`: not for dialling systems.
    pub(super) fn at(path: &str) -> Option<Asked> {
        if path == config::Invitations::CALLS_PATH {
            return Some(Asked::List);
        }
        path.starts_with(config::Invitations::CALL_PATH).then_some(Asked::Take)
    }

    fn method(self) -> Method {
        match self {
            Asked::List => Method::GET,
            Asked::Take => Method::POST,
        }
    }
}

impl Callbacks {
    /// Answers a dialling system.
    pub(super) async fn dial(
        &self,
        (inviting, asked): (&Inviting, Asked),
        visitor: &Visitor,
        head: &Parts,
        body: Incoming,
    ) -> Response {
        let begun = Instant::now();
        let origin = visitor.origin(&head.headers, &self.proxies);
        let access = inviting.invitations.access();
        let response = if let Err(denied) = gate::admit(access, origin, visitor.certificate()) {
            inviting.telemetry.refused(denied.name());
            refusal(StatusCode::FORBIDDEN, "call over HTTPS, and from an address in `sources`")
        } else if head.method != asked.method() {
            inviting.telemetry.wrong_method();
            let method = asked.method();
            let mut response =
                refusal(StatusCode::METHOD_NOT_ALLOWED, "the method is another here");
            if let Ok(allowed) = HeaderValue::try_from(method.as_str()) {
                response.headers_mut().insert(ALLOW, allowed);
            }
            response
        } else if !body.is_end_stream() {
            inviting.telemetry.unreadable();
            refusal(StatusCode::BAD_REQUEST, "send no body")
        } else {
            self.answer_dialler(inviting, asked, head).await
        };
        inviting.telemetry.answered(response.status().as_u16(), begun.elapsed());
        unread(response, &body)
    }

    async fn answer_dialler(&self, inviting: &Inviting, asked: Asked, head: &Parts) -> Response {
        let (_guard, load) = self.begin(0);
        if let Err(shed) = self.admit(self.intake.admits(), load) {
            return inviting.busy(shed, shed.retry_after(self.limits.retry_after));
        }
        let target = head.uri.path_and_query().map_or("", |target| target.as_str());
        let calls = inviting.invitations.calls();
        match asked {
            Asked::List => self.told(inviting, calls.list(target, &head.headers).await),
            Asked::Take => self.told(inviting, calls.take(target, &head.headers).await),
        }
    }

    fn told(&self, inviting: &Inviting, answer: Result<impl Serialize, CallsError>) -> Response {
        let error = match answer {
            Ok(answer) => {
                inviting.telemetry.accepted();
                return json(StatusCode::OK, &answer);
            }
            Err(error) => error,
        };
        let status = match &error {
            CallsError::Distrusted(distrust) => {
                inviting.telemetry.refused(denied(*distrust).name());
                StatusCode::UNAUTHORIZED
            }
            CallsError::Query => {
                inviting.telemetry.unreadable();
                StatusCode::BAD_REQUEST
            }
            CallsError::Unknown => StatusCode::NOT_FOUND,
            CallsError::NotBefore(_) => StatusCode::CONFLICT,
            CallsError::Over(_) => StatusCode::GONE,
            CallsError::Busy => {
                inviting.telemetry.busy(Shed::NotCommitted.name());
                let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
                come_back(response.headers_mut(), self.limits.retry_after);
                return response;
            }
        };
        refusal(status, &error.to_string())
    }
}
