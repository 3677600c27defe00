//! The one handler: `POST|GET /callback/{account}[/{route}]`.

use super::Ground;
use super::admit::{Load, Shed, admit};
use super::body::{self, Unreadable};
use super::http::{and_close, and_hear_out, come_back, from_carrier, plain, unread};
use crate::carrier::{self, Answer, Call, Denied};
use crate::config::dialect::Route;
use crate::config::{Account, Limits};
use crate::intake::Intake;
use crate::lifecycle::Tasks;
use crate::net::Response;
use crate::telemetry::ingress::{AccountTelemetry, IngressTelemetry, Reasons};
use bytes::Bytes;
use http::header::{ALLOW, HeaderValue};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use hyper::body::{Body, Incoming};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::time::Instant;

/// Answers callbacks of the configured accounts.
pub(super) struct Callbacks {
    endpoints: HashMap<String, Endpoint>,
    limits: Limits,
    intake: Intake,
    tasks: Tasks,
    under_way: AtomicUsize,
    held: AtomicUsize,
    telemetry: IngressTelemetry,
}

/// Where one account's carrier calls.
struct Endpoint {
    account: Arc<Account>,
    telemetry: AccountTelemetry,
}

/// A callback being worked on, until it is dropped.
struct UnderWay<'a> {
    callbacks: &'a Callbacks,
    bytes: usize,
}

impl Callbacks {
    pub(super) fn new(
        limits: &Limits,
        accounts: impl IntoIterator<Item = Arc<Account>>,
        ground: Ground,
    ) -> Callbacks {
        let refused = Denied::ALL.map(Denied::name);
        let reasons = Reasons { refused: &refused, busy: &Shed::NAMES };
        let endpoint = |account: Arc<Account>| {
            let telemetry = AccountTelemetry::new(&ground.metrics, &account.name, reasons);
            (account.name.to_string(), Endpoint { account, telemetry })
        };
        Callbacks {
            endpoints: accounts.into_iter().map(endpoint).collect(),
            limits: limits.clone(),
            telemetry: IngressTelemetry::new(&ground.metrics),
            intake: ground.intake,
            tasks: ground.tasks,
            under_way: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
        }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response {
        let begun = Instant::now();
        let (head, body) = request.into_parts();
        let Some((name, route)) = split(head.uri.path()) else {
            self.telemetry.unknown_path();
            let line = "nothing here; callbacks go to /callback/{account}\n";
            return unread(plain(StatusCode::NOT_FOUND, line), &body);
        };
        let endpoint = self.endpoints.get(name);
        let found = endpoint.and_then(|found| Some((found, found.account.dialect.route(route)?)));
        let Some((endpoint, route)) = found else {
            self.telemetry.unknown_account();
            let line = "no such account or route; compare the address with the configuration\n";
            return unread(plain(StatusCode::NOT_FOUND, line), &body);
        };
        let response = if route.methods.contains(&head.method) {
            self.take(endpoint, route, &head, body).await
        } else {
            endpoint.telemetry.wrong_method();
            unread(wrong_method(route), &body)
        };
        endpoint.telemetry.answered(response.status().as_u16(), begun.elapsed());
        response
    }

    /// Admits, reads, hands over, and replies.
    async fn take(
        &self,
        endpoint: &Endpoint,
        route: &Route,
        head: &Parts,
        body: Incoming,
    ) -> Response {
        // A body that does not announce its length may be as long as the cap.
        let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        // The carrier's cap or ours, whichever is lower.
        let cap = route.max_body.min(self.limits.max_body);
        let (_guard, load) = self.begin(announced.unwrap_or(cap).min(cap));
        let most = Load { requests: self.limits.max_requests, bytes: self.limits.max_buffered };
        let admitted = admit(self.tasks.is_stopping(), self.intake.admits(), load, most);
        if let Err(shed) = admitted {
            endpoint.telemetry.busy(shed.name());
            let busy = Answer::Busy(shed.retry_after(self.limits.retry_after));
            let response = reply(&call(head, route, &Bytes::new()), &busy);
            return unread(response, &body);
        }
        let body = match body::read(body, cap, self.limits.body_timeout).await {
            Ok(body) => body,
            Err(unreadable) => return endpoint.unreadable(unreadable, cap),
        };
        let call = call(head, route, &body);
        let answer = self.intake.accept(&endpoint.account, &call).await;
        match &answer {
            Answer::Accepted => endpoint.telemetry.accepted(),
            Answer::Duplicate => endpoint.telemetry.duplicate(),
            Answer::Busy(_) => endpoint.telemetry.busy(Shed::NotCommitted.name()),
            Answer::Refused(denied) => endpoint.telemetry.refused(denied.name()),
        }
        reply(&call, &answer)
    }

    /// Counts a callback and its bytes in; the load includes it.
    fn begin(&self, bytes: usize) -> (UnderWay<'_>, Load) {
        self.telemetry.begun();
        let load = Load {
            requests: self.under_way.fetch_add(1, Relaxed) + 1,
            bytes: self.held.fetch_add(bytes, Relaxed) + bytes,
        };
        (UnderWay { callbacks: self, bytes }, load)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.callbacks.under_way.fetch_sub(1, Relaxed);
        self.callbacks.held.fetch_sub(self.bytes, Relaxed);
        self.callbacks.telemetry.ended();
    }
}

impl Endpoint {
    /// What was not read is left to the connection's end.
    fn unreadable(&self, unreadable: Unreadable, cap: usize) -> Response {
        match unreadable {
            Unreadable::TooLarge => {
                self.telemetry.too_large(cap);
                let line = format!("too large; at most {cap} bytes are taken here\n");
                and_hear_out(plain(StatusCode::PAYLOAD_TOO_LARGE, line))
            }
            Unreadable::TooSlow => {
                self.telemetry.too_slow();
                let line = "the body did not come in time\n";
                and_close(plain(StatusCode::REQUEST_TIMEOUT, line))
            }
            Unreadable::CutOff => {
                self.telemetry.cut_off();
                and_close(plain(StatusCode::BAD_REQUEST, "the body ended early\n"))
            }
        }
    }
}

fn reply(call: &Call<'_>, answer: &Answer) -> Response {
    let mut response = from_carrier(carrier::answer(call, answer));
    if let Answer::Busy(after) = answer {
        come_back(response.headers_mut(), *after);
    }
    response
}

fn wrong_method(route: &Route) -> Response {
    let allowed: Vec<_> = route.methods.iter().map(Method::as_str).collect();
    let allowed = allowed.join(", ");
    let line = format!("this carrier calls by {allowed}\n");
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, line);
    if let Ok(allowed) = HeaderValue::try_from(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

fn call<'a>(head: &'a Parts, route: &'a Route, body: &'a Bytes) -> Call<'a> {
    Call {
        method: &head.method,
        route,
        target: head.uri.path_and_query().map_or("", |target| target.as_str()),
        query: head.uri.query().unwrap_or_default(),
        url: "",
        headers: &head.headers,
        body,
    }
}

/// Account and route of a callback's path; the route is empty when there is none.
fn split(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/callback/")?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_account_and_route() {
        assert_eq!(split("/callback/aliyun-sms"), Some(("aliyun-sms", "")));
        assert_eq!(split("/callback/aliyun-sms/"), Some(("aliyun-sms", "")));
        assert_eq!(split("/callback/a/report"), Some(("a", "report")));
        assert_eq!(split("/callback/a/b/c"), Some(("a", "b/c")));
        assert_eq!(split("/callback/"), Some(("", "")));
        assert_eq!(split("/callback"), None);
        assert_eq!(split("/"), None);
    }
}
