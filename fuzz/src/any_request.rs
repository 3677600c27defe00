//! Any bytes as a request to the recorded accounts and to dialects that use everything there is,
//! and what must hold of every answer.
//!
//! The input is a request as it travelled, so the recorded exchanges are the seeds.
//! `tests/any_request.rs` includes this file: it stays right without a fuzzer.

#![expect(clippy::panic, reason = "whoever looks for faults must be stopped")]

use bridge8890::carrier::{self, Answer, Call, Denied};
use bridge8890::config::dialect::{AnswerForm, Piece, Place, Route, Template};
use bridge8890::config::{self, Account, Config, Environment};
use bridge8890::dialogue::flow::Next;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The moment at which every recorded signature is fresh: 2026-03-05T02:20:30Z.
const CLOCK: jiff::Timestamp = jiff::Timestamp::constant(1_772_677_230, 0);

/// What accounts have their secrets from; the key is Ed25519's public one.
const SECRETS: [(&str, &str); 2] =
    [("SECRET", "test-secret"), ("KEY", "0kOb+Q50mToOOBSNePM3ocoK0wF3tzkyNfZuYeobvFE=")];

/// The most bytes that one value of a request takes in an answer: 256, each escaped with six.
const MOST_ECHOED: usize = 256 * 6;

static RECORDED: LazyLock<Config> = LazyLock::new(|| {
    let text = include_str!("../../tests/fixtures/carriers/accounts.toml");
    let text = text.replace("file:carrier.secret", "env:SECRET");
    read(&text.replace("file:telnyx.key", "env:KEY"))
});

static GENERIC: LazyLock<Config> = LazyLock::new(|| read(include_str!("../dialects.toml")));

fn read(text: &str) -> Config {
    let environment = Environment::given(Path::new(""), &SECRETS);
    config::parse(text, "accounts", &environment).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Sends the input to the account at its path and to a generic one, and looks at what comes back.
///
/// # Panics
/// Something that must hold does not.
pub(crate) fn survive(input: &[u8]) {
    let request = Request::read(input);
    let path = request.target.split('?').next().unwrap_or_default();
    let (account, route) =
        RECORDED.endpoint(path).unwrap_or_else(|| any(&RECORDED, path.as_bytes()));
    request.survives(account, route);
    // Another byte of the body asks another account.
    let (account, route) = any(&GENERIC, &request.body);
    request.survives(account, route);
}

/// One of all routes, by the bytes.
fn any<'c>(config: &'c Config, bytes: &[u8]) -> (&'c Arc<Account>, &'c Route) {
    let accounts = config.accounts.values();
    let routes: Vec<_> = accounts
        .flat_map(|account| account.dialect.routes.iter().map(move |route| (account, route)))
        .collect();
    let number: usize = bytes.iter().copied().map(usize::from).sum();
    routes[number % routes.len()]
}

struct Request {
    method: Method,
    target: String,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// As much of a request as there is; what no listener would let through is left out.
    fn read(input: &[u8]) -> Request {
        let end = input.windows(4).position(|at| at == b"\r\n\r\n");
        let (head, body) = end.map_or((&[][..], input), |end| (&input[..end], &input[end + 4..]));
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let mut words = lines.next().unwrap_or_default().split(|byte| *byte == b' ');
        let method = Method::from_bytes(words.next().unwrap_or_default()).unwrap_or(Method::POST);
        let target = String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
        let header = |line: &[u8]| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(header).take(100) {
            headers.append(name, value);
        }
        let url = format!("https://gateway.8890.example{target}");
        Request { method, target, url, headers, body: Bytes::copy_from_slice(body) }
    }

    fn survives(&self, account: &Account, route: &Route) {
        let call = Call {
            method: &self.method,
            route,
            target: &self.target,
            query: self.target.split_once('?').map_or("", |(_, query)| query),
            url: &self.url,
            headers: &self.headers,
            body: &self.body,
        };
        let verified = carrier::verify(&call, account, CLOCK);
        assert_eq!(verified, carrier::verify(&call, account, CLOCK), "the same twice");
        self.survives_signed(&call, account);
        is_bounded(&call, account);
        for answer in answers() {
            let most = longest(&form(route, &answer).body);
            let reply = carrier::answer(&call, &answer);
            assert!(reply.body.len() <= most, "{} bytes answered", reply.body.len());
        }
        let end = Next::End { say: Vec::new(), unrated: None };
        if let (Some(steps), Some(reply)) = (&route.steps, carrier::tell(&call, &end)) {
            let most = longest(&steps.end) + 6 * call.url.len();
            assert!(reply.body.len() <= most, "{} bytes told", reply.body.len());
        }
    }

    /// The same as the carrier itself would sign it: so the fuzzer gets past the signature.
    fn survives_signed(&self, call: &Call<'_>, account: &Account) {
        let (user, Some(secret)) = (account.user.as_deref(), account.secrets.first()) else {
            return;
        };
        for scheme in &call.route.auth.schemes {
            let Some(proof) = carrier::sign(scheme, secret, user, call, CLOCK) else { continue };
            let (Place::Header(name), None) = (proof.place.place, proof.place.parameter) else {
                continue;
            };
            let Ok(value) = HeaderValue::from_bytes(&proof.value) else { continue };
            let mut headers = self.headers.clone();
            headers.insert(name, value);
            let _verified = carrier::verify(&Call { headers: &headers, ..*call }, account, CLOCK);
        }
    }
}

fn is_bounded(call: &Call<'_>, account: &Account) {
    let decoded = carrier::decode(call, account);
    assert_eq!(decoded, carrier::decode(call, account), "the same twice");
    let found = decoded.events.len() + decoded.garbled.len();
    assert!(found <= call.route.max_items + 1, "{found} items");
    assert!(decoded.garbled.len() <= 101, "more problems than anybody reads");
    let keyed = decoded.events.iter().all(|event| !event.dedupe.is_empty());
    assert!(keyed, "an event without a key is counted at every repeat");
}

fn answers() -> Vec<Answer> {
    let denied = Denied::ALL.map(Answer::Refused);
    let others = [Answer::Accepted, Answer::Duplicate, Answer::Busy(Duration::from_secs(1))];
    others.into_iter().chain(denied).collect()
}

fn form<'r>(route: &'r Route, answer: &Answer) -> &'r AnswerForm {
    let answers = &route.answers;
    match answer {
        Answer::Accepted => &answers.accepted,
        Answer::Duplicate => &answers.duplicate,
        Answer::Busy(_) => &answers.busy,
        Answer::Refused(Denied::Unsigned) => &answers.unsigned,
        Answer::Refused(_) => &answers.refused,
    }
}

/// The most bytes that a template may come to.
fn longest(template: &Template) -> usize {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => text.len(),
        Piece::Value(..) => MOST_ECHOED,
    };
    template.pieces.iter().map(piece).sum()
}
