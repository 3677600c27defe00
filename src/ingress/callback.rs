//! The one handler: from a request to its answer.

mod calls;
mod invitations;

use super::Ground;
use super::admit::{Load, Shed, admit};
use super::body::{self, Unreadable};
use super::gate;
use super::http::{and_close, and_hear_out, come_back, from_carrier, plain, unread};
use super::routing::Routing;
use super::upgrade;
use super::url::known_to_carrier;
use super::visitor::Visitor;
use crate::carrier::{self, Answer, Call, Denied};
use crate::config::dialect::{Route, Transport};
use crate::config::{Account, ContentEncoding, Http, Limits, Proxies};
use crate::intake::{Intake, Invitations};
use crate::lifecycle::Tasks;
use crate::net::Response;
use crate::session::Hearing;
use crate::store::Unwell;
use crate::telemetry::ingress::{AccountTelemetry, IngressTelemetry, Reasons};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, HeaderValue};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::upgrade::OnUpgrade;
use invitations::Inviting;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::time::Instant;

/// Answers callbacks of the configured accounts.
pub(super) struct Callbacks {
    routing: Routing,
    /// In the order of the routing's accounts.
    endpoints: Vec<Endpoint>,
    /// `None`: the platform may not ask us to invite.
    inviting: Option<Inviting>,
    limits: Limits,
    proxies: Proxies,
    external_url: Option<String>,
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
    /// For a carrier that opens a WebSocket.
    hearing: Option<Hearing>,
}

/// A request whose account and route are known.
struct Found<'a> {
    endpoint: &'a Endpoint,
    route: &'a Route,
    head: &'a Parts,
    url: &'a str,
}

/// A callback being worked on, until it is dropped.
struct UnderWay<'a> {
    callbacks: &'a Callbacks,
    bytes: usize,
}

impl Callbacks {
    /// For those of the accounts that are called.
    pub(super) fn new(
        config: &Http,
        accounts: impl IntoIterator<Item = Arc<Account>>,
        invitations: Option<Invitations>,
        ground: Ground,
    ) -> Callbacks {
        let called = |account: &Arc<Account>| account.access.connect.is_none();
        let accounts: Vec<Arc<Account>> = accounts.into_iter().filter(called).collect();
        Callbacks {
            endpoints: accounts.iter().map(|account| Endpoint::new(account, &ground)).collect(),
            inviting: invitations.map(|taking| Inviting::new(taking, &ground)),
            routing: Routing::new(accounts),
            limits: config.limits.clone(),
            proxies: config.proxies.clone(),
            external_url: config.external_url.clone(),
            telemetry: IngressTelemetry::new(&ground.metrics),
            intake: ground.intake,
            tasks: ground.tasks,
            under_way: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
        }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, visitor: &Visitor, request: Request<Incoming>) -> Response {
        let begun = Instant::now();
        let (mut head, body) = request.into_parts();
        let upgraded = head.extensions.remove::<OnUpgrade>();
        let path = head.uri.path();
        if let Some(inviting) = self.inviting.as_ref().filter(|inviting| inviting.is_at(path)) {
            return self.invite(inviting, visitor, &head, body).await;
        }
        if let (Some(inviting), Some(asked)) = (self.inviting.as_ref(), calls::Asked::at(path)) {
            return self.dial((inviting, asked), visitor, &head, body).await;
        }
        let found = self.routing.find(path);
        let found = found.and_then(|(place, route)| Some((self.endpoints.get(place)?, route)));
        let Some((endpoint, route)) = found else {
            return unread(self.unknown(path), &body);
        };
        let access = &endpoint.account.access;
        let origin = visitor.origin(&head.headers, &self.proxies);
        let gateway = self.external_url.as_deref();
        let url = known_to_carrier(&head, access, gateway, origin.secure);
        let found = Found { endpoint, route, head: &head, url: &url };
        let response = match gate::admit(access, origin, visitor.certificate()) {
            Err(denied) => unread(found.refuse(denied), &body),
            Ok(()) => match endpoint.account.dialect.transport {
                Transport::Http => self.hear_out(&found, body).await,
                Transport::WebSocket => unread(self.open(&found, upgraded), &body),
            },
        };
        endpoint.telemetry.answered(response.status().as_u16(), begun.elapsed());
        response
    }

    fn unknown(&self, path: &str) -> Response {
        if self.routing.nearly(path) {
            self.telemetry.unknown_account();
            let line = "no such account or route; compare the address with the configuration\n";
            return plain(StatusCode::NOT_FOUND, line);
        }
        self.telemetry.unknown_path();
        let line = "nothing here; callbacks go to /callback/{account}\n";
        plain(StatusCode::NOT_FOUND, line)
    }

    /// Looks at the head, and takes the callback if nothing stands against it.
    async fn hear_out(&self, found: &Found<'_>, body: Incoming) -> Response {
        let Found { endpoint, route, head, .. } = found;
        if !route.methods.contains(&head.method) {
            endpoint.telemetry.wrong_method();
            return unread(wrong_method(route), &body);
        }
        if !gate::takes_encoding(&endpoint.account.access, &head.headers) {
            endpoint.telemetry.encoding();
            return unread(wrong_encoding(&endpoint.account), &body);
        }
        self.take(found, body).await
    }

