//! `carrier decode`: what would be made of a request, and what would be answered.

use super::recorded::{self, Recorded};
use crate::carrier::{self, Answer, Call, Decoded, Denied, Garbled, Reply};
use crate::cli::archive;
use crate::cli::shown::beijing;
use crate::clock::{Clock, Entropy};
use crate::config::dialect::{Route, Transport};
use crate::config::{self, Account, Config};
use crate::dialogue::{choose_campaign, flow, interpret};
use crate::model::{CallbackSeq, Event, EventBody, Level, Meaning};
use crate::store::StoredCallback;
use anyhow::anyhow;
use http::header::HOST;
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Says what would be made of a recorded request: whether it would be believed, what it says, the
/// keys by which a repeat is known, and the answer byte for byte. Nothing is stored.
///
/// Exit code 0: it would be believed and read whole. 1: not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 carrier decode request.http --account yunpian --config gateway.toml
  bridge8890 carrier decode request.http --account telnyx --config gateway.toml --at 2026-03-05T10:20:30+08:00
  nc -l 8080 | bridge8890 carrier decode - --account city-sms --config gateway.toml --json
  bridge8890 carrier decode --callback 4711 --reveal --config gateway.toml
  bridge8890 carrier decode --callback 4711 --reveal --raw --config gateway.toml > request.http

FILE holds one request as it travelled: request line, headers, an empty line, the body. For a carrier that
speaks through a WebSocket it holds one text frame a line.")]
pub(super) struct Args {
    /// The recorded request; `-` is the standard input.
    #[arg(required_unless_present = "callback", requires = "account")]
    file: Option<PathBuf>,
    /// The account that it was sent to.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Instead of a file, this callback of the store, from `records find --quarantined` or
    /// `records show`.
    #[arg(long, value_name = "N", conflicts_with_all = ["file", "account"], requires = "reveal")]
    callback: Option<i64>,
    /// Agree that a citizen's number and words of the store are shown.
    #[arg(long)]
    reveal: bool,
    /// Write the callback of the store as the request that it was, instead of reading it.
    #[arg(long, requires = "callback", conflicts_with = "json")]
    raw: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// When it arrived (RFC 3339); now, if left out.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// One JSON object a request instead of text.
    #[arg(long)]
    json: bool,
}

/// What would be made of a request.
#[derive(Debug, Serialize)]
struct Verdict {
    account: String,
    carrier: String,
    route: Option<String>,
    believed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skew_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    one_time_token: Option<String>,
    /// The question of a call that was answered; empty where the call begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    events: Vec<ShownEvent>,
    garbled: Vec<ShownGarbled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<ShownAnswers>,
    remarks: Vec<String>,
}

/// Which rule refused it and why.
#[derive(Debug, Serialize)]
struct Refusal {
    rule: &'static str,
    why: String,
}

