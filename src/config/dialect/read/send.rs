//! How a carrier is told to send a message, and how its answer is read.

use super::super::{
    AnswerFormat, CarrierId, Code, CodePlace, NumberForm, Piece, Place, SendAnswer, SendBody,
    SendProof, Source, Submission, Template, TimeForm, is_value, read_path,
};
use super::digest;
use super::places::{Ground, Use, written};
use super::times;
use super::values::{any_text, flag, named, texts, wrong_shape};
use crate::config::problem::{Fault, one_of};
use crate::config::raw::{At, Section};
use http::{HeaderName, Method};
use std::sync::Arc;

const SCHEMES: [&str; 6] =
    ["basic", "bearer", "digest", "aliyun-rpc", "tencent-tc3", "huawei-wsse"];

const METHODS: [(&str, &Method); 3] =
    [("GET", &Method::GET), ("POST", &Method::POST), ("PUT", &Method::PUT)];

const URL: &str = "\"https://sms.carrier.example/send\"";

/// Fields of a request, with their names.
type Fields = Vec<(String, Template)>;

/// Reads `send`. `Some(None)`: there is none.
pub(super) fn send(section: &mut Section<'_>) -> Option<Option<Arc<Submission>>> {
    if !section.has("send") {
        section.node("send");
        return Some(None);
    }
    section.table("send", submission).map(|submission| Some(Arc::new(submission)))
}

fn submission(section: &mut Section<'_>) -> Option<Submission> {
    let url = section.text("url", URL, send_url);
    let to = section.text("to", "\"e164\"", |it| one_of(it, "a form", &NumberForm::NAMES));
    let time = section.text("time", "\"epoch_s\"", times::written_form);
    let headers = headers(section);
    let query = fields(section, "query");
    let body = body(section);
    let usual = if body == Some(SendBody::Nothing) { Method::GET } else { Method::POST };
    let method = section.text("method", "\"POST\"", |it| one_of(it, "a method", &METHODS));
    let proof = proof(section);
    section.demand("answer", "say how the answer is read, [send.answer]");
    let answer = section.table("answer", answer);
    let repeatable = flag(section, "repeatable");
    let submission = Submission {
        url: url.map(|url| url.value),
        method: method.map_or(usual, |method| method.value.clone()),
        to: to.map_or_else(NumberForm::default, |to| to.value),
        time: time.map_or(TimeForm::EpochSeconds, |time| time.value),
        headers: headers?,
        query: query?,
        body: body?,
        proof: proof?,
        answer: answer?,
        repeatable,
    };
    check(section, &submission);
    Some(submission)
}

fn check(section: &Section<'_>, submission: &Submission) {
    let here = section.here();
    if !submission.names("to") {
        let right = "put ${to} where the citizen's number stands";
        section.reject(&here, Fault::new("tells the carrier no number", right));
    }
    if !submission.takes_texts() && !submission.takes_templates() {
        let right = "put ${text} where the text stands, or ${template} and ${parameters}";
        section.reject(&here, Fault::new("tells the carrier nothing to send", right));
    }
    if submission.repeatable && !submission.names("key") {
        let right = "put ${key} where the carrier looks for it, or remove `repeatable`";
        section.reject(&here, Fault::new("can be repeated only with our key in it", right));
    }
    if submission.answer.id == Some(CarrierId::Ours) && !submission.names("key") {
        let right = "put ${key} where the carrier takes it, or say where its own `id` stands";
        section
            .reject(&here, Fault::new("tells the carrier no key that it could hand back", right));
    }
    let signs = matches!(submission.proof, SendProof::Digest(_));
    match (signs, submission.names(Submission::SIGNATURE)) {
        (true, false) => {
            let right = "put ${signature} where the carrier looks for it";
            section.reject(&here, Fault::new("makes a signature that goes nowhere", right));
        }
        (false, true) => {
            let right = "add auth = { scheme = \"digest\", … }, which makes it";
            section.reject(&here, Fault::new("has ${signature}, and nothing makes one", right));
        }
        _ => {}
    }
}