    /// Admits, reads, hands over, and replies.
    async fn take(&self, found: &Found<'_>, body: Incoming) -> Response {
        let Found { endpoint, route, .. } = found;
        // A body that does not announce its length may be as long as the cap.
        let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        // The carrier's cap or ours, whichever is lower.
        let cap = route.max_body.min(self.limits.max_body);
        let (_guard, load) = self.begin(announced.unwrap_or(cap).min(cap));
        if let Err(shed) = self.admit(self.intake.admits_callbacks(), load) {
            return unread(self.shed(found, shed), &body);
        }
        let body = match body::read(body, cap, self.limits.body_timeout).await {
            Ok(body) => body,
            Err(unreadable) => return endpoint.unreadable(unreadable, cap),
        };
        let call = found.call(&body);
        let (answer, step) = match &route.steps {
            None => (self.intake.accept(&endpoint.account, &call).await, None),
            Some(steps) => self.intake.accept_in_call(&endpoint.account, &call, steps).await,
        };
        match &answer {
            Answer::Accepted => endpoint.telemetry.accepted(),
            Answer::Duplicate => endpoint.telemetry.duplicate(),
            Answer::Busy(_) => endpoint.telemetry.busy(Shed::NotCommitted.name()),
            Answer::Refused(denied) => endpoint.telemetry.refused(denied.name()),
        }
        step.map_or_else(|| reply(&call, &answer), from_carrier)
    }

    /// Opens a WebSocket to a carrier that is believed.
    fn open(&self, found: &Found<'_>, upgraded: Option<OnUpgrade>) -> Response {
        let Found { endpoint, head, .. } = found;
        let asked = upgrade::is_asked(head.version, &head.method, &head.headers);
        let (Some(upgraded), Some(hearing), true) = (upgraded, &endpoint.hearing, asked) else {
            endpoint.telemetry.wrong_method();
            return upgrade::required();
        };
        let (_guard, load) = self.begin(0);
        if let Err(shed) = self.admit(self.intake.admits_callbacks(), load) {
            return self.shed(found, shed);
        }
        let nothing = Bytes::new();
        let call = found.call(&nothing);
        match self.intake.admit_link(&endpoint.account, &call) {
            Ok(()) => upgrade::grant(&call, upgraded, hearing.clone()),
            Err(denied) => found.refuse(denied),
        }
    }

    fn admit(&self, store: Result<(), Unwell>, load: Load) -> Result<(), Shed> {
        let most = Load { requests: self.limits.max_requests, bytes: self.limits.max_buffered };
        admit(self.tasks.is_stopping(), store, load, most)
    }

    fn shed(&self, found: &Found<'_>, shed: Shed) -> Response {
        found.endpoint.telemetry.busy(shed.name());
        let nothing = Bytes::new();
        let call = found.call(&nothing);
        let busy = Answer::Busy(shed.retry_after(self.limits.retry_after));
        let step = self.intake.unheard(&found.endpoint.account, &call);
        step.map_or_else(|| reply(&call, &busy), from_carrier)
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

impl Found<'_> {
    fn call<'a>(&'a self, body: &'a Bytes) -> Call<'a> {
        let uri = &self.head.uri;
        Call {
            method: &self.head.method,
            route: self.route,
            target: uri.path_and_query().map_or("", |target| target.as_str()),
            query: uri.query().unwrap_or_default(),
            url: self.url,
            headers: &self.head.headers,
            body,
        }
    }

    /// Refuses it unread.
    fn refuse(&self, denied: Denied) -> Response {
        self.endpoint.telemetry.refused(denied.name());
        reply(&self.call(&Bytes::new()), &Answer::Refused(denied))
    }
}

impl Endpoint {
    fn new(account: &Arc<Account>, ground: &Ground) -> Endpoint {
        let refused = Denied::ALL.map(Denied::name);
        let reasons = Reasons { refused: &refused, busy: &Shed::NAMES };
        let hearing = match account.dialect.transport {
            Transport::Http => None,
            Transport::WebSocket => Some(Hearing::new(Arc::clone(account), ground.clone())),
        };
        Endpoint {
            account: Arc::clone(account),
            telemetry: AccountTelemetry::new(
                &ground.metrics,
                &account.name,
                reasons,
                ground.intake.refusals(),
            ),
            hearing,
        }
    }

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

fn wrong_encoding(account: &Account) -> Response {
    let listed = |(_, encoding): &&(&str, ContentEncoding)| {
        account.access.content_encodings.contains(encoding)
    };
    let names = ContentEncoding::NAMES.iter().filter(listed).map(|(name, _)| *name);
    let taken = [&["identity"][..], &names.collect::<Vec<_>>()].concat().join(", ");
    let line = format!("bodies are taken in these encodings: {taken}\n");
    let mut response = plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, line);
    // So RFC 9110, 15.5.16.
    if let Ok(taken) = HeaderValue::try_from(taken) {
        response.headers_mut().insert(ACCEPT_ENCODING, taken);
    }
    response
}