#[derive(Debug, Serialize)]
struct ShownEvent {
    kind: &'static str,
    message_id: Option<String>,
    call_id: Option<String>,
    from_e164: Option<String>,
    to: Option<String>,
    received_at: Option<String>,
    pass_through: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digits: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_url: Option<String>,
    dedupe: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

#[derive(Debug, Serialize)]
struct ShownGarbled {
    place: String,
    problem: String,
}

#[derive(Debug, Serialize)]
struct ShownAnswers {
    /// What this request would be answered.
    now: ShownReply,
    duplicate: ShownReply,
    busy: ShownReply,
}

#[derive(Debug, Serialize)]
struct ShownReply {
    status: u16,
    content_type: Option<String>,
    body: String,
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let config = config::load(Some(&args.config))?;
    let now = args.at.unwrap_or_else(|| Clock::system().now());
    let (account, requests, at, was_believed) = match (&args.file, args.callback) {
        (Some(file), _) => {
            let name = args.account.as_deref().unwrap_or_default();
            (named(&config, name)?, recorded::read(file)?, now, false)
        }
        (None, seq) => {
            let kept = kept(&config, CallbackSeq(seq.unwrap_or_default())).await?;
            let account = named(&config, kept.account.as_str())?;
            let at = kept.received_at;
            (account, vec![Recorded::kept(kept)?], at, true)
        }
    };
    let mut good = true;
    for request in requests {
        if args.raw {
            request.write(out)?;
            continue;
        }
        let verdict = judge(&config, account, request, at, was_believed);
        good &= verdict.believed && verdict.garbled.is_empty();
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&verdict)?)?;
        } else {
            print(&verdict, out)?;
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn named<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a Arc<Account>> {
    let account = config.accounts.values().find(|account| account.name.as_str() == name);
    account.ok_or_else(|| {
        let names: Vec<&str> = config.accounts.keys().map(|name| name.as_str()).collect();
        anyhow!("there is no account {name:?}; the configuration has {}", names.join(", "))
    })
}

/// A callback of the store.
async fn kept(config: &Config, seq: CallbackSeq) -> anyhow::Result<StoredCallback> {
    let operator = archive::open(&config.store).await?;
    operator.callback(seq).await?.ok_or_else(|| {
        anyhow!(
            "there is no callback {seq}, or it is erased; `records find --quarantined` lists some"
        )
    })
}

fn judge(
    config: &Config,
    account: &Arc<Account>,
    recorded: Recorded,
    at: Timestamp,
    was_believed: bool,
) -> Verdict {
    let mut verdict = Verdict {
        account: account.name.to_string(),
        carrier: account.dialect.carrier.clone(),
        route: None,
        believed: false,
        refused: None,
        skew_seconds: None,
        one_time_token: None,
        step: None,
        events: Vec::new(),
        garbled: Vec::new(),
        answers: None,
        remarks: recorded.remarks,
    };
    let is_link = account.dialect.transport == Transport::WebSocket;
    let target = if is_link { account.access.path.as_str() } else { recorded.target.as_str() };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(route) = account.route_at(path).or_else(|| only_route(account)) else {
        verdict.refused = Some(elsewhere(config, account, path));
        return verdict;
    };
    verdict.route = Some(route.name.clone());
    let url = account.access.url_of(target, config.http.external_url.as_deref(), || {
        let host = recorded.headers.get(HOST).and_then(|host| host.to_str().ok());
        format!("https://{}{target}", host.unwrap_or_default())
    });
    let call = Call {
        method: &recorded.method,
        route,
        target,
        query,
        url: &url,
        headers: &recorded.headers,
        body: &recorded.body,
    };
    verdict.refused = match account.route_at(path) {
        Some(_) => refusal(&call, config),
        None => Some(elsewhere(config, account, path)),
    };
    let mut denied = None;
    if is_link || was_believed {
        verdict.believed = verdict.refused.is_none();
    } else {
        match carrier::verify(&call, account, at) {
            Ok(verified) => {
                verdict.believed = verdict.refused.is_none();
                verdict.skew_seconds = verified.skew.map(|skew| skew.as_secs_f64());
                verdict.one_time_token = verified.nonce;
            }
            Err(reason) => {
                denied = Some(reason);
                let why = reason.to_string();
                verdict.refused.get_or_insert(Refusal { rule: reason.name(), why });
            }
        }
    }
    let decoded = carrier::decode(&call, account);
    verdict.events = decoded.events.iter().map(|event| show(event, config, account, at)).collect();
    verdict.step = decoded.turn.map(|turn| turn.step.map(|it| it.to_string()).unwrap_or_default());
    if !is_link {
        let step = next_step(&call, &decoded, config, account);
        verdict.answers = Some(answers(&call, denied, step.as_ref()));
    }
    verdict.garbled = decoded.garbled.into_iter().map(show_garbled).collect();
    verdict
}

/// The one route of an account that has no other, by which a request with another path is read
/// all the same.
fn only_route(account: &Account) -> Option<&Route> {
    match account.dialect.routes.as_slice() {
        [route] => Some(route),
        _ => None,
    }
}

/// A request to a path that is not the account's.
fn elsewhere(config: &Config, account: &Account, path: &str) -> Refusal {
    let routes = account.dialect.routes.iter();
    let addresses: Vec<String> = routes.map(|route| account.access.path_of(route)).collect();
    let addresses = addresses.join(", ");
    let why = match config.endpoint(path) {
        Some((other, _)) => format!(
            "{path} is an address of the account `{}`; this one answers at {addresses}",
            other.name
        ),
        None if addresses.is_empty() => {
            format!("nobody answers at {path}; this account only sends")
        }
        None => format!("nobody answers at {path}; this account does at {addresses}"),
    };
    Refusal { rule: "path", why }
}

/// What the listener would refuse before the carrier's own rules are asked.
fn refusal(call: &Call<'_>, config: &Config) -> Option<Refusal> {
    if !call.route.methods.contains(call.method) {
        let allowed: Vec<&str> = call.route.methods.iter().map(http::Method::as_str).collect();
        let why = format!("{} where {} is expected", call.method, allowed.join(" or "));
        return Some(Refusal { rule: "method", why });
    }
    let cap = call.route.max_body.min(config.http.limits.max_body);
    if call.body.len() > cap {
        let why = format!("the body has {} bytes; at most {cap} are taken", call.body.len());
        return Some(Refusal { rule: "size", why });
    }
    None
}

fn show(event: &Event, config: &Config, account: &Account, at: Timestamp) -> ShownEvent {
    let campaign = choose_campaign(&config.campaigns, account, event.service.as_ref());
    let entropy = Entropy::system();
    let meant = interpret(event, account, campaign.map(Arc::as_ref), at, || entropy.record_id(at));
    let first = meant.records.first();
    let mut shown = ShownEvent {
        kind: event.body.kind(),
        message_id: event.message_id.as_ref().map(ToString::to_string),
        call_id: event.call.as_ref().map(ToString::to_string),
        from_e164: event.caller.as_ref().map(|caller| caller.reveal().to_owned()),
        to: event.service.as_ref().map(ToString::to_string),
        received_at: event.occurred_at.map(beijing),
        pass_through: event.pass_through.clone(),
        part: event
            .part
            .as_ref()
            .map(|part| format!("{} of {}, of {}", part.number, part.total, part.reference)),
        text: None,
        digits: None,
        status: None,
        raw_status: None,
        recording_url: None,
        dedupe: event.dedupe.clone(),
        outcome: meant.outcome.name(),
        level: first.and_then(|record| match record.meaning {
            Meaning::Rating { level, .. } => Some(Level::number(level)),
            Meaning::Complaint { .. } | Meaning::NotRated { .. } => None,
        }),
        rule: first.map(|record| record.rule.to_string()),
    };
    match &event.body {
        EventBody::SmsReply { text } => shown.text = Some(text.clone()),
        EventBody::Keypad { digits } => shown.digits = Some(digits.clone()),
        EventBody::CallStatus { status, raw, digits } => {
            shown.status = serde_json::to_value(status).ok();
            shown.raw_status = Some(raw.clone());
            shown.digits.clone_from(digits);
        }
        EventBody::DeliveryReport { status, raw } => {
            shown.status = serde_json::to_value(status).ok();
            shown.raw_status = Some(raw.clone());
        }
        EventBody::Recording { url } => shown.recording_url = Some(url.clone()),
        EventBody::OptOut => {}
    }
    shown
}

fn show_garbled(garbled: Garbled) -> ShownGarbled {
    ShownGarbled { place: garbled.place, problem: garbled.problem.into_owned() }
}

/// What a call is told next, where its carrier asks and a campaign has a question.
fn next_step(
    call: &Call<'_>,
    decoded: &Decoded,
    config: &Config,
    account: &Account,
) -> Option<Reply> {
    let (turn, event) = (decoded.turn?, decoded.events.first()?);
    let campaign = choose_campaign(&config.campaigns, account, event.service.as_ref())?;
    let flow = campaign.call.as_ref()?;
    carrier::tell(call, &flow::next(flow, campaign, turn.step, &event.body))
}

fn answers(call: &Call<'_>, denied: Option<Denied>, step: Option<&Reply>) -> ShownAnswers {
    let told = |answer: &Answer| show_reply(&carrier::answer(call, answer));
    let taken = |answer| step.map_or_else(|| told(&answer), show_reply);
    ShownAnswers {
        now: denied.map_or_else(|| taken(Answer::Accepted), |why| told(&Answer::Refused(why))),
        duplicate: taken(Answer::Duplicate),
        busy: told(&Answer::Busy(Duration::from_secs(5))),
    }
}

fn show_reply(reply: &Reply) -> ShownReply {
    let content_type = reply.content_type.as_ref().and_then(|value| value.to_str().ok());
    ShownReply {
        status: reply.status.as_u16(),
        content_type: content_type.map(str::to_owned),
        body: String::from_utf8_lossy(&reply.body).into_owned(),
    }
}

fn print(verdict: &Verdict, out: &mut impl Write) -> anyhow::Result<()> {
    let route = verdict.route.as_deref().unwrap_or("none");
    let route = if route.is_empty() { "the bare address" } else { route };
    writeln!(out, "account      {} ({}), route {route}", verdict.account, verdict.carrier)?;
    match &verdict.refused {
        None => writeln!(out, "believed     yes")?,
        Some(Refusal { rule, why }) => writeln!(out, "refused      {rule}: {why}")?,
    }
    if let Some(skew) = verdict.skew_seconds {
        writeln!(out, "clock        the carrier's is {skew:+} s from ours")?;
    }
    match verdict.step.as_deref() {
        None => {}
        Some("") => writeln!(out, "step         the call begins")?,
        Some(step) => writeln!(out, "step         {step} was answered")?,
    }
    for event in &verdict.events {
        print_event(event, out)?;
    }
    for ShownGarbled { place, problem } in &verdict.garbled {
        writeln!(out, "unreadable   {place}: {problem}")?;
    }
    for remark in &verdict.remarks {
        writeln!(out, "remark       {remark}")?;
    }
    if let Some(ShownAnswers { now, .. }) = &verdict.answers {
        let content_type = now.content_type.as_deref().unwrap_or("no content type");
        writeln!(out, "answer       {} {content_type}\n             {}", now.status, now.body)?;
    }
    Ok(())
}

fn print_event(event: &ShownEvent, out: &mut impl Write) -> anyhow::Result<()> {
    let level = event.level.map(|level| format!(" {level}")).unwrap_or_default();
    let rule = event.rule.as_ref().map(|rule| format!(" by rule {rule}")).unwrap_or_default();
    writeln!(out, "event        {}: {}{level}{rule}", event.kind, event.outcome)?;
    let status = event.status.as_ref().and_then(serde_json::Value::as_str);
    for (name, value) in [
        ("from", event.from_e164.as_deref()),
        ("to", event.to.as_deref()),
        ("at", event.received_at.as_deref()),
        ("id", event.message_id.as_deref()),
        ("call", event.call_id.as_deref()),
        ("handed back", event.pass_through.as_deref()),
        ("part", event.part.as_deref()),
        ("text", event.text.as_deref()),
        ("keys", event.digits.as_deref()),
        ("status", status),
        ("their word", event.raw_status.as_deref()),
        ("recording", event.recording_url.as_deref()),
        ("repeat key", Some(event.dedupe.as_str())),
    ] {
        if let Some(value) = value {
            writeln!(out, "  {name:<11}{value}")?;
        }
    }
    Ok(())
}