/// Reads an address: an absolute URL whose host is no value.
pub(in crate::config) fn send_url(text: &str) -> Result<Template, Fault> {
    let fault = |wrong: &str| Fault::new(wrong, format!("write for example {URL}"));
    let template = ours(text)?;
    let host = |literal: &str, whole: bool| {
        let (_, rest) =
            literal.split_once("://").filter(|(it, _)| ["http", "https"].contains(it))?;
        let (host, _) = rest.split_once('/').or(whole.then_some((rest, "")))?;
        (!host.is_empty() && !host.contains('@')).then_some(())
    };
    let alone = template.pieces.len() == 1;
    let known = match template.pieces.first() {
        Some(Piece::Literal(literal)) => host(literal, alone),
        _ => None,
    };
    known.ok_or_else(|| fault("is not an http:// or https:// URL with its host written out"))?;
    match text.contains(['?', '#']) {
        true => Err(fault("has a query or fragment; fields of the query stand in `query`")),
        false => Ok(template),
    }
}

/// A template over the message, the account's values, `${user}` and `${secret}`.
fn ours(text: &str) -> Result<Template, Fault> {
    let template = Ground::default().template(text, Use::Send)?;
    let known = |source: &&Source| match source.place {
        Place::Item => source.path.len() == 1,
        Place::User | Place::Secret => true,
        _ => false,
    };
    if let Some(other) = template.sources().find(|source| !known(source)) {
        return Err(Fault::new(
            format!("`${{{other}}}` is no value of a message"),
            format!("write ${{{}}}, or a name of send.values", Submission::VALUES.join("}, ${")),
        ));
    }
    Ok(template)
}

/// The same, where only text can stand.
fn text_of_ours(text: &str) -> Result<Template, Fault> {
    let template = ours(text)?;
    for piece in &template.pieces {
        if let Piece::Value(source, filters) = piece {
            written(source, filters)?;
        }
    }
    Ok(template)
}

fn fields(section: &mut Section<'_>, key: &'static str) -> Option<Fields> {
    if !section.has(key) {
        section.node(key);
        return Some(Vec::new());
    }
    named(section, key, "{ mobile = \"${to}\", content = \"${text}\" }", |_, value| ours(value))
}

fn headers(section: &mut Section<'_>) -> Option<Vec<(HeaderName, Template)>> {
    if !section.has("headers") {
        section.node("headers");
        return Some(Vec::new());
    }
    let headers = named(section, "headers", "{ \"X-Sign\" = \"${signature}\" }", |name, value| {
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            Fault::new(format!("{name:?} is not a header's name"), "write for example \"X-Sign\"")
        })?;
        Ok((known, text_of_ours(value)?))
    })?;
    Some(headers.into_iter().map(|(_, header)| header).collect())
}

fn body(section: &mut Section<'_>) -> Option<SendBody> {
    let json = section.text("json", "'{\"mobile\":\"${to}\",\"content\":\"${text}\"}'", json);
    if !section.has("json") {
        return match section.has("form") {
            true => fields(section, "form").map(SendBody::Form),
            false => {
                section.node("form");
                Some(SendBody::Nothing)
            }
        };
    }
    section.refuse("form", || Fault::new("a body is a form or JSON", "keep one of `form`, `json`"));
    json.map(|json| SendBody::Json(json.value))
}

/// Reads a JSON text with values in it, which must be JSON whatever they are.
fn json(text: &str) -> Result<Template, Fault> {
    let template = text_of_ours(text)?;
    let sample = template.pieces.iter().map(|piece| match piece {
        Piece::Literal(literal) => literal.as_str(),
        Piece::Value(source, _) if is_json(source) => "null",
        Piece::Value(..) => "0",
    });
    let sample: String = sample.collect();
    match serde_json::from_str::<serde::de::IgnoredAny>(&sample) {
        Ok(_) => Ok(template),
        Err(error) => Err(Fault::new(
            format!("is not JSON with values in it ({error})"),
            "write for example '{\"mobile\":\"${to}\",\"params\":${parameter_list}}'",
        )),
    }
}

/// Whether a value is JSON already.
fn is_json(source: &Source) -> bool {
    is_value(source, "parameters") || is_value(source, "parameter_list")
}

fn proof(section: &mut Section<'_>) -> Option<SendProof> {
    if !section.has("auth") {
        section.node("auth");
        return Some(SendProof::Nothing);
    }
    section.table("auth", |section| {
        section.end_with("scheme");
        section.demand("scheme", "write scheme = \"digest\", or another of the schemes");
        let names = SCHEMES.map(|name| (name, name));
        let scheme = section.text("scheme", "\"digest\"", |it| one_of(it, "a scheme", &names))?;
        Some(match scheme.value {
            "basic" => SendProof::Basic,
            "bearer" => SendProof::Bearer,
            "digest" => SendProof::Digest(Box::new(digest::of_ours(section)?)),
            "aliyun-rpc" => SendProof::AliyunRpc,
            "tencent-tc3" => {
                section.demand("service", "write service = \"sms\"");
                let service = section.text("service", "\"sms\"", |it| Ok(it.to_owned()))?;
                SendProof::TencentTc3 { service: service.value }
            }
            _ => SendProof::HuaweiWsse,
        })
    })
}

fn answer(section: &mut Section<'_>) -> Option<SendAnswer> {
    section.demand("format", "write format = \"json\", \"xml\" or \"text\"");
    section.demand("code", "say where the code stands, code = \"Code\", or \"status:\", \"body:\"");
    section.demand("sent", "name the codes of success, sent = [\"OK\"]");
    let format =
        section.text("format", "\"json\"", |it| one_of(it, "a format", &AnswerFormat::NAMES));
    let code = texts(section, "code", "\"Code\"", place);
    let mut codes = |key| texts(section, key, "[\"isv.BLACK*\"]", |it| Ok(code_of(it)));
    let (sent, throttled, rejected) = (codes("sent"), codes("throttled"), codes("rejected"));
    let id = id(section);
    let list = |codes: Option<At<Vec<Code>>>| codes.map(|codes| codes.value).unwrap_or_default();
    Some(SendAnswer {
        format: format?.value,
        code: code?.value,
        sent: sent?.value,
        throttled: list(throttled),
        rejected: list(rejected),
        id: id?,
    })
}

/// Reads a code: the start of some with `*` at its end, a part of some between two.
pub(in crate::config) fn code_of(text: &str) -> Code {
    if let Some(part) = text.strip_prefix('*').and_then(|rest| rest.strip_suffix('*')) {
        return Code::Part(part.to_owned());
    }
    match text.strip_suffix('*') {
        Some(start) => Code::Prefix(start.to_owned()),
        None => Code::Exact(text.to_owned()),
    }
}

/// Reads where a code stands.
pub(in crate::config) fn place(text: &str) -> Result<CodePlace, Fault> {
    match text {
        "status:" => Ok(CodePlace::Status),
        "body:" => Ok(CodePlace::Body),
        path => read_path(path).map(CodePlace::Path).map_err(|_| {
            Fault::new(
                format!("{path:?} is no place of an answer"),
                "write a field such as \"result.0.status\", or \"status:\" or \"body:\"",
            )
        }),
    }
}

/// Reads `id`; `Some(None)` if the carrier gives none.
fn id(section: &mut Section<'_>) -> Option<Option<CarrierId>> {
    let Some(node) = section.node("id") else { return Some(None) };
    let given = |place, after, before| Some(Some(CarrierId::Given { place, after, before }));
    match node.value.as_str() {
        Some("${key}") => Some(Some(CarrierId::Ours)),
        Some(text) => match place(text) {
            Ok(place) => given(place, String::new(), String::new()),
            Err(fault) => {
                node.reject(fault);
                None
            }
        },
        None if node.value.is_table() => section.table("id", |section| {
            section.demand("from", "say where it stands, from = \"body:\"");
            let place = section.text("from", "\"body:\"", place);
            let after = any_text(section, "after", "'Success \"'");
            let before = any_text(section, "before", "'\"'");
            given(place?.value, after, before)
        }),
        None => {
            wrong_shape(&node, "a place or a table", "write id = \"BizId\"");
            None
        }
    }
}
